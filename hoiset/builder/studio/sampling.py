"""Directions and points for shadow rays."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def tangents(n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors orthogonal to each vector and to each other."""
    n = n / np.linalg.norm(n, axis=-1, keepdims=True)
    helper = np.where(np.abs(n[..., :1]) < 0.7, np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    a = np.cross(n, helper)
    a /= np.linalg.norm(a, axis=-1, keepdims=True)
    return a, np.cross(n, a)


def disk(n: int) -> Float[np.ndarray, "n 2"]:
    """Points spread evenly over the unit disk (Vogel's spiral)."""
    k = np.arange(n)
    r, a = np.sqrt((k + 0.5) / n), k * 2.399963229728653
    return np.stack([r * np.cos(a), r * np.sin(a)], -1)


def hemisphere(n: int) -> Float[np.ndarray, "n 3"]:
    """Cosine-weighted unit directions about z."""
    d = disk(n)
    return np.concatenate([d, np.sqrt(np.maximum(0.0, 1.0 - (d**2).sum(-1, keepdims=True)))], -1)
