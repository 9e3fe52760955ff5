"""Fingertips that follow places over a whole clip: every finger by itself, all at once, then those that pinch together.

A finger alone has few joints, so that it may be looked for all over its reach; fingers with their tips near the thumb's
are then moved together until the distances are right, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from hoiset.builder.params import Params
from hoiset.builder.retarget.branches import smoothest_path
from hoiset.builder.retarget.pinching import KNEE, UNIT_M, Pinching, TipTask
from hoiset.builder.retarget.robot_hands import Hand, grid
from hoiset.builder.retarget.robust import robust_rows
from hoiset.builder.retarget.serial import Chains
from hoiset.builder.retarget.timing import sparse, spread
from hoiset.builder.retarget.trajectory import (
    Bounds,
    Terms,
    TrajectoryParams,
    limit_speed,
    solve_from_sparse,
    solve_trajectories,
)

SETTLED = 5e-2
"""Share of its cost by which a finger by itself must improve to go on (see :class:`TrajectoryParams`)."""
TURN = 2.2
"""How far from rest, rad, a start may be: some robots' files state limits that no finger has."""
NEAREST, ROUGH_M = 8, 0.005
"""Positions of a finger that are looked at at a time for a start, and how rough they are."""


class FingerParams(Params):
    """How fingers follow."""

    pinch_m: float = Field(0.03, gt=0)
    """Distance of fingertip and thumb up to which only it counts."""
    open_m: float = Field(0.06, gt=0)
    """Distance from which on it no longer counts."""
    pinch_weight: float = Field(5.0, ge=0)
    """Of a pinch against a fingertip's place."""
    gap_s: float = Field(0.25, ge=0)
    """Longest gap that is bridged, s, from the last frame with a hand before it to the first behind."""
    speed: float = Field(4.7, gt=0)
    """Greatest speed of joints whose robot states none, rad/s."""
    trajectory: TrajectoryParams = TrajectoryParams(velocity=1e-4, acceleration=1e-6, rest=2e-3)


def track_tips(
    hand: Hand,
    targets: Float[np.ndarray, "T F 3"],
    span: Float[np.ndarray, "T P 3"],
    weight: Float[np.ndarray, "T P"],
    time: Float[np.ndarray, " T"],
    params: FingerParams | None = None,
) -> Float[np.ndarray, "T dof"]:
    """Positions of one hand's joints, inside limits and speeds, for all frames; see :class:`TipTask`.

    Args:
        hand: The robot's.
        targets: Fingertips in the wrist's frame, m; NaN for none.
        span: Vectors from the thumb's tip to the other fingers', m.
        weight: How much each counts.
        time: Ascending, s.
        params: Weights.
    """
    return track_hands([TipTask(hand, targets, span, weight)], time, params)[0]


def track_hands(
    tasks: Sequence[TipTask], time: Float[np.ndarray, " T"], params: FingerParams | None = None
) -> list[Float[np.ndarray, "T dof"]]:
    """Positions of several hands' joints, in the order of each hand's own."""
    params = params or FingerParams()
    if not tasks:
        return []
    bounds = [_with_speeds(task.hand.bounds, params.speed) for task in tasks]
    found = []
    for task, limits, q in zip(tasks, bounds, _each_finger(tasks, bounds, time, params), strict=True):
        if task.weight.any():
            together = solve_trajectories(Pinching(task), q[None], time, limits, params.trajectory)[0][0]
            found.append(limit_speed(together, time, limits.velocity))
        else:
            found.append(limit_speed(q, time, limits.velocity))
    return found


def _with_speeds(bounds: Bounds, speed: float) -> Bounds:
    velocity = np.where(np.isfinite(bounds.velocity), bounds.velocity, speed)
    return Bounds(bounds.lower, bounds.upper, velocity, bounds.rest)


