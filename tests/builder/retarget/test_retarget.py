"""Hands to robots, all the way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hoiset.builder.retarget import HandMotion, RetargetParams, RobotSource, load_robot, retarget
from hoiset.builder.retarget.kinematics import chain, whole
from hoiset.builder.retarget.metrics import measure
from hoiset.builder.retarget.reach import arms_of
from hoiset.builder.retarget.records import HANDS
from hoiset.builder.retarget.retarget import tolerance
from hoiset.builder.retarget.robot import Robot
from hoiset.errors import RobotError
from hoiset.geometry import transform

SEARCH = RetargetParams(method="search")
N = 20
T_CAMERA_ROOT = np.array([[0.0, -1.0, 0.0, 0.1], [0.0, 0.0, -1.0, 0.4], [1.0, 0.0, 0.0, 0.9], [0.0, 0.0, 0.0, 1.0]])


def reachable(robot: Robot, *, hands: str = "both") -> HandMotion:
    """Wrists of a robot that moves near its rest, and an open hand on each."""
    time = np.arange(N) / 15
    wrist, joints = np.full((N, 2, 4, 4), np.nan), np.full((N, 2, 21, 3), np.nan)
    rest = dict(zip(whole(robot).links, whole(robot).forward(np.array(robot.home)), strict=True))
    for arm in arms_of(robot):
        side = HANDS.index(arm.side)
        if hands not in ("both", arm.side):
            continue
        kinematics = chain(robot, arm)
        q = kinematics.home + 0.15 * np.sin(time[:, None] + np.arange(len(kinematics.dofs)))
        wrist[:, side] = T_CAMERA_ROOT @ rest[arm.base] @ kinematics.tool(kinematics.clamp(q))
        joints[:, side] = transform(wrist[:, side], np.broadcast_to(open_hand(mirrored=side == 0), (N, 21, 3)))
    return HandMotion(time, wrist, joints, T_CAMERA_ROOT[:3, :3] @ [0.0, 0.0, -1.0])


def open_hand(*, mirrored: bool) -> np.ndarray:
    """Joints in the wrist frame, m."""
    out = np.zeros((21, 3))
    for finger, x in enumerate((0.05, 0.03, 0.0, -0.02, -0.04)):
        for step in range(4):
            out[1 + 4 * finger + step] = (x, (0.03 if finger == 0 else 0.09) + 0.025 * step, 0.0)
    return out * (-1.0 if mirrored else 1.0, 1.0, 1.0)


@pytest.mark.parametrize("name", ["fr3_dual", "g1"])
def test_a_given_root_is_kept_and_reached(name: str) -> None:
    robot = load_robot(name)
    motion = reachable(robot)
    found = retarget(motion, robot, root=T_CAMERA_ROOT)
    np.testing.assert_array_equal(found.root, np.tile(T_CAMERA_ROOT, (N, 1, 1)))
    assert (found.source == RobotSource.CONVERGED).all()
    assert found.joints == tuple(joint.name for joint in robot.dofs)
    measured = measure(found, robot, motion.time, motion.seen)
    assert measured.ik_rate == 1.0
    assert measured.excluded_share == 0.0
    assert measured.worst_speed_share <= 1.0
    arm = arms_of(robot)[0]
    columns = [found.joints.index(joint.name) for joint in chain(robot, arm).dofs]
    links = dict(zip(whole(robot).links, np.moveaxis(whole(robot).forward(found.q), 1, 0), strict=True))
    tool = found.root @ links[arm.base] @ chain(robot, arm).tool(found.q[:, columns])
    distance = np.linalg.norm((tool - motion.wrist[:, HANDS.index(arm.side)])[:, :3, 3], axis=1)
    np.testing.assert_allclose(distance, found.residual[:, HANDS.index(arm.side), 0], atol=1e-9)


def test_a_chosen_root_reaches_what_can_be_reached() -> None:
    motion = reachable(load_robot("fr3_dual"))
    found = retarget(motion, "fr3_dual", params=SEARCH)
    assert (found.source == RobotSource.CONVERGED).mean() > 0.9
    assert found.report["root"]["source"] == "search"
    assert np.ptp(found.root, axis=0).max() == 0
    again = retarget(motion, "fr3_dual", params=SEARCH)
    assert again.q.tobytes() == found.q.tobytes()


def test_one_hand_moves_one_arm() -> None:
    robot = load_robot("fr3_dual")
    found = retarget(reachable(robot, hands="right"), robot, root=T_CAMERA_ROOT)
    assert set(found.source[:, 0]) == {RobotSource.ABSENT}
    left = [i for i, name in enumerate(found.joints) if name.startswith("left_")]
    assert np.isnan(found.q[:, left]).all()
    assert np.isfinite(found.q[:, [i for i in range(len(found.joints)) if i not in left]]).all()


def test_a_hand_that_never_appears() -> None:
    robot = load_robot("leap_left")
    found = retarget(reachable(load_robot("fr3_dual"), hands="right"), robot)
    assert not found.source.any()
    assert np.isnan(found.root).all()
    assert np.isnan(found.q).all()


def test_a_hand_alone_goes_with_the_wrist() -> None:
    motion = reachable(load_robot("fr3_dual"))
    hidden = motion.wrist.copy()
    hidden[5:9, 1] = np.nan
    motion = replace(motion, wrist=hidden)
    robot = load_robot("leap_right")
    found = retarget(motion, robot)
    np.testing.assert_allclose(
        (found.root @ robot.arms[0].tool.matrix)[motion.seen[:, 1]], motion.wrist[motion.seen[:, 1], 1], atol=1e-12
    )
    assert found.source[:, 1].tolist() == motion.seen[:, 1].tolist()
    assert np.isfinite(found.q[motion.seen[:, 1]]).all()
    assert np.nanmax(found.residual) == 0


def test_fingers_and_jaws_follow() -> None:
    motion = reachable(load_robot("fr3_dual"))
    pinched = motion.joints.copy()
    pinched[N // 2 :, 1, 4] = pinched[N // 2 :, 1, 8] + 0.001
    pinching = replace(motion, joints=pinched)
    jaws = retarget(pinching, "fr3_dual", root=T_CAMERA_ROOT)
    right = jaws.joints.index("right_fr3_finger_joint1")
    assert jaws.q[0, right] > 0.03
    assert jaws.q[-1, right] < 0.01
    hand = retarget(pinching, "leap_right")
    still = retarget(motion, "leap_right")
    assert np.abs(hand.q[-1] - still.q[-1]).max() > 0.2
    assert "fingers" in hand.report
    robot = load_robot("leap_right")
    lower, upper = (np.array([getattr(joint, limit) for joint in robot.dofs]) for limit in ("lower", "upper"))
    assert ((hand.q >= lower) & (hand.q <= upper)).all()


@pytest.mark.parametrize("name", ["g1", "robonaut2", "xlerobot", "fr3_dual"])
def test_every_joint_of_an_arm_that_follows_has_a_position(name: str) -> None:
    robot = load_robot(name)
    found = retarget(reachable(robot), robot, root=T_CAMERA_ROOT)
    assert found.source.all()
    held = {"head", "neck", "ankle", "knee", "hip"}
    nowhere = [joint for joint, q in zip(found.joints, found.q.T, strict=True) if np.isnan(q).any()]
    assert [joint for joint in nowhere if not any(part in joint for part in held)] == []


def test_tolerances() -> None:
    assert tolerance(load_robot("g1")) == pytest.approx((0.01, np.deg2rad(3)))
    assert tolerance(load_robot("xlerobot")) == pytest.approx((0.01, np.deg2rad(5)))


def test_what_cannot_be() -> None:
    robot = load_robot("fr3_dual")
    motion = reachable(robot)
    with pytest.raises(RobotError, match=r"wrist of shape \(19, 2, 4, 4\), expected \(20, 2, 4, 4\)"):
        retarget(replace(motion, wrist=motion.wrist[1:]), robot)
    with pytest.raises(RobotError, match="times that do not ascend"):
        retarget(replace(motion, time=motion.time[::-1]), robot)
    with pytest.raises(RobotError, match=r"root of shape \(3, 3\)"):
        retarget(motion, robot, root=np.eye(3))
    with pytest.raises(RobotError, match="no rigid pose"):
        retarget(motion, robot, root=2 * np.eye(4))
    with pytest.raises(RobotError, match="no robot 'g2'"):
        retarget(motion, "g2")
