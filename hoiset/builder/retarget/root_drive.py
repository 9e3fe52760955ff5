"""Roots that move: a base on wheels or legs follows what its arms alone cannot reach, slowly and on the floor."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from hoiset.builder.params import Params
from hoiset.builder.retarget.root_refine import RefineParams, refine_roots
from hoiset.builder.retarget.root_score import RootProblem, RootScores, ScoreParams, score_roots
from hoiset.geometry import make_T


class DriveParams(Params):
    """When and how a base drives.

    Attributes:
        gain: Share of targets that driving must reach beyond standing.
        window_s: Of the pieces that a place is sought for.
        stride_s: From one piece to the next.
        n_frames: Of a piece, on which its place is sought.
        refine: How places are moved.
    """

    gain: float = 0.03
    window_s: float = 1.0
    stride_s: float = 0.5
    n_frames: int = 6
    refine: RefineParams = RefineParams(iterations=20, damping=1e-3)


def drive_root(
    problem: RootProblem,
    standing: Float[np.ndarray, "4 4"],
    score: RootScores,
    params: DriveParams,
    scoring: ScoreParams,
) -> tuple[Float[np.ndarray, "T 4 4"], RootScores, dict[str, Any]]:
    """Let the base drive where that reaches clearly more than standing.

    Places of overlapping pieces are sought from the standing one, joined by lines and slerps, and slowed down until
    the base is nowhere faster than it can be. It stays on the floor: shifts are level, turns are about the vertical.

    Args:
        problem: The whole clip.
        standing: The best constant root.
        score: Of it.
        params: How.
        scoring: What counts.

    Returns:
        The roots, (T, 4, 4), their score, and what there is to report.
    """
    still = np.repeat(standing[None], len(problem.time), 0)
    if problem.robot.drive is None or problem.gravity is None:
        return still, score, {"drive": "stands: gravity is unknown, so where the floor lies"}
    at, places = _places(problem, standing, params)
    roots = _joined(problem, standing, at, places)
    driven = score_roots(problem, roots[None], params=scoring)
    gain = float(driven.rate[0] - score.rate[0])
    if gain < params.gain:
        return still, score, {"drive": f"stands: driving would reach {gain:+.3f} of the targets more"}
    return roots, driven, {"drive": f"drives: reaches {gain:+.3f} of the targets more", "moving": True}


def _places(
    problem: RootProblem, standing: Float[np.ndarray, "4 4"], params: DriveParams
) -> tuple[Float[np.ndarray, "P"], Float[np.ndarray, "P 3"]]:
    """Times of the pieces, and their places as forward, sideways (m) and turn (rad) from the standing root."""
    time, seen = problem.time, problem.seen.any(1)
    starts = np.arange(time[0], max(time[0], time[-1] - params.window_s) + 1e-9, params.stride_s)
    at, places = [], []
    for start in starts:
        frames = np.flatnonzero(seen & (time >= start) & (time <= start + params.window_s))
        if not len(frames):
            continue
        piece = problem.at(frames)
        few = piece.at(piece.spread(params.n_frames))
        found, _, _ = refine_roots(few, standing[None], params.refine.model_copy(update={"level": True}))
        at.append(start + 0.5 * params.window_s)
        places.append(_place(problem, standing, found[0]))
    return np.array(at), np.array(places)


def _floor(problem: RootProblem) -> Float[np.ndarray, "3 3"]:
    """Forward, sideways and up of the root frame, as columns."""
    up, forward = np.array(problem.robot.up), np.array(problem.robot.forward)
    return np.stack([forward, np.cross(up, forward), up], -1)


def _place(
    problem: RootProblem, standing: Float[np.ndarray, "4 4"], root: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "3"]:
    F = _floor(problem)
    moved = F.T @ standing[:3, :3].T @ (root[:3, 3] - standing[:3, 3])
    turn = F.T @ standing[:3, :3].T @ root[:3, :3] @ F
    return np.array([moved[0], moved[1], np.arctan2(turn[1, 0], turn[0, 0])])


def _joined(
    problem: RootProblem,
    standing: Float[np.ndarray, "4 4"],
    at: Float[np.ndarray, "P"],
    places: Float[np.ndarray, "P 3"],
) -> Float[np.ndarray, "T 4 4"]:
    speed_m_s, speed_rad_s = problem.robot.drive or (0.0, 0.0)
    time = problem.time
    places = np.column_stack([places[:, :2], np.unwrap(places[:, 2])])
    way = np.stack([np.interp(time, at, places[:, k]) for k in range(3)], -1)
    way = _slowed(way, time, np.array([speed_m_s / np.sqrt(2), speed_m_s / np.sqrt(2), speed_rad_s]))
    F, cos, sin, zero = _floor(problem), np.cos(way[:, 2]), np.sin(way[:, 2]), np.zeros(len(way))
    turn = np.stack([cos, -sin, zero, sin, cos, zero, zero, zero, zero + 1.0], -1).reshape(-1, 3, 3)
    shift = np.column_stack([way[:, :2], zero]) @ F.T
    return np.asarray(standing @ make_T(F @ turn @ F.T, shift))


def _slowed(
    way: Float[np.ndarray, "T K"], time: Float[np.ndarray, "T"], speed: Float[np.ndarray, "K"]
) -> Float[np.ndarray, "T K"]:
    """The nearest way, forwards and backwards on the mean, that is nowhere faster."""
    most = np.diff(time)[:, None] * speed
    passes = []
    for order in (slice(None), slice(None, None, -1)):
        out, steps = way[order].copy(), most[order]
        for k in range(1, len(out)):
            out[k] = out[k - 1] + np.clip(out[k] - out[k - 1], -steps[k - 1], steps[k - 1])
        passes.append(out[order])
    return np.asarray(0.5 * (passes[0] + passes[1]))
