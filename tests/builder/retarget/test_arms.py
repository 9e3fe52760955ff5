from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hoiset.builder.retarget.arms import ArmFit, ArmParams, fit_arms, sources
from hoiset.builder.retarget.kinematics import whole
from hoiset.builder.retarget.reach import arms_of, reaches
from hoiset.builder.retarget.records import RobotSource
from hoiset.builder.retarget.robot import Robot, load_robot
from hoiset.errors import RobotError
from hoiset.geometry import angle_between

ROBOTS = ("g1", "fr3_dual", "robonaut2", "xlerobot")
MIRROR, WRIST_MIRROR = np.diag([1.0, -1.0, 1.0, 1.0]), np.diag([-1.0, 1.0, 1.0, 1.0])
FAST = ArmParams(further_starts=1)


def walk(robot: Robot, n: int = 40, size: float = 0.12) -> tuple[np.ndarray, np.ndarray]:
    """Targets (n, 2, 4, 4) that the robot can follow, and their time."""
    time, targets = np.arange(n) / 30, np.full((n, 2, 4, 4), np.nan)
    for reach in reaches(robot):
        rng = np.random.default_rng(reach.sides[0])
        centre = np.clip(reach.home, reach.lower + 0.1, reach.upper - 0.1)
        amplitude = size * np.minimum(reach.upper - centre, centre - reach.lower)
        phase = 2 * np.pi * rng.uniform(0.2, 0.5, len(centre)) * time[:, None] + rng.uniform(0, 6, len(centre))
        targets[:, list(reach.sides)] = reach.tools(centre + amplitude * np.sin(phase))
    return targets, time


@cache
def followed(name: str) -> tuple[Robot, np.ndarray, np.ndarray, ArmFit]:
    robot = load_robot(name)
    targets, time = walk(robot)
    return robot, targets, time, fit_arms(robot, targets, time, FAST)


def assert_possible(robot: Robot, fit: ArmFit, time: np.ndarray, speed: float = ArmParams().speed) -> None:
    kinematics = whole(robot)
    there = np.isfinite(fit.q)
    inside = (fit.q >= kinematics.lower) & (fit.q <= kinematics.upper)
    assert inside[there].all()
    velocity = np.where(np.isfinite(kinematics.velocity), kinematics.velocity, speed)
    too_fast = np.abs(np.diff(fit.q, axis=0)) > np.diff(time)[:, None] * velocity
    assert not too_fast.any()
    following = fit.source != RobotSource.ABSENT
    for reach in reaches(robot):
        for side, columns in zip(reach.sides, reach.columns, strict=True):
            assert there[np.ix_(following[:, side], reach.dofs[columns])].all()


@pytest.mark.parametrize("name", ROBOTS)
def test_a_walk_in_reach_is_followed_and_every_residual_is_true(name: str) -> None:
    robot, targets, time, fit = followed(name)
    assert_possible(robot, fit, time)
    assert (fit.source == RobotSource.CONVERGED).all()
    assert fit.residual[..., 0].mean() < 1e-3
    everything = whole(robot)
    q = np.where(np.isfinite(fit.q), fit.q, everything.home)
    poses = everything.forward(q)
    for arm in arms_of(robot):
        side = ("left", "right").index(arm.side)
        T = poses[:, everything.links.index(arm.link)] @ arm.tool.matrix
        off = np.linalg.norm(T[:, :3, 3] - targets[:, side, :3, 3], axis=-1)
        np.testing.assert_allclose(fit.residual[:, side, 0], off, atol=1e-9)
        if name == "xlerobot":
            angle = np.arccos(np.clip((T[:, :3, 2] * targets[:, side, :3, 2]).sum(-1), -1, 1))
        else:
            angle = angle_between(T[:, :3, :3], targets[:, side, :3, :3])
        np.testing.assert_allclose(fit.residual[:, side, 1], angle, atol=1e-6)


def test_only_joints_of_an_arm_that_follows_have_positions() -> None:
    robot, _, _, fit = followed("robonaut2")
    given = {joint.name for joint, there in zip(robot.dofs, np.isfinite(fit.q).all(0), strict=True) if there}
    owned = {robot.dofs[place].name for reach in reaches(robot) for place in reach.dofs}
    assert given == owned | {"r2/waist/joint0"}
    waist = [joint.name for joint in robot.dofs].index("r2/waist/joint0")
    assert (fit.q[:, waist] == robot.home[waist]).all()


