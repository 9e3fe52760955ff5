"""Video files of many episodes each: packets are moved as they are, and every frame stands at a multiple of 1/fps."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from hoiset.errors import VideoError
from hoiset.loaders.exports.lerobot.files import FileNumber
from hoiset.shards.atomic import writing
from hoiset.video import read_frame_table

MAX_SECONDS = 900.0
"""LeRobot compares time stamps as float32 within 0.1 ms, which tells no frame from itself beyond 1024 s."""
_TICKS = 1000


@dataclass(frozen=True)
class VideoPlace:
    """Where an episode's video stands.

    Attributes:
        number: Of the file.
        from_s: Of its first frame in the file, s.
        to_s: Of the end of its last.
    """

    number: FileNumber
    from_s: float
    to_s: float


class VideoFiles:
    """Appends H.264 videos of one size to files of bounded size; a context manager.

    The parameter sets of every clip are written before each of its key frames, so that any of them can be decoded from
    there, whatever stood before it.
    """

    def __init__(self, root: Path, template: str, fps: int, max_bytes: int) -> None:
        """Nothing is written yet.

        Args:
            root: Of the export.
            template: Path of a file with ``{chunk_index}`` and ``{file_index}``.
            fps: Of all videos.
            max_bytes: A file that would grow over it is closed, and the next begun.
        """
        self._root, self._template, self._fps, self._max_bytes = root, template, fps, max_bytes
        self._number = FileNumber()
        self._open: tuple[OutputContainer, VideoStream] | None = None
        self._frames = self._bytes = 0

    def __enter__(self) -> VideoFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def add(self, mp4: bytes) -> VideoPlace:
        """Append a video without B-frames whose frame i is shown at i / fps, whatever its own time stamps are.

        Raises:
            VideoError: Not such a video.
            DatasetError: The disk refuses.
        """
        table = read_frame_table(mp4)
        full = self._bytes + len(mp4) > self._max_bytes or (self._frames + len(table)) / self._fps > MAX_SECONDS
        if self._frames and full:
            self._close()
            self._number, self._frames, self._bytes = self._number.following(), 0, 0
        with writing(self._path):
            if self._open is None:
                self._open = self._start(mp4)
            container, stream = self._open
            heads, data = parameter_sets(table.extradata), memoryview(mp4)
            for i, (offset, size, is_key) in enumerate(zip(table.offset, table.size, table.key, strict=True)):
                body = bytes(data[offset : offset + size])
                packet = av.Packet(heads + body if is_key else body)
                packet.stream, packet.time_base = stream, Fraction(1, _TICKS * self._fps)
                packet.pts = packet.dts = (self._frames + i) * _TICKS
                packet.duration, packet.is_keyframe = _TICKS, bool(is_key)
                container.mux(packet)
        first, self._frames = self._frames, self._frames + len(table)
        self._bytes += len(mp4)
        return VideoPlace(self._number, first / self._fps, self._frames / self._fps)

    @property
    def _path(self) -> Path:
        return self._root / self._number.of(self._template)

    def _start(self, mp4: bytes) -> tuple[OutputContainer, VideoStream]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        options = {"movflags": "+faststart", "fflags": "+bitexact"}
        container = av.open(str(self._path), "w", format="mp4", options=options)
        with av.open(io.BytesIO(mp4), "r", format="mp4") as source:
            stream = container.add_stream_from_template(source.streams.video[0])
        stream.time_base = Fraction(1, _TICKS * self._fps)
        return container, stream

    def _close(self) -> None:
        if self._open is not None:
            container, self._open = self._open[0], None
            with writing(self._path):
                container.close()


def parameter_sets(avcc: bytes) -> bytes:
    """Sequence and picture parameter sets of an ``avcC`` box (ISO/IEC 14496-15), as they stand in a sample.

    Raises:
        VideoError: Not such a box, or one of samples whose lengths are not four bytes.
    """
    if len(avcc) < 7 or avcc[0] != 1 or avcc[4] & 3 != 3:
        raise VideoError(f"found {avcc[:8].hex()} as the decoder's configuration, expected H.264 with 4-byte lengths")
    out, at, count = b"", 6, avcc[5] & 31
    for _ in range(2):
        for _ in range(count):
            size = int.from_bytes(avcc[at : at + 2], "big")
            out += size.to_bytes(4, "big") + avcc[at + 2 : at + 2 + size]
            at += 2 + size
        count, at = (avcc[at], at + 1) if at < len(avcc) else (0, at)
    return out
