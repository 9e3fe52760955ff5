"""Where hands and forearms are in the image, drawn from their joints."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

_KNUCKLES = (5, 9, 13, 17)
_CHAINS = ((0, 1, 2, 3, 4), (0, 5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (0, 17, 18, 19, 20), (5, 9, 13, 17))


def hand_size_px(joints_2d: Float[np.ndarray, "T 2 21 2"]) -> Float[np.ndarray, "2"]:
    """Typical size of each hand: the 80th percentile over the clip of its box's larger side, px; NaN when unseen."""
    box = joints_2d.max(2) - joints_2d.min(2)
    side = box.max(-1)
    return np.array([np.nanpercentile(s, 80) if np.isfinite(s).any() else np.nan for s in side.T])


def hand_mask(
    joints_2d: Float[np.ndarray, "2 21 2"], size_px: Float[np.ndarray, "2"], shape: tuple[int, int]
) -> np.ndarray:
    """Draw hands: the filled palm and a capsule along every finger.

    Returns:
        (H, W) uint8: 0 nothing, 1 left hand, 2 right hand.
    """
    mask = np.zeros(shape, np.uint8)
    for h in range(2):
        joints = joints_2d[h]
        if np.isnan(joints).any():
            continue
        points = np.round(joints).astype(np.int32)
        width = max(2, round(0.13 * size_px[h]))
        cv2.fillConvexPoly(mask, cv2.convexHull(points[[0, 1, 2, *_KNUCKLES]]), h + 1)
        for chain in _CHAINS:
            cv2.polylines(mask, [points[list(chain)]], False, h + 1, width)
    return mask


def palm_mask(joints_2d: Float[np.ndarray, "2 21 2"], shape: tuple[int, int]) -> UInt8[np.ndarray, "H W"]:
    """The area between wrist and knuckles, where a hand hides whatever it holds (1 left, 2 right)."""
    mask = np.zeros(shape, np.uint8)
    for h in range(2):
        if np.isfinite(joints_2d[h]).all():
            points = np.round(joints_2d[h][[0, 1, *_KNUCKLES]]).astype(np.int32)
            cv2.fillConvexPoly(mask, cv2.convexHull(points), h + 1)
    return mask


def forearm_mask(
    joints_2d: Float[np.ndarray, "2 21 2"],
    size_px: Float[np.ndarray, "2"],
    shape: tuple[int, int],
    length_hands: float = 2.0,
) -> UInt8[np.ndarray, "H W"]:
    """Draw where forearms must be: a widening corridor from each wrist away from the knuckles (1 left, 2 right)."""
    mask = np.zeros(shape, np.uint8)
    for h in range(2):
        joints = joints_2d[h]
        if np.isnan(joints).any():
            continue
        wrist = joints[0]
        axis = wrist - joints[list(_KNUCKLES)].mean(0)
        norm = float(np.linalg.norm(axis))
        if norm < 1e-3:
            continue
        axis = axis / norm
        side = np.array([-axis[1], axis[0]])
        near, far = 0.3 * size_px[h], 0.55 * size_px[h]
        end = wrist + axis * length_hands * size_px[h]
        corners = np.array([wrist + side * near, wrist - side * near, end - side * far, end + side * far])
        cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), h + 1)
    return mask


def gap_to_mask(joints_2d: Float[np.ndarray, "*T 21 2"], mask: UInt8[np.ndarray, "H W"]) -> Float[np.ndarray, "*T"]:
    """Least image distance from any joint to a silhouette, px; 0 inside it, NaN where the hand is absent."""
    distance = cv2.distanceTransform((mask == 0).astype(np.uint8), cv2.DIST_L2, 5)
    height, width = mask.shape
    x = np.nan_to_num(joints_2d[..., 0])
    y = np.nan_to_num(joints_2d[..., 1])
    xi, yi = np.clip(np.round(x).astype(int), 0, width - 1), np.clip(np.round(y).astype(int), 0, height - 1)
    outside = np.hypot(x - xi, y - yi)
    gap = distance[yi, xi] + np.where(outside > 1.0, outside, 0.0)
    gap = np.where(np.isnan(joints_2d).any(-1), np.nan, gap)
    return np.min(gap, axis=-1)
