import pickle
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.errors import MissingDependency, VideoError
from hoiset.loaders.decoding import VideoCache
from hoiset.video import decode_mp4_bytes, encode_lossless, encode_mp4
from tests.clips import numbered

N = 27


@pytest.fixture(scope="module")
def mp4() -> bytes:
    times = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.2, N))  # no two frames equally long
    return encode_mp4(numbered(N, 48, 64), times)


@pytest.fixture(scope="module")
def whole(mp4: bytes) -> np.ndarray:
    return decode_mp4_bytes(mp4)[0]


@pytest.fixture(scope="module")
def cache() -> VideoCache:
    return VideoCache()


@settings(max_examples=60, deadline=None)
@given(indices=st.lists(st.integers(0, N - 1), min_size=1, max_size=6))
def test_any_frames_are_those_of_a_full_decode(
    mp4: bytes, whole: np.ndarray, cache: VideoCache, indices: list[int]
) -> None:
    """The cache lives on from example to example, so that decoding starts from every state."""
    np.testing.assert_array_equal(cache.frames("a", lambda: mp4, np.array(indices)), whole[indices])


@pytest.mark.parametrize("first", [0, 1, 7, 8, N - 4])
def test_windows_at_ends_and_over_key_frames(mp4: bytes, whole: np.ndarray, first: int) -> None:
    found = VideoCache().frames("a", lambda: mp4, np.arange(first, first + 4))
    np.testing.assert_array_equal(found, whole[first : first + 4])
    assert found.flags.c_contiguous
    assert found.flags.writeable


def test_evicted_videos_are_opened_again(mp4: bytes, whole: np.ndarray) -> None:
    cache, reads = VideoCache(max_open=2), list[str]()

    def frames(name: str, index: int) -> np.ndarray:
        def read() -> bytes:
            reads.append(name)
            return mp4

        return cache.frames(name, read, np.array([index]))[0]

    for name, index in (("a", 3), ("b", 9), ("a", 4), ("c", 20), ("a", 5), ("b", 10)):
        np.testing.assert_array_equal(frames(name, index), whole[index])
        assert len(cache) <= 2
    assert reads == ["a", "b", "c", "b"]
    assert len(pickle.loads(pickle.dumps(cache))) == 0


def test_resizing_is_that_of_the_full_decode_by_area(mp4: bytes, whole: np.ndarray) -> None:
    small = VideoCache().frames("a", lambda: mp4, np.array([5]), resize=(24, 32))
    assert small.shape == (1, 24, 32, 3)
    area = whole[5].reshape(24, 2, 32, 2, 3).mean((1, 3))
    assert np.abs(small[0] - area).mean() < 3


def test_fast_colour_is_the_same_frame_with_coarser_colour(mp4: bytes, whole: np.ndarray) -> None:
    fast = VideoCache(colour="fast").frames("a", lambda: mp4, np.arange(N)).astype(int)
    distance = np.abs(fast[:, None] - whole[None].astype(int)).mean((2, 3, 4))
    np.testing.assert_array_equal(distance.argmin(1), np.arange(N))
    luma = np.array([0.2126, 0.7152, 0.0722])
    assert np.abs(fast @ luma - whole @ luma).mean() < 1.5
    with pytest.raises(VideoError, match="unknown colour"):
        VideoCache(colour="grey")  # type: ignore[arg-type]


def test_numbers_are_exact_and_take_the_nearest_pixel() -> None:
    depth = np.random.default_rng(0).integers(0, 60_000, (20, 12, 16)).astype(np.uint16)
    data, cache = encode_lossless(depth), VideoCache()
    for indices in ([0], [19], [11, 12, 13], [14, 3]):
        found = cache.frames("d", lambda: data, np.array(indices), lossless=True)
        np.testing.assert_array_equal(found, depth[indices])
    found = cache.frames("d", lambda: data, np.array([4]), lossless=True, resize=(6, 8))
    np.testing.assert_array_equal(found[0], depth[4, 1::2, 1::2])


def test_what_is_wrong_is_said(mp4: bytes) -> None:
    cache = VideoCache()
    with pytest.raises(VideoError, match=r"found frame numbers \[27\], expected some of 0 .. 26"):
        cache.frames("a", lambda: mp4, np.array([N]))
    with pytest.raises(VideoError, match="found 27 frames in the video, expected 30"):
        cache.frames("b", lambda: mp4, np.array([0]), n_frames=30)
    with pytest.raises(VideoError, match="tables are damaged"):
        cache.frames("c", lambda: mp4[:100], np.array([0]))
    with pytest.raises(VideoError, match="unknown decoder"):
        VideoCache("opencv")  # type: ignore[arg-type]


def test_a_damaged_frame_is_an_error_and_costs_no_other(mp4: bytes, whole: np.ndarray) -> None:
    from hoiset.video import read_frame_table

    table, data = read_frame_table(mp4), bytearray(mp4)
    start, size = int(table.offset[8]), int(table.size[8])
    data[start : start + size] = bytes(size)
    cache = VideoCache()
    with pytest.raises(VideoError, match="hoiset verify"):
        cache.frames("a", lambda: bytes(data), np.array([9]))
    np.testing.assert_array_equal(cache.frames("a", lambda: bytes(data), np.array([18]))[0], whole[18])


def test_torchcodec_gives_the_same_frames_but_for_rounding(mp4: bytes, whole: np.ndarray) -> None:
    if find_spec("torchcodec") is None:
        with pytest.raises(MissingDependency, match="decoder='pyav'"):
            VideoCache("torchcodec")
        pytest.skip("torchcodec is not installed")
    try:
        cache = VideoCache("torchcodec")
    except MissingDependency as error:
        pytest.skip(str(error))
    for index in (0, 7, 8, 13, N - 1):
        found = cache.frames("a", lambda: mp4, np.array([index]))[0].astype(int)
        distance = np.abs(found - whole.astype(int)).mean((1, 2, 3))
        assert np.argmin(distance) == index
        assert distance[index] < 8
    assert cache.frames("a", lambda: mp4, np.array([3]), resize=(24, 32)).shape == (1, 24, 32, 3)
