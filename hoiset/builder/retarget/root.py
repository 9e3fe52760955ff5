"""Where a robot's root stands for a clip: propose, cluster, refine, judge by inverse kinematics, take the best.

One root holds for the whole clip unless the caller lets the base drive and the robot's file says that it can.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float

from hoiset.builder.params import Params
from hoiset.builder.retarget.records import HandMotion
from hoiset.builder.retarget.robot import Robot
from hoiset.builder.retarget.root_drive import DriveParams, drive_root
from hoiset.builder.retarget.root_follow import follow_likeliest, follow_plans
from hoiset.builder.retarget.root_frames import clip_frame, rounded_problem
from hoiset.builder.retarget.root_plan import PlanParams, planar_arms
from hoiset.builder.retarget.root_refine import RefineParams, refine_roots
from hoiset.builder.retarget.root_score import RootProblem, RootScores, ScoreParams, root_problem, score_roots
from hoiset.builder.retarget.root_search import SearchParams, around, sample_roots
from hoiset.errors import MissingDependency, RobotError
from hoiset.geometry import angle_between

if TYPE_CHECKING:
    from hoiset.builder.retarget.root_network import RootNetwork

Method = Literal["network", "search", "both"]


class RootParams(Params):
    """How a root is chosen.

    Attributes:
        n_frames: Of a clip, on which candidates are refined.
        n_proposed: Clusters of the network's proposals that are refined.
        n_sampled: Candidates of the search in its first round.
        n_sampled_beside: The same where the network proposes too.
        n_final: Candidates that are judged.
        n_judged: Frames on which they are, before the best are on all of them.
        n_best: Candidates that are judged on all frames.
        follow_s: Step between the frames that trajectories of these are tried on.
        follow_loss: Share of what single frames reach that a trajectory may lose before the others are tried.
        rounds: Of sampling about the best one, where it does not reach all; each half as wide as the one before.
        around: How that is sampled.
        n_polish: Frames on which these are refined once more.
        apart_m: Candidates nearer to each other than this
        apart_rad: and this count as one.
        familiar: Weight in the choice of how near a candidate lies to what the network proposes, 0..1.
        search: How the search samples.
        refine: How candidates are moved.
        polish: How the last of them are: what cannot be reached at all no longer pulls the root from what can.
        score: What counts.
        drive: How a base drives where it may.
        plan: How roots of arms of five joints are sought further where the best one's trajectory loses frames.
    """

    n_frames: int = 14
    n_proposed: int = 24
    n_sampled: int = 72
    n_sampled_beside: int = 48
    n_final: int = 10
    n_judged: int = 48
    n_best: int = 6
    follow_s: float = 0.1
    follow_loss: float = 0.005
    rounds: int = 3
    around: SearchParams = SearchParams(n_again=12, again_m=0.06, again_rad=0.12)
    n_polish: int = 16
    apart_m: float = 0.03
    apart_rad: float = 0.1
    familiar: float = 0.15
    search: SearchParams = SearchParams()
    refine: RefineParams = RefineParams()
    polish: RefineParams = RefineParams(robust_m=0.02, iterations=20)
    score: ScoreParams = ScoreParams()
    drive: DriveParams = DriveParams()
    plan: PlanParams = PlanParams()


@dataclass(frozen=True)
class RootChoice:
    """A root, and what else was thought of.

    Attributes:
        T_camera_root: (T, 4, 4) m, one for every frame of the clip.
        score: Its total, see :class:`hoiset.builder.retarget.root_score.RootScores`.
        hypotheses: ``T_camera_root`` (H, 4, 4) of the candidates that were judged, the best first.
        report: How it was found and how well it does, plain values fit for JSON.
    """

    T_camera_root: Float[np.ndarray, "T 4 4"]
    score: float
    hypotheses: Float[np.ndarray, "H 4 4"]
    report: dict[str, Any]


def choose_root(
    motion: HandMotion,
    robot: Robot,
    *,
    method: Method = "both",
    n_hypotheses: int = 32,
    seed: int = 0,
    params: RootParams | None = None,
    network: RootNetwork | None = None,
    moving_root: bool = False,
) -> RootChoice:
    """Choose where a robot's root stands for a clip.

    Everything is done in a frame of the clip's own, so that another camera or room gives the same robot in it.

    Args:
        motion: Hands; one frame with a hand for one of the robot's arms is enough.
        robot: Who is to follow them.
        method: Candidates from the robot's network, from the search, or from both.
        n_hypotheses: Roots that the network draws for each window of 2 s.
        seed: Of all that is drawn; the same gives the same root.
        params: How.
        network: Instead of the one that the package brings for the robot.
        moving_root: Let the base drive where that reaches clearly more.

    Raises:
        RobotError: No hand that an arm of the robot follows; or the network was asked for and there is none, or its
            weights are damaged or another robot's; or a moving root of a robot whose base does not move.
        MissingDependency: The network was asked for and torch or safetensors is not installed.
    """
    params = params or RootParams()
    if method not in ("network", "search", "both"):
        raise RobotError(f"found method {method!r}, expected network, search or both")
    if moving_root and robot.drive is None:
        raise RobotError(f"{robot.name}: found a base that does not move, expected `drive` in its file; fix the root")
    there = root_problem(motion, robot)
    T_camera_clip = clip_frame(there.wrist, there.gravity)
    problem = rounded_problem(there, T_camera_clip)
    proposed, words = _proposed(problem, method, n_hypotheses, seed, params, network)
    first, names = _candidates(problem, proposed, method, seed, params)
    polished, _, _ = refine_roots(problem.at(problem.spread(params.n_polish)), first, params.polish)
    roots, origin = np.concatenate([polished, first]), [*names, *names]
    some = problem.at(problem.spread(params.n_judged))
    glance = score_roots(some, roots, params=params.score)
    total = glance.total + params.familiar * _familiar(roots, proposed)
    if glance.rate[total.argmax()] < 1.0:
        roots, total, origin = _about_the_best(some, roots, total, origin, proposed, seed, params)
    order = np.argsort(-total, kind="stable")
    best = order[: params.n_best]
    scores = score_roots(problem, roots[best], params=params.score)
    ranked = scores.total + params.familiar * _familiar(roots[best], proposed)
    planar = bool(planar_arms(problem))
    followed = follow_likeliest(
        problem, roots[best], scores.rate, ranked, params.follow_s, params.follow_loss, alone=planar
    )
    best_first = np.argsort(-(ranked + np.minimum(followed - scores.rate, 0.0)), kind="stable")
    order = np.concatenate([best[best_first], order[params.n_best :]])
    chosen, score, reached = roots[order[0]], scores.at(best_first[:1]), float(followed[best_first[0]])
    how = origin[order[0]]
    if planar and reached < 1.0 - params.follow_loss:
        known, rng = roots[order[: params.n_best]], np.random.default_rng([seed, 5])
        planned = follow_plans(problem, known, rng, params.follow_s, params.plan, params.score)
        roots, score, reached = planned.roots, planned.score, planned.followed
        how, order = "plan" if planned.new else how, np.arange(len(roots))
        chosen = roots[0]
    T_clip_root = np.repeat(chosen[None], len(problem.time), 0)
    report = {
        "method": method,
        "network": words,
        "origin": how,
        "seed": seed,
        "n_proposed": len(proposed),
        "n_judged": len(roots),
        "gravity": "known: the root is upright" if problem.gravity is not None else "unknown: the root may lean",
        "moving": False,
        "followed": round(reached, 6),
        **_figures(score),
    }
    if moving_root:
        T_clip_root, score, moved = drive_root(problem, chosen, score, params.drive, params.score)
        report |= {**moved, **_figures(score)}
    return RootChoice(T_camera_clip @ T_clip_root, float(score.total[0]), T_camera_clip @ roots[order], report)


def network_digest(robot: Robot) -> str:
    """SHA-256 of the weights that the package brings for a robot of this name; empty where it brings none."""
    place = resources.files("hoiset.builder.retarget.weights").joinpath(f"{robot.name}.safetensors")
    return hashlib.sha256(place.read_bytes()).hexdigest() if place.is_file() else ""


def _proposed(
    problem: RootProblem,
    method: Method,
    n_hypotheses: int,
    seed: int,
    params: RootParams,
    network: RootNetwork | None,
) -> tuple[Float[np.ndarray, "K 4 4"], str]:
    """What the network proposes, and in words which network that was."""
    nothing = np.zeros((0, 4, 4))
    if method == "search":
        return nothing, "not asked"
    try:
        from hoiset.builder.retarget.root_weights import has_weights, load_weights
    except ImportError as error:
        raise MissingDependency(
            f"root networks need {error.name}: pip install 'hoiset[build,torch]', or choose roots by search alone"
        ) from error

    words = "given"
    if network is None:
        if method == "both" and not has_weights(problem.robot):
            return nothing, "none for this robot: search alone"
        network, info = load_weights(problem.robot)
        words = f"{info.robot} {info.robot_digest}, {info.steps} steps, seed {info.seed}"
    from hoiset.builder.retarget.root_proposals import propose_roots

    rng = np.random.default_rng([seed, 1])
    kept = params.n_proposed
    return propose_roots(problem, network.double(), rng, n_hypotheses=n_hypotheses, n_kept=kept), words


def _candidates(
    problem: RootProblem, proposed: Float[np.ndarray, "K 4 4"], method: Method, seed: int, params: RootParams
) -> tuple[Float[np.ndarray, "H 4 4"], list[str]]:
    """Refined candidates, those of least cost, no two the same, and where each comes from."""
    few = problem.at(problem.spread(params.n_frames))
    rng = np.random.default_rng([seed, 2])
    n_sampled = params.n_sampled if not len(proposed) else params.n_sampled_beside if method == "both" else 0
    sampled = sample_roots(few, rng, params.search.model_copy(update={"n_roots": n_sampled}))
    first = np.concatenate([proposed, sampled])
    names = ["network"] * len(proposed) + ["search"] * len(sampled)
    roots, _, cost = refine_roots(few, first, params.refine)
    if params.search.n_best and method != "network":
        best = np.argsort(cost, kind="stable")[: params.search.n_best]
        again, _, cost_again = refine_roots(few, around(few, roots[best], rng, params.search), params.refine)
        roots, cost = np.concatenate([roots, again]), np.concatenate([cost, cost_again])
        names += [names[i] for i in best for _ in range(params.search.n_again)]
    kept: list[int] = []
    for i in np.argsort(cost, kind="stable").tolist():
        apart_m = np.linalg.norm(roots[kept, :3, 3] - roots[i, :3, 3], axis=-1)
        apart_rad = angle_between(roots[kept, :3, :3], roots[i, :3, :3])
        if not ((apart_m < params.apart_m) & (apart_rad < params.apart_rad)).any():
            kept.append(i)
        if len(kept) == params.n_final:
            break
    return roots[kept], [names[i] for i in kept]


def _about_the_best(
    problem: RootProblem,
    roots: Float[np.ndarray, "H 4 4"],
    total: Float[np.ndarray, "H"],
    origin: list[str],
    proposed: Float[np.ndarray, "K 4 4"],
    seed: int,
    params: RootParams,
) -> tuple[Float[np.ndarray, "H 4 4"], Float[np.ndarray, "H"], list[str]]:
    """Candidates, their totals and origins, with samples about the best of each round added."""
    rng = np.random.default_rng([seed, 3])
    for step in range(params.rounds):
        best = int(total.argmax())
        spread = {name: getattr(params.around, name) / 2**step for name in ("again_m", "again_rad")}
        again = around(problem, roots[[best]], rng, params.around.model_copy(update=spread))
        found = score_roots(problem, again, params=params.score).total + params.familiar * _familiar(again, proposed)
        roots, total = np.concatenate([roots, again]), np.concatenate([total, found])
        origin = [*origin, *[origin[best]] * len(again)]
    return roots, total, origin


def _familiar(roots: Float[np.ndarray, "H 4 4"], proposed: Float[np.ndarray, "K 4 4"]) -> Float[np.ndarray, "H"]:
    """How near each root lies to one that the network proposed, 0..1; 0 where it proposed none."""
    if not len(proposed):
        return np.zeros(len(roots))
    distance = np.linalg.norm(roots[:, None, :3, 3] - proposed[None, :, :3, 3], axis=-1) / 0.2
    distance = np.hypot(distance, angle_between(roots[:, None, :3, :3], proposed[None, :, :3, :3]) / 0.5)
    return np.asarray(np.exp(-0.5 * distance**2).max(1))


def _figures(score: RootScores) -> dict[str, float]:
    names = ("rate", "position_m", "angle_rad", "margin", "manipulability", "smoothness", "clear")
    return {name: round(float(getattr(score, name)[0]), 6) for name in names}
