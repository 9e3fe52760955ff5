"""Rendered scenes for pass 1: a textured table, a magenta square for a hand, and a detector that finds the square."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
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


def plain_table(
    duration_s: float,
    camera: Callable[[float], tuple[float, float]] = lambda _: (0.0, 0.0),
    *,
    arm: bool = True,
    fps: float = 5.0,
    seed: int = 0,
) -> list[np.ndarray]:
    """A table with a faint horizontal grain and hardly a corner, and a striped arm over a third of it that never rests.

    ``camera`` gives the table's shift in px at a time, fractions included; noise is the sensor's and stays in place.
    """
    rng = np.random.default_rng(seed)
    margin = 60
    grain = rng.normal(size=(HEIGHT + 2 * margin, WIDTH + 2 * margin)).astype(np.float32)
    table = 150 + 40 * cv2.GaussianBlur(grain, (0, 0), sigmaX=5, sigmaY=1.5)
    frames = []
    for i in range(round(duration_s * fps)):
        t = i / fps
        dx, dy = camera(t)
        into = np.array([[1.0, 0.0, dx - margin], [0.0, 1.0, dy - margin]])
        view = cv2.warpAffine(table, into, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
        picture = np.repeat(view[..., None], 3, axis=2) * (1.0, 0.9, 0.7)
        if arm:
            stripes = 110 + 80 * (np.indices((HEIGHT, WIDTH)).sum(0) // 6 % 2)
            place = np.array([[1.0, 0.0, 40 * np.sin(2 * t)], [0.0, 1.0, 25 * np.cos(3 * t)]])
            shape = np.zeros((HEIGHT, WIDTH), np.float32)
            shape[60:, 90:200] = 1
            over = cv2.warpAffine(shape, place, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE) > 0.5
            picture[over] = cv2.warpAffine(stripes.astype(np.float32), place, (WIDTH, HEIGHT))[over][:, None]
        picture = picture + rng.normal(0, 1.5, picture.shape)
        frames.append(np.clip(np.round(picture), 0, 255).astype(np.uint8))
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
