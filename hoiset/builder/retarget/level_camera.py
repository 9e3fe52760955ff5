"""Gravity where nobody told it: as a camera without roll sees it, pitched as it suits the hands and the robot best.

Who films hands keeps the horizon level and looks straight ahead to straight down. That leaves one unknown, which the
search for a root decides; a root that may lean any way reaches a little more, but no robot stands like that.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from hoiset.builder.retarget.arms import ArmParams
from hoiset.builder.retarget.records import HandMotion
from hoiset.builder.retarget.robot import Robot
from hoiset.builder.retarget.root_plan import PlanParams, planar_arms, planned_roots
from hoiset.builder.retarget.root_refine import RefineParams
from hoiset.builder.retarget.root_score import RootProblem, ScoreParams, root_problem, score_roots
from hoiset.builder.retarget.root_search import SearchParams, search_roots

PITCHES = tuple(np.deg2rad([0.0, 20.0, 40.0, 60.0, 80.0]).tolist())
"""How far a camera may look down, rad."""
N_FRAMES, N_BEST = 10, 3
SEARCH = SearchParams(n_roots=24, n_best=0)
REFINE = RefineParams(iterations=14)
SCORE = ScoreParams(clear_frames=0)
PLAN = PlanParams(n_glanced=128, n_frames=16, rounds_glanced=2, n_planned=10, rounds=0)


def camera_gravity(pitch: float) -> Float[np.ndarray, "3"]:
    """Gravity in the frame of a camera without roll that looks down by ``pitch``, rad."""
    return np.array([0.0, np.cos(pitch), np.sin(pitch)])


def assumed_pitch(motion: HandMotion, robot: Robot, seed: int = 0) -> float:
    """How far down, rad, the camera of a clip best looks for a robot that stands upright.

    Args:
        motion: Hands; their gravity is not looked at.
        robot: Who is to follow them.
        seed: Of what is drawn.

    Raises:
        RobotError: As :func:`hoiset.builder.retarget.root_score.root_problem`.
    """
    best, chosen = -np.inf, PITCHES[0]
    for place, pitch in enumerate(PITCHES):
        problem = root_problem(HandMotion(motion.time, motion.wrist, motion.joints, camera_gravity(pitch)), robot)
        total = _reached(problem, np.random.default_rng([seed, 4, place]))
        if total > best:
            best, chosen = total, pitch
    return chosen


def _reached(problem: RootProblem, rng: np.random.Generator) -> float:
    """How much of a clip the robot reaches from the best root of a short search."""
    if planar_arms(problem):
        _, worth = planned_roots(problem, np.zeros((0, 4, 4)), rng, ArmParams().speed, PLAN)
        return float(worth[0])
    few = problem.at(problem.spread(N_FRAMES))
    roots, _ = search_roots(few, rng, SEARCH, REFINE)
    return float(score_roots(few, roots[:N_BEST], params=SCORE).total.max())
