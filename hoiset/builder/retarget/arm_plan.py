"""Plans for arms of five joints: which frames to reach and how, before a trajectory is solved for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from hoiset.builder.retarget.arm_wishes import EASED, HELD, arm_wishes, ease_of, n_reached
from hoiset.builder.retarget.collision import Collisions
from hoiset.builder.retarget.planar_arm import PlanarArm
from hoiset.builder.retarget.pose_plan import MISS_M, PosePlan, plan_poses
from hoiset.builder.retarget.reach import Reach
from hoiset.builder.retarget.timing import sparse, spread
from hoiset.builder.retarget.tracking import AXIS_RAD
from hoiset.builder.retarget.trajectory import Bounds, TrajectoryParams, limit_speed, solve_trajectories

ROUNDS = 4
"""Of solving for the trajectory of a plan."""
ANGLE_SHARE = 0.95
"""Of the tolerance of the axis that solutions use."""
SPEED_SHARE = 0.97
"""Of the greatest speeds."""
DEPTH_M = 0.004
"""How deep shapes may be in each other: the solver pushes them apart afterwards."""
ASIDE = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
"""Where else inside the tolerance of the position solutions are sought: the corners of a tetrahedron."""


def plan_arm(
    arm: PlanarArm,
    targets: Float[np.ndarray, "T 4 4"],
    time: Float[np.ndarray, " T"],
    velocity: Float[np.ndarray, "5"],
    collisions: Collisions | None = None,
    *,
    aside: bool = True,
) -> PosePlan:
    """The most targets that an arm can reach one after another.

    Args:
        arm: The arm.
        targets: ``T_root_tool``, all there.
        time: Ascending, s.
        velocity: Greatest speeds, rad/s.
        collisions: Shapes that solutions keep apart.
        aside: Seek solutions around each position, too, which finds more and takes longer.
    """
    found = [arm.poses(targets, ANGLE_SHARE * AXIS_RAD)]
    for way in ASIDE if aside else ():
        moved = targets.copy()
        moved[:, :3, 3] += MISS_M * way
        q, miss = arm.poses(moved, ANGLE_SHARE * AXIS_RAD)
        found.append((q, np.where(miss < MISS_M / 8, MISS_M / 2, np.inf)))
    q, miss = (np.concatenate([part[place] for part in found], 1) for place in (0, 1))
    if collisions is not None and (near := miss <= MISS_M).any():
        miss[near] = np.where(collisions.depth(q[near]) > DEPTH_M, np.inf, miss[near])
    return plan_poses(q, miss, time, SPEED_SHARE * velocity, arm.upper - arm.lower)


def steady(plan: PosePlan, frames: Int[np.ndarray, " N"], n_frames: int) -> Float[np.ndarray, "T 1 2"]:
    """How much easier frames are to be taken: those that a plan of some ``frames`` leaves out and those beside them."""
    held = np.zeros(n_frames, bool)
    held[frames[plan.frames]] = True
    for before, after in pairwise(plan.frames):
        if after == before + 1:
            held[frames[before] : frames[after]] = True
    return np.where(held[:, None, None], HELD, EASED)


def follow_plans(
    reach: Reach,
    arm: PlanarArm,
    known: Float[np.ndarray, "T dof"],
    targets: Float[np.ndarray, "T 1 4 4"],
    time: Float[np.ndarray, " T"],
    bounds: Bounds,
    params: TrajectoryParams,
    collisions: Collisions | None = None,
) -> Float[np.ndarray, "T dof"]:
    """The trajectory of a plan, where it reaches more targets than a known one.

    Solved again and again, each time with the frames eased that the one before did not reach.

    Args:
        reach: The one arm.
        arm: Its solutions.
        known: Inside limits and speeds.
        targets: ``T_root_tool``, NaN for none.
        time: Ascending, s.
        bounds: Limits.
        params: Weights.
        collisions: Shapes that are kept apart.
    """
    seen = np.isfinite(targets).all((-1, -2))[:, 0]
    best, worth = known, n_reached(reach, known, targets)
    some, every = sparse(time), np.flatnonzero(seen)
    some = some[seen[some]]
    for frames in (some, every) if len(every) > len(some) else (every,):
        if worth[0] == len(every):
            break
        plan = plan_arm(arm, targets[frames, 0], time[frames], bounds.velocity, collisions)
        if not len(plan.frames):
            continue
        q, ease = spread(time, time[frames[plan.frames]], plan.q), steady(plan, frames, len(time))
        for _ in range(ROUNDS):
            wishes = arm_wishes(reach, targets, collisions, ease)
            found, _ = solve_trajectories(wishes, q[None], time, bounds, params)
            q = limit_speed(found[0], time, bounds.velocity)
            if (now := n_reached(reach, q, targets)) > worth:
                best, worth = q, now
            again = ease_of(reach, q, targets)
            if again is None or np.array_equal(again, ease):
                break
            ease = again
    return best
