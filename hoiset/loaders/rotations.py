"""Rotations as matrices, vectors and six numbers, and the way between two of them.

**Convention:** the six numbers are the first two columns of the matrix, first column first (Zhou et al. 2019, "On the
Continuity of Rotation Representations in Neural Networks"). The way between two rotations is the shortest one on
SO(3), at constant angular speed (slerp).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def rotation_to_6d(R: Float[np.ndarray, "*B 3 3"]) -> Float[np.ndarray, "*B 6"]:
    """First column, then second column."""
    return np.concatenate([R[..., :, 0], R[..., :, 1]], -1)


def rotation_from_6d(six: Float[np.ndarray, "*B 6"]) -> Float[np.ndarray, "*B 3 3"]:
    """The rotation whose first columns are nearest by Gram-Schmidt; any two vectors that are not parallel will do."""
    six = np.asarray(six)
    x = six[..., :3] / np.linalg.norm(six[..., :3], axis=-1, keepdims=True)
    y = six[..., 3:] - (x * six[..., 3:]).sum(-1, keepdims=True) * x
    y = y / np.linalg.norm(y, axis=-1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], -1)


def pose_to_9d(T: Float[np.ndarray, "*B 4 4"]) -> Float[np.ndarray, "*B 9"]:
    """Position (m), then the rotation's six numbers."""
    return np.concatenate([T[..., :3, 3], T[..., :3, 0], T[..., :3, 1]], -1)


def pose_from_9d(nine: Float[np.ndarray, "*B 9"]) -> Float[np.ndarray, "*B 4 4"]:
    """Inverse of :func:`pose_to_9d`; what a network puts out becomes a rigid pose."""
    nine = np.asarray(nine)
    T = np.zeros((*nine.shape[:-1], 4, 4), nine.dtype)
    T[..., :3, :3] = rotation_from_6d(nine[..., 3:])
    T[..., :3, 3] = nine[..., :3]
    T[..., 3, 3] = 1.0
    return T


def rotation_to_vector(R: Float[np.ndarray, "*B 3 3"]) -> Float[np.ndarray, "*B 3"]:
    """Axis times angle, 0 .. pi rad; exact near both ends, through the quaternion."""
    # The quaternion's outer product, of which the longest row is the best conditioned.
    q = np.empty((*R.shape[:-2], 4, 4))
    xx, yy, zz = R[..., 0, 0], R[..., 1, 1], R[..., 2, 2]
    q[..., 0, 0], q[..., 1, 1] = 1 + xx + yy + zz, 1 + xx - yy - zz
    q[..., 2, 2], q[..., 3, 3] = 1 - xx + yy - zz, 1 - xx - yy + zz
    q[..., 0, 1] = q[..., 1, 0] = R[..., 2, 1] - R[..., 1, 2]
    q[..., 0, 2] = q[..., 2, 0] = R[..., 0, 2] - R[..., 2, 0]
    q[..., 0, 3] = q[..., 3, 0] = R[..., 1, 0] - R[..., 0, 1]
    q[..., 1, 2] = q[..., 2, 1] = R[..., 0, 1] + R[..., 1, 0]
    q[..., 1, 3] = q[..., 3, 1] = R[..., 0, 2] + R[..., 2, 0]
    q[..., 2, 3] = q[..., 3, 2] = R[..., 1, 2] + R[..., 2, 1]
    longest = np.argmax(np.diagonal(q, axis1=-2, axis2=-1), -1)
    q = np.take_along_axis(q, longest[..., None, None], -2)[..., 0, :]
    q = q * np.where(q[..., :1] < 0, -1.0, 1.0)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.divide(angle, sine, out=np.zeros_like(sine), where=~(sine == 0))


def rotation_from_vector(v: Float[np.ndarray, "*B 3"]) -> Float[np.ndarray, "*B 3 3"]:
    """Inverse of :func:`rotation_to_vector` (Rodrigues); any angle."""
    v = np.asarray(v, np.float64)
    angle = np.linalg.norm(v, axis=-1)[..., None, None]
    a, b = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    K = np.zeros((*v.shape[:-1], 3, 3))
    K[..., 2, 1], K[..., 0, 2], K[..., 1, 0] = v[..., 0], v[..., 1], v[..., 2]
    K -= np.swapaxes(K, -1, -2)
    return np.eye(3) + a * K + b * (K @ K)


def slerp(
    R0: Float[np.ndarray, "*B 3 3"], R1: Float[np.ndarray, "*B 3 3"], weight: Float[np.ndarray, "*B"]
) -> Float[np.ndarray, "*B 3 3"]:
    """From ``R0`` at weight 0 to ``R1`` at 1; a NaN in either gives NaN."""
    R0, R1 = np.asarray(R0, np.float64), np.asarray(R1, np.float64)
    turn = rotation_to_vector(np.swapaxes(R0, -1, -2) @ R1)
    return R0 @ rotation_from_vector(turn * np.asarray(weight)[..., None])
