"""Similarities of the image plane, what they do to points and silhouettes, and points that optical flow carries."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8


def compose(a: Float[np.ndarray, "2 3"], b: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "2 3"]:
    """The affine map that applies b first, then a."""
    return np.column_stack([a[:, :2] @ b[:, :2], a[:, :2] @ b[:, 2] + a[:, 2]])


def apply(a: Float[np.ndarray, "2 3"], points: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 2"]:
    """Map points by an affine map."""
    return points @ a[:, :2].T + a[:, 2]


def scale_of(a: Float[np.ndarray, "*B 2 3"]) -> Float[np.ndarray, "*B"]:
    """Scale of similarities."""
    return np.sqrt(np.abs(a[..., 0, 0] * a[..., 1, 1] - a[..., 0, 1] * a[..., 1, 0]))


def warp_mask(mask: Bool[np.ndarray, "H W"], a: Float[np.ndarray, "2 3"]) -> Bool[np.ndarray, "H W"]:
    """Move a silhouette by an affine map."""
    height, width = mask.shape
    return cv2.warpAffine(mask.astype(np.uint8), a, (width, height), flags=cv2.INTER_NEAREST) > 0


def overlap(a: Bool[np.ndarray, "H W"], b: Bool[np.ndarray, "H W"]) -> float:
    """Intersection over the smaller of two silhouettes."""
    return float((a & b).sum() / max(min(a.sum(), b.sum()), 1))


def same_way(a: Float[np.ndarray, "n 2"], b: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
    """Whether two velocities point within 70 degrees of each other and neither is more than five times the other."""
    speed_a, speed_b = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (a * b).sum(1) / (speed_a * speed_b)
        ratio = speed_a / speed_b
        return (cosine > 0.34) & (ratio > 0.2) & (ratio < 5.0)


def _lucas_kanade(before: np.ndarray, now: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    flow: Any = cv2.calcOpticalFlowPyrLK  # its stub forbids the None that asks for no initial guess
    moved, ok, error = flow(before, now, points, None, winSize=(15, 15), maxLevel=2)
    return moved, ok, error


def flow_points(
    before: UInt8[np.ndarray, "H W"], now: UInt8[np.ndarray, "H W"], points: Float[np.ndarray, "N 2"]
) -> tuple[Float[np.ndarray, "N 2"], Bool[np.ndarray, "N"]]:
    """Where flow carries points from one grey picture to the next, and which of them it carries back."""
    start = points.astype(np.float32)
    if len(start) == 0:
        return start, np.zeros(0, bool)
    moved, ok, _ = _lucas_kanade(before, now, start[:, None])
    back, ok_back, _ = _lucas_kanade(now, before, moved)
    good = (ok[:, 0] > 0) & (ok_back[:, 0] > 0) & (np.linalg.norm(back[:, 0] - start, axis=1) < 1.0)
    return moved[:, 0], good
