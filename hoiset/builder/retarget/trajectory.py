"""Whole trajectories of joints: every frame's wishes and smoothness in time solved for at once.

Levenberg and Marquardt's method on all frames, one banded Cholesky factorisation a step, several trajectories (starts,
hypotheses) side by side. Frames without a wish are bridged by smoothness. Everything is an integral over time, so
that the result does not hang on the frame rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field
from scipy.linalg import solveh_banded

from hoiset.builder.params import Params

Terms = tuple[Float[np.ndarray, "B T"], Float[np.ndarray, "B T dof"], Float[np.ndarray, "B T dof dof"]]
"""What the frames of some trajectories wish: cost, its slope, and its curvature (Gauss-Newton), each per second."""
Wishes = Callable[[Float[np.ndarray, "B T dof"], Int[np.ndarray, " B"]], Terms]


NEGLIGIBLE = 0.05**2 / 2
"""Cost per second that is as good as none, squared tolerances."""


PATIENCE = 0.2
"""Share of giving up for a step that made things worse, after which a more careful one is tried."""


class TrajectoryParams(Params):
    """How smooth a trajectory is and how long is looked for it.

    Wishes are measured in tolerances, so these say how many squared tolerances a squared rad/s and so on is worth.
    """

    velocity: float = Field(1e-2, ge=0)
    """Of a squared speed, (rad/s)2."""
    acceleration: float = Field(3e-5, ge=0)
    """Of a squared acceleration, (rad/s2)2."""
    rest: float = Field(2e-3, gt=0)
    """Of a squared distance from the posture at rest, rad2."""
    speed: float = Field(1e2, ge=0)
    """Of a squared excess over a joint's limit of speed, in shares of the limit."""
    speed_share: float = Field(0.95, gt=0, le=1)
    """Share of the limit that counts as free of excess."""
    iterations: int = Field(40, ge=1)
    step: float = Field(0.5, gt=0)
    """Longest step of a joint, rad or m."""
    settled: float = Field(1e-3, gt=0)
    """Share of its cost, beyond what is a squared twentieth of a tolerance at all times, by which it must improve."""


@dataclass(frozen=True)
class Bounds:
    """What joints may do and where they rest; each (dof,), rad or m."""

    lower: Float[np.ndarray, " dof"]
    upper: Float[np.ndarray, " dof"]
    velocity: Float[np.ndarray, " dof"]
    rest: Float[np.ndarray, " dof"]


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
    dt = durations(time)
    smooth = _Smoothness(time, bounds, params)
    best = np.clip(q0, bounds.lower, bounds.upper)
    n_trajectories = len(best)
    final = np.full(n_trajectories, np.inf)
    rows, calm = np.arange(n_trajectories), np.zeros(n_trajectories)
    damping = np.full(n_trajectories, 1.0)
    held_terms: Terms | None = None
    trial = best.copy()
    for iteration in range(params.iterations + 1):
        cost, g, H = wishes(trial, rows)
        total = (cost * dt).sum(-1) + smooth.cost(trial)
        better = total < final[rows]
        enough = total < final[rows] - params.settled * (total + NEGLIGIBLE * dt.sum())
        best[rows[better]], final[rows[better]] = trial[better], total[better]
        if held_terms is None:
            held_terms = (cost, g, H)
        else:
            for old, new in zip(held_terms, (cost, g, H), strict=True):
                old[better] = new[better]
        damping[rows] = np.clip(np.where(better, damping[rows] / 4, damping[rows] * 6), 1e-6, 1e8)
        calm[rows] = np.where(enough, 0.0, calm[rows] + np.where(better, 0.5, PATIENCE))
        keep = calm[rows] < 1.0
        if iteration == params.iterations or not keep.any():
            break
        if not keep.all():
            rows = rows[keep]
            held_terms = (held_terms[0][keep], held_terms[1][keep], held_terms[2][keep])
        step = _newton(best[rows], held_terms, dt, smooth, bounds, damping[rows])
        longest = np.abs(step).max((-1, -2))
        step *= np.minimum(1.0, params.step / np.maximum(longest, 1e-12))[:, None, None]
        trial = np.clip(best[rows] + step, bounds.lower, bounds.upper)
    return best, final


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


