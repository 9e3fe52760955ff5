from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hoiset.builder.retarget.robot import Robot, load_robot
from hoiset.builder.retarget.root_drive import DriveParams, drive_root
from hoiset.builder.retarget.root_score import RootProblem, ScoreParams, root_problem, score_roots
from hoiset.errors import RobotError
from hoiset.geometry import angle_between
from tests.builder.retarget.clips import made_clip


@pytest.fixture(scope="module")
def walking() -> tuple[RootProblem, np.ndarray]:
    """Hands that a standing cart follows for half of the clip, and that then go on at 0.15 m/s."""
    robot = load_robot("xlerobot")
    motion, root = made_clip(robot, seconds=8.0, rate=5.0)
    wrist = motion.wrist.copy()
    away = np.maximum(motion.time - 4.0, 0.0)[:, None] * 0.15
    wrist[..., :3, 3] += (away * root[:3, 1])[:, None]
    return root_problem(dataclasses.replace(motion, wrist=wrist), robot), root


def drive(problem: RootProblem, root: np.ndarray) -> tuple[np.ndarray, float, float, dict[str, object]]:
    standing = score_roots(problem, root[None])
    roots, score, report = drive_root(problem, root, standing, DriveParams(), ScoreParams())
    return roots, float(standing.rate[0]), float(score.rate[0]), report


def test_a_cart_drives_after_hands_that_go_away(walking: tuple[RootProblem, np.ndarray]) -> None:
    problem, root = walking
    roots, before, after, report = drive(problem, root)
    assert before < 0.9
    assert after > before + 0.1
    assert report["moving"] is True
    steps, turns = np.diff(roots[:, :3, 3], axis=0), angle_between(roots[1:, :3, :3], roots[:-1, :3, :3])
    period = np.diff(problem.time)
    assert problem.robot.drive is not None
    assert (np.linalg.norm(steps, axis=1) <= problem.robot.drive[0] * period + 1e-9).all()
    assert (turns <= problem.robot.drive[1] * period + 1e-6).all()
    assert problem.gravity is not None
    np.testing.assert_allclose(steps @ problem.gravity, 0.0, atol=1e-9)
    np.testing.assert_allclose(
        roots[:, :3, :3] @ np.array(problem.robot.up), np.tile(-problem.gravity, (40, 1)), atol=1e-8
    )


def test_a_cart_stands_where_that_is_enough() -> None:
    robot = load_robot("xlerobot")
    motion, root = made_clip(robot, seconds=2.0)
    roots, _, after, report = drive(root_problem(motion, robot), root)
    assert after == 1.0
    assert "moving" not in report
    np.testing.assert_array_equal(roots, np.tile(root, (20, 1, 1)))


def test_nothing_drives_where_the_floor_is_unknown(walking: tuple[RootProblem, np.ndarray]) -> None:
    problem, root = walking
    blind = RootProblem(problem.robot, problem.reaches, problem.time, problem.wrist, None)
    roots, _, _, report = drive(blind, root)
    assert "gravity is unknown" in str(report["drive"])
    np.testing.assert_array_equal(roots[0], roots[-1])


def test_speeds_of_a_base_are_checked() -> None:
    robot = load_robot("g1")
    assert load_robot("fr3_dual").drive is None
    assert isinstance(robot, Robot)
    for drive_ in ((0.0, 1.0), (0.3, float("inf"))):
        with pytest.raises(RobotError, match="found drive"):
            dataclasses.replace(robot, drive=drive_)
