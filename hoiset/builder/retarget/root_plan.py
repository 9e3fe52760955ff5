"""Roots for arms of five joints, judged by how many frames they can follow one after another.

What such an arm reaches frame by frame says little of what it can follow: close to where its axis is square to the
plane it turns in, a small turn of the hand takes a large one of the arm. All solutions of its poses are known in closed
form, so that many roots can be tried by plans (:mod:`hoiset.builder.retarget.pose_plan`) instead.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from hoiset.builder.params import Params
from hoiset.builder.retarget.arm_plan import ANGLE_SHARE, plan_arm
from hoiset.builder.retarget.collision import Collisions
from hoiset.builder.retarget.planar_arm import PlanarArm, planar_arm
from hoiset.builder.retarget.pose_plan import MISS_M
from hoiset.builder.retarget.root_score import RootProblem
from hoiset.builder.retarget.root_search import SearchParams, around, sample_roots
from hoiset.builder.retarget.timing import sparse
from hoiset.builder.retarget.tracking import AXIS_RAD
from hoiset.geometry import angle_between

APART_M, APART_RAD = 0.03, 0.1
"""Roots nearer to each other than this count as one."""
ENOUGH = 0.99
"""Worth of a target from which on no better root is sought."""
GLANCE = SearchParams(n_again=4, again_m=0.12, again_rad=0.4)
"""How roots are sampled about those that are looked at frame by frame."""


class PlanParams(Params):
    """How roots are tried by plans.

    Attributes:
        n_glanced: Samples that are looked at frame by frame in the first round.
        n_frames: Of a clip, on which they are.
        rounds_glanced: Of sampling about the best of them, each narrower than the one before.
        n_planned: Roots that plans are made for.
        rounds: Of plans about the best ones.
        n_best: Roots of each round that the next is sampled about.
        n_again: Samples about each.
        again_m: Spread of these, m, in the first round.
        again_rad: Spread of these, rad.
        n_followed: Of the best, whose trajectories are solved for to choose among them.
        far: Share of the targets that a mean distance of 1 m is worth.
        furthest_m: Distance beyond which a target in no pose within limits does not count as further.
        ease: Weight of what else is good about a root, such as its distance from joint limits.
    """

    n_glanced: int = 384
    n_frames: int = 24
    rounds_glanced: int = 3
    n_planned: int = 40
    rounds: int = 3
    n_best: int = 6
    n_again: int = 4
    again_m: float = 0.06
    again_rad: float = 0.15
    n_followed: int = 4
    far: float = 3.0
    furthest_m: float = 0.15
    ease: float = 0.05


def planar_arms(problem: RootProblem) -> tuple[PlanarArm, ...]:
    """The robot's arms if all are of this kind, otherwise none."""
    arms = [planar_arm(reach) for reach in problem.reaches]
    return tuple(arm for arm in arms if arm is not None) if all(arm is not None for arm in arms) else ()


