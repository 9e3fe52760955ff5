"""Rotations in torch: what flows on SE(3) need, batched, of any float dtype.

**Convention:** rotation vectors are in rad; matrices map from the second frame to the first.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def skew(vector: Float[Tensor, "*B 3"]) -> Float[Tensor, "*B 3 3"]:
    """The matrix that takes the cross product with a vector from the left."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*vector.shape[:-1], 3, 3)


def exp(vector: Float[Tensor, "*B 3"]) -> Float[Tensor, "*B 3 3"]:
    """Rotation about a vector by its length."""
    angle = vector.norm(dim=-1)[..., None, None]
    small = angle < 1e-4
    safe = torch.where(small, torch.ones_like(angle), angle)
    a = torch.where(small, 1.0 - angle.square() / 6.0, safe.sin() / safe)
    b = torch.where(small, 0.5 - angle.square() / 24.0, (1.0 - safe.cos()) / safe.square())
    K = skew(vector)
    return torch.eye(3, dtype=vector.dtype, device=vector.device) + a * K + b * (K @ K)


def quaternion(R: Float[Tensor, "*B 3 3"]) -> Float[Tensor, "*B 4"]:
    """Unit quaternion wxyz with w >= 0, from the largest of its four components, so that no half turn is lost."""
    m = [[R[..., i, j] for j in range(3)] for i in range(3)]
    (a, b, c), (d, e, f), (g, h, i) = m
    rows = torch.stack(
        [
            torch.stack([1 + a + e + i, h - f, c - g, d - b], -1),
            torch.stack([h - f, 1 + a - e - i, b + d, c + g], -1),
            torch.stack([c - g, b + d, 1 - a + e - i, f + h], -1),
            torch.stack([d - b, c + g, f + h, 1 - a - e + i], -1),
        ],
        -2,
    )
    best = torch.diagonal(rows, dim1=-2, dim2=-1).argmax(-1)
    q = rows.gather(-2, best[..., None, None].expand(*best.shape, 1, 4))[..., 0, :]
    q = torch.nn.functional.normalize(q, dim=-1)
    return torch.where(q[..., :1] < 0, -q, q)


def log(R: Float[Tensor, "*B 3 3"]) -> Float[Tensor, "*B 3"]:
    """Rotation vector, at most pi long."""
    q = quaternion(R)
    length = q[..., 1:].norm(dim=-1, keepdim=True)
    small = length < 1e-6
    scale = torch.where(small, torch.full_like(length, 2.0), 2.0 * torch.atan2(length, q[..., :1]))
    return q[..., 1:] * scale / torch.where(small, torch.ones_like(length), length)


def angle(R: Float[Tensor, "*B 3 3"]) -> Float[Tensor, "*B"]:
    """Angle of a rotation, rad."""
    return log(R).norm(dim=-1)


def uniform(shape: tuple[int, ...], generator: torch.Generator) -> Float[Tensor, "*B 3 3"]:
    """Rotations drawn evenly from all of them, f4 on the CPU."""
    w, x, y, z = torch.nn.functional.normalize(torch.randn((*shape, 4), generator=generator), dim=-1).unbind(-1)
    rows = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return torch.stack(rows, -1).reshape(*shape, 3, 3)


def level(
    R: Float[Tensor, "*B 3 3"], axis: Float[Tensor, "3"], direction: Float[Tensor, "*B 3"]
) -> Float[Tensor, "*B 3 3"]:
    """``R`` turned so that it takes ``axis`` to ``direction``: as little as possible, or by way of a half turn.

    Args:
        R: ``R_a_b``.
        axis: Unit vector in b.
        direction: Unit vector in a.
    """
    eye = torch.eye(3, dtype=R.dtype, device=R.device)
    across = torch.linalg.cross(axis, eye[axis.abs().argmin()])
    across = across / across.norm()
    half = 2.0 * across[:, None] * across - eye
    away = ((R @ axis) * direction).sum(-1) < -0.9
    R = torch.where(away[..., None, None], R @ half, R)
    at = R @ axis
    K = skew(torch.linalg.cross(at, direction))
    return (eye + K + K @ K / (1.0 + (at * direction).sum(-1)[..., None, None])) @ R
