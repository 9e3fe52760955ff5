"""What a trajectory costs at a place, and the damped Newton step from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field
from scipy.linalg.lapack import dpbtrf, dpbtrs

from hoiset.builder.params import Params

Terms = tuple[Float[np.ndarray, "B T"], Float[np.ndarray, "B T dof"], Float[np.ndarray, "B T dof dof"]]
"""What the frames of some trajectories wish: cost, its slope, and its curvature (Gauss-Newton, of which
the lower triangle is looked at), each per second."""
Wishes = Callable[[Float[np.ndarray, "B T dof"], Int[np.ndarray, " B"]], Terms]


SPREAD_S = 1.0
"""Time, s, from a frame that stays where it is to the next that may take its whole step."""


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
    """What joints may do and where they rest, rad or m: for all trajectories (dof,), or for each (B, 1, dof)."""

    lower: Float[np.ndarray, "*B dof"]
    upper: Float[np.ndarray, "*B dof"]
    velocity: Float[np.ndarray, "*B dof"]
    rest: Float[np.ndarray, "*B dof"]

    def of(self, rows: Int[np.ndarray, " B"]) -> Bounds:
        """Those of some of the trajectories."""
        if self.lower.ndim == 1:
            return self
        return Bounds(self.lower[rows], self.upper[rows], self.velocity[rows], self.rest[rows])


def durations(time: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    """How long each frame stands for, s: half of both steps beside it; steps over twice the median count as that."""
    if len(time) < 2:
        return np.ones(len(time))
    steps = np.diff(time)
    steps = np.minimum(steps, 2 * np.median(steps))
    return np.convolve(steps, [0.5, 0.5]) + np.r_[steps[0], np.zeros(len(time) - 2), steps[-1]] / 2


@dataclass
class State:
    """What is known of trajectories at one place: cost, its slope over all frames, curvatures of wishes and speeds."""

    total: Float[np.ndarray, " B"]
    g: Float[np.ndarray, "B T dof"]
    H: Float[np.ndarray, "B T dof dof"]
    stiff: Float[np.ndarray, "B T-1 dof"] | None

    def updated(self, new: State, better: Bool[np.ndarray, " B"]) -> State:
        """The new one where it is better, otherwise the old."""
        if better.all():
            return new
        if better.any():
            np.copyto(self.total, new.total, where=better)
            np.copyto(self.g, new.g, where=better[:, None, None])
            np.copyto(self.H, new.H, where=better[:, None, None, None])
            if self.stiff is not None or new.stiff is not None:
                old, other = (np.zeros_like(self.g[:, 1:]) if s is None else s for s in (self.stiff, new.stiff))
                self.stiff = np.where(better[:, None, None], other, old)
        return self

    def only(self, keep: Bool[np.ndarray, " B"]) -> State:
        """Some of the trajectories."""
        return State(self.total[keep], self.g[keep], self.H[keep], None if self.stiff is None else self.stiff[keep])


class Problem:
    """Wishes and smoothness over all frames, and the damped step from a place."""

    def __init__(self, wishes: Wishes, time: Float[np.ndarray, " T"], bounds: Bounds, params: TrajectoryParams) -> None:
        self.wishes, self.bounds, self.dt = wishes, bounds, durations(time)
        self.duration, self.time = float(self.dt.sum()), time
        self.smooth = Smoothness(time, params)
        self._band = np.empty(0)

    def look(self, q: Float[np.ndarray, "B T dof"], rows: Int[np.ndarray, " B"]) -> State:
        """Everything at some positions."""
        cost, g, H = self.wishes(q, rows)
        smooth, slope, stiff = self.smooth.look(q, self.bounds.of(rows))
        slope += g * self.dt[:, None]
        return State(cost @ self.dt + smooth, slope, H, stiff)

    def newton(
        self,
        q: Float[np.ndarray, "B T dof"],
        rows: Int[np.ndarray, " B"],
        state: State,
        damping: Float[np.ndarray, " B"],
        longest: float,
    ) -> tuple[Float[np.ndarray, "B T dof"], Float[np.ndarray, " B"]]:
        """The damped step and the gain that it promises; joints that press against a limit stay."""
        g, bounds = state.g, self.bounds.of(rows)
        pressed = ((q <= bounds.lower) & (g > 0)) | ((q >= bounds.upper) & (g < 0))
        held = pressed if pressed.any() else None
        if held is not None:
            g = np.where(held, 0.0, g)
        c, info = dpbtrf(self._matrix(state, damping, held), lower=1, overwrite_ab=1)
        if info:
            raise np.linalg.LinAlgError(f"found a curvature that is not positive definite at row {info}")
        step = dpbtrs(c, -g.ravel(), lower=1, overwrite_b=1)[0].reshape(q.shape)
        share = self._share(np.abs(step).max(-1), longest)
        along = np.einsum("btd,btd->bt", g, step)
        damped = damping[:, None] * self.dt * np.einsum("btd,btd->bt", step, step)
        gain = (share**2 / 2 * (damped + along) - share * along).sum(-1)
        return step * share[..., None], gain

    def _share(self, size: Float[np.ndarray, "B T"], longest: float) -> Float[np.ndarray, "B T"]:
        """How much of a step each frame takes, so that no joint's is too long; frames far from there take all of it."""
        share = longest / np.maximum(size, longest)
        if (share == 1.0).all():
            return share
        for way in (1, -1):
            since = way * self.time[::way] / SPREAD_S
            share = (np.minimum.accumulate(share[:, ::way] - since, axis=1) + since)[:, ::way]
        return share

    def _matrix(
        self, state: State, damping: Float[np.ndarray, " B"], held: Bool[np.ndarray, "B T dof"] | None
    ) -> Float[np.ndarray, "band N"]:
        """The lower band of curvature, column by column as LAPACK has it."""
        B, T, n = state.g.shape
        size = B * T * n * (2 * n + 1)
        if len(self._band) < size:
            self._band = np.empty(size)
        ab = self._band[:size].reshape(B, T, n, 2 * n + 1)
        ab[...] = 0.0
        for k in range(n):
            np.multiply(state.H[:, :, k:, k], self.dt[:, None], out=ab[:, :, k, : n - k])
        diagonal, first, second = self.smooth.bands
        ab[..., 0] += diagonal + (damping[:, None] * self.dt)[..., None]
        ab[:, :-1, :, n] = first
        ab[:, :-2, :, 2 * n] = second
        if state.stiff is not None:
            ab[:, 1:, :, 0] += state.stiff
            ab[:, :-1, :, 0] += state.stiff
            ab[:, :-1, :, n] -= state.stiff
        if held is not None:
            _hold(ab, held)
        return ab.reshape(-1, 2 * n + 1).T


