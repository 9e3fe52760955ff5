"""A human hand's path as that of a two-finger gripper.

**Convention:** the gripper's origin is between its pads; x points from the thumb's pad to the fingers', y away from the
wrist, z = x cross y. It keeps one pose in the wrist's frame, the median over the time held, so that what the fingers
do inside the hand while they hold moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from hoiset.builder.reconstruct.smoothing import smooth
from hoiset.builder.retarget.replay.records import NotTestable
from hoiset.geometry import invert, make_T, transform

THUMB = (3, 4)
FINGERS = (7, 8, 11, 12)
"""Last joint and tip of the thumb, and of index and middle finger: where their pads are between."""


@dataclass(frozen=True)
class GripperPath:
    """A gripper over time.

    Attributes:
        time: (N,) s, ascending.
        place: (N, 3) m, world.
        turn: (N, 3, 3) ``R_world_gripper``.
        aperture_m: (N,) distance of the thumb's pad from the fingers'.
    """

    time: Float[np.ndarray, "N"]
    place: Float[np.ndarray, "N 3"]
    turn: Float[np.ndarray, "N 3 3"]
    aperture_m: Float[np.ndarray, "N"]

    def at(self, time: Float[np.ndarray, "M"]) -> GripperPath:
        """The path at other times, still before its start and after its end."""
        from scipy.interpolate import PchipInterpolator
        from scipy.spatial.transform import Rotation, Slerp

        t = np.clip(time, self.time[0], self.time[-1])
        return GripperPath(
            np.asarray(time, np.float64),
            PchipInterpolator(self.time, self.place)(t),
            Slerp(self.time, Rotation.from_matrix(self.turn))(t).as_matrix(),
            np.interp(t, self.time, self.aperture_m),
        )


def gripper_path(
    time: Float[np.ndarray, "T"],
    wrist: Float[np.ndarray, "T 4 4"],
    joints: Float[np.ndarray, "T 21 3"],
    held: Bool[np.ndarray, "T"],
    *,
    smooth_s: float,
) -> GripperPath:
    """The path of a gripper that goes where a hand goes.

    Args:
        time: s.
        wrist: ``T_world_wrist``; NaN where absent.
        joints: m, world; NaN where absent.
        held: Whether the hand holds the object.
        smooth_s: Standard deviation of the smoothing window.

    Raises:
        NotTestable: The hand has fewer than two poses.
    """
    there = np.isfinite(wrist).all((-1, -2)) & np.isfinite(joints).all((-1, -2))
    if there.sum() < 2 or not (there & held).any():
        raise NotTestable("no_hand")
    t = time[there]
    local = transform(invert(wrist[there]), joints[there])
    pads = np.stack([local[:, THUMB].mean(1), local[:, FINGERS].mean(1)], 1)
    T_wrist_gripper = _grip(np.median(pads[held[there]], axis=0))
    T = wrist[there] @ T_wrist_gripper
    values = smooth(t, np.concatenate([T[:, :3, 3], T[:, :3, :3].reshape(-1, 9)], 1), sigma_s=smooth_s)
    aperture = smooth(t, np.linalg.norm(pads[:, 1] - pads[:, 0], axis=-1)[:, None], sigma_s=smooth_s)[:, 0]
    return GripperPath(t, values[:, :3], nearest_rotation(values[:, 3:].reshape(-1, 3, 3)), aperture)


def _grip(pads: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "4 4"]:
    """``T_wrist_gripper`` from the pads in the wrist's frame; across the palm where they are at one place."""
    centre, across = pads.mean(0), pads[1] - pads[0]
    x = across / np.linalg.norm(across) if np.linalg.norm(across) > 5e-3 else np.array([0.0, 0.0, 1.0])
    y = centre if np.linalg.norm(np.cross(centre, x)) > 1e-3 else np.array([0.0, 1.0, 0.0])
    y = y - (y @ x) * x
    if np.linalg.norm(y) < 1e-6:
        y = np.array([1.0, 0.0, 0.0]) - x[0] * x
    y = y / np.linalg.norm(y)
    return make_T(np.stack([x, y, np.cross(x, y)], -1), centre)


def nearest_rotation(M: Float[np.ndarray, "*B 3 3"]) -> Float[np.ndarray, "*B 3 3"]:
    """The rotation nearest to a matrix (Procrustes)."""
    U, _, Vt = np.linalg.svd(M)
    U[..., :, 2] *= np.sign(np.linalg.det(U @ Vt))[..., None]
    return np.asarray(U @ Vt)
