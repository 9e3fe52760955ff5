"""Whole trajectories of joints: every frame's wishes and smoothness in time solved for at once.

Levenberg and Marquardt's method on all frames, one banded Cholesky factorisation a step, several trajectories (starts,
hypotheses) side by side. Frames without a wish are bridged by smoothness. Everything is an integral over time, so
that the result does not hang on the frame rate.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from hoiset.builder.retarget.timing import spread
from hoiset.builder.retarget.trajectory_problem import (
    Bounds,
    Problem,
    State,
    Terms,
    TrajectoryParams,
    Wishes,
    durations,
)

__all__ = [
    "Bounds",
    "Terms",
    "TrajectoryParams",
    "Wishes",
    "durations",
    "limit_speed",
    "solve_from_sparse",
    "solve_trajectories",
]

NEGLIGIBLE = 0.05**2 / 2
"""Cost per second that is as good as none, squared tolerances."""


DAMPING = 1.0
"""First damping, squared tolerances per rad2."""
PATIENCE = 0.2
"""Share of giving up for a step that made things worse, after which a more careful one is tried."""


def solve_trajectories(
    wishes: Wishes,
    q0: Float[np.ndarray, "B T dof"],
    time: Float[np.ndarray, " T"],
    bounds: Bounds,
    params: TrajectoryParams | None = None,
) -> tuple[Float[np.ndarray, "B T dof"], Float[np.ndarray, " B"]]:
    """Improve trajectories until they settle.

    Args:
        wishes: What the frames wish at given positions; told which of ``q0`` it is asked of.
        q0: Starts, rad or m.
        time: Ascending, s; steps may differ.
        bounds: Limits, kept exactly for positions and nearly for speeds (see :func:`limit_speed`).
        params: Weights.

    Returns:
        Trajectories inside the limits, and the cost of each.
    """
    params = params or TrajectoryParams()
    problem = Problem(wishes, time, bounds, params)
    best = np.clip(q0, bounds.lower, bounds.upper)
    final = np.full(len(best), np.inf)
    rows, calm, damping = np.arange(len(best)), np.zeros(len(best)), np.full(len(best), DAMPING)
    held: State | None = None
    trial, promised = best.copy(), np.ones(len(best))
    for iteration in range(params.iterations + 1):
        state = problem.look(trial, rows)
        total = state.total
        better = total < final[rows]
        enough = total < final[rows] - params.settled * (total + NEGLIGIBLE * problem.duration)
        kept = (final[rows] - total) / np.maximum(promised, 1e-300)
        best[rows[better]], final[rows[better]] = trial[better], total[better]
        held = state if held is None else held.updated(state, better)
        damping[rows] = np.clip(damping[rows] * _caution(better, kept), 1e-6, 1e8)
        calm[rows] = np.where(enough, 0.0, calm[rows] + np.where(better, 0.5, PATIENCE))
        keep = calm[rows] < 1.0
        if iteration == params.iterations or not keep.any():
            break
        if not keep.all():
            rows, held = rows[keep], held.only(keep)
        step, promised = problem.newton(best[rows], rows, held, damping[rows], params.step)
        limits = bounds.of(rows)
        trial = np.clip(best[rows] + step, limits.lower, limits.upper)
    return best, final


def solve_from_sparse(
    wishes: Callable[[Int[np.ndarray, " N"], Int[np.ndarray, " R"]], Wishes],
    starts: Float[np.ndarray, "S B N dof"],
    some: Int[np.ndarray, " N"],
    time: Float[np.ndarray, " T"],
    bounds: Bounds,
    params: TrajectoryParams | None = None,
) -> tuple[Float[np.ndarray, "B T dof"], Float[np.ndarray, " B"]]:
    """Solve sparse frames from several starts; where each trajectory's best of them leads, all frames start from.

    Args:
        wishes: What these frames of these trajectories wish.
        starts: Positions at the sparse frames, rad or m.
        some: Which frames those are, the first and the last among them.
        time: Of all frames, ascending, s.
        bounds: Limits, of all trajectories or of each.
        params: Weights.

    Returns:
        Trajectories inside the limits, and the cost of each.
    """
    n_starts, n = starts.shape[:2]
    rows = np.tile(np.arange(n), n_starts)
    q0 = starts.reshape(-1, *starts.shape[2:])
    found, cost = solve_trajectories(wishes(some, rows), q0, time[some], bounds.of(rows), params)
    best = cost.reshape(n_starts, n).argmin(0) * n + np.arange(n)
    q0 = np.stack([spread(time, time[some], q) for q in found[best]])
    return solve_trajectories(wishes(np.arange(len(time)), np.arange(n)), q0, time, bounds, params)


def limit_speed(
    q: Float[np.ndarray, "*B T dof"], time: Float[np.ndarray, " T"], velocity: Float[np.ndarray, " dof"]
) -> Float[np.ndarray, "*B T dof"]:
    """The nearest positions (in the largest change) that no joint leaves faster than its limit.

    The mean of the least and the greatest trajectory of that speed around the given one: positions stay where
    they were not too fast, inside any limits that they kept, and time may run backwards with the same result.
    """
    reach = np.diff(time)[:, None] * velocity * (1 - 1e-9)
    out = []
    for sign in (1.0, -1.0):
        edge = sign * q
        for t in range(1, len(time)):
            edge[..., t, :] = np.minimum(edge[..., t, :], edge[..., t - 1, :] + reach[t - 1])
        for t in range(len(time) - 2, -1, -1):
            edge[..., t, :] = np.minimum(edge[..., t, :], edge[..., t + 1, :] + reach[t])
        out.append(sign * edge)
    return np.asarray((out[0] + out[1]) / 2)


def _caution(better: Bool[np.ndarray, " B"], kept: Float[np.ndarray, " B"]) -> Float[np.ndarray, " B"]:
    """What damping is multiplied with, by the share of a promised gain that came true."""
    return np.where(better, np.where(kept < 0.25, 2.0, np.where(kept < 0.9, 1.0, 0.25)), 6.0)
