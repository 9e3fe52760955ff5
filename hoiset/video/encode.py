"""Encoding: one exact, seekable, reproducible H.264 form for every clip."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from jaxtyping import Float, UInt8

from hoiset.errors import VideoError

TIME_BASE = Fraction(1, 1_000_000)
"""Time stamps are kept to the microsecond, which holds any frame rate, constant or not."""

_THREADS = 2  # fixed: x264's output depends on the number of threads, not on the machine
_EXACT = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.BITEXACT
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)


def encode_mp4(
    rgb: Iterable[UInt8[np.ndarray, "H W 3"]],
    time_s: Sequence[float] | Float[np.ndarray, "T"],
    *,
    crf: int = 20,
    gop: int = 8,
) -> bytes:
    """Encode frames as H.264 in MP4: yuv420p, BT.709, no B-frames, a keyframe at least every ``gop`` frames, faststart.

    The same frames and times give the same bytes. Frame i is shown at ``time_s[i] - time_s[0]``, to the microsecond.

    Args:
        rgb: T frames, (H, W, 3) uint8 with even H and W, all of one size; consumed lazily.
        time_s: (T,) strictly increasing times, s.
        crf: Constant rate factor, 0 (lossless) .. 51.
        gop: Greatest distance between keyframes, frames.

    Raises:
        VideoError: No frames, frames of odd, unequal or wrong shape, or times that do not match the frames.
    """
    pts = _time_stamps(time_s)
    with tempfile.TemporaryDirectory(prefix="hoiset-") as folder:
        path = Path(folder) / "clip.mp4"  # the index is moved to the front in a second pass, which needs a real file
        with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}) as out:
            _encode_into(out, rgb, pts, crf=crf, gop=gop)
        return path.read_bytes()


def _time_stamps(time_s: Sequence[float] | Float[np.ndarray, "T"]) -> list[int]:
    time = np.asarray(time_s, dtype=np.float64)
    if time.ndim != 1 or time.size == 0 or not np.isfinite(time).all():
        raise VideoError(f"expected a list of finite frame times in s, found shape {time.shape}")
    pts = np.rint((time - time[0]) / float(TIME_BASE)).astype(np.int64)
    if (np.diff(pts) <= 0).any():
        at = int(np.argmax(np.diff(pts) <= 0))
        raise VideoError(f"frame times must increase by at least 1 us: found {time[at]:g} s, then {time[at + 1]:g} s")
    return pts.tolist()


def _encode_into(
    out: av.container.OutputContainer, rgb: Iterable[UInt8[np.ndarray, "H W 3"]], pts: list[int], *, crf: int, gop: int
) -> None:
    stream: VideoStream | None = None
    reformatter = VideoReformatter()
    period = int(np.median(np.diff(pts))) if len(pts) > 1 else 40_000
    count = 0
    for image in rgb:
        if count >= len(pts):
            raise VideoError(f"more frames than the {len(pts)} times given")
        if stream is None:
            stream = _add_stream(out, image, period, crf=crf, gop=gop)
        frame = _to_yuv(image, stream, reformatter)
        frame.pts, frame.time_base = pts[count], TIME_BASE
        frame.duration = (pts[count + 1] if count + 1 < len(pts) else pts[count] + period) - pts[count]
        out.mux(stream.encode(frame))
        count += 1
    if stream is None or count != len(pts):
        raise VideoError(f"found {count} frames for {len(pts)} times; expected one frame for each time")
    out.mux(stream.encode(None))


def _add_stream(
    out: av.container.OutputContainer, image: UInt8[np.ndarray, "H W 3"], period: int, *, crf: int, gop: int
) -> VideoStream:
    if image.ndim != 3 or image.shape[0] % 2 or image.shape[1] % 2 or 0 in image.shape:
        raise VideoError(
            f"frames have shape {image.shape}; expected (H, W, 3) with even H and W: crop the last row or column"
        )
    options = {  # mbtree off: x264's is not reproducible on small frames, whatever the number of threads
        "crf": str(crf),
        "preset": "medium",
        "flags": "+bitexact",
        "x264-params": f"keyint={gop}:min-keyint=1:scenecut=0:open-gop=0:bframes=0:threads={_THREADS}:"
        f"lookahead-threads=1:sliced-threads=0:deterministic=1:mbtree=0",
    }
    rate = Fraction(1_000_000, period).limit_denominator(1001)
    stream = out.add_stream("libx264", rate=rate, options=options)
    stream.height, stream.width = image.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.time_base = TIME_BASE
    context = stream.codec_context
    context.time_base = TIME_BASE
    context.gop_size = gop
    context.max_b_frames = 0
    context.color_range = ColorRange.MPEG
    context.colorspace = 1  # AVCOL_SPC_BT709
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    return stream


def _to_yuv(image: UInt8[np.ndarray, "H W 3"], stream: VideoStream, reformatter: VideoReformatter) -> VideoFrame:
    if image.shape != (stream.height, stream.width, 3) or image.dtype != np.uint8:
        raise VideoError(
            f"found a frame of shape {image.shape} {image.dtype}; expected ({stream.height}, {stream.width}, 3) uint8"
        )
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return reformatter.reformat(
        frame,
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=_EXACT,
        threads=1,
    )
