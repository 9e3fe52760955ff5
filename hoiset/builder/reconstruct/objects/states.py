"""Per-pixel timelines: the sequence of stable colours that a static camera sees at each pixel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from hoiset.builder.reconstruct.objects.params import ObjectParams

MAX_STATES = 8


@dataclass(frozen=True)
class PixelStates:
    """Stable states of every pixel, at the analysis resolution (h, w).

    Attributes:
        colour: (K, h, w, 3) CIELAB colour of state k; NaN where there is none.
        first: (K, h, w) first sample of state k, -1 where there is none.
        last: (K, h, w) last sample of state k.
        count: (h, w) number of states.
        stable: (n, h, w) whether the pixel is in a stable state at a sample.
        lab: (n, h, w, 3) the samples, smoothed.
        frame_index: (n,) frame of each sample.
        rate_hz: Samples per second.
    """

    colour: Float[np.ndarray, "K h w 3"]
    first: Int[np.ndarray, "K h w"]
    last: Int[np.ndarray, "K h w"]
    count: Int[np.ndarray, "h w"]
    stable: Bool[np.ndarray, "n h w"]
    lab: Float[np.ndarray, "n h w 3"]
    frame_index: Int[np.ndarray, "n"]
    rate_hz: float


def to_lab(rgb: UInt8[np.ndarray, "H W 3"], size: tuple[int, int] | None = None, sigma: float = 1.0) -> np.ndarray:
    """Smoothed CIELAB image (float32, L 0..100) of a frame, resized to ``size`` = (width, height) if given."""
    image = rgb if size is None else cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    if sigma > 0:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    return cv2.cvtColor(image.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)


def sample_indices(time: Float[np.ndarray, "T"], rate_hz: float) -> Int[np.ndarray, "n"]:
    """Indices of the frames nearest to a regular grid of at most ``rate_hz``; strictly increasing."""
    grid = np.arange(0.0, time[-1] + 1e-9, 1.0 / rate_hz)
    return np.unique(np.abs(time[None] - grid[:, None]).argmin(1))


def pixel_states(
    rgb: UInt8[np.ndarray, "T H W 3"],
    time: Float[np.ndarray, "T"],
    hand_masks: UInt8[np.ndarray, "T H W"],
    params: ObjectParams,
) -> PixelStates:
    """Find the stable states of every pixel.

    A pixel is stable at a sample when its colour keeps within ``colour_noise`` over a window of ``stable_s`` in which
    no hand covers it. Consecutive stable samples of one colour form a state; a new colour begins the next.

    Args:
        rgb: Frames at the working resolution.
        time: s.
        hand_masks: Non-zero where a hand is.
        params: Thresholds.
    """
    index = sample_indices(time, params.state_rate_hz)
    rate = (len(index) - 1) / max(time[index[-1]] - time[index[0]], 1e-6) if len(index) > 1 else params.state_rate_hz
    height, width = rgb.shape[1:3]
    scale = 2 if height > 200 else 1
    size = (width // scale, height // scale)
    lab = np.stack([to_lab(rgb[i], size) for i in index])
    hand = np.stack([cv2.resize(hand_masks[i], size, interpolation=cv2.INTER_NEAREST) for i in index]) > 0
    stable = _stable(lab, hand, max(3, round(params.stable_s * rate) | 1), params.colour_noise)
    colour, first, last, count = _collect(lab, stable, params.colour_change * 0.9)
    return PixelStates(colour, first, last, count, stable, lab, index, float(rate))


def _stable(lab: np.ndarray, hand: np.ndarray, window: int, noise: float) -> np.ndarray:
    """Samples whose colour range over a centred window (shortened at the ends) is below ``noise`` and hand-free."""
    n, half = len(lab), window // 2
    stable = np.zeros(lab.shape[:3], bool)
    for k in range(n):
        a, b = max(0, k - half), min(n, k + half + 1)
        block = lab[a:b]
        spread = np.linalg.norm(block.max(0) - block.min(0), axis=-1)
        stable[k] = (spread < noise) & ~hand[a:b].any(0)
    return stable


def _collect(
    lab: np.ndarray, stable: np.ndarray, change: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Run over time once, keeping the current state of every pixel as a slow running mean."""
    n, height, width = stable.shape
    colour = np.full((MAX_STATES, height, width, 3), np.nan, np.float32)
    first = np.full((MAX_STATES, height, width), -1, np.int16)
    last = first.copy()
    count = np.zeros((height, width), np.int16)
    current = np.zeros((height, width, 3), np.float32)
    for k in range(n):
        same = stable[k] & (count > 0) & (np.linalg.norm(lab[k] - current, axis=-1) < change)
        new = stable[k] & ~same & (count < MAX_STATES)
        current[same] = 0.8 * current[same] + 0.2 * lab[k][same]
        current[new] = lab[k][new]
        count[new] += 1
        y, x = np.nonzero(new)
        first[count[new] - 1, y, x] = k
        y, x = np.nonzero(same | new)
        state = count[y, x] - 1
        last[state, y, x] = k
        colour[state, y, x] = current[y, x]
    return colour, first, last, count
