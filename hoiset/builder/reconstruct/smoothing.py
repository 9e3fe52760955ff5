"""Zero-lag smoothing, robust outlier marks and gap filling on non-uniform time, with every width in seconds.

Smoothing is a local polynomial fit with Gaussian weights around each sample (Cleveland, "Robust locally weighted
regression", 1979; at uniform steps it is a Savitzky-Golay filter with a soft window). A quadratic passes unchanged, so
that it neither lags nor flattens peaks that are wide against the window.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

_REACH = 3.0


def _neighbours(time: np.ndarray, reach_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices (n, K) of the samples within ``reach_s`` of each sample, and which of them are really so."""
    first = np.searchsorted(time, time - reach_s, side="left")
    last = np.searchsorted(time, time + reach_s, side="right")
    index = first[:, None] + np.arange(int((last - first).max()))
    return np.minimum(index, len(time) - 1), index < last[:, None]


def smooth(
    time: Float[np.ndarray, "T"],
    values: Float[np.ndarray, "T D"],
    *,
    sigma_s: float,
    weight: Float[np.ndarray, "T"] | None = None,
    degree: int = 2,
) -> Float[np.ndarray, "T D"]:
    """Smooth a signal without lag.

    Args:
        time: Strictly increasing, s.
        values: Samples; a row with any NaN is no evidence and stays NaN. Gaps are not smoothed across when longer
            than three sigma.
        sigma_s: Standard deviation of the Gaussian window, s; 0 returns the values.
        weight: Confidence of each sample, at least 0.
        degree: Of the local polynomial.

    Returns:
        Smoothed samples; where a window holds too few samples for the fit, the sample itself.

    Raises:
        ValueError: ``time`` does not increase, or shapes differ.
    """
    time, values = np.asarray(time, float), np.asarray(values, float)
    if values.ndim != 2 or len(time) != len(values) or np.any(np.diff(time) <= 0):
        raise ValueError(f"time {time.shape} must increase and match values (T, D), found {values.shape}")
    out = values.copy()
    valid = ~np.isnan(values).any(1)
    if sigma_s <= 0 or valid.sum() <= degree + 1:
        return out
    t, y = time[valid], values[valid]
    w = np.ones(len(t)) if weight is None else np.maximum(np.asarray(weight, float)[valid], 1e-6)
    index, real = _neighbours(t, _REACH * sigma_s)
    dt = (t[index] - t[:, None]) / sigma_s
    kernel = np.where(real, np.exp(-0.5 * dt**2) * w[index], 0.0)
    basis = dt[..., None] ** np.arange(degree + 1)
    moments = np.einsum("nk,nki,nkj->nij", kernel, basis, basis)
    target = np.einsum("nk,nki,nkd->nid", kernel, basis, y[index])
    enough = real.sum(1) > degree + 1
    fit = y.copy()
    ridge = 1e-9 * np.eye(degree + 1)
    fit[enough] = np.linalg.solve(moments[enough] + ridge, target[enough])[:, 0]
    out[valid] = fit
    return out


def outliers(
    time: Float[np.ndarray, "T"],
    values: Float[np.ndarray, "T D"],
    *,
    window_s: float,
    threshold: Float[np.ndarray, "T"],
) -> Bool[np.ndarray, "T"]:
    """Samples further than their threshold from the median of their neighbours within ``window_s`` (Hampel's test).

    NaN rows are no outliers. A sample with fewer than two neighbours cannot be told.
    """
    valid = ~np.isnan(values).any(1)
    out = np.zeros(len(time), bool)
    if valid.sum() < 3:
        return out
    t, y = np.asarray(time, float)[valid], values[valid]
    index, real = _neighbours(t, window_s)
    around = np.where(real[..., None], y[index], np.nan)
    distance = np.linalg.norm(y - np.nanmedian(around, axis=1), axis=1)
    out[valid] = (distance > threshold[valid]) & (real.sum(1) >= 3)
    return out


def runs(mask: Bool[np.ndarray, "T"]) -> list[tuple[int, int]]:
    """Half-open index ranges of the runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(mask, np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def short_gaps(
    time: Float[np.ndarray, "T"], present: Bool[np.ndarray, "T"], *, max_gap_s: float
) -> list[tuple[int, int]]:
    """Half-open ranges of the absent runs between present samples at most ``max_gap_s`` apart."""
    gaps = runs(~np.asarray(present, bool))
    n = len(time)
    return [(a, b) for a, b in gaps if a > 0 and b < n and time[b] - time[a - 1] <= max_gap_s + 1e-9]
