"""Robust least squares of many frames at once: Huber's cost of blocks of residuals, with slope and curvature."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from hoiset.builder.retarget.trajectory_problem import Terms


def robust_terms(r: Float[np.ndarray, "B T K 3"], J: Float[np.ndarray, "B T K 3 dof"], knee: float) -> Terms:
    """Huber's cost of blocks of residuals ``r`` with slopes ``-J``; blocks with NaN wish nothing.

    Args:
        r: In tolerances.
        J: Minus their slopes.
        knee: Length of a block from which on its cost grows no longer with the square.
    """
    there = np.isfinite(r).all(-1)
    r = np.where(there[..., None], r, 0.0)
    length = np.sqrt((r * r).sum(-1))
    weight = there * np.minimum(1.0, knee / np.maximum(length, 1e-12))
    cost = np.where(length <= knee, length**2 / 2, knee * (length - knee / 2)).sum(-1)
    n = J.shape[-1]
    flat = J.reshape(*J.shape[:2], -1, n)
    weighted = (J * weight[..., None, None]).reshape(flat.shape)
    g = -(weighted.swapaxes(-1, -2) @ r.reshape(*r.shape[:2], -1, 1))[..., 0]
    return cost, g, weighted.swapaxes(-1, -2) @ flat


def robust_rows(
    r: Float[np.ndarray, "K D N"], J: Float[np.ndarray, "K D dof N"], unit: Float[np.ndarray, "K 1"], knee: float
) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, "dof N"], Float[np.ndarray, "N dof dof"]]:
    """:func:`robust_terms` with the places last in memory; overwrites what it is given.

    Args:
        r: Not in tolerances, but in m or rad; NaN wishes nothing.
        J: Minus their slopes.
        unit: Tolerance of each block.
        knee: In tolerances.

    Returns:
        Cost, slope, and the lower triangle of curvature, whose upper one is 0.
    """
    length = np.sqrt(np.einsum("kdn,kdn->kn", r, r)) / unit
    absent = np.isnan(length)
    if absent.any():
        length[absent] = 0.0
        np.copyto(r, 0.0, where=absent[:, None])
    over = np.maximum(length, knee)
    cost = knee * (length - knee / 2)
    np.copyto(cost, length**2 / 2, where=length <= knee)
    weight = np.sqrt(knee / over) / unit
    if absent.any():
        weight[absent] = 0.0
    r *= weight[:, None]
    J *= weight[:, None, None]
    n, n_rows = J.shape[-2:]
    J, r = J.reshape(-1, n, n_rows), r.reshape(-1, n_rows)
    H = np.zeros((n, n, n_rows))
    for place in range(n):
        np.einsum("mbn,mn->bn", J[:, place:], J[:, place], out=H[place, place:])
    return cost.sum(0), -np.einsum("mbn,mn->bn", J, r), H.transpose(2, 1, 0)
