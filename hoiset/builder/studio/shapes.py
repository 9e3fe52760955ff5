"""Signed distance functions of the primitives that hands and objects are modelled from.

**Convention:** points (..., 3) in m; negative inside. Formulas after Inigo Quilez, "Distance functions".
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

Points = Float[np.ndarray, "*B 3"]
Distances = Float[np.ndarray, "*B"]


def round_cone(p: Points, a: np.ndarray, b: np.ndarray, r_a: float, r_b: float) -> Distances:
    """Distance to the convex hull of two spheres (a tapered capsule), by linear radius along the axis.

    Exact for equal radii; for the slight tapers of fingers off by less than a tenth of a millimetre near the surface.
    """
    axis = b - a
    t = np.clip((p - a) @ axis / (axis @ axis), 0.0, 1.0)
    return np.linalg.norm(p - a - t[..., None] * axis, axis=-1) - (r_a + (r_b - r_a) * t)


def smooth_min(a: Distances, b: Distances, radius_m: float) -> Distances:
    """Polynomial smooth union: blends over ``radius_m``."""
    h = np.maximum(radius_m - np.abs(a - b), 0.0) / radius_m
    return np.minimum(a, b) - h * h * radius_m * 0.25


def rounded_box(p: Points, half_m: np.ndarray, radius_m: float) -> Distances:
    """Distance to a box with rounded edges whose outer half sizes are ``half_m``."""
    q = np.abs(p) - (half_m - radius_m)
    outside = np.linalg.norm(np.maximum(q, 0.0), axis=-1)
    return outside + np.minimum(q.max(-1), 0.0) - radius_m


def revolved_polygon(p: Points, profile: Float[np.ndarray, "N 2"]) -> Distances:
    """Distance to the solid that a closed polygon of (radius, height) corners sweeps about the z axis.

    The polygon is given counter-clockwise; corners on the axis have radius 0.
    """
    q = np.stack([np.hypot(p[..., 0], p[..., 1]), p[..., 2]], -1)
    best = np.full(q.shape[:-1], np.inf)
    crossings = np.zeros(q.shape[:-1], np.int64)
    for a, b in zip(profile, np.roll(profile, -1, axis=0), strict=True):
        edge = b - a
        w = q - a
        if not (a[0] == 0 and b[0] == 0):  # an edge on the axis is inside the solid
            t = np.clip(w @ edge / (edge @ edge), 0.0, 1.0)
            best = np.minimum(best, ((w - t[..., None] * edge) ** 2).sum(-1))
        above = (q[..., 1] >= a[1]) != (q[..., 1] >= b[1])
        side = edge[0] * w[..., 1] - edge[1] * w[..., 0]
        crossings += above & ((side > 0) == (edge[1] > 0))
    return np.where(crossings % 2 == 1, -1.0, 1.0) * np.sqrt(best)


def torus(p: Points, centre: np.ndarray, radii_m: tuple[float, float], tube_m: float) -> Distances:
    """Distance to an elliptical ring in the x-z plane about ``centre`` (approximate away from the surface)."""
    q = p - centre
    scale = np.array([radii_m[0], radii_m[1]])
    flat = q[..., [0, 2]]
    length = np.linalg.norm(flat / scale, axis=-1, keepdims=True)
    nearest = flat / np.maximum(length, 1e-9)
    return np.hypot(np.linalg.norm(flat - nearest, axis=-1), q[..., 1]) - tube_m
