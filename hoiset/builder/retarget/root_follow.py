"""Roots judged by the trajectories from them: what single poses reach is not always what arms can follow in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoiset.builder.retarget.arms import ArmParams, fit_arms
from hoiset.builder.retarget.records import RobotSource
from hoiset.builder.retarget.root_plan import PlanParams, planned_roots
from hoiset.builder.retarget.root_score import RootProblem, RootScores, ScoreParams, score_roots
from hoiset.builder.retarget.timing import spread
from hoiset.geometry import invert


@dataclass(frozen=True)
class PlannedRoots:
    """What a search by plans found.

    Attributes:
        roots: ``T_camera_root``, the best first.
        score: Of the best.
        followed: Share of the targets that its trajectory reaches.
        new: Whether the best is another than the best that was known.
    """

    roots: Float[np.ndarray, "H 4 4"]
    score: RootScores
    followed: float
    new: bool


def follow_likeliest(
    problem: RootProblem,
    roots: Float[np.ndarray, "H 4 4"],
    reached: Float[np.ndarray, "H"],
    ranked: Float[np.ndarray, "H"],
    step_s: float,
    loss: float,
    *,
    alone: bool = False,
) -> Float[np.ndarray, "H"]:
    """Share of targets that trajectories from each root reach, 0 where not tried.

    The likeliest alone is tried where that loses no more than ``loss`` of what its single poses reach, or if it is all
    that is asked for.
    """
    some = _some(problem, step_s)
    n_targets, out = some.seen.sum(), np.zeros(len(roots))
    if not n_targets:
        return reached
    for place, i in enumerate(np.argsort(-ranked, kind="stable").tolist()):
        targets = invert(roots[i]) @ some.wrist
        fit = fit_arms(problem.robot, targets, some.time, ArmParams(collision=None, further_starts=1))
        out[i] = (fit.source == RobotSource.CONVERGED).sum() / n_targets
        if place == 0 and (alone or out[i] >= reached[i] - loss):
            break
    return out


def follow_plans(
    problem: RootProblem,
    known: Float[np.ndarray, "N 4 4"],
    rng: np.random.Generator,
    step_s: float,
    params: PlanParams,
    scoring: ScoreParams,
) -> PlannedRoots:
    """The best of a known root and of those that plans find, by their trajectories.

    Args:
        problem: Hands and a robot all of whose arms are planar.
        known: Roots to search about as well, the best first.
        rng: Where samples come from.
        step_s: Between the frames that trajectories are solved for on.
        params: How roots are sought, and what distance costs.
        scoring: What collisions cost.
    """
    found, _ = planned_roots(problem, known, rng, ArmParams().speed, params)
    roots = np.concatenate([known[:1], found[: params.n_followed]])
    some = _some(problem, step_s)
    some = some if some.seen.any() else problem
    value, followed, scores = np.empty(len(roots)), np.empty(len(roots)), []
    for place, root in enumerate(roots):
        fit = fit_arms(problem.robot, invert(root) @ some.wrist, some.time, ArmParams(further_starts=1))
        score = score_roots(problem, root[None], _starts(problem, some.time, fit.q), scoring)
        followed[place] = (fit.source == RobotSource.CONVERGED).sum() / some.seen.sum()
        deep = float((np.nan_to_num(fit.depth) > scoring.clear_m).mean())
        value[place] = followed[place] - params.far * float(np.nanmean(fit.residual[..., 0])) - scoring.clear * deep
        value[place] += params.ease * float(score.total[0] - score.rate[0])
        scores.append(score)
    order = np.argsort(-value, kind="stable")
    return PlannedRoots(roots[order], scores[order[0]], float(followed[order[0]]), bool(order[0] > 0))


def _starts(
    problem: RootProblem, time: Float[np.ndarray, " N"], q: Float[np.ndarray, "N dof"]
) -> tuple[Float[np.ndarray, "1 F dof"], ...]:
    """Positions of a trajectory at all frames of a problem, for every reach; home where it has none."""
    out = []
    for reach in problem.reaches:
        own = q[:, reach.dofs]
        known = np.isfinite(own).all(-1)
        start = (
            spread(problem.time, time[known], own[known])
            if known.any()
            else np.tile(reach.home, (len(problem.time), 1))
        )
        out.append(start[None])
    return tuple(out)


def _some(problem: RootProblem, step_s: float) -> RootProblem:
    step = float(np.median(np.diff(problem.time, prepend=problem.time[0] - 1.0)))
    return problem.at(np.arange(0, len(problem.time), max(1, round(step_s / step))))
