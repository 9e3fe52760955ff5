"""Rigid transforms and pinhole projection in numpy.

**Convention:** ``T_a_b`` (4, 4) maps points of b to a; camera frame OpenCV; pixel (0, 0) is the centre of the top-left
pixel.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def make_T(  # noqa: N802
    R: Float[np.ndarray, "*B 3 3"], t: Float[np.ndarray, "*B 3"]
) -> Float[np.ndarray, "*B 4 4"]:
    """Assemble poses from rotations and translations of equal batch shape."""
    R, t = np.asarray(R, np.float64), np.asarray(t, np.float64)
    T = np.zeros((*np.broadcast_shapes(R.shape[:-2], t.shape[:-1]), 4, 4))
    T[..., :3, :3] = R
    T[..., :3, 3] = t
    T[..., 3, 3] = 1.0
    return T


def invert(T: Float[np.ndarray, "*B 4 4"]) -> Float[np.ndarray, "*B 4 4"]:
    """Inverse of rigid transforms."""
    R_inv = np.swapaxes(T[..., :3, :3], -1, -2)
    return make_T(R_inv, -(R_inv @ T[..., :3, 3:])[..., 0])


def transform(T: Float[np.ndarray, "*B 4 4"], points: Float[np.ndarray, "*B N 3"]) -> Float[np.ndarray, "*B N 3"]:
    """Map points by poses of the same batch shape."""
    return points @ np.swapaxes(T[..., :3, :3], -1, -2) + T[..., None, :3, 3]


def project(K: Float[np.ndarray, "3 3"], points: Float[np.ndarray, "*B 3"]) -> Float[np.ndarray, "*B 2"]:
    """Pinhole projection of camera-frame points (m) to pixels; NaN for points at or behind the camera."""
    z = np.where(points[..., 2:] > 1e-6, points[..., 2:], np.nan)
    uv = points[..., :2] / z
    return uv * np.array([K[0, 0], K[1, 1]]) + K[:2, 2]


def unproject(
    K: Float[np.ndarray, "3 3"], pixels: Float[np.ndarray, "*B 2"], depth: Float[np.ndarray, "*B"]
) -> Float[np.ndarray, "*B 3"]:
    """Camera-frame points (m) of pixels at z-depth ``depth`` (m)."""
    xy = (pixels - K[:2, 2]) / np.array([K[0, 0], K[1, 1]])
    return np.concatenate([xy, np.ones_like(xy[..., :1])], -1) * np.asarray(depth)[..., None]


def wrist_frame(joints: Float[np.ndarray, "*B 21 3"], *, left: bool) -> Float[np.ndarray, "*B 4 4"]:
    """``T_camera_wrist`` of joints: origin at the wrist, y towards the middle knuckle, x from little to index knuckle.

    x is made orthogonal to y and mirrored for the left hand; z = x cross y. NaN joints give NaN poses.
    """
    y = joints[..., 9, :] - joints[..., 0, :]
    y = y / np.linalg.norm(y, axis=-1, keepdims=True)
    x = joints[..., 5, :] - joints[..., 17, :]
    if left:
        x = -x
    x = x - (x * y).sum(-1, keepdims=True) * y
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    T = make_T(np.stack([x, y, np.cross(x, y)], -1), joints[..., 0, :])
    T[np.isnan(T[..., :3, :]).any((-1, -2))] = np.nan
    return T


def angle_between(R_a: Float[np.ndarray, "*B 3 3"], R_b: Float[np.ndarray, "*B 3 3"]) -> Float[np.ndarray, "*B"]:
    """Geodesic angle between rotations, rad."""
    trace = np.einsum("...ij,...ij->...", R_a, R_b)
    return np.arccos(np.clip((trace - 1.0) / 2.0, -1.0, 1.0))
