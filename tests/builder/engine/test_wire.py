import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hoiset.builder.engine.wire import Decoder, WireError, encode

ARRAYS = st.one_of(
    hnp.arrays("|u1", hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)),
    hnp.arrays("<f4", hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5)),
)


@given(
    st.lists(st.tuples(st.integers(), st.dictionaries(st.text(max_size=3), ARRAYS, max_size=3)), max_size=4), st.data()
)
def test_any_split_of_the_bytes_gives_the_messages_back(messages, data):
    raw = b"".join(bytes(b) for number, arrays in messages for b in encode({"n": number}, arrays))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    decoder, out = Decoder(), []
    for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        out += decoder.feed(raw[a:b])
    assert len(out) == len(messages)
    for got, (number, arrays) in zip(out, messages, strict=True):
        assert got.header == {"n": number}
        assert list(got.arrays) == list(arrays)
        for name, expected in arrays.items():
            assert got.arrays[name].dtype == expected.dtype
            assert got.arrays[name].tobytes() == expected.tobytes()
            assert got.arrays[name].shape == expected.shape


def test_a_strided_array_arrives_as_it_looks():
    image = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)[::-1, :, ::-1]
    raw = b"".join(bytes(b) for b in encode({}, {"a": image}))
    assert np.array_equal(Decoder().feed(raw)[0].arrays["a"], image)


@pytest.mark.parametrize("dtype", ["O", "<c8", "<U3"])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(WireError, match="dtype"):
        encode({}, {"a": np.zeros(2, dtype)})


def _raw(header: bytes) -> bytes:
    return struct.pack("<I", len(header)) + header


@pytest.mark.parametrize(
    "raw",
    [
        b"Traceback (most recent call last)",
        _raw(b"not json"),
        _raw(b"[]"),
        _raw(b"{}"),
        _raw(json.dumps({"arrays": [{"name": "a", "dtype": "|O", "shape": [1]}]}).encode()),
        _raw(json.dumps({"arrays": [{"name": "a", "dtype": "<f4", "shape": [-1, 2]}]}).encode()),
        _raw(json.dumps({"arrays": [{"name": "a", "dtype": "<f8", "shape": [1 << 40]}]}).encode()),
    ],
)
def test_what_is_no_message_is_an_error(raw):
    with pytest.raises(WireError):
        Decoder().feed(raw)
