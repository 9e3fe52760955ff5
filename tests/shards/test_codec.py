import gzip
import io
import json
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from hoiset.errors import SchemaError
from hoiset.shards.codec import MAX_UNPACKED, canonical_json, conform, decode, decode_npy, encode, encode_npy
from hoiset.shards.schema import SCHEMA

ARRAYS = st_numpy.arrays(
    st.sampled_from(["<f8", "<f4", "|u1"]), st_numpy.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)
)


@given(ARRAYS)
def test_npy_round_trip_and_numpy_reads_it(array: np.ndarray) -> None:
    data = encode_npy(array)
    for back in (decode_npy(data), np.load(io.BytesIO(data), allow_pickle=False)):
        assert back.dtype == array.dtype
        np.testing.assert_array_equal(back, array)


def test_npy_of_a_view_is_that_of_a_copy() -> None:
    array = np.arange(12.0).reshape(3, 4)
    assert encode_npy(array.T) == encode_npy(array.T.copy())


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"x", lambda d: b"x" + d, lambda d: b""])
def test_damaged_npy_is_refused(change) -> None:
    with pytest.raises(SchemaError, match=r"time.npy: found"):
        decode_npy(change(encode_npy(np.arange(3.0))), "time.npy")


PACKED = next(m for m in SCHEMA if m.name == "hand_wrist.npy.gz")
WRIST = np.random.default_rng(0).normal(size=(5, 2, 4, 4)).astype("<f4")


def test_packed_arrays_come_back_and_gzip_reads_them() -> None:
    data = encode(PACKED, WRIST)
    assert data == encode(PACKED, WRIST.copy())
    np.testing.assert_array_equal(decode(PACKED, data), WRIST)
    np.testing.assert_array_equal(np.load(io.BytesIO(gzip.decompress(data))), WRIST)


@pytest.mark.parametrize(
    "change",
    [lambda d: d[:-1], lambda d: d + b"x", lambda d: d + d, lambda d: b"x" + d, lambda d: b"", lambda d: d[:300]],
)
def test_damaged_packed_arrays_are_refused(change) -> None:
    with pytest.raises(SchemaError, match=r"hand_wrist.npy.gz: found"):
        decode(PACKED, change(encode(PACKED, WRIST)))


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_any_changed_byte_of_a_packed_array_is_refused_or_harmless(position: int, change: int) -> None:
    data = bytearray(encode(PACKED, WRIST))
    data[position % len(data)] ^= change
    try:
        back = decode(PACKED, bytes(data))
    except SchemaError:
        return
    np.testing.assert_array_equal(back, WRIST)


@pytest.mark.parametrize("told", [MAX_UNPACKED + 1, 1000])
def test_a_gzip_bomb_is_refused_without_memory(told: int) -> None:
    bomb = zlib.compress(bytes(1 << 26), wbits=31)
    bomb = bomb[:-4] + told.to_bytes(4, "little")
    tracemalloc.start()
    with pytest.raises(SchemaError, match="found"):
        decode(PACKED, bomb)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_pickled_objects_are_refused() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(SchemaError, match="no objects"):
        decode_npy(buffer.getvalue())


def test_a_header_that_promises_more_is_refused_without_memory() -> None:
    data = encode_npy(np.zeros(2))
    with pytest.raises(SchemaError, match="expected 72000000000"):
        decode_npy(data.replace(b"(2,), }         ", b"(9000000000,), }"))


@given(st.integers(0, 127), st.integers(0, 255))
def test_any_flipped_header_byte_is_refused_or_harmless(position: int, value: int) -> None:
    array = np.arange(12, dtype="<f4").reshape(3, 4)
    data = bytearray(encode_npy(array))
    data[position] = value
    try:
        decode_npy(bytes(data))
    except SchemaError:
        return
    assert position > 20 or bytes(data) == encode_npy(array)


def test_json_is_canonical() -> None:
    a = canonical_json({"b": np.float32(0.5), "a": [np.int64(1), float("nan"), True], "é": ("x",)})
    assert a == '{"a":[1,null,true],"b":0.5,"é":["x"]}'.encode()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_survive_json_exactly(value: float) -> None:
    assert json.loads(canonical_json([value])) == [value]


@pytest.mark.parametrize("value", [float("inf"), object(), b"bytes", "\ud800"])
def test_what_json_does_not_know_is_refused(value: object) -> None:
    with pytest.raises(SchemaError, match="cannot write as JSON"):
        canonical_json([value])


def test_conform_makes_floats_of_ints_only_where_floats_stand() -> None:
    fields = {"a": "float64", "b": "int32", "c": [{"d": ["float64"]}]}
    assert repr(conform({"a": 1, "b": 1, "c": [{"d": [2, None]}]}, fields)) == repr(
        {"a": 1.0, "b": 1, "c": [{"d": [2.0, None]}]}
    )


@pytest.mark.parametrize("data", [b"", b"{", b'{"a":NaN}', b"[-Infinity]", b"\xff", b"[" * 10**5])
def test_damaged_json_is_refused(data: bytes) -> None:
    with pytest.raises(SchemaError, match=r"clip\.json: found bytes that are not JSON"):
        decode(SCHEMA[0], data)
