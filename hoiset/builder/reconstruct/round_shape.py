"""Things that look the same from all around: their axis, and what they are where they are not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.interpolate import RegularGridInterpolator
from scipy.optimize import minimize
from scipy.spatial import cKDTree

_MOST_POINTS = 1500
_NEIGHBOURS = 20
_LEAST_SLOPE = 0.15
_LEAST_SIDES = 0.08
_TURNS = 40
_RING_M = 0.003
_RING_SHARE = 0.3
_FREE_SHARE = 0.8
_AGREE = 0.2
_LEAST_AGREE = 0.65
_SPREAD_M = 0.003
_SPREAD_SHARE = 0.06

Free = Callable[[Float[np.ndarray, "*B 3"]], Float[np.ndarray, "*B"]]


@dataclass(frozen=True)
class Round:
    """A body of revolution about an axis along z.

    Attributes:
        centre: (2,) where the axis is, m.
        radius_m: Greatest distance of any point from the axis.
        body_radius_m: Greatest distance from the axis at which points lie on much of the way around it.
    """

    centre: Float[np.ndarray, "2"]
    radius_m: float
    body_radius_m: float
    _values: RegularGridInterpolator

    def value(self, places: Float[np.ndarray, "*B 3"]) -> Float[np.ndarray, "*B"]:
        """Negative inside, m."""
        r = np.linalg.norm(places[..., :2] - self.centre, axis=-1)
        return np.asarray(self._values(np.stack([r, places[..., 2]], -1)))


def fit_round(points: Float[np.ndarray, "N 3"], free: Free) -> Round | None:
    """The body of revolution that points of a surface belong to, if they do.

    The normals of such a surface meet its axis. A place belongs to it unless, on its way around the axis, it comes
    through much that is seen to be free.

    Args:
        points: Of the surface, z up, the axis along z; m.
        free: How far a place is in front of what is seen there; negative where it is hidden.
    """
    sample = points[:: max(1, len(points) // _MOST_POINTS)]
    normals = _normals(sample)
    slope = np.linalg.norm(normals[:, :2], axis=1)
    side = slope > _LEAST_SLOPE
    if side.sum() < 30 or (slope * side).sum() < _LEAST_SIDES * len(sample):
        return None
    p, n = sample[side], normals[side]
    centre = _meeting(p[:, :2], n[:, :2], sample[:, :2].mean(0))
    centre = _refined(p, np.asarray(centre))
    arm = p[:, :2] - centre
    away = np.linalg.norm(arm, axis=1)
    turn = np.abs(n[:, 0] * arm[:, 1] - n[:, 1] * arm[:, 0]) / np.maximum(slope[side] * away, 1e-6)
    weight = slope[side] * np.minimum(1.0, away / max(float(np.median(away)), 1e-6))
    if (weight * (turn < _AGREE)).sum() < _LEAST_AGREE * weight.sum():
        return None
    radius = float(np.percentile(away, 99.0))
    body = _turned(centre, points, 1.15 * radius, free)
    near = np.linalg.norm(points[:, :2] - centre, axis=1) < 1.1 * radius
    off = np.abs(body.value(points[near]))
    limit = max(_SPREAD_M, _SPREAD_SHARE * radius)
    return body if near.mean() > 0.6 and np.median(off) < limit and np.percentile(off, 80) < 2.5 * limit else None


def _normals(points: np.ndarray) -> np.ndarray:
    _, at = cKDTree(points).query(points, k=min(_NEIGHBOURS, len(points)))
    around = points[at] - points[at].mean(1, keepdims=True)
    return np.asarray(np.linalg.eigh(np.einsum("nka,nkb->nab", around, around))[1][..., 0])


def _meeting(p: np.ndarray, n: np.ndarray, start: np.ndarray) -> Float[np.ndarray, "2"]:
    """The point that lines through p along n pass nearest to."""
    across = np.column_stack([-n[:, 1], n[:, 0]])
    weight = np.ones(len(p))
    centre = start
    for _ in range(20):
        A = across * weight[:, None]
        lhs = A.T @ across + 1e-3 * np.eye(2)
        centre = np.linalg.solve(lhs, A.T @ (across * p).sum(1) + 1e-3 * start)
        off = np.abs((across * (p - centre)).sum(1))
        scale = max(1.4826 * float(np.median(off)), 5e-4)
        weight = 1.0 / (1.0 + (off / (2.0 * scale)) ** 2)
    return centre


def _refined(p: np.ndarray, centre: np.ndarray) -> Float[np.ndarray, "2"]:
    """Shift the axis to where points of equal height are equally far from it."""
    size = max(float(np.ptp(p[:, 2])), 1e-3)
    bins = np.minimum((16 * (p[:, 2] - p[:, 2].min()) / size).astype(int), 15)
    order = np.argsort(bins, kind="stable")
    groups = [g for g in np.split(order, np.flatnonzero(np.diff(bins[order])) + 1) if len(g) >= 6]
    if not groups:
        return centre

    def spread(c: np.ndarray) -> float:
        r = np.linalg.norm(p[:, :2] - c, axis=1)
        off = np.concatenate([np.abs(r[g] - np.median(r[g])) for g in groups])
        return float(np.minimum(off, 0.006).sum() / len(off)) + 0.01 * float(np.linalg.norm(c - centre))

    simplex = centre + np.array([[0.0, 0.0], [0.004, 0.0], [0.0, 0.004]])
    found = minimize(spread, centre, method="Nelder-Mead", options={"initial_simplex": simplex, "xatol": 1e-4})
    return np.asarray(found.x)


def _reached(arms: np.ndarray) -> float:
    """See :attr:`Round.body_radius_m`."""
    r = np.linalg.norm(arms, axis=1)
    angle = np.degrees(np.arctan2(arms[:, 1], arms[:, 0])) % 360.0
    hit = np.zeros((int(r.max() / _RING_M) + 1, 36), bool)
    hit[(r / _RING_M).astype(int), np.minimum((angle / 10.0).astype(int), 35)] = True
    around = np.flatnonzero(hit.sum(1) >= _RING_SHARE * 36)
    return float((around.max() + 1) * _RING_M) if len(around) else float(r.max())


def _turned(centre: np.ndarray, points: np.ndarray, radius: float, free: Free) -> Round:
    height = float(points[:, 2].max())
    r = np.linspace(0.0, 1.1 * radius + 0.006, 80)
    z = np.linspace(-0.006, height + 0.01, 64)
    angle = np.linspace(0.0, 2.0 * np.pi, _TURNS, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], -1)
    places = np.empty((len(r), len(z), _TURNS, 3))
    places[..., :2] = centre + r[:, None, None, None] * ring
    places[..., 2] = z[None, :, None]
    values = np.quantile(free(places), _FREE_SHARE, axis=-1)
    values[-1] = np.maximum(values[-1], 1e-3)
    body = _reached(points[:, :2] - centre)
    return Round(
        centre, 1.1 * radius, body, RegularGridInterpolator((r, z), values, bounds_error=False, fill_value=0.02)
    )
