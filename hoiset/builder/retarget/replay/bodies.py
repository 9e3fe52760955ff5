"""An object's mesh as a solid: convex parts, volume, mass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from hoiset.builder.retarget.replay.records import Mesh, NotTestable, ReplayParams

MAX_FACES = 300_000
LEAST_M3 = 1e-7
SIZES_M = (0.005, 2.0)
FULL = 0.9
"""A mesh that fills so much of its hull is taken as its hull."""
MAX_PARTS = 4
SAMPLES = 4000


@dataclass(frozen=True)
class Body:
    """A solid.

    Attributes:
        parts: Corners of its convex parts, object frame, m.
        corners: (N, 3) corners of the hull of all.
        surface: (M, 3) points spread over the mesh.
        centre: Of the hull's volume, m.
        volume_m3: Of the mesh where it is closed, else of its hull.
        mass_kg: Assumed.
    """

    parts: tuple[Float[np.ndarray, "K 3"], ...]
    corners: Float[np.ndarray, "N 3"]
    surface: Float[np.ndarray, "M 3"]
    centre: Float[np.ndarray, "3"]
    volume_m3: float
    mass_kg: float


def body_of(mesh: Mesh | None, params: ReplayParams) -> Body:
    """The solid that a mesh stands for.

    A mesh that is far from convex is cut across its longest axis into slabs, each of which becomes its hull: a bottle
    keeps its neck, a mug stays without its inside.

    Raises:
        NotTestable: There is no mesh, or none with a volume.
    """
    import trimesh
    from scipy.spatial import ConvexHull, QhullError

    if mesh is None:
        raise NotTestable("no_mesh")
    vertices, faces = _sound(*mesh)
    try:
        hull = ConvexHull(vertices)
    except QhullError as error:
        raise NotTestable("bad_mesh", "it is flat") from error
    size = float(np.linalg.norm(np.ptp(vertices, axis=0)))
    if hull.volume < LEAST_M3 or not SIZES_M[0] <= size <= SIZES_M[1]:
        raise NotTestable("bad_mesh", f"{hull.volume * 1e6:.3g} cm3 and {size:.3g} m across")
    solid = trimesh.Trimesh(vertices, faces, process=True)
    volume = abs(float(solid.volume)) if solid.is_watertight else 0.0
    closed = 0.05 * hull.volume < volume <= 1.001 * hull.volume
    parts = [vertices[np.sort(hull.vertices)]]
    surface = np.asarray(trimesh.sample.sample_surface(solid, SAMPLES, seed=0)[0], np.float64)
    if closed and volume < FULL * hull.volume:
        parts = _slabs(vertices, faces, surface) or parts
    volume = volume if closed else float(hull.volume)
    return Body(
        parts=tuple(parts),
        corners=vertices[np.sort(hull.vertices)],
        surface=surface,
        centre=_hull_centre(vertices, hull.simplices),
        volume_m3=volume,
        mass_kg=float(np.clip(volume * params.density_kg_m3, *params.mass_kg)),
    )


def _sound(vertices: np.ndarray, faces: np.ndarray) -> tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"]]:
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    if vertices.ndim != 2 or faces.ndim != 2 or vertices.shape[1] != 3 or faces.shape[1:] != (3,):
        raise NotTestable("bad_mesh", f"vertices {vertices.shape} and faces {faces.shape}")
    if len(faces) > MAX_FACES or len(vertices) > MAX_FACES:
        raise NotTestable("bad_mesh", f"{len(faces)} faces, expected at most {MAX_FACES}")
    if len(vertices) < 4 or len(faces) < 4 or not np.isfinite(vertices).all():
        raise NotTestable("bad_mesh", "vertices that are not finite, or fewer than four")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise NotTestable("bad_mesh", "faces of vertices that are not there")
    return vertices, faces


def _hull_centre(vertices: Float[np.ndarray, "V 3"], simplices: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "3"]:
    """Centre of a hull's volume: that of the tetrahedra from a point inside."""
    inside = vertices[np.unique(simplices)].mean(0)
    corners = vertices[simplices] - inside
    volumes = np.abs(np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])))
    return np.asarray(inside + (volumes[:, None] * corners.sum(1) / 4.0).sum(0) / volumes.sum())


def _slabs(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], surface: Float[np.ndarray, "M 3"]
) -> list[Float[np.ndarray, "K 3"]]:
    """Hulls of the mesh between planes across its longest axis; [] where one of them has no volume."""
    from scipy.spatial import ConvexHull, QhullError

    axis = np.linalg.eigh(np.cov(surface.T))[1][:, -1]
    height = vertices @ axis
    cuts = np.linspace(height.min(), height.max(), MAX_PARTS + 1)
    edges = np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1), axis=0)
    crossings = [_crossings(vertices, edges, height, cut) for cut in cuts]
    parts = []
    for low, high, below, above in zip(cuts[:-1], cuts[1:], crossings[:-1], crossings[1:], strict=True):
        points = np.concatenate([vertices[(height >= low) & (height <= high)], below, above])
        try:
            hull = ConvexHull(points)
        except (QhullError, ValueError):
            return []
        if hull.volume < 0.1 * LEAST_M3:
            return []
        parts.append(points[np.sort(hull.vertices)])
    return parts


def _crossings(
    vertices: Float[np.ndarray, "V 3"], edges: Int[np.ndarray, "E 2"], height: Float[np.ndarray, "V"], cut: float
) -> Float[np.ndarray, "K 3"]:
    a, b = edges.T
    through = (height[a] - cut) * (height[b] - cut) < 0
    a, b = a[through], b[through]
    share = (cut - height[a]) / (height[b] - height[a])
    return np.asarray(vertices[a] + share[:, None] * (vertices[b] - vertices[a]))
