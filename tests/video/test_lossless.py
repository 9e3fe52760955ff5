import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from hoiset.errors import VideoError
from hoiset.video import decode_lossless, encode_lossless


@given(
    st.sampled_from([np.uint8, np.uint16]).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=9))
    )
)
@settings(max_examples=40, deadline=None)
def test_every_number_comes_back(frames: np.ndarray) -> None:
    back = decode_lossless(encode_lossless(frames))
    assert back.dtype == frames.dtype
    np.testing.assert_array_equal(back, frames)


@pytest.mark.parametrize("size", [(48, 64), (240, 426), (480, 640), (720, 1280)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_equal_frames_give_equal_bytes(size: tuple[int, int], dtype: type) -> None:
    frames = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (2, *size)).astype(dtype)
    data = encode_lossless(frames)
    assert encode_lossless(iter(frames)) == data
    np.testing.assert_array_equal(decode_lossless(data), frames)


@pytest.mark.parametrize(
    ("frames", "found"),
    [
        ([], "no frames"),
        ([np.zeros((4, 4), np.float32)], "float32"),
        ([np.zeros((4, 4, 3), np.uint8)], r"\(4, 4, 3\)"),
        ([np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8)], r"\(4, 5\)"),
        ([np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint16)], "uint16"),
    ],
)
def test_other_frames_are_refused(frames: list[np.ndarray], found: str) -> None:
    with pytest.raises(VideoError, match=found):
        encode_lossless(frames)


def test_damage_is_found() -> None:
    data = encode_lossless(np.random.default_rng(0).integers(0, 256, (4, 32, 32)).astype(np.uint8))
    for broken in (b"", b"nonsense", data[:60]):
        with pytest.raises(VideoError):
            decode_lossless(broken)
