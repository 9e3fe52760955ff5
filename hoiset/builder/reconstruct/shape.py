"""Closed metric meshes from silhouettes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import scipy.ndimage as ndi
from jaxtyping import Bool, Float, Int, UInt8


@dataclass(frozen=True)
class Mesh:
    """A closed triangle mesh in its object's frame.

    Attributes:
        vertices: (V, 3) m, object frame.
        faces: (F, 3) vertex indices, outward by the right-hand rule.
        colours: (V, 3) uint8.
        source: How it was made.
    """

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    colours: UInt8[np.ndarray, "V 3"]
    source: str

    @property
    def extent_m(self) -> Float[np.ndarray, "3"]:
        """Size of the axis-aligned box in the object's frame, m."""
        return np.ptp(self.vertices, axis=0)


def inflate_silhouette(
    mask: Bool[np.ndarray, "H W"],
    image: UInt8[np.ndarray, "H W 3"],
    metres_per_px: float,
    thickness_min_m: float,
    resolution: int = 24,
) -> Mesh:
    """Inflate a silhouette into a closed mesh whose cross-sections are round.

    Every point gets the half-thickness of a ball of the local medial radius (distance transform at the nearest
    ridge), as if each part were turned about its own axis: exact for upright bottles, cans and balls, a guess for
    everything else (compare Igarashi et al., Teddy, SIGGRAPH 1999).

    Args:
        mask: One connected silhouette.
        image: Picture for the colours.
        metres_per_px: Size of a pixel at the object's depth.
        thickness_min_m: Least thickness.
        resolution: Grid cells along the larger side, more where it is thin.

    Returns:
        Mesh with x right, y down, z away from the camera, centred on its box.

    Raises:
        ValueError: The silhouette is empty.
    """
    if not mask.any():
        raise ValueError(f"found an empty silhouette of shape {mask.shape}, expected some pixels of an object")
    y, x = np.nonzero(mask)
    # Thin silhouettes need cells that fit across them several times.
    step = min(max(1.0, max(np.ptp(x), np.ptp(y)) / resolution), 0.4 * _widest_radius_px(mask))
    left, top = x.min() - step, y.min() - step
    size = (int(np.ceil((x.max() + step - left) / step)) + 1, int(np.ceil((y.max() + step - top) / step)) + 1)
    to_grid = np.array([[1 / step, 0, -left / step], [0, 1 / step, -top / step]])
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.5 * step)
    inside = cv2.warpAffine(soft, to_grid, size, flags=cv2.INTER_LINEAR) > 0.5
    picture = cv2.warpAffine(image, to_grid, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    half = _half_thickness(inside) * step * metres_per_px
    half = np.maximum(half, 0.5 * thickness_min_m)
    vertices, faces, cells = _two_sheets(inside, half, step * metres_per_px)
    colours = picture[cells[:, 0], cells[:, 1]]
    vertices = vertices - (vertices.min(0) + vertices.max(0)) / 2
    return Mesh(vertices, faces, colours, "inflated_silhouette")


def _widest_radius_px(mask: np.ndarray) -> float:
    """Radius of the largest disc inside."""
    return float(cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5).max())


def _half_thickness(inside: np.ndarray) -> np.ndarray:
    """Half-thickness in cells: that of the ball of the nearest medial ridge."""
    distance = cv2.distanceTransform(np.pad(inside, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    ridge = (distance >= ndi.maximum_filter(distance, size=3)) & (distance > 0)
    nearest = ndi.distance_transform_edt(~ridge, return_distances=False, return_indices=True)
    radius = distance[nearest[0], nearest[1]]
    radius = np.maximum(cv2.GaussianBlur(radius.astype(np.float32), (0, 0), 1.0), distance)
    return np.sqrt(np.maximum(distance * (2 * radius - distance), 0.0)) * inside


def _two_sheets(inside: np.ndarray, half: np.ndarray, cell_m: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Front and back sheet over the grid, zipped along the outline: vertices, faces, grid cell of each vertex."""
    quads = _fill_pinches(inside[:-1, :-1] & inside[1:, :-1] & inside[:-1, 1:] & inside[1:, 1:])
    used = np.zeros_like(inside)
    for dy in (0, 1):
        for dx in (0, 1):
            used[dy : dy + quads.shape[0], dx : dx + quads.shape[1]] |= quads
    index = np.full(inside.shape, -1)
    cells = np.argwhere(used)
    n = len(cells)
    index[used] = np.arange(n)
    sheet = np.column_stack([cells[:, 1] * cell_m, cells[:, 0] * cell_m])
    depth = half[used]
    vertices = np.concatenate([np.column_stack([sheet, -depth]), np.column_stack([sheet, depth])])
    a, b = index[:-1, :-1][quads], index[:-1, 1:][quads]
    c, d = index[1:, 1:][quads], index[1:, :-1][quads]
    front = np.concatenate([np.column_stack([a, d, c]), np.column_stack([a, c, b])])
    back = front[:, ::-1] + n
    return vertices, np.concatenate([front, back, _zip(front, n)]), np.concatenate([cells, cells])


def _fill_pinches(quads: np.ndarray) -> np.ndarray:
    """Fill cells until none meet at a corner alone: there, the zipped edge would belong to four triangles."""
    out = quads.copy()
    a, b, c, d = out[:-1, :-1], out[:-1, 1:], out[1:, 1:], out[1:, :-1]
    while True:
        falling, rising = a & c & ~b & ~d, b & d & ~a & ~c
        if not (falling | rising).any():
            return out
        b |= falling
        a |= rising


def _zip(front: np.ndarray, n: int) -> np.ndarray:
    """Triangles between the two sheets along every edge that only one front triangle uses."""
    edges = np.concatenate([front[:, [0, 1]], front[:, [1, 2]], front[:, [2, 0]]])
    keys = np.sort(edges, axis=1)
    _, first, count = np.unique(keys, axis=0, return_index=True, return_counts=True)
    p, q = edges[first[count == 1]].T
    return np.concatenate([np.column_stack([q, p, p + n]), np.column_stack([q, p + n, q + n])])


def front_depth_m(mesh: Mesh, xy_m: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N"]:
    """Z of the front surface (object frame, m) at the front vertex nearest to each (x, y)."""
    from scipy.spatial import cKDTree

    front = mesh.vertices[: len(mesh.vertices) // 2]
    _, nearest = cKDTree(front[:, :2]).query(xy_m)
    return front[nearest, 2]
