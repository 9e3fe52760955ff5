from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hoiset.builder.retarget.fingers import (
    FingerFit,
    FingerParams,
    Hand,
    fit_fingers,
    hands_of,
    in_wrist_frame,
    map_tips,
    track_tips,
)
from hoiset.builder.retarget.kinematics import whole
from hoiset.builder.retarget.robot import Robot, load_robot
from hoiset.errors import RobotError

HANDED = ("leap_left", "leap_right", "g1", "robonaut2")


def waves(hand: Hand, n: int, size: float = 0.15) -> tuple[np.ndarray, np.ndarray]:
    time, rng = np.arange(n) / 30, np.random.default_rng(0)
    middle = hand.bounds.rest + np.clip((hand.bounds.lower + hand.bounds.upper) / 2 - hand.bounds.rest, -0.6, 0.6)
    room = np.minimum(np.minimum(hand.bounds.upper - middle, middle - hand.bounds.lower), 1.5)
    phase = 2 * np.pi * rng.uniform(0.1, 0.4, len(middle)) * time[:, None] + rng.uniform(0, 6, len(middle))
    return middle + size * room * np.sin(phase), time


def assert_possible(robot: Robot, fit: FingerFit, time: np.ndarray) -> None:
    kinematics, there = whole(robot), np.isfinite(fit.q)
    assert ((fit.q >= kinematics.lower) & (fit.q <= kinematics.upper))[there].all()
    velocity = np.where(np.isfinite(kinematics.velocity), kinematics.velocity, FingerParams().speed)
    assert not (np.abs(np.diff(fit.q, axis=0)) > np.diff(time)[:, None] * velocity).any()


@pytest.fixture(scope="module")
def gestures(shared_data: Path) -> np.ndarray:
    """(120, 21, 3) of a real right hand, m."""
    with np.load(shared_data / "retarget" / "hand_gestures_joints.npz") as arrays:
        return np.asarray(arrays["joints"][300:420], np.float64)


def both_sides(right: np.ndarray) -> np.ndarray:
    """The hand and its mirror image as the left one."""
    return np.stack([right * [-1, 1, 1], right], 1)


@pytest.mark.parametrize("name", HANDED)
def test_tips_stand_where_the_robot_has_them_and_move_as_their_slopes_say(name: str) -> None:
    robot = load_robot(name)
    everything = whole(robot)
    for hand in hands_of(robot):
        q = waves(hand, 1)[0][0]
        full = np.array(robot.home)
        full[hand.dofs] = q
        poses = dict(zip(everything.links, everything.forward(full), strict=True))
        side = ("left", "right")[hand.side]
        arm = next(arm for arm in robot.arms if arm.side == side)
        T_wrist_root = np.linalg.inv(poses[arm.link] @ arm.tool.matrix)
        tips, J = hand.tips_and_jacobian(q)
        for place, finger in enumerate(hand.fingers):
            tip = robot.finger(side, ("thumb", "index", "middle", "ring", "little")[finger])
            np.testing.assert_allclose(
                tips[place], (T_wrist_root @ poses[tip.link] @ tip.tool.matrix)[:3, 3], atol=1e-12
            )
        step = 1e-6 * np.random.default_rng(0).normal(size=len(q))
        np.testing.assert_allclose(J @ step, (hand.tips(q + step) - hand.tips(q - step)) / 2, atol=1e-11)


@pytest.mark.parametrize("name", HANDED)
def test_tips_in_reach_are_met(name: str) -> None:
    hand = hands_of(load_robot(name))[0]
    q, time = waves(hand, 60)
    targets = hand.tips(q)
    n_pairs = len(hand.fingers) - 1
    found = track_tips(hand, targets, np.zeros((60, n_pairs, 3)), np.zeros((60, n_pairs)), time)
    off = np.linalg.norm(hand.tips(found) - targets, axis=-1)
    assert np.median(off) < 1e-4
    assert np.percentile(off, 95) < 1e-3


def test_pinches_are_kept_in_metres() -> None:
    hand = hands_of(load_robot("leap_right"))[0]
    q, time = waves(hand, 40)
    targets = hand.tips(q)
    span = targets[:, 1:] - targets[:, :1]
    span *= 0.012 / np.linalg.norm(span, axis=-1, keepdims=True)
    weight = np.zeros((40, 3))
    loose = hand.tips(track_tips(hand, targets, span, weight, time))
    weight[:, 0] = 5.0
    tips = hand.tips(track_tips(hand, targets, span, weight, time))
    apart = np.linalg.norm(tips[:, 1] - tips[:, 0], axis=-1)
    assert np.abs(apart - 0.012).max() < 0.002
    assert np.linalg.norm(loose[:, 1] - loose[:, 0], axis=-1).min() > 0.03
    np.testing.assert_allclose(tips[:, 2:], targets[:, 2:], atol=1e-3)


