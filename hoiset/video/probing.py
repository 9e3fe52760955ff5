"""What a video file says of itself, checked against its first frame."""

from __future__ import annotations

from dataclasses import dataclass

import av

from hoiset.errors import VideoError
from hoiset.video.container import Orientation, VideoSource, describe, nominal_fps, open_video, square_size
from hoiset.video.decode import first_frame


@dataclass(frozen=True)
class VideoProbe:
    """The facts of a video.

    Attributes:
        width: Of the picture as shown: square pixels, rotation applied, px.
        height: Of the picture as shown, px.
        fps: Average frame rate, Hz.
        duration_s: From the first frame to the end of the last, s.
        n_frames: Number of frames, counted packet by packet.
        rotation_deg: Clockwise turn that was applied to the stored picture, 0, 90, 180 or 270.
        codec: FFmpeg's name of the codec.
    """

    width: int
    height: int
    fps: float
    duration_s: float
    n_frames: int
    rotation_deg: int
    codec: str


def probe(source: VideoSource) -> VideoProbe:
    """Probe a file; decodes its first frame, so that a file in which nothing decodes is found out here.

    Raises:
        VideoError: No such file, not a video, no video stream, or no frame that can be decoded.
    """
    with open_video(source) as (container, stream):
        fps = nominal_fps(stream)
        duration_s = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
        codec = stream.codec_context.name
        frame = first_frame(container, stream)
        if frame is None:
            raise VideoError(f"{describe(source)}: no frame could be decoded; the file is empty or damaged")
        orientation = Orientation.of(frame)
        width, height = square_size(stream, frame)
    n_frames, span_s = _scan(source, 1.0 / fps)
    duration_s = duration_s if duration_s > 0 else span_s
    if orientation.transpose:
        width, height = height, width
    return VideoProbe(width, height, fps, duration_s, n_frames, orientation.rotation_deg, codec)


def count_frames(source: VideoSource) -> int:
    """Number of frames in a file, counted packet by packet without decoding.

    Raises:
        VideoError: The file cannot be read.
    """
    return _scan(source, 0.0)[0]


def _scan(source: VideoSource, period_s: float) -> tuple[int, float]:
    """Packets with data, and the time from the first to the end of the last, s."""
    count, times = 0, []
    with open_video(source) as (container, stream):
        try:
            for packet in container.demux(stream):
                if packet.size == 0 or packet.is_discard:  # an edit list may hide samples
                    continue
                count += 1
                if packet.pts is not None and packet.time_base is not None:
                    times.append(float(packet.pts * packet.time_base))
        except av.error.FFmpegError:  # a truncated container: what came before counts
            pass
    span_s = max(times) - min(times) if times else max(count - 1, 0) * period_s
    return count, span_s + period_s
