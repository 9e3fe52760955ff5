"""Arms that follow wrists: one trajectory for all frames of a clip, and what is true of every frame of it.

Joints stay inside their limits and under their speeds without exception; what that costs stands in the residual, which
is measured at the end against the targets as they came. Frames without a hand are bridged for the sake of smoothness,
but their positions are given only where the gap is short and both its ends are within tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import Field

from hoiset.builder.params import Params
from hoiset.builder.retarget.arm_plan import follow_plans
from hoiset.builder.retarget.arm_wishes import arm_wishes, ease_of
from hoiset.builder.retarget.branches import candidate_poses, smoothest_path
from hoiset.builder.retarget.collision import CollisionParams, Collisions
from hoiset.builder.retarget.planar_arm import planar_arm
from hoiset.builder.retarget.reach import Reach, arms_of, joined, reaches
from hoiset.builder.retarget.records import RobotSource
from hoiset.builder.retarget.robot import Robot
from hoiset.builder.retarget.timing import bridged, sparse, spread
from hoiset.builder.retarget.tracking import Tracking, residuals, tolerances
from hoiset.builder.retarget.trajectory import Bounds, TrajectoryParams, limit_speed, solve_trajectories
from hoiset.errors import RobotError

FIRST = 8
"""Steps that each of these is given before the better goes on alone."""


class ArmParams(Params):
    """How arms follow wrists."""

    gap_s: float = Field(0.25, ge=0)
    """Longest gap that is bridged, s, from the last converged frame before it to the first behind."""
    speed: float = Field(4.7, gt=0)
    """Greatest speed of joints whose robot states none, rad/s: 45 turns a minute, an unloaded hobby servo's."""
    further_starts: int = Field(3, ge=0)
    """Starts at random that every frame's solutions are sought from beside home and three frames' solutions."""
    trajectory: TrajectoryParams = TrajectoryParams()
    collision: CollisionParams | None = CollisionParams()
    """How hard arms keep off each other, the body and the table; ``None`` leaves collisions alone and unmeasured."""


@dataclass(frozen=True)
class ArmFit:
    """Arms' trajectories for one clip.

    Attributes:
        q: (T, dof) rad or m, in the order of ``Robot.dofs``. NaN for joints of arms with nothing to follow, and for
            joints that are no arm's (fingers, jaws); joints in front of an arm's base are held at home.
        source: :class:`RobotSource` by side, (T, 2); 0 for a side without an arm.
        residual: (T, 2, 2) distance, m, and angle, rad (of the axis alone where an arm follows one), of the tools from
            their targets; NaN where there is no target or no arm.
        depth: (T,) greatest depth, m, of a shape of a following arm in another, in the body or in the table; 0 where
            all are apart, NaN where no arm follows or collisions are not looked at.
        report: Plain values on the fit: what collisions cost, see :func:`fit_arms`.
    """

    q: Float[np.ndarray, "T dof"]
    source: UInt8[np.ndarray, "T 2"]
    residual: Float[np.ndarray, "T 2 2"]
    depth: Float[np.ndarray, " T"]
    report: dict[str, Any] = field(default_factory=dict)


def fit_arms(
    robot: Robot,
    targets: Float[np.ndarray, "T 2 4 4"],
    time: Float[np.ndarray, " T"],
    params: ArmParams | None = None,
    *,
    table: Float[np.ndarray, "4"] | None = None,
) -> ArmFit:
    """Let a robot's arms follow wrists.

    Arms that share no joints are fitted each by itself, with soft terms that keep them off the body and the table; if
    they then touch each other, all are solved once more together. ``report["collision"]``: ``pairs`` of shapes that
    were held against each other, ``frames`` in which some still overlap, their greatest ``depth_m``, and by how much
    less (``cost_m``, ``cost_rad``) the tools would miss their targets in the mean if shapes could pass each other.

    Args:
        robot: The robot; where it has several arms on a side, the one with the most joints follows.
        targets: ``T_root_wrist``, m; left, right; NaN where there is no hand.
        time: Ascending, s; steps may differ.
        params: Weights and starts.
        table: Unit normal in the root frame and offset, m: the table is where normal . x < offset.

    Raises:
        RobotError: Shapes do not fit, time does not ascend, or a target is no rigid pose.
    """
    params = params or ArmParams()
    targets, time = _checked(targets, time)
    seen = np.isfinite(targets).all((-1, -2))
    sides = [side for reach in reaches(robot) for side in reach.sides if seen[:, list(reach.sides)].any()]
    q = np.full((len(time), len(robot.dofs)), np.nan)
    source = np.full((len(time), 2), RobotSource.ABSENT, np.uint8)
    residual, depth = np.full((len(time), 2, 2), np.nan), np.full(len(time), np.nan)
    _hold(robot, q)
    if not sides:
        return ArmFit(q, source, residual, depth)
    everything = joined(robot, sides)
    found = np.empty((len(time), len(everything.dofs)))
    for reach in reaches(robot):
        if seen[:, list(reach.sides)].any():
            place = np.searchsorted(everything.dofs, reach.dofs)
            apart = None if params.collision is None else Collisions(robot, reach, table, params.collision)
            found[:, place] = fit_reach(reach, targets[:, list(reach.sides)], time, params, apart)
    wanted = targets[:, list(everything.sides)]
    report: dict[str, Any] = {}
    if params.collision is not None:
        collisions = Collisions(robot, everything, table, params.collision)
        found = _keep_apart(everything, collisions, found, wanted, time, params)
        depth = collisions.depth(found)
        report["collision"] = _cost_of_collisions(everything, collisions, found, wanted, time, params)
    e = residuals(everything, found, wanted)
    kinds = sources(e, tolerances(everything), time, params.gap_s)
    source[:, list(everything.sides)], residual[:, list(everything.sides)] = kinds, e
    for arm, columns in enumerate(everything.columns):
        follows = kinds[:, arm] != RobotSource.ABSENT
        q[np.ix_(follows, everything.dofs[columns])] = found[np.ix_(follows, columns)]
    return ArmFit(q, source, residual, np.where((source != RobotSource.ABSENT).any(-1), depth, np.nan), report)


