"""Where each frame of an mp4 stands in its bytes, from the file's own sample tables (ISO/IEC 14496-12).

Opening a container with FFmpeg reads and probes it, which takes longer than decoding a few small frames. The tables
hold all that an exact seek needs: offset, size and whether a frame is a key frame. They stand at the front of every
``rgb.mp4``, so that nothing needs to be stored beside it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
from jaxtyping import Bool, Int

from hoiset.errors import VideoError

_VISUAL_ENTRY_BYTES = 78  # VisualSampleEntry without its own header: the codec's boxes follow


@dataclass(frozen=True)
class FrameTable:
    """The frames of a video in the order in which they are decoded and shown.

    Attributes:
        codec: FFmpeg's name of the codec.
        extradata: What its decoder must know before the first frame.
        width: Of the picture as stored, px.
        height: Of the picture as stored, px.
        key: (N,) whether decoding can start at a frame.
        start: (N,) the nearest key frame at or before each frame.
        offset: (N,) where a frame's bytes start in the file.
        size: (N,) how many they are.
    """

    codec: str
    extradata: bytes
    width: int
    height: int
    key: Bool[np.ndarray, "N"]
    start: Int[np.ndarray, "N"]
    offset: Int[np.ndarray, "N"]
    size: Int[np.ndarray, "N"]

    def __len__(self) -> int:
        return len(self.key)


def read_frame_table(mp4: bytes) -> FrameTable:
    """The frame table of an H.264 mp4 without B-frames, as :func:`hoiset.video.encode_mp4` writes it.

    Args:
        mp4: The whole file.

    Raises:
        VideoError: Not such a file, or tables that contradict each other or lead out of the file.
    """
    try:
        return _read(memoryview(mp4))
    except (struct.error, ValueError, IndexError, KeyError, StopIteration) as error:
        raise VideoError(
            f"{len(mp4)} bytes of video: the mp4's tables are damaged ({error!r}); fetch it again"
        ) from error


def _read(mp4: memoryview) -> FrameTable:
    tracks = [box for name, box in _boxes(_child(mp4, "moov")) if name == "trak"]
    media = next(m for m in (_child(t, "mdia") for t in tracks) if bytes(_child(m, "hdlr")[8:12]) == b"vide")
    tables = dict(_boxes(_child(_child(media, "minf"), "stbl")))
    entry_name, entry = next(_boxes(tables["stsd"][8:]))
    if entry_name != "avc1":
        raise VideoError(f"found {entry_name!a} in the mp4, expected H.264 (avc1); build the version again")
    width, height = struct.unpack(">HH", entry[24:28])
    if "ctts" in tables and len(np.unique(_words(tables["ctts"], 2)[:, 1])) > 1:
        raise VideoError("found frames that are not shown in the order of the file (B-frames), expected none")
    sizes = _sizes(tables["stsz"])
    offset = _offsets(tables, sizes)
    key = np.ones(len(sizes), bool)
    if "stss" in tables:
        key[:] = False
        key[_words(tables["stss"], 1)[:, 0].astype(np.int64) - 1] = True
    if not len(sizes) or not key[0] or (offset < 0).any() or int((offset + sizes).max()) > len(mp4):
        raise VideoError(f"found {len(sizes)} frames in the mp4's tables that do not fit the file; fetch it again")
    start = np.maximum.accumulate(np.where(key, np.arange(len(key)), 0))
    extradata = bytes(_child(entry[_VISUAL_ENTRY_BYTES:], "avcC"))
    return FrameTable("h264", extradata, width, height, key, start, offset, sizes)


def _boxes(data: memoryview) -> Iterator[tuple[str, memoryview]]:
    """Name and content of the boxes in ``data``, in order."""
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        header = 8
        if size == 1:
            (size,), header = struct.unpack(">Q", data[at + 8 : at + 16]), 16
        size = size or len(data) - at
        if size < header or at + size > len(data):
            raise ValueError(f"box {name!r} of {size} bytes")
        yield name.decode("latin-1"), data[at + header : at + size]
        at += size


def _child(data: memoryview, name: str) -> memoryview:
    for found, content in _boxes(data):
        if found == name:
            return content
    raise KeyError(name)


def _words(table: memoryview, columns: int, dtype: str = ">u4") -> np.ndarray:
    """Rows of a table that starts with flags and the number of rows."""
    (count,) = struct.unpack(">I", table[4:8])
    return np.frombuffer(table, dtype, count * columns, 8).reshape(count, columns)


def _sizes(stsz: memoryview) -> Int[np.ndarray, "N"]:
    size, count = struct.unpack(">II", stsz[4:12])
    if size:
        if count > len(stsz):  # a count that no table backs must not become an allocation
            raise ValueError(f"{count} samples of one size")
        return np.full(count, size, np.int64)
    return np.frombuffer(stsz, ">u4", count, 12).astype(np.int64)


def _offsets(tables: dict[str, memoryview], sizes: Int[np.ndarray, "N"]) -> Int[np.ndarray, "N"]:
    """Of every sample: of its chunk, and the samples before it in the chunk."""
    chunks = (_words(tables["stco"], 1) if "stco" in tables else _words(tables["co64"], 1, ">u8"))[:, 0]
    runs = _words(tables["stsc"], 3).astype(np.int64)
    first = np.append(runs[:, 0] - 1, len(chunks))
    if runs[:, 1].max(initial=0) > len(sizes) or (np.diff(first) < 0).any():
        raise ValueError("chunks of more samples than there are")
    per_chunk = np.repeat(runs[:, 1], np.diff(first))
    if per_chunk.sum() != len(sizes) or len(per_chunk) != len(chunks):
        raise ValueError(f"{per_chunk.sum()} samples in chunks, {len(sizes)} with sizes")
    chunk = np.repeat(np.arange(len(chunks)), per_chunk)
    before = np.cumsum(sizes) - sizes
    head = (np.cumsum(per_chunk) - per_chunk)[chunk]
    return chunks.astype(np.int64)[chunk] + before - before[head]


def read_lossless_table(mkv: bytes) -> tuple[FrameTable, list[bytes]]:
    """The frame table of :func:`hoiset.video.encode_lossless`, and every frame's bytes; its offsets are all 0.

    Raises:
        VideoError: Not such a file.
    """
    try:
        with av.open(io.BytesIO(mkv), "r", format="matroska") as source:
            stream = source.streams.video[0]
            context = stream.codec_context
            if context.name != "ffv1":
                raise VideoError(f"found {context.name}, expected ffv1; build the version again")
            packets = [(bytes(p), p.is_keyframe) for p in source.demux(stream) if p.size]
            extradata, width, height = bytes(context.extradata or b""), context.width, context.height
    except (av.error.FFmpegError, IndexError) as error:
        raise VideoError(f"cannot read pictures of numbers: {error}") from error
    if not packets or not packets[0][1]:
        raise VideoError("found no frames, expected at least one")
    key = np.array([is_key for _, is_key in packets])
    size = np.array([len(data) for data, _ in packets])
    start = np.maximum.accumulate(np.where(key, np.arange(len(key)), 0))
    return FrameTable("ffv1", extradata, width, height, key, start, np.zeros_like(size), size), [d for d, _ in packets]
