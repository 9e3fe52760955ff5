"""Move roots to where arms reach more: Gauss-Newton over the root and all joint positions of all frames at once.

For a given root every frame's joints are eliminated (a Schur complement), so that a step costs little more than one of
inverse kinematics: what remains is how the errors that the joints cannot remove, because of limits or length, change
with the root. Where gravity is known the root moves along and turns about the vertical alone.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from hoiset.builder.params import Params
from hoiset.builder.retarget.reach import Reach
from hoiset.builder.retarget.root_score import RootProblem
from hoiset.builder.retarget.seeds import ANGLE_CLAMP, ANGLE_UNIT_M, DAMPING, POSITION_CLAMP_M, STEP_CLAMP
from hoiset.geometry import make_T

UNIT = np.repeat([1.0, ANGLE_UNIT_M], 3)


class RefineParams(Params):
    """How roots are moved.

    Attributes:
        iterations: Steps; in the first :attr:`settle` the root stands still.
        settle: Steps in which joints alone move.
        robust_m: Errors far above this count by their size, not its square.
        comfort_m2: How much joints near their limits push the root away.
        comfort_from: Share of half a joint's range from which on that counts.
        damping: Of the root's steps.
        level: Keep a root of known gravity at its height.
    """

    iterations: int = 24
    settle: int = 6
    robust_m: float = 0.05
    comfort_m2: float = 1e-3
    comfort_from: float = 0.8
    damping: float = 1e-4
    level: bool = False


def refine_roots(
    problem: RootProblem,
    roots: Float[np.ndarray, "H 4 4"],
    params: RefineParams | None = None,
) -> tuple[Float[np.ndarray, "H 4 4"], tuple[Float[np.ndarray, "H F dof"], ...], Float[np.ndarray, "H"]]:
    """Move candidates to nearby better ones, each on its own.

    Args:
        problem: Hands and robot, best on few frames.
        roots: ``T_camera_root`` of the candidates.
        params: How.

    Returns:
        The best root of each candidate's way, joint positions there by reach, and its cost: robust squared error of the
        mean target, m2.
    """
    params = params or RefineParams()
    roots = np.array(roots, np.float64)
    n, n_frames = len(roots), len(problem.time)
    q = [np.broadcast_to(r.home, (n, n_frames, len(r.home))).copy() for r in problem.reaches]
    best, best_roots, best_q = np.full(n, np.inf), roots.copy(), [x.copy() for x in q]
    basis = _basis(problem, level=params.level)
    for step in range(params.iterations + 1):
        parts = [_linear(problem, reach, x, roots, basis, params) for reach, x in zip(problem.reaches, q, strict=True)]
        cost = np.sum([part.cost for part in parts], 0) / max(1, problem.seen.sum())
        better = cost < best
        best[better], best_roots[better] = cost[better], roots[better]
        for kept, x in zip(best_q, q, strict=True):
            kept[better] = x[better]
        if step == params.iterations:
            break
        move = np.zeros((n, basis.shape[1]))
        if step >= params.settle:
            H, g = np.sum([part.H for part in parts], 0), np.sum([part.g for part in parts], 0)
            scale = params.damping * max(1, problem.seen.sum())
            move = np.linalg.solve(H + scale * np.eye(H.shape[-1]), -g[..., None])[..., 0]
            size = np.linalg.norm((move @ basis.T).reshape(n, 2, 3), axis=-1)
            shrink = np.minimum(1.0, np.array([POSITION_CLAMP_M, ANGLE_CLAMP]) / np.maximum(size, 1e-12)).min(-1)
            move = move * shrink[:, None]
            roots = roots @ exp_twist(move @ basis.T)
        for reach, x, part in zip(problem.reaches, q, parts, strict=True):
            dq = part.dq + np.einsum("hfdi,hi->hfd", part.by_root, move)
            dq *= np.minimum(1.0, STEP_CLAMP / np.maximum(np.abs(dq).max(-1, keepdims=True), 1e-12))
            np.clip(x + dq, reach.lower, reach.upper, out=x)
    return best_roots, tuple(best_q), best


def exp_twist(twist: Float[np.ndarray, "*B 6"]) -> Float[np.ndarray, "*B 4 4"]:
    """A shift, m, and a turn, rad, both in the moving frame, as a pose."""
    w = twist[..., 3:]
    angle = np.linalg.norm(w, axis=-1)[..., None, None]
    safe = np.maximum(angle, 1e-12)
    K = _skew(w)
    R = np.eye(3) + np.sin(angle) / safe * K + (1.0 - np.cos(angle)) / safe**2 * (K @ K)
    return make_T(R, twist[..., :3])


class _linear:  # noqa: N801
    """One reach's errors, and how the root and the joints change them."""

    def __init__(
        self,
        problem: RootProblem,
        reach: Reach,
        q: Float[np.ndarray, "H F dof"],
        roots: Float[np.ndarray, "H 4 4"],
        basis: Float[np.ndarray, "6 K"],
        params: RefineParams,
    ) -> None:
        targets = problem.targets(roots, reach)
        there = np.isfinite(targets).all((-1, -2))
        targets = np.where(there[..., None, None], targets, np.eye(4))
        T, J = reach.tools_and_jacobian(q)
        e = reach.errors(T, targets)
        sizes = np.sqrt((e.reshape(*e.shape[:-1], 2, 3) ** 2).sum(-1))
        square = ((sizes * [1.0, ANGLE_UNIT_M]) ** 2).sum(-1)
        s2 = params.robust_m**2
        self.cost = np.where(there, s2 * np.log1p(square / s2), 0.0).sum((1, 2))
        shrink = np.minimum(1.0, [POSITION_CLAMP_M, ANGLE_CLAMP] / np.maximum(sizes, 1e-12))
        weight = np.where(there, 1.0 / np.sqrt(1.0 + square / s2), 0.0)[..., None] * UNIT
        e = e * np.repeat(shrink, 3, -1) * weight
        A = _by_root(reach, targets, T) @ basis * weight[..., None]
        J = reach.slopes(T, J) * weight[..., None]
        e, A, J = (x.reshape(*x.shape[:2], -1, *x.shape[4:]) for x in (e, A, J))
        half = (reach.upper - reach.lower) / 2
        off = (q - (reach.upper + reach.lower) / 2) / half
        past = np.sign(off) * np.maximum(np.abs(off) - params.comfort_from, 0.0)
        seen = there.any(-1)[..., None]
        push = np.where(seen, params.comfort_m2 * past / half, 0.0)
        self.cost = self.cost + 0.5 * params.comfort_m2 * np.where(seen, past**2, 0.0).sum((1, 2))
        pull = (J.swapaxes(-1, -2) @ e[..., None])[..., 0] - push
        held = ((q <= reach.lower) & (pull < 0)) | ((q >= reach.upper) & (pull > 0))
        J = np.where(held[:, :, None, :], 0.0, J)
        M = J.swapaxes(-1, -2) @ J
        diagonal = np.arange(M.shape[-1])
        M[..., diagonal, diagonal] += DAMPING + params.comfort_m2 * (past != 0) * seen / half**2
        M[..., diagonal, diagonal] += 0.02 * (e * e).sum(-1)[..., None]
        X = np.linalg.solve(M, np.concatenate([J.swapaxes(-1, -2), push[..., None]], -1))
        X, ease = np.where(held[..., None], 0.0, X[..., :-1]), np.where(held, 0.0, X[..., -1])
        self.dq = (X @ e[..., None])[..., 0] - ease
        self.by_root = X @ A
        left = e - (J @ self.dq[..., None])[..., 0]
        rest = A - J @ self.by_root
        self.H = np.einsum("hfmi,hfmj->hij", A, rest)
        self.g = np.einsum("hfmi,hfm->hi", A, left)


def _by_root(
    reach: Reach, targets: Float[np.ndarray, "H F A 4 4"], T: Float[np.ndarray, "H F A 4 4"]
) -> Float[np.ndarray, "H F A 6 6"]:
    """How errors change with a twist of the root in its own frame."""
    A = np.zeros((*targets.shape[:3], 6, 6))
    A[..., :3, :3] = -np.eye(3)
    A[..., :3, 3:] = _skew(targets[..., :3, 3])
    A[..., 3:, 3:] = -np.eye(3)
    return reach.slopes(T, A)


def _basis(problem: RootProblem, *, level: bool) -> Float[np.ndarray, "6 K"]:
    """Twists that a root may make: all, or, upright, all shifts and the turn about up."""
    if problem.gravity is None:
        return np.eye(6)
    basis = np.zeros((6, 4))
    basis[:3, :3] = np.eye(3)
    basis[3:, 3] = problem.robot.up
    if level:
        across = np.eye(3) - np.outer(problem.robot.up, problem.robot.up)
        basis[:3, :3] = across
    return basis


def _skew(v: Float[np.ndarray, "*B 3"]) -> Float[np.ndarray, "*B 3 3"]:
    x, y, z = np.moveaxis(v, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*v.shape, 3)
