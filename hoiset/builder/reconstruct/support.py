"""What a standing object rests on, and what several frames of a still camera say of it together."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from hoiset.geometry import make_T, transform, unproject

_TRIES = 200
_MOST_POINTS = 4000
_NEAR_SHARE = 0.004
_NEAR_M = 0.003
_LEAST_INLIERS = 0.3
_LEAST_PIXELS = 60
_RISES_M = 0.03
_BELOW_SHARE = 0.05


@dataclass(frozen=True)
class Standing:
    """One view of an object that stands, put together from the frames in which it does.

    Attributes:
        mask: Pixels in which it is seen.
        depth_m: z-depth of its surface there; NaN elsewhere.
        beyond_m: The farthest that is seen in every other pixel; NaN where nothing is, and on the object.
    """

    mask: Bool[np.ndarray, "H W"]
    depth_m: Float[np.ndarray, "H W"]
    beyond_m: Float[np.ndarray, "H W"]


def steady_depth(depth_m: Float[np.ndarray, "T H W"]) -> Float[np.ndarray, "T H W"]:
    """Depth maps of a still camera without what scales each of them as a whole.

    A depth model guesses the scale of every frame anew; what does not move says by how much it differs: the median
    ratio to the median map.
    """
    step = max(1, min(depth_m.shape[1:]) // 60)
    small = depth_m[:, ::step, ::step]
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(small)
    out = depth_m.astype(np.float32).copy()
    known = np.isfinite(logs).any(0)
    if not known.any():
        return out
    logs = np.where(np.isfinite(logs), logs, np.nan)[:, known]
    off = np.zeros(len(logs))
    for _ in range(3):
        typical = np.nanmedian(logs - off[:, None], axis=0)
        rows = np.isfinite(logs).any(1)
        off[rows] = np.nanmedian(logs[rows] - typical, axis=1)
    off -= np.median(off)
    return (out * np.exp(-off).astype(np.float32)[:, None, None]).astype(np.float32)


def gather(seen: Bool[np.ndarray, "N H W"], depth_m: Float[np.ndarray, "N H W"]) -> Standing | None:
    """Put the frames of one stand together.

    Args:
        seen: Pixels that show the object.
        depth_m: z-depth, NaN where unknown.

    Returns:
        ``None`` where the object has no depth.
    """
    own = np.where(seen & np.isfinite(depth_m), depth_m, np.nan)
    count = np.isfinite(own).sum(0)
    mask = count >= max(1, 0.15 * count.max(initial=0))
    mask = _one_piece(mask) & (count > 0)
    if not mask.any():
        return None
    surface = np.full(mask.shape, np.nan)
    surface[mask] = np.nanmedian(own[:, mask], axis=0)
    other = np.where(seen | ~np.isfinite(depth_m), -np.inf, depth_m).max(0)
    beyond = np.where(mask | ~np.isfinite(other), np.nan, other)
    return Standing(mask, surface, beyond)


def _one_piece(mask: np.ndarray) -> np.ndarray:
    """The largest piece and every other of at least a tenth of its size: a hand may lie across."""
    count, label, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return mask
    area = stats[:, cv2.CC_STAT_AREA].copy()
    area[0] = 0
    return np.isin(label, np.flatnonzero(area >= 0.1 * area.max()))


def support_under(
    standing: Standing, K: Float[np.ndarray, "3 3"], background_m: Float[np.ndarray, "H W"]
) -> Float[np.ndarray, "4 4"] | None:
    """The plane that an object stands on, if one is seen around it and the object comes down to it.

    Args:
        standing: The object.
        K: Intrinsics.
        background_m: z-depth of what is behind everything that moves; NaN where unknown.

    Returns:
        ``T_camera_plane``: z along the normal, towards the camera's side; x along the longer side of what is seen of
        the object, the origin under its middle. ``None`` where there is no such plane.
    """
    points = _points(standing.mask, standing.depth_m, K)
    around = _ring(standing.mask) & np.isfinite(background_m)
    ground = _points(around, background_m, K)
    if len(points) < _LEAST_PIXELS or len(ground) < _LEAST_PIXELS:
        return None
    ground = ground[:: max(1, len(ground) // _MOST_POINTS)]
    rng = np.random.default_rng(0)
    near = _NEAR_M + _NEAR_SHARE * float(np.median(ground[:, 2]))
    left = np.ones(len(ground), bool)
    for _ in range(3):
        plane = _best_plane(ground[left], near, rng)
        if plane is None or plane[1].sum() < _LEAST_INLIERS * len(ground):
            return None
        T_camera_plane = _frame(plane[0], points)
        height = transform_inverse(T_camera_plane, points)[:, 2]
        size = float(np.ptp(points, axis=0).max())
        rests = np.percentile(height, 2.0) < max(_RISES_M, 0.25 * size)
        if rests and (height < -2.0 * near).mean() < _BELOW_SHARE:
            return T_camera_plane
        left[np.flatnonzero(left)[plane[1]]] = False
        if left.sum() < _LEAST_PIXELS:
            return None
    return None


def transform_inverse(T: Float[np.ndarray, "4 4"], points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
    """Points of a frame in the one that ``T`` maps to it."""
    return (points - T[:3, 3]) @ T[:3, :3]


def _points(mask: np.ndarray, depth: np.ndarray, K: np.ndarray) -> Float[np.ndarray, "N 3"]:
    y, x = np.nonzero(mask & np.isfinite(depth))
    return unproject(K, np.column_stack([x, y]).astype(float), depth[y, x].astype(float))


def _ring(mask: np.ndarray) -> np.ndarray:
    """A band around a mask, about as wide as the mask's side."""
    width = int(max(8, 0.7 * np.sqrt(mask.sum())))
    y, x = np.nonzero(mask)
    out = np.zeros_like(mask)
    out[max(0, y.min() - width) : y.max() + width + 1, max(0, x.min() - width) : x.max() + width + 1] = True
    return out & ~(cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)


