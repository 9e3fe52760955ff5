"""Meshes with fewer triangles, within a stated distance of the ones they stand for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import open3d as o3d
from jaxtyping import Float

from hoiset.builder.reconstruct.shape import Mesh
from hoiset.shards.schema import MESH_TOLERANCE_M

_SHARE = 0.75
"""Of its triangles, that the next attempt keeps."""
_FEWEST = 32


def decimate(mesh: Mesh, tolerance_m: float = MESH_TOLERANCE_M) -> Mesh:
    """The mesh with as few triangles as quadric edge collapse (Garland and Heckbert 1997) leaves within a tolerance.

    Args:
        mesh: In m.
        tolerance_m: Bound of the distance between the surfaces, both ways, taken at the vertices, at the middles of
            the edges and at the centres of the triangles.

    Returns:
        A mesh with colours; the same one where no triangle can go.
    """
    whole = o3d.geometry.TriangleMesh(o3d.utility.Vector3dVector(mesh.vertices), o3d.utility.Vector3iVector(mesh.faces))
    whole.vertex_colors = o3d.utility.Vector3dVector(mesh.colours / 255.0)
    best = mesh
    while (n := int(len(best.faces) * _SHARE)) >= _FEWEST:
        fewer = whole.simplify_quadric_decimation(n)
        found = replace(
            mesh,
            vertices=np.asarray(fewer.vertices),
            faces=np.asarray(fewer.triangles),
            colours=np.round(np.asarray(fewer.vertex_colors) * 255.0).astype(np.uint8),
        )
        if not 0 < len(found.faces) < len(best.faces) or distance(mesh, found) > tolerance_m:
            break
        best = found
    return best


def distance(a: Mesh, b: Mesh) -> float:
    """Largest distance of points on either surface to the other, m; see :func:`decimate`."""
    return max(_farthest(a, b), _farthest(b, a))


def _farthest(a: Mesh, b: Mesh) -> float:
    tensor, scene = o3d.core.Tensor.from_numpy, o3d.t.geometry.RaycastingScene()
    scene.add_triangles(tensor(b.vertices.astype(np.float32)), tensor(b.faces.astype(np.uint32)))
    return float(scene.compute_distance(tensor(_points(a).astype(np.float32))).numpy().max())


def _points(mesh: Mesh) -> Float[np.ndarray, "N 3"]:
    corners = mesh.vertices[mesh.faces]
    return np.concatenate([mesh.vertices, ((corners + np.roll(corners, 1, 1)) / 2).reshape(-1, 3), corners.mean(1)])
