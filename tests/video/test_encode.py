from __future__ import annotations

import io

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.errors import VideoError
from hoiset.video import count_frames, decode_mp4_bytes, encode_mp4
from tests.clips import numbered


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.floats(1e-4, 0.5), min_size=0, max_size=20),
    st.sampled_from([(16, 16), (64, 96), (98, 66)]),
    st.floats(0, 100),
)
def test_frames_and_any_times_come_back(gaps: list[float], size: tuple[int, int], start: float) -> None:
    time = start + np.concatenate([[0.0], np.cumsum(gaps)])
    frames = numbered(len(time), *size)
    data = encode_mp4(frames, time, crf=10)
    rgb, back = decode_mp4_bytes(data)
    assert rgb.shape == frames.shape
    assert np.abs(back - (time - time[0])).max() <= 1e-6
    assert np.abs(rgb.astype(int) - frames).mean() < 12  # chroma is stored at half the resolution
    assert count_frames(data) == len(time)


def test_same_input_gives_same_bytes_and_only_i_and_p_frames() -> None:
    frames, time = numbered(40), np.arange(40) / 29.97
    data = encode_mp4(iter(frames), time)
    assert data == encode_mp4(list(frames), time)
    assert data.find(b"moov") < data.find(b"mdat")
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        packets = [p for p in container.demux(stream) if p.size]
        context = stream.codec_context
        assert (context.name, context.pix_fmt, context.max_b_frames or 0) == ("h264", "yuv420p", 0)
        assert (context.color_range, context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1, 1)
    assert all(p.pts == p.dts for p in packets)
    keys = [i for i, p in enumerate(packets) if p.is_keyframe]
    assert keys[0] == 0
    assert max(np.diff([*keys, len(packets)])) <= 8


@pytest.mark.parametrize("colour", [(200, 30, 40), (10, 220, 30), (30, 40, 210), (128, 128, 128), (255, 255, 255)])
def test_colours_survive(colour: tuple[int, int, int]) -> None:
    frames = np.full((3, 32, 32, 3), colour, np.uint8)
    rgb, _ = decode_mp4_bytes(encode_mp4(frames, [0.0, 0.1, 0.2]))
    assert np.abs(rgb.astype(int) - frames).max() <= 4


@pytest.mark.parametrize(
    ("shape", "time", "message"),
    [
        ((2, 33, 32, 3), [0, 1], "even"),
        ((2, 32, 32, 4), [0, 1], "shape"),
        ((2, 32, 32, 3), [0, 0], "increase"),
        ((2, 32, 32, 3), [0, -1], "increase"),
        ((2, 32, 32, 3), [0, 1, 2], "2 frames for 3 times"),
        ((3, 32, 32, 3), [0, 1], "more frames"),
        ((0, 32, 32, 3), [], "times"),
        ((1, 32, 32, 3), [np.nan], "finite"),
    ],
)
def test_refuses_what_it_cannot_encode(shape: tuple[int, ...], time: list[float], message: str) -> None:
    with pytest.raises(VideoError, match=message):
        encode_mp4(np.zeros(shape, np.uint8), time)


def test_refuses_frames_of_another_type_or_size() -> None:
    with pytest.raises(VideoError, match="float32"):
        encode_mp4(np.zeros((1, 32, 32, 3), np.float32), [0.0])
    with pytest.raises(VideoError, match=r"\(64, 32, 3\)"):
        encode_mp4([np.zeros((32, 32, 3), np.uint8), np.zeros((64, 32, 3), np.uint8)], [0.0, 0.1])
