"""A start for a trajectory out of several solutions of every frame: the ones that hang together in time.

An arm reaches most poses in several ways, and the nearest solution of each frame by itself changes between them. Some
solutions of every frame are collected, and the sequence with the least error and hurry is found by dynamic programming.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from hoiset.builder.retarget.reach import Reach
from hoiset.builder.retarget.seeds import ANGLE_UNIT_M, solve_poses

JITTER, JITTER_SEED = 0.25, 1
KEYS = (0.1, 0.5, 0.9)
"""Where among the frames lie those whose solutions all frames start from."""
UNIT_M = 0.01
HURRY, WAY, SPARE = 2.0, 0.2, 0.5
"""Cost of a step per joint's limit of speed beyond half of it, and of its length, in tolerances."""
CHUNK = 512
"""Frames whose steps are weighed at a time."""
SPEED = 3.0
"""Speed, rad/s or m/s, that stands in where none is stated."""


def candidate_poses(
    reach: Reach, targets: Float[np.ndarray, "T A 4 4"], *, jittered: int = 3, iterations: int = 20
) -> tuple[Float[np.ndarray, "K T dof"], Float[np.ndarray, "K T"]]:
    """Solutions of every frame from several starts, and their errors in units of 10 mm; home is the first start."""
    first = solve_poses(reach, targets, iterations=iterations)
    seen = np.flatnonzero(np.isfinite(targets).all((-1, -2)).any(-1))
    keys = [first.q[seen[int(share * len(seen))]] for share in KEYS] if len(seen) else []
    starts = np.stack([*reach.near_home(JITTER_SEED, jittered, JITTER), *keys])
    again = np.broadcast_to(targets, (len(starts), *targets.shape))
    others = solve_poses(reach, again, starts[:, None], iterations=iterations)
    q = np.concatenate([first.q[None], others.q])
    away, turned = (
        np.concatenate([a[None], b])
        for a, b in ((first.position_error, others.position_error), (first.angle_error, others.angle_error))
    )
    return q, np.sqrt(np.nansum(away**2 + (ANGLE_UNIT_M * turned) ** 2, -1)) / UNIT_M


def smoothest_path(
    q: Float[np.ndarray, "K T dof"],
    error: Float[np.ndarray, "K T"],
    time: Float[np.ndarray, " T"],
    velocity: Float[np.ndarray, " dof"],
) -> Float[np.ndarray, "T dof"]:
    """One of the solutions in every frame, so that error and hurry together are least."""
    speed = np.where(np.isfinite(velocity), np.minimum(velocity, 2 * SPEED), SPEED)
    n_frames = q.shape[1]
    total, back = error[:, 0].copy(), np.zeros(error.shape[::-1], np.int64)
    for first in range(1, n_frames, CHUNK):
        rows = slice(first, min(first + CHUNK, n_frames))
        before, after = (q[:, span].swapaxes(0, 1) for span in (slice(first - 1, rows.stop - 1), rows))
        share = np.abs(before[:, :, None] - after[:, None]) / (
            speed * np.diff(time)[first - 1 : rows.stop - 1, None, None, None]
        )
        hurry = HURRY * np.maximum(share - SPARE, 0).sum(-1) + WAY * np.sqrt((share**2).sum(-1))
        for t in range(first, rows.stop):
            through = total[:, None] + hurry[t - first]
            back[t] = through.argmin(0)
            total = through.min(0) + error[:, t]
    path = np.empty(q.shape[1:])
    at = int(total.argmin())
    for t in range(n_frames - 1, -1, -1):
        path[t] = q[at, t]
        at = int(back[t, at])
    return path
