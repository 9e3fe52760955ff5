"""Values to the range that networks like, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from hoiset.errors import DatasetError
from hoiset.loaders.statistics import KeyStatistics, Statistics

Mode = Literal["standard", "range", "quantiles"]
_TINY = 1e-8


class Normaliser:
    """Shifts and scales keys, element by element: ``(x - offset) / scale``.

    ``standard`` makes mean 0 and standard deviation 1; ``range`` takes least and greatest to -1 and 1, ``quantiles``
    the first and the last percentile (what lies beyond them stays beyond). An element that never varies is only
    shifted, one that was never there is left as it is. NaN stays NaN.

    Attributes:
        keys: What is normalised; everything else passes through.
    """

    def __init__(self, statistics: Statistics, mode: Mode = "standard", keys: Sequence[str] | None = None) -> None:
        """Prepare.

        Args:
            statistics: Of at least ``keys``.
            mode: See above.
            keys: By default all of the statistics'.

        Raises:
            DatasetError: An unknown mode, or a key without statistics.
        """
        if mode not in ("standard", "range", "quantiles"):
            raise DatasetError(f"unknown mode {mode!r}; expected 'standard', 'range' or 'quantiles'")
        self.keys = tuple(statistics.keys if keys is None else keys)
        missing = [key for key in self.keys if key not in statistics.keys]
        if missing:
            raise DatasetError(
                f"no statistics of {', '.join(missing)}; there are those of {', '.join(statistics.keys)}"
            )
        self._affine = {key: _affine(statistics.keys[key], mode) for key in self.keys}

    def apply(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """An item or a batch, its keys normalised in the type they have: numpy or torch, on any device.

        Args:
            values: Key -> (..., *S) with S the shape of one step.

        Raises:
            DatasetError: A key of another shape.
        """
        return {key: self.apply_to(key, value) if key in self._affine else value for key, value in values.items()}

    def invert(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Inverse of :meth:`apply`: what a policy puts out, in metres again."""
        return {key: self.invert_to(key, value) if key in self._affine else value for key, value in values.items()}

    def apply_to(self, key: str, value: Any) -> Any:
        """:meth:`apply` for one key."""
        offset, scale = self._of(key, value)
        return (value - offset) / scale

    def invert_to(self, key: str, value: Any) -> Any:
        """:meth:`invert` for one key."""
        offset, scale = self._of(key, value)
        return value * scale + offset

    def _of(self, key: str, value: Any) -> tuple[Any, Any]:
        if key not in self._affine:
            raise DatasetError(f"no statistics of {key!r}; there are those of {', '.join(self.keys)}")
        offset, scale = self._affine[key]
        if tuple(value.shape[value.ndim - offset.ndim :]) != offset.shape:
            raise DatasetError(f"{key}: found shape {tuple(value.shape)}, expected (..., {str(offset.shape)[1:]}")
        if isinstance(value, np.ndarray):
            return offset.astype(value.dtype), scale.astype(value.dtype)
        return value.new_tensor(offset), value.new_tensor(scale)


def _affine(key: KeyStatistics, mode: Mode) -> tuple[np.ndarray, np.ndarray]:
    if mode == "standard":
        offset, scale = key.mean, key.std
    else:
        low, high = (key.min, key.max) if mode == "range" else (key.q01, key.q99)
        offset, scale = (low + high) / 2, (high - low) / 2
    there = key.count > 0
    return np.where(there, offset, 0.0), np.where(there & (scale > _TINY), scale, 1.0)
