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
SPEED = 3.0
"""Speed, rad/s or m/s, that stands in where none is stated."""


def candidate_poses(
    reach: Reach, targets: Float[np.ndarray, "T A 4 4"], *, jittered: int = 3, iterations: int = 20
) -> tuple[Float[np.ndarray, "K T dof"], Float[np.ndarray, "K T"]]:
    """Solutions of every frame from several starts, and their errors in units of 10 mm; home is the first start."""
    first = solve_poses(reach, targets, iterations=iterations)
    seen = np.flatnonzero(np.isfinite(targets).all((-1, -2)).any(-1))
    keys = [first.q[seen[int(share * len(seen))]] for share in KEYS] if len(seen) else []
    starts = [*reach.near_home(JITTER_SEED, jittered, JITTER), *keys]
    found = [first, *(solve_poses(reach, targets, start, iterations=iterations) for start in starts)]
    error = np.stack([np.nansum(s.position_error**2 + (ANGLE_UNIT_M * s.angle_error) ** 2, -1) for s in found])
    return np.stack([s.q for s in found]), np.sqrt(error) / UNIT_M


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
    for t in range(1, n_frames):
        share = np.abs(q[:, None, t - 1] - q[None, :, t]) / (speed * (time[t] - time[t - 1]))
        hurry = HURRY * np.maximum(share - SPARE, 0).sum(-1) + WAY * np.sqrt((share**2).sum(-1))
        through = total[:, None] + hurry
        back[t] = through.argmin(0)
        total = through.min(0) + error[:, t]
    path = np.empty(q.shape[1:])
    at = int(total.argmin())
    for t in range(n_frames - 1, -1, -1):
        path[t] = q[at, t]
        at = int(back[t, at])
    return path
