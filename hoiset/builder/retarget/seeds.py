"""Joint positions for any number of poses at once, each on its own: clamped, damped least squares.

Errors and steps are clamped because a target out of reach otherwise throws the joints about; joints that press against
a limit are held there for the step instead of being cut off after it. Numpy, for torch in double precision is no faster
on a processor at any batch (measured up to 20,000 poses). Poses that have converged, or no longer get nearer, leave
the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoiset.builder.retarget.kinematics import Kinematics
from hoiset.builder.retarget.reach import Reach, Task, single
from hoiset.errors import RobotError

POSITION_CLAMP_M, ANGLE_CLAMP, STEP_CLAMP = 0.1, 0.3, 0.3
ANGLE_UNIT_M = 0.19
"""What a radian is worth in metres: 10 mm weigh as much as 3 degrees."""
DONE_M, DONE_RAD = 2e-4, 1e-3
DAMPING = 1e-5
JITTER, JITTER_SEED = 0.35, 0
"""Spread of further starts around home as a share of each joint's range."""
CHUNK = 4096
STALL_AFTER, STALL_SHARE = 6, 0.98
"""A pose is given up that in this many steps did not come nearer than this share of its error."""


@dataclass(frozen=True)
class PoseSolution:
    """Joint positions and how far they leave the tools from their targets.

    Attributes:
        q: (..., dof) rad or m; the start where there is no target.
        position_error: (...) m, NaN where there is no target; with arms solved together (..., A).
        angle_error: The same, rad; of the axis alone where the task is one.
    """

    q: Float[np.ndarray, "*B dof"]
    position_error: Float[np.ndarray, "*B"]
    angle_error: Float[np.ndarray, "*B"]


