from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hoiset.builder.retarget.grippers import GripperParams, fit_grippers
from hoiset.builder.retarget.robot import Gripper, load_robot
from hoiset.errors import RobotError


def pinching(aperture: np.ndarray) -> np.ndarray:
    """Hands (T, 2, 21, 3) whose thumb and index tips are so far apart, m."""
    joints = np.zeros((len(aperture), 2, 21, 3))
    joints[:, :, 8] = [0.02, 0.1, 0.03]
    joints[:, :, 4] = joints[:, :, 8] + aperture[:, None, None] * np.array([0.6, 0.0, 0.8])
    return joints


@pytest.mark.parametrize("name", ["fr3_dual", "xlerobot"])
def test_jaws_open_as_far_as_the_hand_up_to_their_stroke(name: str) -> None:
    robot, time = load_robot(name), np.arange(120) / 30
    aperture = 0.05 + 0.025 * np.sin(time)
    fit = fit_grippers(robot, pinching(aperture), time)
    np.testing.assert_allclose(fit.opening, np.repeat(aperture[:, None], 2, 1), atol=5e-4)
    np.testing.assert_allclose(fit.residual, 0.0, atol=5e-4)
    wide = fit_grippers(robot, pinching(np.full(30, 0.2)), time[:30])
    stroke = robot.grippers[0].openings[-1][1]
    np.testing.assert_allclose(wide.opening, stroke, atol=1e-6)
    np.testing.assert_allclose(wide.residual, stroke - 0.2, atol=1e-6)


@pytest.mark.parametrize("name", ["fr3_dual", "xlerobot"])
def test_no_jaw_is_faster_than_it_can_be(name: str) -> None:
    robot = load_robot(name)
    time = np.arange(40) / 30
    aperture = np.where(np.arange(40) < 20, 0.0, 0.08)
    fit = fit_grippers(robot, pinching(aperture), time)
    for gripper in robot.grippers:
        place = [joint.name for joint in robot.dofs].index(gripper.joint)
        joint = robot.dofs[place]
        limit = joint.velocity if np.isfinite(joint.velocity) else GripperParams().speed
        assert np.abs(np.diff(fit.q[:, place])).max() <= limit / 30
        assert ((fit.q[:, place] >= joint.lower) & (fit.q[:, place] <= joint.upper)).all()


def test_gaps_and_hands_that_are_not_there() -> None:
    robot, time = load_robot("fr3_dual"), np.arange(40) / 30
    joints = pinching(np.full(40, 0.04))
    joints[:, 0] = np.nan
    joints[5:9, 1], joints[20:30, 1] = np.nan, np.nan
    fit = fit_grippers(robot, joints, time)
    names = [joint.name for joint in robot.dofs]
    right = fit.q[:, names.index("right_fr3_finger_joint1")]
    assert np.flatnonzero(np.isnan(right)).tolist() == list(range(20, 30))
    assert np.isfinite(fit.q).sum() == 30
    assert np.isnan(fit.residual[5:9]).all()
    assert np.isnan(fit_grippers(load_robot("g1"), joints, time).q).all()
    with pytest.raises(RobotError, match=r"expected \(T, 2, 21, 3\) and \(T,\)"):
        fit_grippers(robot, joints[:, 0], time)


def test_what_a_file_says_of_a_gripper_is_checked() -> None:
    robot = load_robot("fr3_dual")
    joint = robot.grippers[0].joint
    for gripper, complaint in (
        (Gripper("left", "nose", ((0.0, 0.0), (0.04, 0.08))), "no such joint"),
        (Gripper("left", joint, ((0.0, 0.0), (0.04, 0.0))), "both ascend"),
        (Gripper("left", joint, ((0.0, 0.0), (0.05, 0.08))), "expected positions in"),
    ):
        with pytest.raises(RobotError, match=complaint):
            replace(robot, grippers=(gripper,))
    hand = load_robot("leap_right")
    odd = tuple(replace(finger, anchor="little") for finger in hand.fingers)
    with pytest.raises(RobotError, match="found anchor 'little'"):
        replace(hand, fingers=odd)