def _hold(ab: Float[np.ndarray, "B T dof band"], held: Bool[np.ndarray, "B T dof"]) -> None:
    """Cut the ties of joints that stay."""
    n = held.shape[-1]
    where = held.any(-1)
    free, blocks = ~held[where], ab[where]
    for k in range(1, n):
        blocks[:, : n - k, k] *= free[:, k:] & free[:, : n - k]
    ab[where] = blocks
    for apart in (1, 2):
        ab[:, :-apart, :, apart * n] *= ~(held[:, apart:] | held[:, :-apart])


class Smoothness:
    """Quadratic costs of speed, acceleration and distance from rest, and the hinge at the limit of speed."""

    def __init__(self, time: Float[np.ndarray, " T"], params: TrajectoryParams) -> None:
        T = len(time)
        h = np.diff(time)
        self.h, self.weight, self.share = h[:, None], params.speed, params.speed_share
        diagonal, first, second = params.rest * durations(time), np.zeros(max(T - 1, 0)), np.zeros(max(T - 2, 0))
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

    def look(self, q: Float[np.ndarray, "B T dof"], bounds: Bounds) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Cost (B,), slope (B, T, dof) and, where a speed exceeds its limit, that excess's curvature (B, T-1, dof)."""
        x = q - bounds.rest
        g = self._times(x)
        cost = np.einsum("btd,btd->b", x, g) / 2
        reach = self.h * bounds.velocity
        v = (q[:, 1:] - q[:, :-1]) / reach
        over = np.abs(v) - self.share
        if not (over > 0).any():
            return cost, g, None
        over = np.maximum(over, 0.0)
        cost += self.weight / 2 * np.einsum("btd,btd,t->b", over, over, self.h[:, 0])
        push = self.weight * np.sign(v) * over / bounds.velocity
        g[:, 1:] += push
        g[:, :-1] -= push
        return cost, g, self.weight * (over > 0) / (reach * bounds.velocity)

    def _times(self, x: Float[np.ndarray, "B T dof"]) -> Float[np.ndarray, "B T dof"]:
        diagonal, first, second = self.bands
        y = diagonal * x
        y[:, 1:] += first * x[:, :-1]
        y[:, :-1] += first * x[:, 1:]
        y[:, 2:] += second * x[:, :-2]
        y[:, :-2] += second * x[:, 2:]
        return np.asarray(y)
