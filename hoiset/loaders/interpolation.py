"""Values between frames: straight for positions, along SO(3) for rotations, the nearest frame for codes and pixels.

Absence is never invented: where one of the two frames about a time has no value, neither has the time (NaN, score 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from hoiset.loaders.rotations import rotation_from_vector, rotation_to_vector, slerp

TOLERANCE_S = 1e-4
"""A time this near to a frame is the frame's."""

Kind = Literal["linear", "score", "pose", "mano", "nearest"]

KINDS: dict[str, Kind] = {
    "time": "linear",
    "hand_joints": "linear",
    "hand_joints_2d": "linear",
    "hand_wrist": "pose",
    "hand_mano": "mano",
    "hand_source": "nearest",
    "hand_score": "score",
    "object_pose": "pose",
    "object_source": "nearest",
    "object_state": "nearest",
    "contact": "linear",
}
"""Item name of an array member -> how it goes between frames."""


@dataclass(frozen=True)
class Places:
    """Times of a clip as places between its frames.

    Attributes:
        low: (*B) the frame at or before each time.
        high: (*B) the frame after it; ``low`` where the time is a frame's.
        weight: (*B) of ``high``, 0 .. 1.
        nearest: (*B) the nearest frame; the earlier of two that are as near.
        is_pad: (*B) whether the time lies outside of the clip and the edge stands for it.
        on_frames: Whether every time is a frame's.
    """

    low: Int[np.ndarray, "*B"]
    high: Int[np.ndarray, "*B"]
    weight: Float[np.ndarray, "*B"]
    nearest: Int[np.ndarray, "*B"]
    is_pad: Bool[np.ndarray, "*B"]
    on_frames: bool


def locate(time: Float[np.ndarray, "T"], wanted: Float[np.ndarray, "*B"]) -> Places:
    """Places of times in s among a clip's frame times, which increase."""
    is_pad = (wanted < time[0] - TOLERANCE_S) | (wanted > time[-1] + TOLERANCE_S)
    low = np.maximum(time.searchsorted(wanted + TOLERANCE_S, "right") - 1, 0)
    high = np.minimum(low + 1, len(time) - 1)
    since = wanted - time[low]
    between = (since > TOLERANCE_S) & (high > low)
    if not between.any():
        return Places(low, low, np.zeros(low.shape), low, is_pad, True)
    high = np.where(between, high, low)
    weight = np.where(between, since / np.where(between, time[high] - time[low], 1.0), 0.0)
    return Places(low, high, weight, np.where(weight > 0.5 + 1e-6, high, low), is_pad, False)


def interpolate(values: np.ndarray, places: Places, kind: Kind) -> np.ndarray:
    """Values at places.

    Args:
        values: (T, ...) at the clip's frames.
        places: Of shape (*B).
        kind: How they go between frames.

    Returns:
        (*B, ...) of the same dtype, the caller's own. On a frame, that frame's bits.
    """
    if kind == "nearest":
        return values[places.nearest]
    if places.on_frames:
        return values[places.low]
    a, b = values[places.low], values[places.high]
    w = places.weight.reshape(places.weight.shape + (1,) * (values.ndim - 1))
    match kind:
        case "linear":
            mixed = a + (b - a) * w
        case "score":
            mixed = np.where((a == 0) | (b == 0), 0, a + (b - a) * w)
        case "pose":
            mixed = _mix_poses(a, b, w)
        case "mano":
            mixed = _mix_mano(a, b, w)
    return np.where(w == 0, a, mixed).astype(values.dtype, copy=False)


def _mix_poses(a: np.ndarray, b: np.ndarray, w: np.ndarray) -> np.ndarray:
    mixed = a + (b - a) * w
    there = np.isfinite(mixed).all((-1, -2))  # most slots of objects are empty
    turns = np.broadcast_to(w[..., 0, 0], there.shape)[there]
    mixed[there, :3, :3] = slerp(a[there, :3, :3], b[there, :3, :3], turns)
    return mixed


def _mix_mano(a: np.ndarray, b: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Sixteen rotation vectors, then shape and translation."""
    mixed = a + (b - a) * w
    turns = (*a.shape[:-1], 16, 3)
    R0, R1 = (rotation_from_vector(x[..., :48].reshape(turns)) for x in (a, b))
    mixed[..., :48] = rotation_to_vector(slerp(R0, R1, w)).reshape(*a.shape[:-1], 48)
    return mixed
