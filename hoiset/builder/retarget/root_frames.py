"""Rotations and frames that choosing a root needs: upright ones, means, clusters, and a clip's own frame."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from hoiset.builder.retarget.root_score import RootProblem
from hoiset.geometry import angle_between, invert, make_T

DECIMALS = 7
"""To which a clip in its own frame is rounded, so that moving its camera does not change a bit of it."""


def mean_rotation(R: Float[np.ndarray, "N 3 3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation nearest to all of some in the chordal sense."""
    U, _, Vt = np.linalg.svd(R.sum(0))
    return np.asarray(U @ np.diag([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))]) @ Vt)


def levelled(
    R: Float[np.ndarray, "*B 3 3"], up: Float[np.ndarray, "3"], gravity: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "*B 3 3"]:
    """``R`` turned so that it takes ``up`` against gravity: as little as possible, or by way of a half turn."""
    across = np.cross(up, np.eye(3)[np.abs(up).argmin()])
    across /= np.linalg.norm(across)
    half = 2.0 * np.outer(across, across) - np.eye(3)
    R = np.where(((R @ up) @ -gravity < -0.9)[..., None, None], R @ half, R)
    at = R @ up
    v = np.cross(at, -gravity)
    x, y, z = np.moveaxis(v, -1, 0)
    zero = np.zeros_like(x)
    K = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*v.shape, 3)
    return np.asarray((np.eye(3) + K + K @ K / (1.0 + at @ -gravity)[..., None, None]) @ R)


def clip_frame(wrist: Float[np.ndarray, "T 2 4 4"], gravity: Float[np.ndarray, "3"] | None) -> Float[np.ndarray, "4 4"]:
    """``T_camera_clip``, a frame that follows a clip wherever its camera is put.

    Its origin is the wrists' centroid; its z points against gravity, or with the palms where gravity is unknown; its
    y is the rest of where fingers, palms and thumbs point.
    """
    seen = wrist[np.isfinite(wrist).all((-1, -2))]
    x, y, z = seen[:, :3, :3].sum(0).T / len(seen)
    if gravity is None:
        up = next((v for v in (z, y, x) if np.linalg.norm(v) > 0.05), seen[0, :3, 2])
    else:
        up = -np.asarray(gravity)
    up = up / np.linalg.norm(up)
    ahead = next(v for v in (y, z, x, *seen[0, :3, :3].T) if np.linalg.norm(np.cross(up, v)) > 0.05)
    across = np.cross(ahead, up)
    across /= np.linalg.norm(across)
    return make_T(np.stack([across, np.cross(up, across), up], -1), seen[:, :3, 3].mean(0))


def rounded_problem(problem: RootProblem, T_camera_clip: Float[np.ndarray, "4 4"]) -> RootProblem:
    """The same hands in another frame, rounded to a tenth of a micrometre."""
    wrist = np.round(invert(T_camera_clip) @ problem.wrist, DECIMALS)
    gravity = None
    if problem.gravity is not None:
        gravity = np.round(T_camera_clip[:3, :3].T @ problem.gravity, DECIMALS)
        gravity = gravity / np.linalg.norm(gravity)
    return RootProblem(problem.robot, problem.reaches, problem.time, wrist, gravity)


def densest(
    roots: Float[np.ndarray, "N 4 4"], n_kept: int, *, near_m: float = 0.1, near_rad: float = 0.35
) -> Int[np.ndarray, "K"]:
    """Cluster poses and name one of each cluster, where they lie densest, the densest clusters first.

    A pose far from all others is a cluster of its own and comes last; nothing is averaged over distant poses.

    Args:
        roots: Poses.
        n_kept: Of clusters, at most.
        near_m: Size of a cluster.
        near_rad: The same in angle.
    """
    distance = np.linalg.norm(roots[:, None, :3, 3] - roots[None, :, :3, 3], axis=-1) / near_m
    distance = np.hypot(distance, angle_between(roots[:, None, :3, :3], roots[None, :, :3, :3]) / near_rad)
    density = np.exp(-0.5 * distance**2).sum(1)
    left = np.ones(len(roots), bool)
    kept: list[int] = []
    while len(kept) < n_kept and left.any():
        best = int(np.where(left, density, -1.0).argmax())
        kept.append(best)
        left &= distance[best] > 1.0
    return np.array(kept, np.int64)
