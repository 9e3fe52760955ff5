"""Arms that follow wrists: one trajectory for all frames of a clip, and what is true of every frame of it.

Joints stay inside their limits and under their speeds without exception; what that costs stands in the residual, which
is measured at the end against the targets as they came. Frames without a hand are bridged for the sake of smoothness,
but their positions are given only where the gap is short and both its ends are within tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8
from pydantic import Field

from hoiset.builder.params import Params
from hoiset.builder.retarget.branches import candidate_poses, smoothest_path
from hoiset.builder.retarget.reach import Reach, arms_of, reaches
from hoiset.builder.retarget.records import RobotSource
from hoiset.builder.retarget.robot import Robot
from hoiset.builder.retarget.tracking import Tracking, residuals, tolerances
from hoiset.builder.retarget.trajectory import Bounds, TrajectoryParams, limit_speed, solve_trajectories
from hoiset.errors import RobotError


class ArmParams(Params):
    """How arms follow wrists."""

    gap_s: float = Field(0.25, ge=0)
    """Longest gap that is bridged, s, from the last converged frame before it to the first behind."""
    speed: float = Field(4.7, gt=0)
    """Greatest speed of joints whose robot states none, rad/s: 45 turns a minute, an unloaded hobby servo's."""
    further_starts: int = Field(3, ge=0)
    """Starts at random that every frame's solutions are sought from beside home and three frames' solutions."""
    trajectory: TrajectoryParams = TrajectoryParams()


@dataclass(frozen=True)
class ArmFit:
    """Arms' trajectories for one clip.

    Attributes:
        q: (T, dof) rad or m, in the order of ``Robot.dofs``. NaN for joints of arms with nothing to follow, and for
            joints that are no arm's (fingers, jaws); joints in front of an arm's base are held at home.
        source: :class:`RobotSource` by side, (T, 2); 0 for a side without an arm.
        residual: (T, 2, 2) distance, m, and angle, rad (of the axis alone where an arm follows one), of the tools from
            their targets; NaN where there is no target or no arm.
        report: Plain values on the fit.
    """

    q: Float[np.ndarray, "T dof"]
    source: UInt8[np.ndarray, "T 2"]
    residual: Float[np.ndarray, "T 2 2"]
    report: dict[str, Any] = field(default_factory=dict)


def fit_arms(
    robot: Robot,
    targets: Float[np.ndarray, "T 2 4 4"],
    time: Float[np.ndarray, " T"],
    params: ArmParams | None = None,
) -> ArmFit:
    """Let a robot's arms follow wrists.

    Args:
        robot: The robot; where it has several arms on a side, the one with the most joints follows.
        targets: ``T_root_wrist``, m; left, right; NaN where there is no hand.
        time: Ascending, s; steps may differ.
        params: Weights and starts.

    Raises:
        RobotError: Shapes do not fit, time does not ascend, or a target is no rigid pose.
    """
    params = params or ArmParams()
    targets, time = _checked(targets, time)
    n_frames = len(time)
    q = np.full((n_frames, len(robot.dofs)), np.nan)
    source = np.full((n_frames, 2), RobotSource.ABSENT, np.uint8)
    residual = np.full((n_frames, 2, 2), np.nan)
    _hold(robot, q)
    report: dict[str, Any] = {}
    for reach in reaches(robot):
        wanted = targets[:, list(reach.sides)]
        seen = np.isfinite(wanted).all((-1, -2))
        if not seen.any():
            continue
        found = fit_reach(reach, wanted, time, params)
        e = residuals(reach, found, wanted)
        kinds = sources(e, tolerances(reach), time, params.gap_s)
        source[:, list(reach.sides)], residual[:, list(reach.sides)] = kinds, e
        for arm, columns in enumerate(reach.columns):
            rows = np.ix_(kinds[:, arm] != RobotSource.ABSENT, reach.dofs[columns])
            q[rows] = found[np.ix_(kinds[:, arm] != RobotSource.ABSENT, columns)]
    return ArmFit(q, source, residual, report)