def test_one_hand_moves_one_arm_and_the_waist() -> None:
    robot = load_robot("g1")
    targets, time = walk(robot)
    targets[:, 0] = np.nan
    fit = fit_arms(robot, targets, time, FAST)
    assert_possible(robot, fit, time)
    assert (fit.source[:, 0] == RobotSource.ABSENT).all()
    assert np.isnan(fit.residual[:, 0]).all()
    names = [joint.name for joint in robot.dofs]
    assert np.isnan(fit.q[:, [names.index(n) for n in names if n.startswith("left")]]).all()
    assert np.isfinite(fit.q[:, [names.index(n) for n in names if n.startswith("waist")]]).all()
    assert (fit.source[:, 1] == RobotSource.CONVERGED).all()


def test_hands_that_never_appear_leave_everything_absent() -> None:
    for name in ("fr3_dual", "leap_right"):
        robot = load_robot(name)
        fit = fit_arms(robot, np.full((5, 2, 4, 4), np.nan), np.arange(5) / 30)
        assert not fit.source.any()
        assert np.isnan(fit.q).all()
        assert np.isnan(fit.residual).all()
    empty = fit_arms(load_robot("g1"), np.empty((0, 2, 4, 4)), np.empty(0))
    assert empty.q.shape == (0, 31)


def test_short_gaps_are_bridged_and_marked_and_long_ones_stay_open() -> None:
    robot = load_robot("fr3_dual")
    targets, time = walk(robot)
    whole_fit = followed("fr3_dual")[3]
    targets[8:13, 0], targets[20:30, 0], targets[:3, 0] = np.nan, np.nan, np.nan
    targets[15, 1, 0, 0] = np.nan
    fit = fit_arms(robot, targets, time, FAST)
    assert_possible(robot, fit, time)
    expected = np.full((40, 2), RobotSource.CONVERGED)
    expected[8:13, 0], expected[15, 1] = RobotSource.INTERPOLATED, RobotSource.INTERPOLATED
    expected[20:30, 0] = expected[:3, 0] = RobotSource.ABSENT
    np.testing.assert_array_equal(fit.source, expected)
    np.testing.assert_array_equal(np.isnan(fit.residual).any(-1), np.isnan(targets).any((-1, -2)))
    reach = reaches(robot)[0]
    assert np.isnan(fit.q[20:30, reach.dofs]).all()
    moved = np.abs(fit.q[8:13, reach.dofs] - whole_fit.q[8:13, reach.dofs]).max()
    assert moved < 0.05


def test_a_gap_beside_a_frame_out_of_reach_is_not_filled() -> None:
    residual = np.zeros((9, 1, 2))
    residual[4] = np.nan
    tolerance, time = np.array([[0.01, 0.05]]), np.arange(9) / 30
    assert sources(residual, tolerance, time, 0.25)[4, 0] == RobotSource.INTERPOLATED
    assert sources(residual, tolerance, time, 0.05)[4, 0] == RobotSource.ABSENT
    residual[5, 0, 0] = 0.011
    assert sources(residual, tolerance, time, 0.25)[4:6, 0].tolist() == [RobotSource.ABSENT, RobotSource.UNREACHABLE]


def test_frames_out_of_reach_are_finite_stated_and_leave_the_others_alone() -> None:
    robot = load_robot("fr3_dual")
    targets, time = walk(robot, 80)
    targets[35:45, 1, :3, 3] += [2.0, 0.0, 0.0]
    fit = fit_arms(robot, targets, time, FAST)
    assert_possible(robot, fit, time)
    assert (fit.source[:, 0] == RobotSource.CONVERGED).all()
    assert (fit.source[35:45, 1] == RobotSource.UNREACHABLE).all()
    assert (fit.residual[35:45, 1, 0] > 0.5).all()
    assert (fit.source[:12, 1] == RobotSource.CONVERGED).all()
    assert (fit.source[68:, 1] == RobotSource.CONVERGED).all()


