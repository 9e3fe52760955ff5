from __future__ import annotations

import numpy as np

from hoiset.builder.retarget.records import HandMotion
from hoiset.builder.retarget.robot import load_robot
from hoiset.builder.retarget.root_follow import follow_plans
from hoiset.builder.retarget.root_plan import PlanParams, planar_arms, planned_roots
from hoiset.builder.retarget.root_score import RootProblem, ScoreParams, root_problem
from hoiset.geometry import make_T
from tests.builder.retarget.clips import made_clip

FEW = PlanParams(n_glanced=128, n_frames=12, rounds_glanced=2, n_planned=8, rounds=1, n_best=3, n_followed=1)
NONE = np.zeros((0, 4, 4))


def found(problem: RootProblem) -> tuple[np.ndarray, np.ndarray]:
    return planned_roots(problem, NONE, np.random.default_rng(0), 4.7, FEW)


def test_a_robots_own_motion_is_followed_from_where_plans_put_it() -> None:
    robot = load_robot("xlerobot")
    motion, _ = made_clip(robot, seconds=2.0)
    problem = root_problem(motion, robot)
    roots, worth = found(problem)
    assert worth[0] > 0.95
    assert (np.diff(worth) <= 0).all()
    assert problem.gravity is not None
    np.testing.assert_allclose(
        roots[:, :3, :3] @ np.array(robot.up), np.tile(-problem.gravity, (len(roots), 1)), atol=1e-9
    )
    again = found(problem)
    assert again[0].tobytes() == roots.tobytes()


def test_hands_further_apart_than_the_robot_spans_cost_by_how_far() -> None:
    robot = load_robot("xlerobot")
    motion, root = made_clip(robot, seconds=1.0)
    worth = []
    for apart in (0.0, 0.8, 1.2):
        wrist = motion.wrist.copy()
        wrist[:, 0, :3, 3] += apart * root[:3, 1]
        worth.append(found(root_problem(HandMotion(motion.time, wrist, motion.joints, motion.gravity), robot))[1][0])
    assert worth[0] > worth[1] > worth[2]


def test_a_better_root_is_taken_in_place_of_a_known_one() -> None:
    robot = load_robot("xlerobot")
    motion, root = made_clip(robot, seconds=1.5)
    problem = root_problem(motion, robot)
    bad = root @ make_T(np.eye(3), np.array([0.35, 0.0, 0.0]))
    taken = follow_plans(problem, bad[None], np.random.default_rng(0), 0.1, FEW, ScoreParams())
    assert taken.new
    assert taken.followed > 0.95
    assert taken.score.rate[0] > 0.95
    kept = follow_plans(problem, root[None], np.random.default_rng(0), 0.1, FEW, ScoreParams())
    assert kept.followed > 0.95


def test_robots_of_other_arms_have_no_plans() -> None:
    for name in ("g1", "fr3_dual"):
        robot = load_robot(name)
        assert planar_arms(root_problem(made_clip(robot, seconds=0.5)[0], robot)) == ()
