"""Candidates for a root without learning: the robot at rest around the hands, then around the best of these.

With gravity known a root has four unknowns, its place and its turn about the vertical; otherwise all six are sought
around the orientation in which the robot at rest would hold its hands as they are on the mean. What the samples lack in
aim, :mod:`hoiset.builder.retarget.root_refine` and a second round about the best make up for.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from hoiset.builder.params import Params
from hoiset.builder.retarget.root_frames import levelled, mean_rotation
from hoiset.builder.retarget.root_refine import RefineParams, exp_twist, refine_roots
from hoiset.builder.retarget.root_score import RootProblem
from hoiset.geometry import make_T


class SearchParams(Params):
    """How candidates are sought.

    Attributes:
        n_roots: Candidates of the first round.
        spread_m: Spread of places about the one where the robot's wrists at rest are at the hands.
        spread_rad: Spread of orientations where gravity is unknown.
        n_best: Candidates that the second round starts from; 0 for none.
        n_again: Candidates about each of them.
        again_m: Spread of these, m.
        again_rad: Spread of these, rad.
    """

    n_roots: int = 64
    spread_m: float = 0.2
    spread_rad: float = 0.7
    n_best: int = 4
    n_again: int = 6
    again_m: float = 0.12
    again_rad: float = 0.35


def search_roots(
    problem: RootProblem,
    rng: np.random.Generator,
    params: SearchParams | None = None,
    refine: RefineParams | None = None,
) -> tuple[Float[np.ndarray, "H 4 4"], Float[np.ndarray, "H"]]:
    """Sample, refine, sample about the best, refine.

    Args:
        problem: Hands and robot, best on few frames.
        rng: Where samples come from.
        params: How.
        refine: How candidates are moved.

    Returns:
        ``T_camera_root`` of all candidates and their cost, m2, least first.
    """
    params = params or SearchParams()
    roots, _, cost = refine_roots(problem, sample_roots(problem, rng, params), refine)
    if params.n_best:
        best = roots[np.argsort(cost, kind="stable")[: params.n_best]]
        again, _, cost_again = refine_roots(problem, around(problem, best, rng, params), refine)
        roots, cost = np.concatenate([roots, again]), np.concatenate([cost, cost_again])
    order = np.argsort(cost, kind="stable")
    return roots[order], cost[order]


def sample_roots(problem: RootProblem, rng: np.random.Generator, params: SearchParams) -> Float[np.ndarray, "H 4 4"]:
    """First guesses, ``T_camera_root``."""
    n = params.n_roots
    rest = [
        (side, T) for reach in problem.reaches for side, T in zip(reach.sides, reach.tools(reach.home), strict=True)
    ]
    sides = [side for side, _ in rest if problem.seen[:, side].any()]
    at_rest = np.array([T for side, T in rest if side in sides])
    centre = np.nanmean(problem.wrist[:, sides, :3, 3], (0, 1))
    if problem.gravity is None:
        turns = [mean_rotation(problem.wrist[problem.seen[:, side], side, :3, :3]) for side in sides]
        towards = mean_rotation(np.array([R @ T[:3, :3].T for R, T in zip(turns, at_rest, strict=True)]))
        R = (make_T(towards, np.zeros(3)) @ exp_twist(_noise(rng, n, 0.0, params.spread_rad)))[:, :3, :3]
    else:
        yaw = 2 * np.pi * (np.arange(n) + rng.random()) / n
        twist = np.concatenate([np.zeros((n, 3)), yaw[:, None] * np.array(problem.robot.up)], 1)
        R = levelled(np.eye(3)[None], np.array(problem.robot.up), problem.gravity) @ exp_twist(twist)[:, :3, :3]
    t = centre - R @ at_rest[:, :3, 3].mean(0) + rng.normal(0.0, params.spread_m, (n, 3))
    return make_T(R, t)


def around(
    problem: RootProblem, roots: Float[np.ndarray, "N 4 4"], rng: np.random.Generator, params: SearchParams
) -> Float[np.ndarray, "M 4 4"]:
    """Guesses about given roots, upright where these are."""
    noise = _noise(rng, len(roots) * params.n_again, params.again_m, params.again_rad)
    if problem.gravity is not None:
        up = np.array(problem.robot.up)
        noise[:, 3:] = (noise[:, 3:] @ up)[:, None] * up
    return np.repeat(roots, params.n_again, 0) @ exp_twist(noise)


def _noise(rng: np.random.Generator, n: int, spread_m: float, spread_rad: float) -> Float[np.ndarray, "N 6"]:
    return rng.normal(0.0, 1.0, (n, 6)) * np.repeat([spread_m, spread_rad], 3)
