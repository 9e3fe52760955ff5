"""Opening a video file: which stream, and how its pixels must be turned and scaled to be shown."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from jaxtyping import UInt8

from hoiset.errors import VideoError

VideoSource = str | Path | bytes
"""A path, or the bytes of a whole file."""

DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,gif,avi"
"""The only containers that are opened. Playlists, concat scripts and image patterns can name other files or hosts."""


def describe(source: VideoSource) -> str:
    """A name for messages."""
    return f"{len(source)} bytes of video" if isinstance(source, bytes) else ascii(os.fspath(source))[1:-1]


@contextmanager
def open_video(source: VideoSource) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file and choose its main video stream (the largest one that is not cover art).

    Raises:
        VideoError: There is no such file, it is no video in a container we read, or it has no video stream.
    """
    try:
        with _open_container(source) as container:
            yield container, _main_stream(container, source)
    except av.error.FFmpegError as error:
        reason = error.strerror or type(error).__name__
        raise VideoError(
            f"{describe(source)}: cannot be read as a video ({reason}); "
            "expected an intact mp4, mov, mkv, webm, gif or avi file"
        ) from error


def _open_container(source: VideoSource) -> InputContainer:
    # avi and mov name their demuxers by several aliases; the whitelist is matched against any of them
    options = {"format_whitelist": DEMUXERS}
    if isinstance(source, bytes):
        return av.open(io.BytesIO(source), "r", container_options=options, metadata_errors="replace")
    path = Path(source)
    if not path.is_file():
        found = "a directory" if path.is_dir() else "nothing"
        raise VideoError(f"{describe(source)}: found {found}, expected a video file; check the path")
    if path.stat().st_size == 0:
        raise VideoError(f"{describe(source)}: the file is empty; fetch it again")
    # an absolute path cannot be taken for a protocol ("pipe:0", "http://...") however hostile the name is
    return av.open(os.path.abspath(path), "r", container_options=options, metadata_errors="replace")  # noqa: PTH100


def _main_stream(container: InputContainer, source: VideoSource) -> VideoStream:
    cover = av.stream.Disposition.attached_pic
    known = [s for s in container.streams.video if s.codec_context is not None]
    streams = [s for s in known if not s.disposition & cover]
    if not streams:
        kinds = ", ".join(sorted({str(s.type) for s in container.streams})) or "no streams"
        raise VideoError(f"{describe(source)}: expected a video stream, found {kinds}; nothing to see in it")
    return max(streams, key=lambda s: (s.codec_context.width * s.codec_context.height, -s.index))


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a stored picture upright: transpose first, then flip.

    Attributes:
        transpose: Swap rows and columns.
        flip_x: Mirror left-right, after the transposition.
        flip_y: Mirror top-bottom, after the transposition.
    """

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """The orientation that a frame's display matrix asks for, to the nearest quarter turn.

        The matrix (FFmpeg, ISO 14496-12 ``tkhd``) maps stored (x, y) to shown (a x + c y, b x + d y).
        """
        side = frame.side_data.get("DISPLAYMATRIX")
        if side is None:
            return cls()
        a, b, _, c, d = np.frombuffer(cast(memoryview, side), dtype="=i4")[:5].tolist()
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(True, c < 0, b < 0)
        return cls(False, a < 0, d < 0)

    @property
    def rotation_deg(self) -> int:
        """Clockwise turn that makes the picture upright, 0, 90, 180 or 270 (of a mirrored one: its rotation part)."""
        if self.transpose:
            return 270 if self.flip_y else 90
        return 180 if self.flip_y else 0

    def apply(self, rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "H W 3"]:
        """Turn stored pixels upright; contiguous."""
        if self.transpose:
            rgb = rgb.transpose(1, 0, 2)
        if self.flip_x:
            rgb = rgb[:, ::-1]
        if self.flip_y:
            rgb = rgb[::-1]
        return np.ascontiguousarray(rgb)


def square_size(stream: VideoStream, frame: VideoFrame) -> tuple[int, int]:
    """Width and height of the stored picture with square pixels; non-square pixels are shrunk, never enlarged."""
    width, height = frame.width, frame.height
    aspect = stream.sample_aspect_ratio
    if aspect is None or aspect <= 0 or not 1 / 16 < aspect < 16:
        return width, height
    if aspect > 1:
        return width, max(1, round(height / aspect))
    return max(1, round(width * aspect)), height


def nominal_fps(stream: VideoStream) -> float:
    """Average frame rate that the container states, Hz; 25 where it states none."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0.01 < rate <= 1000:
            return float(rate)
    return 25.0