@pytest.mark.parametrize("name", ["leap_right", "g1", "robonaut2"])
def test_a_real_hand_is_followed_inside_limits_and_speeds(name: str, gestures: np.ndarray) -> None:
    robot, time = load_robot(name), np.arange(len(gestures)) / 30
    fit = fit_fingers(robot, both_sides(gestures), time)
    assert_possible(robot, fit, time)
    fingers = {place for hand in hands_of(robot) for place in hand.dofs.tolist()}
    given = set(np.flatnonzero(np.isfinite(fit.q).all(0)).tolist())
    assert given == fingers
    assert np.isnan(fit.q[:, sorted(set(range(len(robot.dofs))) - fingers)]).all()
    assert fit.report["residual_m"]["median"] < 0.02


def test_a_fist_bends_the_fingers_towards_the_palm_and_an_open_hand_does_not(shared_data: Path) -> None:
    with np.load(shared_data / "retarget" / "hand_gestures_joints.npz") as arrays:
        joints = np.asarray(arrays["joints"], np.float64)
    local = in_wrist_frame(joints, left=False)
    reach = local[:, [8, 12, 16], 1].mean(-1)
    chosen = np.sort(np.r_[np.argsort(reach)[:3], np.argsort(reach)[-3:]])
    robot, hand = load_robot("leap_right"), hands_of(load_robot("leap_right"))[0]
    both = np.full((6, 2, 21, 3), np.nan)
    both[:, 1] = joints[chosen]
    fit = fit_fingers(robot, both, np.arange(6) * 10.0)
    tips = hand.tips(fit.q[:, hand.dofs])
    closed = np.isin(chosen, np.argsort(reach)[:3])
    assert tips[~closed, 1:, 1].min() > tips[closed, 1:, 1].max()
    assert (tips[closed, 1:, 2] > hand.knuckles[1:, 2]).all()


def test_mirrored_hands_move_mirrored_fingers(gestures: np.ndarray) -> None:
    time = np.arange(len(gestures)) / 30
    hands = both_sides(gestures)
    left, right = (fit_fingers(load_robot(name), hands, time) for name in ("leap_left", "leap_right"))
    # LEAP's left thumb stands 2 mm from where the right one's image does, and pulls at the index finger.
    np.testing.assert_allclose(left.residual[:, 0, 1:4].mean(0), right.residual[:, 1, 1:4].mean(0), atol=2e-3)
    g1 = fit_fingers(load_robot("g1"), hands, time)
    np.testing.assert_allclose(g1.residual[:, 0, :3], g1.residual[:, 1, :3], atol=1e-3)


def test_gaps_one_hand_and_no_hand(gestures: np.ndarray) -> None:
    robot, time = load_robot("g1"), np.arange(40) / 30
    joints = both_sides(gestures[:40])
    joints[:, 0] = np.nan
    joints[5:9, 1], joints[20:30, 1], joints[35, 1, 7] = np.nan, np.nan, np.nan
    fit = fit_fingers(robot, joints, time)
    left, right = hands_of(robot)
    assert np.isnan(fit.q[:, left.dofs]).all()
    there = np.ones(40, bool)
    there[20:30] = False
    np.testing.assert_array_equal(np.isfinite(fit.q[:, right.dofs]).all(-1), there)
    assert np.isnan(fit.residual[5:9, 1]).all()
    assert np.isnan(fit.residual[35, 1]).all()
    none = fit_fingers(robot, np.full((3, 2, 21, 3), np.nan), np.arange(3) / 30)
    assert np.isnan(none.q).all()
    assert none.report == {"residual_m": None, "pinch_m": None}


def test_where_the_hand_is_and_how_it_is_turned_does_not_matter(gestures: np.ndarray) -> None:
    rotation = pytest.importorskip("scipy.spatial.transform").Rotation.from_rotvec([0.3, -1.0, 0.5]).as_matrix()
    robot, time = load_robot("leap_right"), np.arange(20) / 30
    joints = both_sides(gestures[:20])
    moved = joints @ rotation.T + [0.3, -2.0, 0.7]
    params = FingerParams()
    (hand,) = hands_of(robot)
    own, other = (map_tips(hand, in_wrist_frame(j[:, 1], left=False), params) for j in (joints, moved))
    np.testing.assert_allclose(own[0], other[0], atol=1e-9)
    np.testing.assert_allclose(
        fit_fingers(robot, moved, time).residual, fit_fingers(robot, joints, time).residual, atol=1e-4
    )


def test_the_shortest_clips(gestures: np.ndarray) -> None:
    robot = load_robot("g1")
    hands = both_sides(gestures[:2])
    assert np.isfinite(fit_fingers(robot, hands[:1], np.zeros(1)).q[:, hands_of(robot)[0].dofs]).all()
    hands[0, 1] = np.nan
    fit = fit_fingers(robot, hands, np.arange(2) / 30)
    np.testing.assert_array_equal(np.isfinite(fit.residual[:, 1, 0]), [False, True])


def test_joints_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(RobotError, match=r"expected \(T, 2, 21, 3\) and \(T,\)"):
        fit_fingers(load_robot("g1"), np.zeros((3, 21, 3)), np.arange(3))