def _each_finger(
    tasks: Sequence[TipTask], bounds: Sequence[Bounds], time: Float[np.ndarray, " T"], params: FingerParams
) -> list[Float[np.ndarray, "T dof"]]:
    """Every finger by itself, from half bent and from a rough path."""
    places = [(task, limits, place) for task, limits in zip(tasks, bounds, strict=True) for place in _fingers(task)]
    n = max(len(task.hand.columns[place]) for task, _, place in places)
    n_fingers, some = len(places), sparse(time)
    own = np.zeros((4, n_fingers, n))
    own[2] = 1.0
    starts = np.zeros((2, n_fingers, len(some), n))
    for row, (task, limits, place) in enumerate(places):
        columns = task.hand.columns[place]
        values = (limits.lower, limits.upper, limits.velocity, limits.rest)
        lower, upper, velocity, rest = own[:, row, : len(columns)] = [each[columns] for each in values]
        starts[0, row, :, : len(columns)] = rest + np.clip((lower + upper) / 2 - rest, -1, 1) / 2
        rough = _rough(task, place, time, Bounds(lower, upper, velocity, rest))
        starts[1, row, :, : len(columns)] = rough[some]
    settling = params.trajectory.model_copy(update={"settled": max(SETTLED, params.trajectory.settled)})
    fingers = _Tips.of([(task, place) for task, _, place in places])
    fitted, _ = solve_from_sparse(
        lambda frames, rows: fingers.only(rows, frames), starts, some, time, Bounds(*own[:, :, None]), settling
    )
    out = [np.empty((len(time), len(task.hand.dofs))) for task in tasks]
    rows = iter(fitted)
    for q, task in zip(out, tasks, strict=True):
        for place in _fingers(task):
            columns = task.hand.columns[place]
            q[:, columns] = next(rows)[:, : len(columns)]
    return out


def _fingers(task: TipTask) -> range:
    return range(len(task.hand.fingers))


def _rough(task: TipTask, place: int, time: Float[np.ndarray, " T"], bounds: Bounds) -> Float[np.ndarray, "T J"]:
    """A start from positions all over the finger's reach: those that come near and hang together in time."""
    T, targets = task.hand.T_wrist_base[place], task.targets[:, place]
    known = np.flatnonzero(np.isfinite(targets).all(-1))
    known = known[sparse(time[known])]
    wanted = (targets[known] - T[:3, 3]) @ T[:3, :3]
    samples = grid(np.maximum(bounds.lower, bounds.rest - TURN), np.minimum(bounds.upper, bounds.rest + TURN))
    chain = Chains((task.hand.chains[place],), np.eye(4)[None], [np.arange(samples.shape[1])], samples.shape[1])
    tips = chain.tools(samples.T, "none").position[0]
    squared = (wanted**2).sum(-1)[:, None] - 2 * wanted @ tips + (tips**2).sum(0)
    nearest = np.argpartition(squared, NEAREST, -1)[:, :NEAREST]
    error = np.sqrt(np.maximum(np.take_along_axis(squared, nearest, -1), 0.0)) / ROUGH_M
    return spread(time, time[known], smoothest_path(samples[nearest.T], error.T, time[known], bounds.velocity))


@dataclass(frozen=True)
class _Tips:
    """Wishes of fingers by themselves: tips at their places."""

    chains: Chains
    targets: Float[np.ndarray, "F 3 T"]

    @classmethod
    def of(cls, fingers: Sequence[tuple[TipTask, int]]) -> _Tips:
        """Of some fingers, each with its own joints first among the positions."""
        chains = [task.hand.chains[place] for task, place in fingers]
        columns = [np.arange(len(kinematics.dofs)) for kinematics in chains]
        T = np.stack([task.hand.T_wrist_base[place] for task, place in fingers])
        targets = np.stack([task.targets[:, place].T for task, place in fingers])
        return cls(Chains(chains, T, columns, max(map(len, columns))), targets)

    def only(self, rows: Int[np.ndarray, " R"], frames: Int[np.ndarray, " N"]) -> _Tips:
        """Some of them in some frames."""
        return _Tips(self.chains.only(rows), self.targets[rows][..., frames])

    def __call__(self, q: Float[np.ndarray, "B T dof"], rows: Int[np.ndarray, " B"]) -> Terms:
        chains = self.chains if len(rows) == len(self.targets) else self.chains.only(rows)
        found = chains.tools_apart(np.ascontiguousarray(q.swapaxes(1, 2)), "places")
        return robust_rows((self.targets[rows] - found.position)[:, None], found.slope[:, None], UNIT_M, KNEE)
