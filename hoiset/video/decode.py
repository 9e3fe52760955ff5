"""Decoding: frames with their true times, upright, at most a given size, from any span of a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from jaxtyping import Float, UInt8

from hoiset.errors import VideoError
from hoiset.video.container import Orientation, VideoSource, describe, nominal_fps, open_video, square_size

_EXACT = (
    Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)
_PLANAR = ("yuv420p", "yuvj420p", "yuv422p", "yuv444p")
_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
_SEEKABLE = {"mov", "matroska"}
_RUN_UP_S = (1.0, 15.0)
_TIME_EPS_S = 1e-6


def iter_frames(
    source: VideoSource,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    max_fps: float | None = None,
    short_side_px: int | None = None,
) -> Iterator[tuple[float, UInt8[np.ndarray, "H W 3"]]]:
    """Decode a span, one frame at a time; memory does not grow with its length.

    Args:
        source: A path, or the bytes of a file.
        start_s: The first frame is the first at or after this time, s.
        end_s: The last frame is before this time, s; ``None`` = to the end.
        max_fps: Frames closer than 0.9 / max_fps to the one before are skipped, which takes every n-th frame of a
            constant rate; ``None`` = all frames.
        short_side_px: Shrink so that min(H, W) is this; never enlarges.

    Yields:
        Time (s after the first frame of the video, strictly increasing) and the frame, (H, W, 3) uint8 RGB, H and W
        even (an odd last row or column is cropped). All frames have one size. Damaged frames are left out.

    Raises:
        VideoError: The file cannot be read, is smaller than 2x2 pixels, or holds no frame in the span.
    """
    last_s = -np.inf
    for picture in iter_pictures(source, start_s=start_s, end_s=end_s, short_side_px=short_side_px):
        if max_fps is None or picture.time_s - last_s >= 0.9 / max_fps:
            last_s = picture.time_s
            yield picture.time_s, picture.rgb()


class Picture:
    """One decoded frame whose pixels are converted when they are asked for.

    Attributes:
        time_s: After the first frame of the video, s.
    """

    def __init__(self, time_s: float, frame: VideoFrame, render: _Renderer, source: VideoSource) -> None:
        self.time_s = time_s
        self._frame, self._render, self._source = frame, render, source

    def rgb(self) -> UInt8[np.ndarray, "H W 3"]:
        """The frame as :func:`iter_frames` gives it; raises as that does."""
        return self._render(self._frame, self._source)

    def thumbnail(self, width: int, height: int) -> UInt8[np.ndarray, "h w 3"]:
        """The stored picture, not turned upright, shrunk or stretched to a size: many times cheaper than ``rgb``."""
        return self._render.thumbnail(self._frame, width, height)


def iter_pictures(
    source: VideoSource,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    short_side_px: int | None = None,
    threads: int | None = None,
) -> Iterator[Picture]:
    """Decode a span whose frames are not all wanted as RGB: decoding a frame costs less than converting it.

    Args:
        source: A path, or the bytes of a file.
        start_s: As in :func:`iter_frames`, as are ``end_s``, ``short_side_px`` and what is raised.
        end_s: See there.
        short_side_px: See there.
        threads: For decoding; ``None`` = up to four. Frames are the same for any number.
    """
    count = 0
    with open_video(source) as (container, stream):
        render = _Renderer(stream, short_side_px)
        for time_s, frame in _timed_frames(container, stream, start_s, threads):
            if end_s is not None and time_s >= end_s - _TIME_EPS_S:
                break
            count += 1
            yield Picture(time_s, frame, render, source)
    if count == 0:
        span = f"between {start_s:g} s and {'the end' if end_s is None else f'{end_s:g} s'}"
        raise VideoError(
            f"{describe(source)}: no frame could be decoded {span}; the file is damaged or shorter than that"
        )


def read_frames(
    source: VideoSource,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    max_fps: float | None = None,
    short_side_px: int | None = None,
) -> tuple[UInt8[np.ndarray, "T H W 3"], Float[np.ndarray, "T"]]:
    """All frames of :func:`iter_frames` at once, with times in seconds from the first of them (``time[0] == 0``)."""
    times, frames = [], []
    for time_s, rgb in iter_frames(source, start_s=start_s, end_s=end_s, max_fps=max_fps, short_side_px=short_side_px):
        times.append(time_s)
        frames.append(rgb)
    time = np.asarray(times, dtype=np.float64)
    return np.stack(frames), time - time[0]


def decode_mp4_bytes(data: bytes) -> tuple[UInt8[np.ndarray, "T H W 3"], Float[np.ndarray, "T"]]:
    """All frames of a video held in memory and their times in s from the first; raises as :func:`iter_frames`."""
    return read_frames(data)


def sample_frames(
    source: VideoSource, times_s: Sequence[float] | Float[np.ndarray, "N"], short_side_px: int | None = None
) -> tuple[UInt8[np.ndarray, "N H W 3"], Float[np.ndarray, "N"]]:
    """The frames that a player shows at given times.

    Args:
        source: A path, or the bytes of a file.
        times_s: (N,) times in the file, s, in any order. Before the first frame the first one counts, after the
            last the last.
        short_side_px: As in :func:`iter_frames`.

    Returns:
        (N, H, W, 3) uint8 frames in the order asked for, and the (N,) times of these frames in the file, s.

    Raises:
        VideoError: As :func:`iter_frames`; also when ``times_s`` is empty.
    """
    wanted = np.asarray(times_s, dtype=np.float64)
    if wanted.ndim != 1 or wanted.size == 0 or not np.isfinite(wanted).all():
        raise VideoError(f"{describe(source)}: expected a list of finite times to sample, found {times_s!r}")
    order = np.argsort(wanted, kind="stable")
    picks: list[tuple[float, UInt8[np.ndarray, "H W 3"]] | None] = [None] * len(order)
    done = 0
    with open_video(source) as (container, stream):
        render = _Renderer(stream, short_side_px)
        held: tuple[float, VideoFrame] | None = None
        for time_s, frame in _timed_frames(container, stream, 0.0):
            if held is not None:
                shown = None
                while done < len(order) and wanted[order[done]] < time_s - _TIME_EPS_S:
                    shown = render(held[1], source) if shown is None else shown
                    picks[order[done]] = (held[0], shown)
                    done += 1
            if done == len(order):
                break
            held = (time_s, frame)
        if held is None:
            raise VideoError(f"{describe(source)}: no frame could be decoded; the file is damaged")
        last = (held[0], render(held[1], source))
    found = [pick if pick is not None else last for pick in picks]
    return np.stack([rgb for _, rgb in found]), np.array([time_s for time_s, _ in found])


def first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame | None:
    """The first frame of a freshly opened stream that decodes, or ``None``."""
    return next(_decode(container, stream), None)


class _Renderer:
    """Turns decoded frames of one stream into upright RGB of one size."""

    def __init__(self, stream: VideoStream, short_side_px: int | None) -> None:
        self._stream = stream
        self._short_side_px = short_side_px
        self._reformatter = VideoReformatter()
        self._thumbnails = VideoReformatter()  # one each: a reformatter prepares itself for one size
        self._size: tuple[int, int] | None = None
        self._orientation = Orientation()

    def __call__(self, frame: VideoFrame, source: VideoSource) -> UInt8[np.ndarray, "H W 3"]:
        if self._size is None:  # the first frame decides; a stream that changes its size later is fitted to it
            self._orientation = Orientation.of(frame)
            self._size = self._target(frame)
            if min(self._size) < 2:
                raise VideoError(
                    f"{describe(source)}: frames are {frame.width}x{frame.height} px; expected at least 2x2"
                )
        width, height = self._size
        rgb = to_rgb(self._reformatter, frame, width, height)
        return self._orientation.apply(rgb[: height // 2 * 2, : width // 2 * 2])

    def thumbnail(self, frame: VideoFrame, width: int, height: int) -> UInt8[np.ndarray, "h w 3"]:
        return to_rgb(self._thumbnails, frame, width, height)

    def _target(self, frame: VideoFrame) -> tuple[int, int]:
        width, height = square_size(self._stream, frame)
        short = min(width, height)
        if self._short_side_px is None or short <= self._short_side_px:
            return width, height
        scale = self._short_side_px / short
        return max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2))


def to_rgb(
    reformatter: VideoReformatter,
    frame: VideoFrame,
    width: int,
    height: int,
    *,
    exact: bool = True,
    out: UInt8[np.ndarray, "height width 3"] | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """The stored picture as RGB of a size: shrunk by area, enlarged bicubically, to the same bytes on every machine.

    Not ``exact``, at the stored size, takes a fifth of the time: each 2x2 pixels share a colour difference, as in most
    loaders, and rounding may differ between kinds of processors. ``out`` is filled and returned where it is given.
    """
    shrinks = width < frame.width or height < frame.height
    colorspace = None
    if frame.colorspace == _UNSPECIFIED:  # what players assume: BT.709 for HD, BT.601 below
        colorspace = Colorspace.ITU709 if min(frame.width, frame.height) >= 720 else Colorspace.ITU601
    planar = exact and frame.format.name in _PLANAR and not (shrinks and _blends_two_lines(frame.height, height))
    found = reformatter.reformat(
        frame,
        width,
        height,
        "gbrp" if planar else "rgb24",
        src_colorspace=colorspace,
        interpolation=(Interpolation.AREA if shrinks else Interpolation.BICUBIC) | (_EXACT if exact else 0),
        threads=1,
    )
    if not planar:
        rgb = found.to_ndarray()
        if out is None:
            return rgb
        out[...] = rgb
        return out
    # swscale computes whole colour planes twice as fast as pixels, by the same arithmetic
    out = np.empty((height, width, 3), np.uint8) if out is None else out
    for plane, channel in zip(found.planes, (1, 2, 0), strict=True):
        lines = np.frombuffer(cast(memoryview, plane), np.uint8).reshape(-1, plane.line_size)
        out[..., channel] = lines[:height, :width]
    return out


def _blends_two_lines(stored: int, height: int) -> bool:
    """Whether shrinking by area may take a line from two, which swscale rounds otherwise in planes than in pixels."""
    return stored != height and 4 * stored < 7 * height


def _timed_frames(
    container: InputContainer, stream: VideoStream, start_s: float, threads: int | None = None
) -> Iterator[tuple[float, VideoFrame]]:
    """Frames at or after ``start_s`` with strictly increasing times, s after the stream's start."""
    # frame threads only: slice threads may conceal damage differently from run to run
    stream.thread_type = "FRAME"
    stream.codec_context.thread_count = threads or min(4, os.cpu_count() or 1)
    base_s = None
    if stream.start_time is not None and stream.time_base is not None:
        base_s = float(stream.start_time * stream.time_base)
    first, frames = None, _decode(container, stream)
    if base_s is not None and start_s > 2 * _RUN_UP_S[0] and _SEEKABLE & set(container.format.name.split(",")):
        first, frames = _seek(container, stream, base_s, start_s)
    if first is None:
        first = next(frames, None)
    if first is not None:
        yield from _with_times(first, frames, start_s, base_s, 1.0 / nominal_fps(stream))


