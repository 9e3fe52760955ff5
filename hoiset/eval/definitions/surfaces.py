"""Surfaces: area, centroid, size, samples, distance to a mesh.

**Convention:** meshes as vertices (V, 3) in m in any one frame, and faces (F, 3); meshes need not be closed.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from jaxtyping import Float, Int

_ROWS = 256
"""Points whose distances to all others are held at once."""


def triangle_areas(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "F"]:
    """Area of every face, m^2."""
    a, b, c = np.moveaxis(np.asarray(vertices, np.float64)[np.asarray(faces)], 1, 0)
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=-1)


def surface_centroid(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "3"]:
    """Centre of the surface, every part weighted by its area: does not depend on how it is cut into triangles.

    Raises:
        ValueError: The surface has no area.
    """
    areas = triangle_areas(vertices, faces)
    if not areas.sum() > 0:
        raise ValueError(f"found {len(areas)} faces with no area in total, expected a surface")
    middles = np.asarray(vertices, np.float64)[np.asarray(faces)].mean(1)
    return (areas[:, None] * middles).sum(0) / areas.sum()


def sample_surface(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], n: int
) -> Float[np.ndarray, "n 3"]:
    """``n`` points spread over the surface in proportion to area; the same mesh always gives the same points.

    Stratified along the running sum of areas; inside the triangles by the R2 sequence (Roberts, 2018), folded
    (Osada et al., "Shape distributions", 2002).

    Raises:
        ValueError: The surface has no area.
    """
    return sample_oriented(vertices, faces, n)[0]


def sample_oriented(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], n: int
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """Points as :func:`sample_surface` and the unit normals of their faces."""
    total = np.cumsum(triangle_areas(vertices, faces))
    if not len(total) or not total[-1] > 0:
        raise ValueError(f"found {len(total)} faces with no area in total, expected a surface")
    which = np.searchsorted(total, (np.arange(n) + 0.5) / n * total[-1])
    plastic = 1.32471795724474602596
    u, v = np.mod(np.arange(1, n + 1)[None] * np.array([[1 / plastic], [1 / plastic**2]]) + 0.5, 1.0)
    fold = u + v > 1
    u, v = np.where(fold, 1 - u, u), np.where(fold, 1 - v, v)
    a, b, c = np.moveaxis(np.asarray(vertices, np.float64)[np.asarray(faces)[which]], 1, 0)
    normals = np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return a + u[:, None] * (b - a) + v[:, None] * (c - a), normals


def diameter(vertices: Float[np.ndarray, "V 3"]) -> float:
    """Greatest distance between two vertices, m (Hinterstoisser et al., ACCV 2012; BOP)."""
    from scipy.spatial import ConvexHull, QhullError

    points = np.unique(np.asarray(vertices, np.float64), axis=0)
    if len(points) > 4:
        with suppress(QhullError):  # A flat mesh has no hull: all its vertices are compared.
            points = points[ConvexHull(points).vertices]
    greatest = 0.0
    for start in range(0, len(points), _ROWS):
        apart = points[start : start + _ROWS, None] - points[None]
        greatest = max(greatest, float((apart**2).sum(-1).max()))
    return float(np.sqrt(greatest))


def gyration_radius(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> float:
    """Root mean square distance of the surface from its centroid, m, exact: a size that no frame enters."""
    areas = triangle_areas(vertices, faces)
    a, b, c = np.moveaxis(np.asarray(vertices, np.float64)[np.asarray(faces)] - surface_centroid(vertices, faces), 1, 0)
    # Mean of |x|^2 over a triangle: (|a|^2 + |b|^2 + |c|^2 + |a + b + c|^2) / 12.
    mean = sum((p**2).sum(-1) for p in (a, b, c, a + b + c)) / 12.0
    return float(np.sqrt((areas * mean).sum() / areas.sum()))


def surface_distance(
    points: Float[np.ndarray, "N 3"], vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> Float[np.ndarray, "N"]:
    """Exact unsigned distance from points to the nearest point of a mesh, m; NaN for NaN points.

    Only faces whose centre is near enough to hold a point nearer than the nearest vertex are looked at.

    Raises:
        ValueError: There are no faces.
    """
    from scipy.spatial import cKDTree

    points = np.asarray(points, np.float64)
    corners = np.asarray(vertices, np.float64)[np.asarray(faces).reshape(-1, 3)]
    if not len(corners):
        raise ValueError("found no faces, expected a surface")
    out = np.full(len(points), np.nan)
    ok = np.flatnonzero(np.isfinite(points).all(-1))
    middles = corners.mean(1)
    radii = np.linalg.norm(corners - middles[:, None], axis=-1).max(-1)
    reach = float(radii.max())
    tree = cKDTree(middles)
    bound = cKDTree(corners.reshape(-1, 3)).query(points[ok])[0]
    for index, limit in zip(ok, bound, strict=True):
        near = np.array(tree.query_ball_point(points[index], limit + reach + 1e-12))
        near = near[np.linalg.norm(middles[near] - points[index], axis=-1) <= limit + radii[near] + 1e-12]
        out[index] = min(limit, float(_triangle_distance(points[index], corners[near]).min()))
    return out


def _triangle_distance(point: Float[np.ndarray, "3"], corners: Float[np.ndarray, "K 3 3"]) -> Float[np.ndarray, "K"]:
    """Distance from one point to each triangle: to its plane where the foot lies inside, else to its edges."""
    a = corners
    edge = np.roll(corners, -1, axis=1) - corners
    to = point - a
    length = (edge**2).sum(-1)
    along = np.divide((to * edge).sum(-1), length, out=np.zeros_like(length), where=length > 0)
    to_edge = np.linalg.norm(to - np.clip(along, 0.0, 1.0)[..., None] * edge, axis=-1).min(-1)
    normal = np.cross(edge[:, 0], -edge[:, 2])
    size = np.linalg.norm(normal, axis=-1)
    inside = (np.einsum("kij,kij->ki", np.cross(edge, to), normal[:, None].repeat(3, 1)) >= 0).all(-1) & (size > 0)
    to_plane = np.divide(np.abs((to[:, 0] * normal).sum(-1)), size, out=np.full(len(a), np.inf), where=size > 0)
    return np.where(inside, to_plane, to_edge)
