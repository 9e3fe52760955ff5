from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hoiset.builder.retarget.planar_arm import PlanarArm, planar_arm
from hoiset.builder.retarget.reach import Reach, reaches
from hoiset.builder.retarget.robot import Pose, Robot, load_robot


def arms(robot: Robot) -> list[tuple[Reach, PlanarArm]]:
    found = [(reach, planar_arm(reach)) for reach in reaches(robot)]
    return [(reach, arm) for reach, arm in found if arm is not None]


def crooked() -> Robot:
    """XLeRobot with a wrist beside the plane of its arm and a tool further along the roll."""
    robot = load_robot("xlerobot")
    joints = [
        replace(joint, origin=replace(joint.origin, xyz=(0.012, *joint.origin.xyz[1:])))
        if joint.name.startswith("Wrist_Pitch")
        else joint
        for joint in robot.joints
    ]
    tools = [replace(arm, tool=Pose((-0.02, -0.03, 0.0), arm.tool.quat)) for arm in robot.arms]
    return replace(robot, joints=tuple(joints), arms=tuple(tools))


@pytest.mark.parametrize("robot", [load_robot("xlerobot"), crooked()], ids=["xlerobot", "crooked"])
def test_any_pose_is_among_its_solutions_and_all_solutions_are_true(robot: Robot) -> None:
    assert len(arms(robot)) == 2
    for reach, arm in arms(robot):
        q = np.random.default_rng(0).uniform(reach.lower, reach.upper, (400, 5))
        targets = reach.tools(q)
        found, miss = arm.poses(targets[:, 0], 1e-9)
        exact = miss < 1e-6
        nearest = np.where(exact, np.abs(found - q[:, None]).max(-1), np.inf).min(-1)
        assert nearest.max() < 1e-4
        assert (found[exact] >= reach.lower).all()
        assert (found[exact] <= reach.upper).all()
        e = reach.errors(reach.tools(found), targets[:, None])[exact]
        assert np.abs(e).max() < 1e-5


def test_solutions_within_tolerance_are_no_further_and_some_reach_it() -> None:
    (reach, arm), _ = arms(load_robot("xlerobot"))
    targets = reach.tools(np.random.default_rng(1).uniform(reach.lower, reach.upper, (200, 5)))
    tolerance = np.deg2rad(4.0)
    found, miss = arm.poses(targets[:, 0], tolerance)
    e = reach.errors(reach.tools(found), targets[:, None])[miss < 1e-6]
    angle = np.linalg.norm(e[:, 0, 3:], axis=-1)
    assert angle.max() == pytest.approx(tolerance, abs=1e-6)
    assert np.linalg.norm(e[:, 0, :3], axis=-1).max() < 1e-3


def test_an_axis_along_the_planes_normal_leaves_the_direction_free() -> None:
    (reach, arm), _ = arms(load_robot("xlerobot"))
    q = reach.home.copy()
    q[4] = np.pi / 2
    target = reach.tools(q)[0]
    found, miss = arm.poses(target, np.deg2rad(4.0))
    pitch = (found @ [0, 1, -1, -1, 0])[miss < 1e-6]
    assert np.ptp(pitch) > 1.0


def test_distance_is_zero_within_reach_and_true_beyond() -> None:
    (reach, arm), _ = arms(load_robot("xlerobot"))
    targets = reach.tools(np.random.default_rng(2).uniform(reach.lower, reach.upper, (100, 5)))[:, 0]
    assert arm.beyond(targets).max() < 1e-9
    targets[:, :3, 3] += [3.0, 0.0, 0.0]
    away = arm.beyond(targets)
    assert (away > 2.0).all()
    closer = targets.copy()
    closer[:, 0, 3] -= 0.5
    np.testing.assert_allclose(away - arm.beyond(closer), 0.5, atol=0.03)


@pytest.mark.parametrize("name", ["g1", "fr3_dual", "robonaut2"])
def test_other_arms_are_none(name: str) -> None:
    assert [planar_arm(reach) for reach in reaches(load_robot(name))] == [None] * len(reaches(load_robot(name)))


@pytest.mark.parametrize(("off", "n_arms"), [(0.6, 0), (0.01, 0), (1e-5, 2)])
def test_an_arm_out_of_parallel_by_more_than_rounding_is_none(off: float, n_arms: int) -> None:
    robot = load_robot("xlerobot")
    axis = (float(np.sqrt(1 - off**2)), off, 0.0)
    tilted = [replace(j, axis=axis) if j.name.startswith("Elbow") else j for j in robot.joints]
    assert len(arms(replace(robot, joints=tuple(tilted)))) == n_arms
