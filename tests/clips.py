"""Video files made on the spot: any codec, container, timing, rotation."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TICKS = 90_000


def textured(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8 picture with corners everywhere."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 220, (height // 12 + 2, width // 12 + 2, 3))
    return np.kron(coarse, np.ones((12, 12, 1)))[:height, :width].astype(np.uint8)


def numbered(n: int, height: int = 96, width: int = 128) -> np.ndarray:
    """(n, H, W, 3) uint8 frames that differ clearly from their neighbours."""
    base = textured(height, width).astype(int)
    return np.stack([np.clip(np.roll(base, 7 * i, axis=1) + 3 * (i % 5), 0, 255) for i in range(n)]).astype(np.uint8)


def write_video(
    path: Path,
    frames: Sequence[np.ndarray],
    time_s: Sequence[float] | None = None,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    fps: int = 30,
    options: dict[str, str] | None = None,
    matrix: Sequence[int] | None = None,
    aspect: Fraction | None = None,
    container_format: str | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write frames; ``time_s`` defaults to a constant rate."""
    times = [i / fps for i in range(len(frames))] if time_s is None else list(time_s)
    with av.open(str(path), "w", format=container_format, options=container_options or {}) as out:
        stream = out.add_stream(codec, rate=fps, options=options or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        tick = Fraction(1, 100) if codec == "gif" else Fraction(1, fps) if codec == "mpeg4" else Fraction(1, TICKS)
        stream.codec_context.time_base = tick
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if matrix is not None:
            stream.set_display_matrix(matrix)
        for image, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = round(time / tick), tick
            out.mux(stream.encode(frame.reformat(format=pix_fmt) if pix_fmt != "rgb24" else frame))
        out.mux(stream.encode(None))
    return path


def write_audio(path: Path) -> Path:
    """A tenth of a second of silence, and no picture."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=44_100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44_100
        for i in range(4):
            frame.pts = 1024 * i
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