def fit_reach(
    reach: Reach,
    targets: Float[np.ndarray, "T A 4 4"],
    time: Float[np.ndarray, " T"],
    params: ArmParams,
    collisions: Collisions | None = None,
) -> Float[np.ndarray, "T dof"]:
    """A trajectory of arms that are solved together, inside limits and speeds, for all frames."""
    bounds = _bounds(reach, params)
    seen = np.flatnonzero(np.isfinite(targets).all((-1, -2)).any(-1))
    candidates, error = candidate_poses(reach, targets[seen], jittered=params.further_starts)
    if collisions is not None:
        error = error + collisions.depth(candidates) / collisions.params.unit_m
    path = smoothest_path(candidates, error, time[seen], bounds.velocity)
    starts = [np.broadcast_to(reach.home, (len(time), len(reach.home)))]
    starts += [spread(time, time[seen], start) for start in (candidates[0], path)]
    some = sparse(time)
    found, cost = solve_trajectories(
        arm_wishes(reach, targets[some], collisions), np.stack(starts)[:, some], time[some], bounds, params.trajectory
    )
    starts = [spread(time, time[some], found[int(cost.argmin())]), starts[-1]]
    wishes = arm_wishes(reach, targets, collisions)
    first = params.trajectory.model_copy(update={"iterations": min(FIRST, params.trajectory.iterations)})
    found, cost = solve_trajectories(wishes, np.stack(starts), time, bounds, first)
    best = found[int(cost.argmin())]
    found, _ = solve_trajectories(wishes, best[None], time, bounds, params.trajectory)
    best = limit_speed(found[0], time, bounds.velocity)
    arm = planar_arm(reach)
    if arm is None:
        return best
    return follow_plans(reach, arm, best, targets, time, bounds, params.trajectory, collisions)


def _bounds(reach: Reach, params: ArmParams) -> Bounds:
    velocity = np.where(np.isfinite(reach.velocity), reach.velocity, params.speed)
    return Bounds(reach.lower, reach.upper, velocity, reach.home)


def _keep_apart(
    reach: Reach,
    collisions: Collisions,
    q: Float[np.ndarray, "T dof"],
    targets: Float[np.ndarray, "T A 4 4"],
    time: Float[np.ndarray, " T"],
    params: ArmParams,
) -> Float[np.ndarray, "T dof"]:
    """Positions of all arms together whose shapes push each other apart, where they touch."""
    if not collisions.depth(q).any():
        return q
    bounds, wishes = _bounds(reach, params), arm_wishes(reach, targets, collisions, ease_of(reach, q, targets))
    found, _ = solve_trajectories(wishes, q[None], time, bounds, params.trajectory)
    return limit_speed(found[0], time, bounds.velocity)


def _cost_of_collisions(
    reach: Reach,
    collisions: Collisions,
    q: Float[np.ndarray, "T dof"],
    targets: Float[np.ndarray, "T A 4 4"],
    time: Float[np.ndarray, " T"],
    params: ArmParams,
) -> dict[str, Any]:
    """What is left of overlaps, and how much nearer the tools would come if shapes could pass through each other."""
    depth, bounds = collisions.depth(q), _bounds(reach, params)
    cost = np.zeros(2)
    if collisions.pushes(q):
        tracking = Tracking(reach, targets, ease=ease_of(reach, q, targets))
        found, _ = solve_trajectories(tracking, q[None], time, bounds, params.trajectory)
        free = limit_speed(found[0], time, bounds.velocity)
        pushed, passing = (np.nanmean(residuals(reach, each, targets), (0, 1)) for each in (q, free))
        cost = np.maximum(pushed - passing, 0.0)
    return {
        "pairs": collisions.pairs,
        "frames": int((depth > 0).sum()),
        "depth_m": float(depth.max(initial=0.0)),
        "cost_m": float(cost[0]),
        "cost_rad": float(cost[1]),
    }


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
        out[bridged(there[:, arm], converged[:, arm], time, gap_s), arm] = RobotSource.INTERPOLATED
    return out


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
