import io
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.errors import VideoError
from hoiset.video import encode_lossless, encode_mp4, read_frame_table, read_lossless_table
from tests.clips import numbered, write_video


@pytest.fixture(scope="module")
def mp4() -> bytes:
    return encode_mp4(numbered(21, 48, 64), np.cumsum(np.random.default_rng(0).uniform(0.01, 0.1, 21)))


def test_the_table_is_what_ffmpeg_finds(mp4: bytes) -> None:
    table = read_frame_table(mp4)
    with av.open(io.BytesIO(mp4)) as source:
        context = source.streams.video[0].codec_context
        assert (table.codec, table.extradata) == (context.name, context.extradata)
        assert (table.width, table.height) == (64, 48)
        packets = [p for p in source.demux(video=0) if p.size]
    assert table.offset.tolist() == [p.pos for p in packets]
    assert table.size.tolist() == [p.size for p in packets]
    assert table.key.tolist() == [p.is_keyframe for p in packets] == [i % 8 == 0 for i in range(21)]
    assert table.start.tolist() == [i // 8 * 8 for i in range(21)]


def test_of_lossless_video() -> None:
    table, packets = read_lossless_table(encode_lossless(np.zeros((5, 8, 8), np.uint16)))
    assert len(table) == len(packets) == 5
    assert table.codec == "ffv1"
    with pytest.raises(VideoError, match="cannot read pictures of numbers"):
        read_lossless_table(b"nothing")


def test_frames_in_another_order_are_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "b.mp4", numbered(12), options={"bf": "2", "x264-params": "b-adapt=0:bframes=2"})
    with pytest.raises(VideoError, match="B-frames"):
        read_frame_table(path.read_bytes())
    path = write_video(tmp_path / "m.mp4", numbered(3), codec="mpeg4")
    with pytest.raises(VideoError, match=r"mp4v.*expected H\.264"):
        read_frame_table(path.read_bytes())


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 1500), value=st.integers(0, 255), cut=st.integers(0, 100))
def test_damage_is_an_error_or_leads_nowhere_outside(mp4: bytes, at: int, value: int, cut: int) -> None:
    data = bytearray(mp4)
    data[min(at, len(data) - 1)] = value
    data = data[: len(data) - cut]
    try:
        table = read_frame_table(bytes(data))
    except VideoError:
        return
    assert table.key[0]
    assert (table.offset >= 0).all()
    assert (table.offset + table.size <= len(data)).all()