def solve_poses(
    kinematics: Kinematics | Reach,
    targets: Float[np.ndarray, "*B 4 4"],
    q0: Float[np.ndarray, "*B dof"] | None = None,
    *,
    iterations: int = 30,
    task: Task = "pose",
    starts: int = 1,
) -> PoseSolution:
    """Solve every pose by itself.

    Args:
        kinematics: A chain, or arms that are solved together.
        targets: ``T_base_tool`` (..., 4, 4) for a chain, ``T_root_tool`` (..., A, 4, 4) for arms; NaN for none.
        q0: (..., dof) first start, or one for all; home by default.
        iterations: Steps at most, for each start.
        task: What of the targets a chain follows; arms know theirs.
        starts: How many starts: the first, then others at random around home (the same in every call) for the poses
            that are not yet solved. The best of each is kept.

    Raises:
        RobotError: Shapes do not fit.
    """
    reach = kinematics if isinstance(kinematics, Reach) else single(kinematics, task)
    alone = not isinstance(kinematics, Reach)
    targets = np.asarray(targets, np.float64)
    if targets.shape[-2:] != (4, 4) or (not alone and (targets.ndim < 3 or targets.shape[-3] != len(reach.chains))):
        expected = "(..., 4, 4)" if alone else f"(..., {len(reach.chains)}, 4, 4)"
        raise RobotError(f"found targets of shape {targets.shape}, expected {expected}")
    batch = targets.shape[:-2] if alone else targets.shape[:-3]
    rows = targets.reshape(-1, len(reach.chains), 4, 4)
    start = np.broadcast_to(reach.home if q0 is None else q0, (*batch, len(reach.home))).reshape(-1, len(reach.home))
    q = np.clip(start.astype(np.float64), reach.lower, reach.upper)
    e = np.full((len(rows), len(reach.chains), 2), np.nan)
    wanted = np.flatnonzero(np.isfinite(rows).all((-1, -2)).any(-1))
    for chunk in np.array_split(wanted, max(1, -(-len(wanted) // CHUNK))):
        q[chunk], e[chunk] = _solve(reach, rows[chunk], q[chunk], iterations)
    for jittered in reach.near_home(JITTER_SEED, starts - 1, JITTER):
        left = wanted[~_done(e[wanted])]
        for chunk in np.array_split(left, max(1, -(-len(left) // CHUNK))):
            again = np.broadcast_to(jittered, (len(chunk), len(jittered)))
            q_new, e_new = _solve(reach, rows[chunk], again, iterations)
            better = _score(e_new) < _score(e[chunk])
            q[chunk[better]], e[chunk[better]] = q_new[better], e_new[better]
    shape = batch if alone else (*batch, len(reach.chains))
    return PoseSolution(q.reshape(*batch, len(reach.home)), e[..., 0].reshape(shape), e[..., 1].reshape(shape))


def _solve(
    reach: Reach, targets: Float[np.ndarray, "N A 4 4"], q0: Float[np.ndarray, "N dof"], iterations: int
) -> tuple[Float[np.ndarray, "N dof"], Float[np.ndarray, "N A 2"]]:
    """Best positions found and their errors, m and rad."""
    n = len(reach.home)
    best_q, best_e = q0.copy(), np.full((len(q0), len(reach.chains), 2), np.nan)
    best, since = np.full(len(q0), np.inf), np.zeros(len(q0), np.int64)
    rows, q = np.arange(len(q0)), q0.copy()
    there = np.isfinite(targets).all((-1, -2))
    unit = np.repeat([1.0, ANGLE_UNIT_M], 3)
    for step in range(iterations + 1):
        if not len(rows):
            break
        T, J = reach.tools_and_jacobian(q)
        e = reach.errors(T, targets[rows])
        sizes = np.sqrt((e.reshape(*e.shape[:-1], 2, 3) ** 2).sum(-1))
        score = _score(sizes)
        better = score < best[rows]
        since[rows] = np.where(score < STALL_SHARE * best[rows], 0, since[rows] + 1)
        at = rows[better]
        best[at], best_q[at], best_e[at] = score[better], q[better], sizes[better]
        keep = ~_done(sizes) & (since[rows] < STALL_AFTER)
        if step == iterations or not keep.any():
            break
        rows, q, T, J, e, sizes = rows[keep], q[keep], T[keep], J[keep], e[keep], sizes[keep]
        shrink = np.minimum(1.0, [POSITION_CLAMP_M, ANGLE_CLAMP] / np.maximum(sizes, 1e-12))
        e = np.where(there[rows][..., None], e * np.repeat(shrink, 3, -1) * unit, 0.0).reshape(len(rows), -1)
        J = reach.slopes(T, J) * unit[:, None] * there[rows][..., None, None]
        q = q + _step(J.reshape(len(rows), -1, n), e, q, reach)
        np.clip(q, reach.lower, reach.upper, out=q)
    return best_q, best_e


def _step(
    J: Float[np.ndarray, "N M dof"], e: Float[np.ndarray, "N M"], q: Float[np.ndarray, "N dof"], reach: Reach
) -> Float[np.ndarray, "N dof"]:
    g = (J.swapaxes(-1, -2) @ e[..., None])[..., 0]
    held = ((q <= reach.lower) & (g < 0)) | ((q >= reach.upper) & (g > 0))
    J = np.where(held[:, None, :], 0.0, J)
    H = J.swapaxes(-1, -2) @ J
    diagonal = np.arange(H.shape[-1])
    # The further from the target, the more damping (Sugihara 2011): cautious far out, quadratic near the end.
    H[:, diagonal, diagonal] += DAMPING + 0.05 * (e * e).sum(-1)[:, None]
    dq = np.linalg.solve(H, np.where(held, 0.0, g)[..., None])[..., 0]
    return np.asarray(dq * np.minimum(1.0, STEP_CLAMP / np.maximum(np.abs(dq).max(-1, keepdims=True), 1e-12)))


def _score(sizes: Float[np.ndarray, "N A 2"]) -> Float[np.ndarray, " N"]:
    """Squared error over all arms with a target, m2."""
    return np.asarray(np.nansum(sizes[..., 0] ** 2 + (ANGLE_UNIT_M * sizes[..., 1]) ** 2, -1))


def _done(sizes: Float[np.ndarray, "N A 2"]) -> np.ndarray:
    absent = np.isnan(sizes[..., 0])
    return np.asarray((absent | ((sizes[..., 0] < DONE_M) & (sizes[..., 1] < DONE_RAD))).all(-1))
