"""Pictures of numbers: depth maps and masks, exact to the bit, as FFV1 in Matroska."""

from __future__ import annotations

import io
from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from jaxtyping import UInt

from hoiset.errors import VideoError

_FORMATS = {np.dtype(np.uint8): "gray", np.dtype(np.uint16): "gray16le"}
_TIME_BASE = Fraction(1, 1000)
_EXACT = {"level": "3", "slicecrc": "1", "coder": "1", "context": "0", "threads": "1"}


def encode_lossless(frames: Iterable[UInt[np.ndarray, "H W"]]) -> bytes:
    """Encode frames of numbers: frame i stands at i ms, since the clip's own times are kept beside it.

    The same frames give the same bytes.

    Args:
        frames: (H, W) uint8 or uint16 with W >= 2, at least one, all of one size and type; consumed lazily.

    Raises:
        VideoError: No frames, or frames of another or of changing shape or type.
    """
    buffer = io.BytesIO()
    first: np.ndarray | None = None
    with av.open(buffer, "w", format="matroska", options={"fflags": "+bitexact"}) as out:
        stream: VideoStream | None = None
        for i, image in enumerate(frames):
            if stream is None or first is None:
                first, stream = image, _add_stream(out, image)
            if image.shape != first.shape or image.dtype != first.dtype:
                raise VideoError(
                    f"found a frame of {image.dtype} {image.shape}; expected {first.dtype} {first.shape}, as the first"
                )
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format=_FORMATS[image.dtype])
            frame.pts, frame.time_base = i, _TIME_BASE
            out.mux(stream.encode(frame))
        if stream is None:
            raise VideoError("found no frames, expected at least one")
        out.mux(stream.encode(None))
    return buffer.getvalue()


def _add_stream(out: av.container.OutputContainer, image: UInt[np.ndarray, "H W"]) -> VideoStream:
    if image.ndim != 2 or image.dtype not in _FORMATS or image.shape[0] < 1 or image.shape[1] < 2:
        raise VideoError(f"found a frame of {image.dtype} {image.shape}; expected (H, W) of uint8 or uint16, W >= 2")
    stream = out.add_stream("ffv1", rate=1000, options={**_EXACT, "flags": "+bitexact"})
    stream.height, stream.width = image.shape
    stream.pix_fmt = _FORMATS[image.dtype]
    stream.time_base = stream.codec_context.time_base = _TIME_BASE
    return stream


def decode_lossless(data: bytes) -> UInt[np.ndarray, "T H W"]:
    """Inverse of :func:`encode_lossless`.

    Raises:
        VideoError: Not such a file, or a damaged one.
    """
    try:
        with av.open(io.BytesIO(data), "r", format="matroska") as source:
            stream = source.streams.video[0]
            if stream.codec_context.name != "ffv1" or stream.codec_context.pix_fmt not in _FORMATS.values():
                found = f"{stream.codec_context.name} {stream.codec_context.pix_fmt}"
                raise VideoError(f"found {found}, expected ffv1 in gray or gray16le")
            frames = [frame.to_ndarray() for frame in source.decode(stream)]
    except (av.error.FFmpegError, IndexError) as error:
        raise VideoError(f"cannot decode pictures of numbers: {error}") from error
    if not frames:
        raise VideoError("found no frames, expected at least one")
    return np.stack(frames)
