"""Signed distance to an object on a grid: what closing fingers ask thousands of times."""

from __future__ import annotations

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
        self._values = prop.sdf(np.stack(np.meshgrid(*axes, indexing="ij"), -1)).astype(np.float32)

    def __call__(self, points: Float[np.ndarray, "*B 3"]) -> Float[np.ndarray, "*B"]:
        """Signed distance of points in the object's frame, m."""
        at = np.moveaxis((points - self._low) / self._spacing, -1, 0)
        return map_coordinates(self._values, at, order=1, mode="nearest").astype(np.float64)
