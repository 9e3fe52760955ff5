"""What is known of a fetched file: found once, when it arrives, by reading it whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av

from hoiset.builder.acquire.failures import failure
from hoiset.builder.engine.cache import digest_file
from hoiset.errors import VideoError
from hoiset.video.container import nominal_fps, open_video
from hoiset.video.decode import first_frame

_MISSING_SHARE, _MISSING_S = 0.05, 0.5


@dataclass(frozen=True)
class Facts:
    """A fetched file.

    Attributes:
        sha256: Of its bytes.
        size: Bytes.
        duration_s: From its first frame to the end of its last, s.
        fps: Average frame rate, Hz.
        width: Stored, px.
        height: Stored, px.
    """

    sha256: str
    size: int
    duration_s: float
    fps: float
    width: int
    height: int


def examine(path: Path) -> Facts:
    """Read a file that has just arrived.

    Raises:
        AcquireError: ``corrupt``: no video, no frame that decodes, or it ends before the time that it states itself.
    """
    try:
        with open_video(path) as (container, stream):
            fps, declared_s = nominal_fps(stream), _declared_s(container, stream)
            if first_frame(container, stream) is None:
                raise failure("corrupt", "no frame of it could be decoded")
            width, height = stream.codec_context.width, stream.codec_context.height
        duration_s = _span_s(path, 1.0 / fps)
    except VideoError as error:
        raise failure("corrupt", str(error).replace(str(path), "the file")) from error
    if duration_s < (1 - _MISSING_SHARE) * declared_s - _MISSING_S:
        raise failure("corrupt", f"it states {declared_s:.1f} s and ends after {duration_s:.1f} s")
    return Facts(digest_file(path), path.stat().st_size, duration_s, fps, width, height)


def same_times(one: Facts, other: Facts) -> bool:
    """Whether two files of a video agree on its length to two frames, so that times in one hold in the other."""
    return abs(one.duration_s - other.duration_s) <= 2.0 / min(one.fps, other.fps)


def _declared_s(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else 0.0


def _span_s(path: Path, period_s: float) -> float:
    """From the first frame to the end of the last that is there, s."""
    first_s, end_s = float("inf"), float("-inf")
    with open_video(path) as (container, stream):
        try:
            for packet in container.demux(stream):
                if packet.size == 0 or packet.is_discard or packet.pts is None or packet.time_base is None:
                    continue
                time_s = float(packet.pts * packet.time_base)
                length_s = float(packet.duration * packet.time_base) if packet.duration else period_s
                first_s, end_s = min(first_s, time_s), max(end_s, time_s + length_s)
        except av.error.FFmpegError:  # the container breaks off: what came before counts
            pass
    return max(0.0, end_s - first_s)