def planned_roots(
    problem: RootProblem,
    given: Float[np.ndarray, "N 4 4"],
    rng: np.random.Generator,
    speed: float,
    params: PlanParams | None = None,
) -> tuple[Float[np.ndarray, "H 4 4"], Float[np.ndarray, "H"]]:
    """Search by plans.

    Args:
        problem: Hands and a robot all of whose arms are planar.
        given: Roots to try as well.
        rng: Where samples come from.
        speed: Of joints whose robot states none, rad/s.
        params: How.

    Returns:
        ``T_camera_root`` and how good each is, about the share of targets that are followed; the best first, no two
        the same.
    """
    params = params or PlanParams()
    arms = planar_arms(problem)
    few = problem.at(problem.spread(params.n_frames))
    first = sample_roots(few, rng, SearchParams(n_roots=params.n_glanced))
    roots = np.concatenate([given, first])
    score = _glance(few, arms, roots, params)
    for step in range(params.rounds_glanced):
        top = np.argsort(-score, kind="stable")[: params.n_glanced // 8]
        again = around(few, roots[top], rng, _narrower(GLANCE, 0.6**step))
        roots = np.concatenate([roots[top], again])
        score = np.concatenate([score[top], _glance(few, arms, again, params)])
    roots = roots[_apart(roots, score, params.n_planned)]
    judge = _Plans(problem, arms, speed, params)
    score = np.array([judge(root) for root in roots])
    close = SearchParams(n_again=params.n_again, again_m=params.again_m, again_rad=params.again_rad)
    for step in range(params.rounds):
        top = np.argsort(-score, kind="stable")[: params.n_best]
        if score[top[0]] >= ENOUGH:
            break
        again = around(problem, roots[top], rng, _narrower(close, 0.7**step))
        roots, score = np.concatenate([roots, again]), np.concatenate([score, [judge(root) for root in again]])
    kept = _apart(roots, score, len(roots))
    return roots[kept], score[kept]


class _Plans:
    """The worth of a root on sparse frames."""

    def __init__(self, problem: RootProblem, arms: tuple[PlanarArm, ...], speed: float, params: PlanParams) -> None:
        self.problem, self.arms, self.params = problem.at(sparse(problem.time)), arms, params
        self.velocity = [np.where(np.isfinite(r.velocity), r.velocity, speed) for r in problem.reaches]
        self.collisions = [Collisions(problem.robot, reach) for reach in problem.reaches]
        self.n_targets = max(1, int(self.problem.seen.sum()))

    def __call__(self, root: Float[np.ndarray, "4 4"]) -> float:
        worth = 0.0
        for place, (reach, arm) in enumerate(zip(self.problem.reaches, self.arms, strict=True)):
            targets = self.problem.targets(root[None], reach)[0, :, 0]
            there = np.isfinite(targets).all((-1, -2))
            if there.any():
                targets, time = targets[there], self.problem.time[there]
                plan = plan_arm(arm, targets, time, self.velocity[place], self.collisions[place], aside=False)
                worth += plan.worth - self.params.far * float(_distance(arm, targets, self.params).sum())
        return worth / self.n_targets


def _glance(
    few: RootProblem, arms: tuple[PlanarArm, ...], roots: Float[np.ndarray, "H 4 4"], params: PlanParams
) -> Float[np.ndarray, "H"]:
    """Share of targets that are within reach by themselves, less what distance costs."""
    total = np.zeros(len(roots))
    for reach, arm in zip(few.reaches, arms, strict=True):
        seen = few.seen[:, reach.sides[0]]
        targets = few.targets(roots, reach)[:, seen, 0]
        _, miss = arm.poses(targets, ANGLE_SHARE * AXIS_RAD, 3)
        total += (miss.min(-1) <= MISS_M).sum(1) - params.far * arm.beyond(targets).sum(1)
    return total / max(1, int(few.seen.sum()))


def _distance(arm: PlanarArm, targets: Float[np.ndarray, "T 4 4"], params: PlanParams) -> Float[np.ndarray, " T"]:
    """How far from a target the tool stays at least, whatever its axis, m."""
    _, miss = arm.poses(targets, np.pi / 2)
    return np.asarray(np.minimum(miss.min(-1), np.maximum(params.furthest_m, arm.beyond(targets))))


def _narrower(search: SearchParams, factor: float) -> SearchParams:
    return search.model_copy(update={"again_m": factor * search.again_m, "again_rad": factor * search.again_rad})


def _apart(roots: Float[np.ndarray, "H 4 4"], score: Float[np.ndarray, "H"], n_kept: int) -> list[int]:
    """The best that are not the same as a better one."""
    kept: list[int] = []
    for i in np.argsort(-score, kind="stable").tolist():
        near = np.linalg.norm(roots[kept, :3, 3] - roots[i, :3, 3], axis=-1) < APART_M
        if not (near & (angle_between(roots[kept, :3, :3], roots[i, :3, :3]) < APART_RAD)).any():
            kept.append(i)
        if len(kept) == n_kept:
            break
    return kept
