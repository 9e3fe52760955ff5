"""A closed triangle mesh from a signed distance function: naive surface nets, then Newton steps onto the zero level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Sdf = Callable[[Float[np.ndarray, "*B 3"]], Float[np.ndarray, "*B"]]


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh.

    Attributes:
        vertices: (V, 3) m.
        faces: (F, 3) indices, counter-clockwise seen from outside.
    """

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]

    def normals(self) -> Float[np.ndarray, "V 3"]:
        """Area-weighted unit vertex normals, outwards."""
        return vertex_normals(self.vertices, self.faces)


def vertex_normals(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "V 3"]:
    """Area-weighted unit vertex normals."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    face_normals = np.cross(b - a, c - a)
    corners = faces.ravel()
    weights = np.repeat(face_normals, 3, axis=0)
    out = np.stack([np.bincount(corners, weights[:, i], len(vertices)) for i in range(3)], -1)
    return out / np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-12)


def gradient(sdf: Sdf, points: Float[np.ndarray, "N 3"], step_m: float = 2e-4) -> Float[np.ndarray, "N 3"]:
    """Central-difference gradient of a signed distance function."""
    offsets = np.eye(3) * step_m
    return np.stack([(sdf(points + o) - sdf(points - o)) / (2 * step_m) for o in offsets], -1)


def mesh_from_sdf(sdf: Sdf, axes: tuple[np.ndarray, np.ndarray, np.ndarray], newton_steps: int = 2) -> Mesh:
    """Mesh the zero level of a signed distance function (negative inside).

    Surface nets put one vertex in every cell that the surface crosses and one quad on every grid edge that it crosses
    (Gibson, "Constrained Elastic Surface Nets", MICCAI 1998). The result is closed if the grid holds the surface.

    Args:
        sdf: Maps (..., 3) points in m to signed distances in m.
        axes: Increasing grid coordinates along x, y and z, m; they need not be evenly spaced. Features must be thicker
            than the spacing, and the function must not grow faster than 1.5 times the distance.
        newton_steps: How often vertices are moved along the gradient onto the zero level.

    Returns:
        The mesh, faces outwards.

    Raises:
        ValueError: The surface does not exist in the grid or leaves it.
    """
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    values = _values_near_surface(sdf, grid)
    inside = values < 0
    _check_border(inside)
    cells, vertices = _cell_vertices(grid, values, inside)
    faces = _faces(inside, cells)
    for _ in range(newton_steps):
        g = gradient(sdf, vertices)
        step = -sdf(vertices)[:, None] * g / np.maximum((g * g).sum(-1, keepdims=True), 0.25)
        length = np.linalg.norm(step, axis=-1, keepdims=True)
        vertices = vertices + step * np.minimum(1.0, 1e-3 / np.maximum(length, 1e-12))
    return Mesh(vertices, faces)


def mesh_of_values(
    values: Float[np.ndarray, "X Y Z"], axes: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"]]:
    """Surface nets of the zero level of sampled values (negative inside): vertices and faces, which face outwards.

    Closed if no two insides meet along a grid edge alone.

    Args:
        values: At the grid's points; at least 0 on its border.
        axes: Increasing grid coordinates along x, y and z, m; they need not be evenly spaced.

    Raises:
        ValueError: The surface does not exist in the grid or leaves it.
    """
    inside = values < 0
    _check_border(inside)
    cells, vertices = _cell_vertices(np.stack(np.meshgrid(*axes, indexing="ij"), -1), values, inside)
    return vertices, _faces(inside, cells)


def closed_mesh_from_sdf(sdf: Sdf, axes: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Mesh:
    """As :func:`mesh_from_sdf`, with every edge shared by exactly two faces.

    Where the surface grazes a grid plane, surface nets can pinch an edge; the grid is then shifted a little.

    Raises:
        ValueError: The surface leaves the grid, or is pinched on every shifted grid.
    """
    spacing = float(axes[0][1] - axes[0][0])
    for shift in (0.0, 0.37, 0.71, 0.19, 0.53):
        mesh = mesh_from_sdf(sdf, (axes[0] + shift * spacing, axes[1] + shift * spacing, axes[2] + shift * spacing))
        edges = np.sort(mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        _, counts = np.unique(edges[:, 0] * len(mesh.vertices) + edges[:, 1], return_counts=True)
        if (counts == 2).all():
            return mesh
    raise ValueError(f"pinched edges on every grid of {spacing} m spacing: a feature is too thin; use a finer grid")


def _check_border(inside: np.ndarray) -> None:
    border = [inside[0], inside[-1], inside[:, 0], inside[:, -1], inside[:, :, 0], inside[:, :, -1]]
    if not inside.any() or any(b.any() for b in border):
        raise ValueError("the surface is not inside the grid: found none or one that leaves it; widen the axes")


def _values_near_surface(sdf: Sdf, grid: np.ndarray, block: int = 4) -> np.ndarray:
    """Exact values where the surface can be, the nearest coarse node's elsewhere; every sign is right."""
    coarse = grid[block // 2 :: block, block // 2 :: block, block // 2 :: block]
    nearest = [np.minimum(np.arange(n) // block, m - 1) for n, m in zip(grid.shape[:3], coarse.shape[:3], strict=True)]
    pick = np.ix_(*nearest)
    values = sdf(coarse)[pick]
    near = np.abs(values) < 1.5 * np.linalg.norm(grid - coarse[pick], axis=-1) + 1e-9
    values[near] = sdf(grid[near])
    return values


def _cell_vertices(grid: np.ndarray, values: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cell -> vertex index (-1 where none), and the mean of each cell's edge crossings."""
    shape = tuple(n - 1 for n in inside.shape)
    total = np.zeros((*shape, 3))
    count = np.zeros(shape)
    for axis in range(3):
        lo, hi = [slice(None)] * 3, [slice(None)] * 3
        lo[axis], hi[axis] = slice(None, -1), slice(1, None)
        a, b = values[tuple(lo)], values[tuple(hi)]
        crosses = inside[tuple(lo)] != inside[tuple(hi)]
        t = np.where(crosses, a / np.where(crosses, a - b, 1.0), 0.0)[..., None]
        points = np.where(crosses[..., None], grid[tuple(lo)] * (1 - t) + grid[tuple(hi)] * t, 0.0)
        others = [i for i in range(3) if i != axis]
        for di in (0, 1):
            for dj in (0, 1):
                pick = [slice(None)] * 3
                for other, d in zip(others, (di, dj), strict=True):
                    pick[other] = slice(d, d + shape[other])
                total += points[tuple(pick)]
                count += crosses[tuple(pick)]
    used = count > 0
    cells = np.full(shape, -1, np.int64)
    cells[used] = np.arange(int(used.sum()))
    return cells, total[used] / count[used][:, None]


def _faces(inside: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Two triangles for every grid edge that the surface crosses, facing from inside to outside."""
    out = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        lo, hi = [slice(None)] * 3, [slice(None)] * 3
        lo[axis], hi[axis] = slice(None, -1), slice(1, None)
        a, b = inside[tuple(lo)], inside[tuple(hi)]
        for outward, crossing in ((True, a & ~b), (False, ~a & b)):
            at = np.argwhere(crossing)
            quad = []
            for du, dv in ((-1, -1), (0, -1), (0, 0), (-1, 0)):
                cell = at.copy()
                cell[:, u] += du
                cell[:, v] += dv
                quad.append(cells[tuple(cell.T)])
            q = np.stack(quad if outward else quad[::-1], -1)
            out += [q[:, [0, 1, 2]], q[:, [0, 2, 3]]]
    return np.concatenate(out)