def fit_reach(
    reach: Reach, targets: Float[np.ndarray, "T A 4 4"], time: Float[np.ndarray, " T"], params: ArmParams
) -> Float[np.ndarray, "T dof"]:
    """A trajectory of arms that are solved together, inside limits and speeds, for all frames."""
    velocity = np.where(np.isfinite(reach.velocity), reach.velocity, params.speed)
    seen = np.flatnonzero(np.isfinite(targets).all((-1, -2)).any(-1))
    candidates, error = candidate_poses(reach, targets[seen], jittered=params.further_starts)
    path = smoothest_path(candidates, error, time[seen], velocity)
    starts = [np.broadcast_to(reach.home, (len(time), len(reach.home)))]
    starts += [_spread(time, time[seen], start) for start in (candidates[0], path)]
    bounds = Bounds(reach.lower, reach.upper, velocity, reach.home)
    found, cost = solve_trajectories(Tracking(reach, targets), np.stack(starts), time, bounds, params.trajectory)
    return limit_speed(found[int(cost.argmin())], time, velocity)


def sources(
    residual: Float[np.ndarray, "T A 2"],
    tolerance: Float[np.ndarray, "A 2"],
    time: Float[np.ndarray, " T"],
    gap_s: float,
) -> UInt8[np.ndarray, "T A"]:
    """:class:`RobotSource` of every frame and arm, from how far the tools are from their targets."""
    there = np.isfinite(residual).all(-1)
    converged = there & (np.where(there[..., None], residual, np.inf) <= tolerance).all(-1)
    out = np.where(there, RobotSource.UNREACHABLE, RobotSource.ABSENT).astype(np.uint8)
    out[converged] = RobotSource.CONVERGED
    for arm in range(residual.shape[1]):
        out[_bridged(there[:, arm], converged[:, arm], time, gap_s), arm] = RobotSource.INTERPOLATED
    return out


def _bridged(
    there: Bool[np.ndarray, " T"], converged: Bool[np.ndarray, " T"], time: Float[np.ndarray, " T"], gap_s: float
) -> Bool[np.ndarray, " T"]:
    """Frames without a target in short gaps between converged frames."""
    out = np.zeros(len(there), bool)
    ends = np.flatnonzero(there)
    for before, after in pairwise(ends):
        if after > before + 1 and converged[before] and converged[after] and time[after] - time[before] <= gap_s:
            out[before + 1 : after] = True
    return out


def _spread(
    time: Float[np.ndarray, " T"], known: Float[np.ndarray, " N"], q: Float[np.ndarray, "N dof"]
) -> Float[np.ndarray, "T dof"]:
    return np.stack([np.interp(time, known, column) for column in q.T], -1)


def _hold(robot: Robot, q: Float[np.ndarray, "T dof"]) -> None:
    """Set joints between the root and where arms begin to home."""
    held = {joint.name for arm in arms_of(robot) for joint in robot.path(robot.root, arm.base)}
    for place, joint in enumerate(robot.dofs):
        if joint.name in held:
            q[:, place] = robot.home[place]


def _checked(targets: Any, time: Any) -> tuple[Float[np.ndarray, "T 2 4 4"], Float[np.ndarray, " T"]]:
    targets, time = np.asarray(targets, np.float64), np.asarray(time, np.float64)
    if time.ndim != 1 or targets.shape != (len(time), 2, 4, 4):
        raise RobotError(
            f"found targets of shape {targets.shape} and time of shape {time.shape}, expected (T, 2, 4, 4) and (T,)"
        )
    if not np.isfinite(time).all() or (np.diff(time) <= 0).any():
        raise RobotError("found time that does not ascend, expected finite seconds, each later than the last")
    seen = np.isfinite(targets).all((-1, -2))
    R = targets[seen][:, :3, :3]
    far = np.abs(R @ R.swapaxes(-1, -2) - np.eye(3)).max((-1, -2), initial=0.0)
    if (far > 1e-3).any() or (np.linalg.det(R) < 0).any() or (targets[seen][:, 3] != [0, 0, 0, 1]).any():
        frame = int(np.argwhere(seen)[int(far.argmax())][0])
        raise RobotError(
            f"found a target near frame {frame} that is no rigid pose, expected a rotation and [0, 0, 0, 1]"
        )
    return np.where(seen[..., None, None], targets, np.nan), time
