"""Torch's names for what :mod:`hoiset.builder.retarget.kinematics` needs of an array library."""

from __future__ import annotations

from typing import Any

import torch

sin, cos, clip, broadcast_to, zeros_like = torch.sin, torch.cos, torch.clip, torch.broadcast_to, torch.zeros_like
stack, concat = torch.stack, torch.concat


def cross(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Cross product of the last axes."""
    return torch.linalg.cross(a, b)


def is_floating(q: Any) -> bool:
    """Whether this is a tensor of floats."""
    return isinstance(q, torch.Tensor) and q.is_floating_point()


def like(values: Any, q: torch.Tensor) -> torch.Tensor:
    """A tensor of the same dtype and on the same device."""
    return torch.as_tensor(values, dtype=q.dtype, device=q.device)


def integers(values: list[int], q: torch.Tensor) -> torch.Tensor:
    """Indices on the same device."""
    return torch.as_tensor(values, dtype=torch.int64, device=q.device)
