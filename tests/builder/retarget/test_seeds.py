from __future__ import annotations

import numpy as np
import pytest

from hoiset.builder.retarget.kinematics import Kinematics, chain
from hoiset.builder.retarget.reach import reaches
from hoiset.builder.retarget.robot import load_robot
from hoiset.builder.retarget.seeds import solve_poses
from hoiset.errors import RobotError
from hoiset.geometry import angle_between


def near_home(kinematics: Kinematics, n: int, share: float = 0.1) -> np.ndarray:
    q = kinematics.home + np.random.default_rng(0).normal(0, share, (n, len(kinematics.home))) * (
        kinematics.upper - kinematics.lower
    )
    return np.clip(q, kinematics.lower, kinematics.upper)


@pytest.mark.parametrize(("name", "arm"), [("g1", "left_waist"), ("fr3_dual", "right"), ("robonaut2", "left")])
def test_poses_in_reach_are_reached_inside_the_limits(name: str, arm: str) -> None:
    robot = load_robot(name)
    kinematics = chain(robot, robot.arm(arm))
    targets = kinematics.tool(near_home(kinematics, 60)).reshape(3, 20, 4, 4)
    found = solve_poses(kinematics, targets, starts=4)
    assert found.q.shape == (3, 20, len(kinematics.home))
    assert kinematics.within(found.q).all()
    T = kinematics.tool(found.q)
    off = np.linalg.norm(T[..., :3, 3] - targets[..., :3, 3], axis=-1)
    np.testing.assert_allclose(found.position_error, off, atol=1e-9)
    np.testing.assert_allclose(found.angle_error, angle_between(T[..., :3, :3], targets[..., :3, :3]), atol=1e-7)
    assert ((off < 1e-3) & (found.angle_error < 1e-2)).mean() > 0.95


def test_a_target_out_of_reach_gives_the_nearest_not_a_flip() -> None:
    robot = load_robot("fr3_dual")
    kinematics = chain(robot, robot.arm("left"))
    target = kinematics.tool(kinematics.home).copy()
    target[:3, 3] += [3.0, 0.0, 0.0]
    found = solve_poses(kinematics, target)
    assert kinematics.within(found.q)
    assert 2.0 < found.position_error < 3.0
    assert np.isfinite(found.q).all()


def test_five_joints_meet_position_and_the_closing_axis() -> None:
    robot = load_robot("xlerobot")
    kinematics = chain(robot, robot.arm("left"))
    targets = kinematics.tool(near_home(kinematics, 40))
    found = solve_poses(kinematics, targets, task="z", starts=4)
    assert ((found.position_error < 1e-3) & (found.angle_error < 1e-2)).mean() > 0.9
    z = kinematics.tool(found.q)[:, :3, 2]
    np.testing.assert_allclose(np.cos(found.angle_error), (z * targets[:, :3, 2]).sum(-1), atol=1e-9)


def test_arms_with_a_common_waist_are_solved_together_and_one_hand_may_be_missing() -> None:
    (reach,) = reaches(load_robot("g1"))
    q = reach.home + np.random.default_rng(0).normal(0, 0.2, (30, len(reach.home)))
    targets = reach.tools(np.clip(q, reach.lower, reach.upper))
    targets[10:20, 0] = np.nan
    targets[20:, :] = np.nan
    found = solve_poses(reach, targets)
    assert (found.position_error[:10] < 1e-2).mean() > 0.9
    assert np.isnan(found.position_error[10:20, 0]).all()
    assert (found.position_error[10:20, 1] < 1e-2).all()
    assert np.isnan(found.angle_error[20:]).all()
    np.testing.assert_array_equal(found.q[20:], np.broadcast_to(reach.home, (10, len(reach.home))))


def test_rows_do_not_depend_on_their_batch() -> None:
    robot = load_robot("fr3_dual")
    kinematics = chain(robot, robot.arm("left"))
    targets = kinematics.tool(near_home(kinematics, 12, 0.2))
    together = solve_poses(kinematics, targets, starts=3).q
    alone = np.stack([solve_poses(kinematics, target, starts=3).q for target in targets])
    np.testing.assert_allclose(together, alone, atol=1e-9)


def test_targets_that_do_not_fit_are_an_error() -> None:
    (reach,) = reaches(load_robot("g1"))
    with pytest.raises(RobotError, match=r"shape \(5, 4, 4\), expected \(\.\.\., 2, 4, 4\)"):
        solve_poses(reach, np.zeros((5, 4, 4)))
    assert solve_poses(reach, np.zeros((0, 2, 4, 4))).q.shape == (0, 17)
