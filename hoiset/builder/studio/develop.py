"""From linear light to the numbers that a camera writes."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from jaxtyping import Float, UInt8, UInt16

_BRIGHTEST = 4.0


def develop(
    rgb: Float[np.ndarray, "H W 3"], rng: np.random.Generator, *, blur_px: float, noise: float
) -> UInt8[np.ndarray, "H W 3"]:
    """What a camera makes of linear light: slight blur, shot and read noise, sRGB.

    Args:
        rgb: Linear RGB, 1 = white.
        rng: Source of the noise.
        blur_px: Standard deviation of the blur.
        noise: Standard deviation of the noise at mid-grey, fraction of full scale.
    """
    x: np.ndarray = rgb.astype(np.float32)
    if blur_px > 0:
        x = cv2.GaussianBlur(x, (0, 0), blur_px, borderType=cv2.BORDER_REPLICATE)
    tones = _tone_curve()
    at = np.clip(x * np.float32((len(tones) - 1) / _BRIGHTEST), 0, len(tones) - 1)
    y = tones[at.astype(np.int32)]
    grain = rng.standard_normal(y.shape, dtype=np.float32)
    y += grain * (noise * (0.6 + 0.8 * np.clip(1.0 - y, 0.0, 1.0)))
    return np.clip(np.rint(y * 255.0), 0, 255).astype(np.uint8)


@functools.cache
def _tone_curve() -> Float[np.ndarray, "N"]:
    """Values in sRGB of linear light 0 .. ``_BRIGHTEST`` after a soft shoulder, in steps far below those of 8 bits."""
    x = np.linspace(0.0, _BRIGHTEST, 1 << 16)
    x = np.minimum(x, 2.3) / (1.0 + 0.18 * np.minimum(x, 2.3) ** 2)  # soft shoulder instead of clipping
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-8) ** (1 / 2.4) - 0.055).astype(np.float32)


def exposure(time: Float[np.ndarray, "T"], drift: float, rng: np.random.Generator) -> Float[np.ndarray, "T 3"]:
    """Gain of each colour channel over a clip: slow waves of brightness, and a tenth of that in the white balance.

    Args:
        time: Frame times, s.
        drift: Largest change of brightness, as a fraction; 0 gives 1 throughout.
        rng: Source of the waves.
    """
    periods, phases = rng.uniform(1.5, 6.0, (4, 1)), rng.uniform(0.0, 2.0 * np.pi, (4, 1))
    waves = np.sin(2.0 * np.pi * time / periods + phases)
    return 1.0 + drift * waves[0][:, None] + 0.1 * drift * waves[1:].T


def depth_mm(depth_m: Float[np.ndarray, "H W"]) -> UInt16[np.ndarray, "H W"]:
    """Depth in whole millimetres, 0 where it is beyond 65.5 m."""
    mm = np.round(depth_m * 1000.0)
    return np.where(mm <= 65535, mm, 0).astype(np.uint16)
