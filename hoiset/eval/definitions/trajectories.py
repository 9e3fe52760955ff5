"""Wrist trajectories, as the EgoMAN benchmark measures them.

References: EgoMAN (arXiv 2512.16907), definitions as in its evaluation code (``utils/eval_utils/metrics.py``): ADE is
the mean Euclidean distance over the horizon, FDE the distance at its last frame, DTW has the Euclidean distance as
local cost and is divided by the length of the warping path, ROT is the mean geodesic angle.

**Convention:** positions (T, 3) in m, one hand, one common frame; frames in which the truth is absent (NaN) are left
out before anything is measured, as the benchmark does. A prediction that is absent where the truth is there is filled
by :func:`hold`: the benchmark's own rule for a prediction that is too short is to repeat its last point. Frames before
the first prediction repeat the first one; the benchmark has no such case.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from hoiset.eval.definitions.hands import rotation_error


def hold(values: Float[np.ndarray, "T *D"]) -> Float[np.ndarray, "T *D"]:
    """Repeat the last present row over absent (NaN) ones, and the first present row before it; all NaN stays NaN."""
    values = np.asarray(values, np.float64)
    present = np.isfinite(values).reshape(len(values), -1).all(-1)
    if not present.any():
        return values.copy()
    index = np.maximum.accumulate(np.where(present, np.arange(len(values)), -1))
    index[index < 0] = int(np.argmax(present))
    return values[index]


def ade(pred: Float[np.ndarray, "T 3"], true: Float[np.ndarray, "T 3"]) -> float:
    """Average displacement error, m; NaN when either is absent throughout."""
    pred, true = _paired(pred, true)
    return float(np.linalg.norm(pred - true, axis=-1).mean()) if len(true) else float("nan")


def fde(pred: Float[np.ndarray, "T 3"], true: Float[np.ndarray, "T 3"]) -> float:
    """Final displacement error, m: at the last frame in which the truth is there."""
    pred, true = _paired(pred, true)
    return float(np.linalg.norm(pred[-1] - true[-1])) if len(true) else float("nan")


def dtw(pred: Float[np.ndarray, "T 3"], true: Float[np.ndarray, "T 3"]) -> float:
    """Dynamic time warping distance over the length of its warping path, m.

    Steps (1, 0), (0, 1), (1, 1), no band. Of several cheapest paths the benchmark's is followed: going back from the
    end, a step of the prediction alone before one of the truth alone before both.
    """
    pred, true = _paired(pred, true)
    if not len(true):
        return float("nan")
    total, path = warp(pred, true)
    return total / len(path)


def warp(a: Float[np.ndarray, "N D"], b: Float[np.ndarray, "M D"]) -> tuple[float, Int[np.ndarray, "P 2"]]:
    """Cheapest warping of two finite sequences: its summed cost (m) and the pairs of indices along it.

    Cells are filled by antidiagonals, all cells of one at once (Sakoe and Chiba, 1978).
    """
    n, m = len(a), len(b)
    cost = np.linalg.norm(np.asarray(a, np.float64)[:, None] - np.asarray(b, np.float64)[None], axis=-1)
    best = np.full((n + 1, m + 1), np.inf)
    best[0, 0] = 0.0
    for k in range(2, n + m + 1):
        i = np.arange(max(1, k - m), min(n, k - 1) + 1)
        j = k - i
        best[i, j] = cost[i - 1, j - 1] + np.minimum(np.minimum(best[i - 1, j], best[i, j - 1]), best[i - 1, j - 1])
    row, column = n, m
    path = []
    while row > 0 and column > 0:
        path.append((row - 1, column - 1))
        up, left, both = best[row - 1, column], best[row, column - 1], best[row - 1, column - 1]
        if up <= left and up <= both:
            row -= 1
        elif left <= up and left <= both:
            column -= 1
        else:
            row, column = row - 1, column - 1
    return float(best[n, m]), np.array(path[::-1])


def rot(R_pred: Float[np.ndarray, "T 3 3"], R_true: Float[np.ndarray, "T 3 3"]) -> float:
    """Mean geodesic angle between wrist orientations over the frames of the truth, rad."""
    R_true = np.asarray(R_true, np.float64)
    kept = np.isfinite(R_true).all((-1, -2))
    R_pred = hold(R_pred)[kept]
    if not kept.any() or np.isnan(R_pred).any():
        return float("nan")
    return float(rotation_error(R_pred, R_true[kept]).mean())


def _paired(
    pred: Float[np.ndarray, "T 3"], true: Float[np.ndarray, "T 3"]
) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N 3"]]:
    """Both at the frames of the truth, the prediction held; empty when either is absent throughout."""
    true = np.asarray(true, np.float64)
    kept = np.isfinite(true).all(-1)
    pred = hold(pred)
    if len(pred) and np.isnan(pred).any():
        kept[:] = False
    return pred[kept], true[kept]
