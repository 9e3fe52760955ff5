"""Signed distance to an object on a grid: what closing fingers ask thousands of times."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.ndimage import map_coordinates

from hoiset.builder.studio.objects import Prop


class DistanceField:
    """Signed distance to an object on a grid, linearly interpolated; clamped to the grid's border outside.

    Args:
        prop: The object.
        margin_m: How far the grid reaches beyond the bounding box.
        spacing_m: Grid spacing.
    """

    def __init__(self, prop: Prop, margin_m: float = 0.04, spacing_m: float = 0.003) -> None:
        self._low = -prop.extent_m / 2 - margin_m
        self._spacing = spacing_m
        counts = np.ceil((prop.extent_m + 2 * margin_m) / spacing_m).astype(int) + 1
        axes = [low + spacing_m * np.arange(n) for low, n in zip(self._low, counts, strict=True)]
        self._values = _sampled(prop.sdf, np.stack(np.meshgrid(*axes, indexing="ij"), -1))

    def __call__(self, points: Float[np.ndarray, "*B 3"]) -> Float[np.ndarray, "*B"]:
        """Signed distance of points in the object's frame, m."""
        at = np.moveaxis((points - self._low) / self._spacing, -1, 0)
        return map_coordinates(self._values, at, order=1, mode="nearest").astype(np.float64)

    def outward(self, points: Float[np.ndarray, "*B 3"], step_m: float = 0.003) -> Float[np.ndarray, "*B 3"]:
        """Unit gradient of the distance: where the surface faces."""
        offsets = np.eye(3) * step_m
        g = self(points[..., None, :] + offsets) - self(points[..., None, :] - offsets)
        return g / np.maximum(np.linalg.norm(g, axis=-1, keepdims=True), 1e-9)

    def mirrored(self) -> DistanceField:
        """The field of the object's mirror image in x."""
        out = object.__new__(DistanceField)
        out._values = np.ascontiguousarray(self._values[::-1])
        out._spacing = self._spacing
        high = self._low[0] + self._spacing * (self._values.shape[0] - 1)
        out._low = np.array([-high, *self._low[1:]])
        return out


def _sampled(sdf: Callable[[np.ndarray], np.ndarray], grid: np.ndarray, block: int = 4) -> np.ndarray:
    """Exact within about a block of the surface, linear between coarse nodes elsewhere."""
    coarse = sdf(grid[::block, ::block, ::block])
    at = np.meshgrid(*(np.arange(n) / block for n in grid.shape[:3]), indexing="ij", sparse=False)
    values = map_coordinates(coarse, np.stack(at), order=1, mode="nearest")
    reach = 1.3 * block * float(np.linalg.norm(grid[1, 1, 1] - grid[0, 0, 0]))
    near = np.abs(values) < reach
    values[near] = sdf(grid[near])
    return values.astype(np.float32)
