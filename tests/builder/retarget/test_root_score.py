from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hoiset.builder.retarget.records import HandMotion
from hoiset.builder.retarget.robot import Robot, load_robot
from hoiset.builder.retarget.root_score import root_problem, score_roots
from hoiset.errors import RobotError
from hoiset.geometry import make_T
from tests.builder.retarget.clips import made_clip

ROBOTS = ("g1", "fr3_dual", "robonaut2", "xlerobot")


@pytest.mark.parametrize("name", ROBOTS)
def test_the_true_root_reaches_everything_and_one_far_off_nothing(name: str) -> None:
    motion, root = made_clip(load_robot(name))
    far = make_T(root[:3, :3], root[:3, 3] + [5.0, 0.0, 0.0])
    scores = score_roots(root_problem(motion, load_robot(name)), np.stack([far, root]))
    assert scores.rate.tolist() == [0.0, 1.0]
    assert scores.position_m[1] < 1e-3 < 1.0 < scores.position_m[0]
    assert scores.total[1] > scores.total[0] + 1.0
    assert scores.reached[1].all()
    for figure in (scores.margin, scores.manipulability, scores.smoothness):
        assert ((figure >= -1e-9) & (figure <= 1)).all()


def test_a_root_that_moves_with_the_clip_is_judged_frame_by_frame() -> None:
    motion, root = made_clip(load_robot("xlerobot"))
    problem = root_problem(motion, load_robot("xlerobot"))
    roots = np.repeat(root[None], len(motion.time), 0)
    roots[:10, 0, 3] += 5.0
    scores = score_roots(problem, roots[None])
    assert not scores.reached[0, :10].any()
    assert scores.reached[0, 10:].all()


def test_absent_hands_count_for_nothing() -> None:
    motion, root = made_clip(load_robot("g1"))
    wrist = motion.wrist.copy()
    wrist[:, 0] = np.nan
    wrist[::2, 1] = np.nan
    problem = root_problem(dataclasses.replace(motion, wrist=wrist), load_robot("g1"))
    scores = score_roots(problem, root[None])
    assert scores.rate[0] == 1.0
    assert not scores.reached[0, :, 0].any()
    assert problem.spread(4).tolist() == [1, 11, 19, 29]


def test_the_turn_about_a_free_axis_is_not_asked_for() -> None:
    motion, root = made_clip(load_robot("xlerobot"))
    turned = motion.wrist.copy()
    turned[..., :3, :2] *= -1.0
    problem = root_problem(dataclasses.replace(motion, wrist=turned), load_robot("xlerobot"))
    assert score_roots(problem, root[None]).rate[0] == 1.0


def test_what_cannot_be_followed_is_refused() -> None:
    motion, _ = made_clip(load_robot("xlerobot"))
    nobody = HandMotion(motion.time, np.full_like(motion.wrist, np.nan), motion.joints)
    with pytest.raises(RobotError, match="found no frame with a hand"):
        root_problem(nobody, load_robot("g1"))
    with pytest.raises(RobotError, match="found no arm with joints"):
        root_problem(motion, Robot("stump", "Stump", "base", ()))


def test_arms_in_each_other_count_against_a_root() -> None:
    robot = load_robot("g1")
    motion, root = made_clip(robot, sway=0.0)
    wrist = motion.wrist.copy()
    T_root_wrist = np.linalg.inv(root) @ wrist
    T_root_wrist[:, 0, 1, 3], T_root_wrist[:, 1, 1, 3] = 0.01, -0.01
    crossed = root_problem(dataclasses.replace(motion, wrist=root @ T_root_wrist), robot)
    assert score_roots(root_problem(motion, robot), root[None]).clear[0] == 1.0
    assert score_roots(crossed, root[None]).clear[0] < 0.5


def test_scores_of_some_candidates() -> None:
    motion, root = made_clip(load_robot("xlerobot"))
    far = make_T(root[:3, :3], root[:3, 3] + [5.0, 0.0, 0.0])
    scores = score_roots(root_problem(motion, load_robot("xlerobot")), np.stack([far, root]))
    one = scores.at(np.array([1]))
    assert one.rate.tolist() == [1.0]
    assert [q.shape[0] for q in one.q] == [1, 1]