def _seek(
    container: InputContainer, stream: VideoStream, base_s: float, start_s: float
) -> tuple[VideoFrame | None, Iterator[VideoFrame]]:
    """Go to a keyframe safely before ``start_s``; the run-up absorbs reordering and frames leaning on skipped ones."""
    for run_up_s in _RUN_UP_S:
        target_s = base_s + max(start_s - run_up_s, 0.0)
        container.seek(int(target_s / (stream.time_base or 1)), stream=stream, backward=True)
        frames = _decode(container, stream)
        first = next(frames, None)
        if first is not None and first.time is not None and first.time - base_s <= start_s:
            return first, frames
    container.seek(stream.start_time or 0, stream=stream, backward=True)
    return None, _decode(container, stream)


def _decode(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Every intact frame in display order; damaged packets are skipped, a broken container ends the video."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            continue
        for frame in frames:
            if isinstance(frame, VideoFrame) and not frame.is_corrupt and frame.width > 0 and frame.height > 0:
                yield frame


def _with_times(
    first: VideoFrame, rest: Iterator[VideoFrame], start_s: float, base_s: float | None, period_s: float
) -> Iterator[tuple[float, VideoFrame]]:
    if base_s is None:
        base_s = first.time if first.time is not None else 0.0
    last_s = -np.inf
    frame: VideoFrame | None = first
    while frame is not None:
        time_s = 0.0 if np.isinf(last_s) else last_s + period_s  # without a time stamp: on at the nominal rate
        if frame.time is not None:
            time_s = frame.time - base_s
        # frames that repeat or go back in time cannot be shown in between; a player drops them too
        if time_s > last_s:
            last_s = time_s
            if time_s >= start_s - _TIME_EPS_S:
                yield max(time_s, 0.0) if abs(time_s) < _TIME_EPS_S else time_s, frame
        frame = next(rest, None)
