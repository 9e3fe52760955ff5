"""Robust least squares of many frames at once: Huber's cost of blocks of residuals, with slope and curvature."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def robust_rows(
    r: Float[np.ndarray, "Z K D N"],
    J: Float[np.ndarray, "Z K D dof N"],
    unit: float | Float[np.ndarray, "K #N"],
    knee: float,
) -> tuple[Float[np.ndarray, "Z N"], Float[np.ndarray, "Z N dof"], Float[np.ndarray, "Z N dof dof"]]:
    """Huber's cost of blocks of residuals ``r`` with slopes ``-J``, places last in memory; overwrites both.

    Args:
        r: In m or rad; blocks with NaN wish nothing.
        J: Minus their slopes.
        unit: Tolerance of each block, for all rows or one each.
        knee: Length of a block, in tolerances, from which on its cost grows no longer with the square.

    Returns:
        Cost, slope, and the lower triangle of curvature (Gauss-Newton), whose upper one is 0.
    """
    length = np.sqrt(np.einsum("zkdn,zkdn->zkn", r, r)) / unit
    absent = np.isnan(length)
    if absent.any():
        length[absent] = 0.0
        np.copyto(r, 0.0, where=absent[:, :, None])
    cost, weight = huber(length, knee)
    weight = np.sqrt(weight) / unit
    if absent.any():
        weight[absent] = 0.0
    r *= weight[:, :, None]
    J *= weight[:, :, None, None]
    n_sets, n, n_rows = len(J), *J.shape[-2:]
    J, r = J.reshape(n_sets, -1, n, n_rows), r.reshape(n_sets, -1, n_rows)
    H = np.zeros((n, n_sets, n, n_rows))
    for place in range(n):
        np.einsum("zmbn,zmn->zbn", J[:, :, place:], J[:, :, place], out=H[place, :, place:])
    return cost.sum(1), -np.einsum("zmbn,zmn->znb", J, r), H.transpose(1, 3, 2, 0)


def huber(length: Float[np.ndarray, "*N"], knee: float) -> tuple[Float[np.ndarray, "*N"], Float[np.ndarray, "*N"]]:
    """Huber's cost of residuals of these lengths, and what their squares weigh."""
    cost = knee * (length - knee / 2)
    np.copyto(cost, length**2 / 2, where=length <= knee)
    return cost, knee / np.maximum(length, knee)
