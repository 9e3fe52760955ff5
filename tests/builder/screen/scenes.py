"""Rendered scenes for pass 1: a textured table, a magenta square for a hand, and a detector that finds the square."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from hoiset.builder.records import HandDetections, SourceVideo
from hoiset.video import encode_mp4
from tests.clips import textured

HEIGHT, WIDTH = 180, 320
HAND_PX = 40
MAGENTA = (230, 20, 230)
Path_px = Callable[[float], tuple[float, float] | None]


def circling(time_s: float) -> tuple[float, float]:
    """A hand that moves all the time."""
    return 160 + 60 * np.cos(2 * time_s), 90 + 30 * np.sin(2 * time_s)


def frame(background: np.ndarray, hand: tuple[float, float] | None) -> np.ndarray:
    """The background with the square at a place, (H, W, 3) uint8."""
    out = background.copy()
    if hand is not None:
        x, y = round(hand[0]), round(hand[1])
        half = HAND_PX // 2
        out[max(0, y - half) : max(0, y + half), max(0, x - half) : max(0, x + half)] = MAGENTA
    return out


def scene(
    duration_s: float,
    hand: Path_px = circling,
    camera: Callable[[float], tuple[float, float]] = lambda _: (0.0, 0.0),
    *,
    fps: float = 15.0,
    seed: int = 0,
) -> list[np.ndarray]:
    """Frames of a scene; ``camera`` gives the background's shift in px at a time."""
    world = textured(HEIGHT + 400, WIDTH + 400, seed)
    world[..., 2] //= 2  # nothing magenta but the hand
    rng = np.random.default_rng(seed)
    frames = []
    for i in range(round(duration_s * fps)):
        dx, dy = camera(i / fps)
        x, y = round(200 - dx), round(200 - dy)
        noise = rng.integers(-2, 3, (HEIGHT, WIDTH, 3))
        view = np.clip(world[y : y + HEIGHT, x : x + WIDTH].astype(int) + noise, 0, 255).astype(np.uint8)
        frames.append(frame(view, hand(i / fps)))
    return frames


def video(path: Path, frames: list[np.ndarray], fps: float = 15.0, **words: object) -> SourceVideo:
    """Frames as a video file."""
    path.write_bytes(encode_mp4(frames, np.arange(len(frames)) / fps))
    return SourceVideo(path.name, path, **words)  # type: ignore[arg-type]


class SquareDetector:
    """Finds the magenta square; counts the frames it was shown."""

    name = "square"
    version = "1"

    def __init__(self) -> None:
        self.frames_seen = 0

    def detect(self, rgb: Iterable[np.ndarray], *, video: bool) -> HandDetections:
        """One slot: the corners of the square, repeated to make 21 joints."""
        assert not video
        joints, score = [], []
        for image in rgb:
            self.frames_seen += 1
            r, g, b = (image[..., c].astype(int) for c in range(3))
            ys, xs = np.nonzero((r > 180) & (g < 80) & (b > 180))
            found = len(xs) > 100
            score.append(0.9 if found else 0.0)
            box = np.array([[xs.min(), ys.min()], [xs.max(), ys.max()], [xs.min(), ys.max()]]) if found else np.nan
            joints.append(np.tile(box, (7, 1)) if found else np.full((21, 2), np.nan))
        n = len(score)
        return HandDetections(
            np.reshape(joints, (n, 1, 21, 2)).astype(float),
            np.zeros((n, 1, 21, 3)),
            np.full((n, 1), 0.5),
            np.reshape(score, (n, 1)),
        )
