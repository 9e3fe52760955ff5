"""The least change of the hand's path with which an object comes along: a bounded cross-entropy search.

The cross-entropy method (Rubinstein, 1999) draws corrections from a normal distribution and fits it to the best of
them. Bounds are small on purpose: what needs more than a few centimetres was not recovered well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoiset.builder.retarget.replay.grading import Errors, errors_of
from hoiset.builder.retarget.replay.plan import Correction, Plan
from hoiset.builder.retarget.replay.records import MIDDLE, STRICT, ReplayParams
from hoiset.builder.retarget.replay.scene import Scene
from hoiset.builder.retarget.replay.simulation import Played, play

ELITE_SHARE = 0.2
FIRST_SIGMA, LEAST_SIGMA = 0.6, 0.1
KNOT_SHARE = 0.5
"""Of the bound, that knots differ from their common offset by."""


@dataclass(frozen=True)
class Found:
    """The best of a search.

    Attributes:
        correction: What it changes.
        errors: Of that one rollout.
        played: That rollout.
        rollouts: How many were run.
    """

    correction: Correction
    errors: Errors
    played: Played
    rollouts: int


def search(
    scene: Scene, plan: Plan, params: ReplayParams, stream: tuple[int, ...], without_hand_m: float
) -> Found | None:
    """Look for a correction; stops after the first round with one that passes at ``strict``.

    Args:
        scene: Of the plan.
        plan: What is played.
        params: Bounds, samples, rounds.
        stream: With the seed, what random numbers are drawn from.
        without_hand_m: Mean distance if nobody touches the object.

    Returns:
        The cheapest that passes, else the cheapest; ``None`` for no rounds.
    """
    rng = np.random.default_rng([params.seed, *stream])
    hands, knots = len(plan.paths), min(params.knots, plan.n_knots)
    n_values = hands * (3 + 3 * knots + 3 + 1)
    mean, sigma = np.zeros(n_values), np.full(n_values, FIRST_SIGMA)
    n_elite = max(2, round(ELITE_SHARE * params.samples))
    best: tuple[bool, float, Found] | None = None
    for number in range(params.rounds):
        draws = np.clip(mean + sigma * rng.standard_normal((params.samples, n_values)), -1.0, 1.0)
        draws[0] = mean
        if number == 0:
            draws[:2] = _guess(plan, params, hands, knots)[None] * np.array([[1.0], [0.5]])
        corrections = [_correction(values, hands, knots, params) for values in draws]
        played = play(scene, plan, corrections, params)
        errors = errors_of(plan, played, without_hand_m)
        cost = _cost(errors, draws)
        order = np.argsort(cost, kind="stable")
        passed = errors.passed(MIDDLE)
        first = int(order[np.argsort(~passed[order], kind="stable")[0]])
        rollouts = (number + 1) * params.samples
        if best is None or (not passed[first], cost[first]) < (not best[0], best[1]):
            found = Found(corrections[first], errors.one(first), played.one(first), rollouts)
            best = bool(passed[first]), float(cost[first]), found
        if best[2].errors.passed(STRICT)[0]:
            return _counted(best[2], rollouts)
        elite = draws[order[:n_elite]]
        mean, sigma = elite.mean(0), np.maximum(elite.std(0), LEAST_SIGMA)
    return None if best is None else _counted(best[2], params.rounds * params.samples)


def _counted(found: Found, rollouts: int) -> Found:
    return Found(found.correction, found.errors, found.played, rollouts)


def _cost(errors: Errors, draws: Float[np.ndarray, "B D"]) -> Float[np.ndarray, "B"]:
    """Errors against the middle threshold, and a little for what is changed."""
    position, rotation = np.minimum(errors.position_m, 0.5), errors.rotation_rad
    worst = position.max(1) / (2.0 * MIDDLE.position_m)
    change = np.sqrt((draws**2).mean(1))
    return np.asarray(
        position.mean(1) / MIDDLE.position_m + rotation.mean(1) / MIDDLE.rotation_rad + 0.5 * worst + 0.1 * change
    )


def _correction(values: Float[np.ndarray, "D"], hands: int, knots: int, params: ReplayParams) -> Correction:
    """A correction within its bounds from values in -1 .. 1."""
    split = values.reshape(hands, -1)
    common, each = split[:, None, :3], split[:, 3 : 3 + 3 * knots].reshape(hands, knots, 3)
    offset = params.correction_m * (common + KNOT_SHARE * each)
    turn = params.correction_rad * split[:, -4:-1]
    return Correction(
        _shortened(offset, params.correction_m),
        _shortened(turn, params.correction_rad),
        params.closing_s * split[:, -1],
    )


def _guess(plan: Plan, params: ReplayParams, hands: int, knots: int) -> Float[np.ndarray, "D"]:
    """Values of the correction that takes every gripper to the middle of what is next to it, as far as it may."""
    offsets = _shortened(plan.grasp_offsets(), params.correction_m) / max(params.correction_m, 1e-9)
    values = np.zeros((hands, 3 + 3 * knots + 3 + 1))
    values[:, :3] = offsets
    return values.ravel()


def _shortened(vectors: Float[np.ndarray, "*B 3"], most: float) -> Float[np.ndarray, "*B 3"]:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors * np.minimum(1.0, most / np.maximum(length, 1e-12)))
