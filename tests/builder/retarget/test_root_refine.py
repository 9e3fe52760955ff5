from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hoiset.builder.retarget.robot import load_robot
from hoiset.builder.retarget.root_refine import RefineParams, exp_twist, refine_roots
from hoiset.builder.retarget.root_score import root_problem, score_roots
from tests.builder.retarget.clips import made_clip

ROBOTS = ("g1", "fr3_dual", "robonaut2", "xlerobot")


def off(root: np.ndarray, up: np.ndarray, turn: float) -> np.ndarray:
    return root @ exp_twist(np.array([0.25, -0.2, 0.15, *(turn * up)]))


@pytest.mark.parametrize("name", ROBOTS)
def test_a_root_that_stands_wrong_is_moved_to_where_all_is_reached(name: str) -> None:
    robot = load_robot(name)
    motion, root = made_clip(robot)
    whole = root_problem(motion, robot)
    start = off(root, np.array(robot.up), 0.5)[None]
    roots, q, cost = refine_roots(whole.at(whole.spread(8)), start)
    before, after = score_roots(whole, start), score_roots(whole, roots)
    assert before.rate[0] < 0.9
    assert after.rate[0] == 1.0
    assert cost[0] < 1e-4
    up = roots[0, :3, :3] @ np.array(robot.up)
    np.testing.assert_allclose(up, -np.array(motion.gravity), atol=1e-9)
    for reach, positions in zip(whole.reaches, q, strict=True):
        assert (positions >= reach.lower).all()
        assert (positions <= reach.upper).all()


def test_without_gravity_the_root_may_lean() -> None:
    robot = load_robot("g1")
    motion, root = made_clip(robot)
    problem = root_problem(dataclasses.replace(motion, gravity=None), robot)
    start = root @ exp_twist(np.array([0.1, 0.1, 0.0, 0.0, 1.2, 0.0]))
    roots, _, _ = refine_roots(problem.at(problem.spread(8)), start[None])
    assert score_roots(problem, roots).rate[0] == 1.0
    assert np.abs(roots[0, :3, :3] @ robot.up - start[:3, :3] @ robot.up).max() > 0.01


def test_level_keeps_the_height() -> None:
    robot = load_robot("xlerobot")
    motion, root = made_clip(robot)
    problem = root_problem(motion, robot)
    start = off(root, np.array(robot.up), 0.3)[None]
    roots, _, _ = refine_roots(problem.at(problem.spread(6)), start, RefineParams(level=True))
    shift = roots[0, :3, 3] - start[0, :3, 3]
    assert np.linalg.norm(shift) > 0.01
    assert abs(shift @ motion.gravity) < 1e-9


def test_candidates_do_not_disturb_each_other() -> None:
    robot = load_robot("xlerobot")
    motion, root = made_clip(robot)
    problem = root_problem(motion, robot)
    few = problem.at(problem.spread(5))
    starts = np.stack([off(root, np.array(robot.up), a) for a in (0.2, -0.6, 2.0)])
    together, _, _ = refine_roots(few, starts)
    alone, _, _ = refine_roots(few, starts[1:2])
    np.testing.assert_allclose(together[1], alone[0], atol=1e-9)


def test_cost_never_grows_with_more_steps() -> None:
    robot = load_robot("robonaut2")
    motion, root = made_clip(robot, sway=0.6)
    problem = root_problem(motion, robot).at(np.arange(0, 30, 5))
    start = off(root, np.array(robot.up), 0.8)[None]
    costs = [refine_roots(problem, start, RefineParams(iterations=n))[2][0] for n in (0, 4, 10, 24)]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < 0.1 * costs[0]