def durations(time: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    """How long each frame stands for, s: half of both steps beside it; steps over twice the median count as that."""
    if len(time) < 2:
        return np.ones(len(time))
    steps = np.diff(time)
    steps = np.minimum(steps, 2 * np.median(steps))
    return np.convolve(steps, [0.5, 0.5]) + np.r_[steps[0], np.zeros(len(time) - 2), steps[-1]] / 2


def _newton(
    q: Float[np.ndarray, "B T dof"],
    terms: Terms,
    dt: Float[np.ndarray, " T"],
    smooth: _Smoothness,
    bounds: Bounds,
    damping: Float[np.ndarray, " B"],
) -> Float[np.ndarray, "B T dof"]:
    """The damped step; joints that press against a limit stay."""
    _, g_wish, H = terms
    B, T, n = q.shape
    g_smooth, bands = smooth.slope_and_bands(q)
    g = g_wish * dt[:, None] + g_smooth
    free = ~(((q <= bounds.lower) & (g > 0)) | ((q >= bounds.upper) & (g < 0)))
    ab = np.zeros((2 * n + 1, B, T, n))
    for k in range(n):
        ab[k, :, :, : n - k] = H.diagonal(-k, -2, -1) * dt[:, None]
        if k:
            ab[k, :, :, : n - k] *= free[:, :, k:] & free[:, :, : n - k]
    ab[0] += bands[0] + (damping[:, None] * dt)[..., None]
    ab[n, :, : T - 1] = bands[1] * (free[:, 1:] & free[:, :-1])
    ab[2 * n, :, : T - 2] = bands[2] * (free[:, 2:] & free[:, :-2])
    step = solveh_banded(
        ab.reshape(2 * n + 1, -1), np.where(free, -g, 0.0).ravel(), lower=True, overwrite_ab=True, check_finite=False
    )
    return np.asarray(step.reshape(q.shape))


class _Smoothness:
    """Quadratic costs of speed, acceleration and distance from rest, and the hinge at the limit of speed."""

    def __init__(self, time: Float[np.ndarray, " T"], bounds: Bounds, params: TrajectoryParams) -> None:
        T = len(time)
        h = np.diff(time)
        self.rest, self.weight, self.share = bounds.rest, params.speed, params.speed_share
        self.h, self.limit = h[:, None], bounds.velocity
        diagonal, first, second = params.rest * durations(time), np.zeros(max(T - 1, 0)), np.zeros(max(T - 2, 0))
        self.from_rest = diagonal.copy()
        if T > 1:
            w = params.velocity / h
            diagonal[:-1] += w
            diagonal[1:] += w
            first -= w
        if T > 2:
            middle = (h[1:] + h[:-1]) / 2
            c = np.stack([1 / h[:-1], -(1 / h[:-1] + 1 / h[1:]), 1 / h[1:]]) / middle
            w = params.acceleration * middle
            for place in range(3):
                diagonal[place : T - 2 + place] += w * c[place] ** 2
            first[:-1] += w * c[0] * c[1]
            first[1:] += w * c[1] * c[2]
            second += w * c[0] * c[2]
        self.bands = (diagonal[:, None], first[:, None], second[:, None])

    def cost(self, q: Float[np.ndarray, "B T dof"]) -> Float[np.ndarray, " B"]:
        x = q - self.rest
        quadratic = (x * self._times(x)).sum((-1, -2)) / 2
        _, over = self._excess(q)
        return np.asarray(quadratic + self.weight / 2 * (self.h * over**2).sum((-1, -2)))

    def slope_and_bands(self, q: Float[np.ndarray, "B T dof"]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Slope (B, T, dof) and the blocks' diagonals on the main, first and second off-diagonal."""
        g = self._times(q - self.rest)
        sign, over = self._excess(q)
        diagonal, first, second = (np.broadcast_to(band, (*q.shape[:1], *band.shape)) for band in self.bands)
        if not over.any():
            return g, (diagonal, first, second)
        push = self.weight * sign * over / self.limit
        g[:, 1:] += push
        g[:, :-1] -= push
        stiff = self.weight * (over > 0) / (self.h * self.limit**2)
        diagonal = np.repeat(diagonal, q.shape[-1], -1)
        diagonal[:, 1:] += stiff
        diagonal[:, :-1] += stiff
        return g, (diagonal, first - stiff, second)

    def _times(self, x: Float[np.ndarray, "B T dof"]) -> Float[np.ndarray, "B T dof"]:
        diagonal, first, second = self.bands
        y = diagonal * x
        y[:, 1:] += first * x[:, :-1]
        y[:, :-1] += first * x[:, 1:]
        y[:, 2:] += second * x[:, :-2]
        y[:, :-2] += second * x[:, 2:]
        return np.asarray(y)

    def _excess(self, q: Float[np.ndarray, "B T dof"]) -> tuple[np.ndarray, np.ndarray]:
        v = np.diff(q, axis=1) / (self.h * self.limit)
        return np.sign(v), np.maximum(np.abs(v) - self.share, 0.0)
