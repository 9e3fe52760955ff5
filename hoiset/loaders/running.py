"""Statistics of a stream of rows, element by element, with absent values left out and counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

QUANTILES = (0.01, 0.99)
BINS = 1 << 12
"""Of the histogram that quantiles come from where the values themselves do not fit."""


class RunningMoments:
    """Count, mean, variance, least and greatest of each of D elements, exactly.

    Batches are merged by the pairwise update of Chan, Golub and LeVeque (1983), which does not lose digits as sums of
    squares do.

    Attributes:
        count: (D,) values that were there.
        absent: (D,) values that were NaN or infinite.
        mean: (D,) float64.
        least: (D,) float64, infinite where nothing was there.
        greatest: (D,) float64, minus infinity where nothing was there.
    """

    def __init__(self, n_elements: int) -> None:
        self.count: Int[np.ndarray, "D"] = np.zeros(n_elements, np.int64)
        self.absent: Int[np.ndarray, "D"] = np.zeros(n_elements, np.int64)
        self.mean: Float[np.ndarray, "D"] = np.zeros(n_elements)
        self.least, self.greatest = np.full(n_elements, np.inf), np.full(n_elements, -np.inf)
        self._squares = np.zeros(n_elements)

    def add(self, rows: Float[np.ndarray, "N D"]) -> None:
        """Take in rows."""
        there = np.isfinite(rows)
        rows = rows.astype(np.float64)
        n = there.sum(0)
        safe = np.maximum(n, 1)
        mean = np.where(there, rows, 0.0).sum(0) / safe
        squares = (np.where(there, rows - mean, 0.0) ** 2).sum(0)
        total = np.maximum(self.count + n, 1)
        delta = mean - self.mean
        self._squares += squares + delta**2 * (self.count * n / total)
        self.mean = self.mean + delta * n / total
        self.count = self.count + n
        self.absent = self.absent + (len(rows) - n)
        self.least = np.minimum(self.least, np.where(there, rows, np.inf).min(0, initial=np.inf))
        self.greatest = np.maximum(self.greatest, np.where(there, rows, -np.inf).max(0, initial=-np.inf))

    @property
    def std(self) -> Float[np.ndarray, "D"]:
        """Population standard deviation (divided by the count)."""
        return np.sqrt(self._squares / np.maximum(self.count, 1))


class KeptValues:
    """The values themselves, for exact quantiles, while they fit."""

    def __init__(self, max_bytes: int) -> None:
        self._left, self._rows = max_bytes, list[np.ndarray]()
        self.fits = True

    def add(self, rows: Float[np.ndarray, "N D"]) -> None:
        """Take in rows; once they do not fit, all are dropped."""
        self._left -= rows.nbytes
        if self._left < 0:
            self.fits, self._rows = False, []
        if self.fits:
            self._rows.append(rows)

    def quantiles(self, at: Sequence[float] = QUANTILES) -> Float[np.ndarray, "Q D"]:
        """Quantiles by linear interpolation between values, as numpy's; NaN where nothing was there."""
        rows = np.concatenate(self._rows)
        out = np.full((len(at), rows.shape[1]), np.nan)
        for column, values in enumerate(rows.T):
            there = values[np.isfinite(values)].astype(np.float64)
            if there.size:
                out[:, column] = np.quantile(there, at)
        return out


class Histogram:
    """Counts in equal bins between known bounds, for quantiles that are off by less than a bin."""

    def __init__(self, least: Float[np.ndarray, "D"], greatest: Float[np.ndarray, "D"]) -> None:
        self._least, self.width = least, np.where(greatest > least, greatest - least, 0.0) / BINS
        self._counts = np.zeros((len(least), BINS), np.int64)

    def add(self, rows: Float[np.ndarray, "N D"]) -> None:
        """Take in rows that lie in the bounds."""
        there, element = np.isfinite(rows), np.arange(rows.shape[1])
        scaled = (np.where(there, rows, 0) - np.where(there, self._least, 0)) / np.where(self.width > 0, self.width, 1)
        bins = np.clip(scaled, 0, BINS - 1).astype(np.int64) + element * BINS
        self._counts += np.bincount(bins[there], minlength=self._counts.size).reshape(self._counts.shape)

    def quantiles(self, at: Sequence[float] = QUANTILES) -> Float[np.ndarray, "Q D"]:
        """The middle of the bin that holds each quantile; NaN where nothing was there."""
        up_to, n = self._counts.cumsum(1), self._counts.sum(1)
        out = np.full((len(at), len(n)), np.nan)
        for row, q in enumerate(at):
            bin_ = (up_to <= (q * np.maximum(n - 1, 0))[:, None]).sum(1)
            value = np.where(n > 0, self._least, 0) + (bin_ + 0.5) * self.width
            out[row] = np.where(n > 0, value, np.nan)
        return out