def _best_plane(points: np.ndarray, near: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray] | None:
    """(n, d) of n . p = d with the most points within ``near``, refined on them (RANSAC, Fischler and Bolles 1981)."""
    if len(points) < 3:
        return None
    best: np.ndarray | None = None
    for _ in range(_TRIES):
        a, b, c = points[rng.choice(len(points), 3, replace=False)]
        n = np.cross(b - a, c - a)
        length = np.linalg.norm(n)
        if length < 1e-6:
            continue
        inliers = np.abs((points - a) @ (n / length)) < near
        if best is None or inliers.sum() > best.sum():
            best = inliers
    if best is None:
        return None
    plane = np.zeros(4)
    limit = near
    for _ in range(6):
        middle = points[best].mean(0)
        n = np.linalg.svd(points[best] - middle, full_matrices=False)[2][2]
        plane = np.append(n, n @ middle)
        distance = np.abs(points @ n - plane[3])
        limit = min(near, max(0.001, 3.0 * float(np.median(distance[best]))))
        best = distance < limit
        if best.sum() < 3:
            return None
    return plane, np.abs(points @ plane[:3] - plane[3]) < near


def _frame(plane: np.ndarray, points: np.ndarray) -> Float[np.ndarray, "4 4"]:
    n, d = plane[:3], plane[3]
    if d > 0:  # the camera, at the origin, is above
        n, d = -n, -d
    x = np.array([1.0, 0.0, 0.0]) if abs(n[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    x = x - (x @ n) * n
    x /= np.linalg.norm(x)
    R = np.column_stack([x, np.cross(n, x), n])
    flat = ((points - n * d) @ R)[:, :2]
    (middle, (width, height), angle) = cv2.minAreaRect(flat.astype(np.float32))
    turn = np.radians(angle + (0.0 if width >= height else 90.0))
    c, s = np.cos(turn), np.sin(turn)
    R = R @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return make_T(R, n * d + transform(make_T(_basis(n, x), np.zeros(3)), np.array([[*middle, 0.0]]))[0])


def _basis(n: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.column_stack([x, np.cross(n, x), n])
