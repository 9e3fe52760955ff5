from __future__ import annotations

import numpy as np
import pytest

from hoiset.builder.retarget.arm_plan import follow_plans, plan_arm, steady
from hoiset.builder.retarget.arm_wishes import EASED, HELD, ease_of, n_reached
from hoiset.builder.retarget.planar_arm import planar_arm
from hoiset.builder.retarget.pose_plan import PosePlan
from hoiset.builder.retarget.reach import reaches
from hoiset.builder.retarget.robot import load_robot
from hoiset.builder.retarget.tracking import Tracking
from hoiset.builder.retarget.trajectory import Bounds, TrajectoryParams, limit_speed, solve_trajectories

SPEED = 4.7


def through_the_singular_direction(n: int = 31) -> tuple[np.ndarray, np.ndarray]:
    """An axis that passes by the normal of the plane, where the roll must turn about in it at once."""
    reach = reaches(load_robot("xlerobot"))[0]
    time, targets = np.arange(n) / 30, np.empty((n, 1, 4, 4))
    middle = reach.home.copy()
    middle[4] = np.pi / 2
    T = reach.tools(middle)[0]
    normal, aside, ahead = T[:3, 2], T[:3, 0], T[:3, 1]
    for place, share in enumerate(np.linspace(-1, 1, n)):
        z = normal + np.tan(0.3) * share * aside + np.tan(np.deg2rad(20.0)) * ahead
        z /= np.linalg.norm(z)
        y = ahead - (ahead @ z) * z
        y /= np.linalg.norm(y)
        targets[place, 0] = T
        targets[place, 0, :3, :3] = np.stack([np.cross(y, z), y, z], -1)
    return targets, time


def test_a_plan_keeps_to_speeds_and_its_poses_reach_their_targets() -> None:
    reach = reaches(load_robot("xlerobot"))[0]
    targets, time = through_the_singular_direction()
    arm = planar_arm(reach)
    assert arm is not None
    plan = plan_arm(arm, targets[:, 0], time, np.full(5, SPEED))
    steps = np.abs(np.diff(plan.q, axis=0)) / np.diff(time[plan.frames])[:, None]
    assert steps.max() <= SPEED
    reached, _ = n_reached(reach, plan.q, targets[plan.frames])
    assert reached == len(plan.frames) >= 0.8 * len(time)


def test_a_plan_goes_through_a_singular_direction_where_a_trajectory_alone_stops() -> None:
    reach = reaches(load_robot("xlerobot"))[0]
    targets, time = through_the_singular_direction()
    bounds = Bounds(reach.lower, reach.upper, np.full(5, SPEED), reach.home)
    params = TrajectoryParams()
    start = np.broadcast_to(reach.home, (1, len(time), 5))
    alone, _ = solve_trajectories(Tracking(reach, targets), start, time, bounds, params)
    known = limit_speed(alone[0], time, bounds.velocity)
    arm = planar_arm(reach)
    assert arm is not None
    found = follow_plans(reach, arm, known, targets, time, bounds, params)
    before, after = n_reached(reach, known, targets)[0], n_reached(reach, found, targets)[0]
    assert after >= before + 6
    assert (np.abs(np.diff(found, axis=0)) <= np.diff(time)[:, None] * SPEED).all()
    assert (found >= reach.lower).all()
    assert (found <= reach.upper).all()


def test_a_known_trajectory_that_reaches_all_is_kept() -> None:
    reach = reaches(load_robot("xlerobot"))[0]
    time, q = np.arange(20) / 30, np.broadcast_to(reach.home, (20, 5))
    bounds = Bounds(reach.lower, reach.upper, np.full(5, SPEED), reach.home)
    arm = planar_arm(reach)
    assert arm is not None
    assert follow_plans(reach, arm, q, reach.tools(q), time, bounds, TrajectoryParams()) is q


def test_frames_between_those_of_a_plan_are_held_where_none_was_left_out() -> None:
    plan = PosePlan(np.array([0, 1, 3]), np.zeros((3, 5)), 3.0)
    ease = steady(plan, np.array([0, 3, 6, 9]), 10)[:, 0]
    held = (ease == HELD).all(-1)
    assert held.tolist() == [True] * 4 + [False] * 5 + [True]
    assert (ease[~held] == EASED).all()


@pytest.mark.parametrize("name", ["g1", "fr3_dual"])
def test_arms_that_follow_whole_poses_are_taken_as_before(name: str) -> None:
    reach = reaches(load_robot(name))[0]
    q = np.broadcast_to(reach.home, (3, len(reach.home)))
    assert ease_of(reach, q, reach.tools(q)) is None
