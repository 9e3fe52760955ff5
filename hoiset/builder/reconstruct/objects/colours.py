"""Colour histograms over a coarse CIELAB grid of 8 x 8 x 6 bins (a, b, L)."""

from __future__ import annotations

import cv2
import numpy as np
import scipy.ndimage as ndi
from jaxtyping import Bool, Float, Int, UInt8

_GRID = (8, 8, 6)
N_COLOURS = 384


def colour_index(rgb: UInt8[np.ndarray, "H W 3"]) -> Int[np.ndarray, "H W"]:
    """Bin of every pixel; colours beyond the grid fall into its outermost bins."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.int16)
    a = np.clip((lab[..., 1] - 88) // 10, 0, 7)
    b = np.clip((lab[..., 2] - 88) // 11, 0, 7)
    return (a * 8 + b) * 6 + np.clip(lab[..., 0] // 43, 0, 5)


def colour_histogram(rgb: UInt8[np.ndarray, "H W 3"], mask: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "B"]:
    """Share of every bin among the masked pixels, smoothed over neighbouring bins; sums to 1 (0 for an empty mask)."""
    counts = np.bincount(colour_index(rgb)[mask], minlength=N_COLOURS).astype(float)
    smooth = ndi.gaussian_filter(counts.reshape(_GRID), 0.5).ravel()
    return (smooth / max(smooth.sum(), 1e-9)).astype(np.float32)


def similarity(a: Float[np.ndarray, "B"], b: Float[np.ndarray, "B"]) -> float:
    """Bhattacharyya coefficient of two histograms, 0..1."""
    return float(np.sqrt(a * b).sum())