@pytest.mark.parametrize("name", ROBOTS)
def test_wild_targets_break_no_limit(name: str) -> None:
    robot = load_robot(name)
    rng = np.random.default_rng(0)
    targets, _ = walk(robot, 30)
    targets[:, :, :3, 3] += rng.normal(0, 0.5, (30, 2, 3))
    targets[rng.random((30, 2)) < 0.3] = np.nan
    time = np.cumsum(rng.uniform(0.005, 0.1, 30))
    fit = fit_arms(robot, targets, time, FAST)
    assert_possible(robot, fit, time)
    assert np.isfinite(fit.residual[np.isfinite(targets).all((-1, -2))]).all()


@pytest.mark.parametrize("name", ["g1", "fr3_dual"])
def test_mirrored_hands_move_mirrored_arms(name: str) -> None:
    robot = load_robot(name)
    targets, time = walk(robot)
    targets[10:14, 1] = np.nan
    mirrored = (MIRROR @ targets @ WRIST_MIRROR)[:, ::-1]
    fit, other = fit_arms(robot, targets, time, FAST), fit_arms(robot, mirrored, time, FAST)
    np.testing.assert_array_equal(other.source, fit.source[:, ::-1])
    np.testing.assert_allclose(other.residual, fit.residual[:, ::-1], atol=1e-5)
    for reach in reaches(robot):
        moved, image = np.nan_to_num(fit.q - robot.home), np.nan_to_num(other.q - robot.home)
        names = [joint.name for joint in robot.dofs]
        for place in reach.dofs:
            twin = names[place].replace("left", "?").replace("right", "left").replace("?", "right")
            np.testing.assert_allclose(np.abs(image[:, names.index(twin)]), np.abs(moved[:, place]), atol=5e-4)


@pytest.mark.parametrize("n_frames", [1, 2, 3])
def test_the_shortest_clips(n_frames: int) -> None:
    robot = load_robot("g1")
    targets, time = walk(robot, n_frames)
    targets[0, 0] = np.nan
    fit = fit_arms(robot, targets, time, FAST)
    assert_possible(robot, fit, time)
    assert (fit.source[1:] == RobotSource.CONVERGED).all()
    assert fit.source[0].tolist() == [RobotSource.ABSENT, RobotSource.CONVERGED]


def test_the_same_input_gives_the_same_bytes() -> None:
    robot, targets, time, fit = followed("fr3_dual")
    again = fit_arms(robot, targets, time, FAST)
    assert again.q.tobytes() == fit.q.tobytes()


def test_inputs_that_do_not_fit_are_errors() -> None:
    robot = load_robot("fr3_dual")
    targets, time = walk(robot, 4)
    with pytest.raises(RobotError, match=r"expected \(T, 2, 4, 4\) and \(T,\)"):
        fit_arms(robot, targets[:3], time)
    with pytest.raises(RobotError, match="does not ascend"):
        fit_arms(robot, targets, time[::-1])
    targets[2, 0, :3, :3] *= 2
    with pytest.raises(RobotError, match="near frame 2 that is no rigid pose"):
        fit_arms(robot, targets, time)


@pytest.mark.parametrize("name", ROBOTS)
def test_arctic_hands_in_front_of_the_robot_are_answered_in_every_frame(name: str, shared_data: Path) -> None:
    from hoiset.eval.adapters.arctic import read_arctic
    from hoiset.geometry import invert, wrist_frame

    robot, recording = load_robot(name), read_arctic(shared_data / "arctic").trajectory
    joints, time = recording.joints[:90], recording.time[:90]
    wrists = np.stack([wrist_frame(joints[:, side], left=side == 0) for side in (0, 1)], 1)
    home = np.stack([reach.tools(reach.home)[arm] for reach in reaches(robot) for arm in range(len(reach.sides))])
    root = np.eye(4)
    root[:3, 3] = wrists[..., :3, 3].mean((0, 1)) - home[:, :3, 3].mean(0)
    fit = fit_arms(robot, invert(root) @ wrists, time, FAST)
    assert_possible(robot, fit, time)
    assert np.isfinite(fit.residual).all()
    assert set(np.unique(fit.source)) <= {RobotSource.CONVERGED, RobotSource.UNREACHABLE}
