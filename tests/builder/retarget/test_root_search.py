from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hoiset.builder.retarget.robot import load_robot
from hoiset.builder.retarget.root_score import root_problem, score_roots
from hoiset.builder.retarget.root_search import SearchParams, around, sample_roots, search_roots
from hoiset.geometry import angle_between
from tests.builder.retarget.clips import made_clip


@pytest.mark.parametrize("name", ["g1", "fr3_dual", "robonaut2", "xlerobot"])
def test_the_search_finds_a_root_that_reaches_all(name: str) -> None:
    robot = load_robot(name)
    motion, _ = made_clip(robot, seed=3)
    problem = root_problem(motion, robot)
    params = SearchParams(n_roots=24, n_best=2, n_again=3)
    roots, cost = search_roots(problem.at(problem.spread(6)), np.random.default_rng(0), params)
    assert len(roots) == 30
    assert (np.diff(cost) >= 0).all()
    assert score_roots(problem, roots[:1]).rate[0] == 1.0


def test_samples_stand_upright_and_face_all_ways_where_gravity_is_known() -> None:
    robot = load_robot("robonaut2")
    motion, _ = made_clip(robot)
    problem = root_problem(motion, robot)
    roots = sample_roots(problem, np.random.default_rng(0), SearchParams(n_roots=40))
    up = roots[:, :3, :3] @ np.array(robot.up)
    np.testing.assert_allclose(up, np.tile(-np.array(motion.gravity), (40, 1)), atol=1e-9)
    forward = roots[:, :3, :3] @ np.array(robot.forward)
    assert np.linalg.norm(forward.mean(0)) < 0.1
    again = around(problem, roots[:2], np.random.default_rng(0), SearchParams(n_again=5))
    np.testing.assert_allclose(again[:, :3, :3] @ np.array(robot.up), np.tile(up[0], (10, 1)), atol=1e-9)


def test_samples_lie_about_the_truth_where_gravity_is_unknown() -> None:
    robot = load_robot("g1")
    motion, root = made_clip(robot, sway=0.1)
    problem = root_problem(dataclasses.replace(motion, gravity=None), robot)
    roots = sample_roots(problem, np.random.default_rng(0), SearchParams(n_roots=100, spread_rad=0.3, spread_m=0.05))
    assert np.median(angle_between(roots[:, :3, :3], root[:3, :3])) < 0.8
    assert np.median(np.linalg.norm(roots[:, :3, 3] - root[:3, 3], axis=-1)) < 0.3


def test_samples_come_with_one_hand_alone() -> None:
    robot = load_robot("g1")
    motion, _ = made_clip(robot)
    wrist = motion.wrist.copy()
    wrist[:, 1] = np.nan
    for gravity in (motion.gravity, None):
        problem = root_problem(dataclasses.replace(motion, wrist=wrist, gravity=gravity), robot)
        roots = sample_roots(problem, np.random.default_rng(0), SearchParams(n_roots=10))
        assert np.isfinite(roots).all()
