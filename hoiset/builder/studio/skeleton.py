"""The bones of a right hand: rest joints, bending axes and forward kinematics.

**Convention:** everything is in the wrist frame of a right hand (y to the middle knuckle, x from little to index
knuckle, z out of the palm), m and rad. A left hand is the mirror image in x. Joints are in the schema's order; finger
f = 0..4 is thumb to little; bone ``1 + 3 * f + k`` is the k-th bone of finger f, bone 0 the palm, bone 16 the forearm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoiset.geometry import make_T

N_BONES = 17
PALM = 0
FOREARM = 16
_MAX_WRIST_BEND_RAD = np.deg2rad(60.0)
N_FINGERS = 5

_KNUCKLES = np.array([[0.0265, 0.0925, 0.0015], [0.0, 0.095, 0.0], [-0.0215, 0.0885, 0.0], [-0.0400, 0.0785, 0.0015]])
_SPLAY = np.deg2rad([-11.0, -1.5, 8.0, 19.0])
_BONES_M = np.array(
    [[0.0430, 0.0260, 0.0235], [0.0475, 0.0295, 0.0245], [0.0440, 0.0280, 0.0245], [0.0345, 0.0205, 0.0215]]
)
_THUMB_BASE = np.array([0.0235, 0.0240, 0.0110])
_THUMB_DIRECTIONS = np.array([[0.60, 0.70, 0.39], [0.56, 0.78, 0.28], [0.46, 0.85, 0.25]])
_THUMB_BONES_M = np.array([0.0455, 0.0345, 0.0290])
_THUMB_PAD = np.array([-0.80, 0.25, 0.55])
_TIP_RADIUS_M = np.array([0.0085, 0.0068, 0.0070, 0.0067, 0.0059])


@dataclass(frozen=True)
class Skeleton:
    """Rest pose and axes of a right hand.

    Attributes:
        joints: (21, 3) rest joints; a tip is on the skin, half-way between the finger's end and its pad.
        bend_axes: (5, 3) axis about which a finger's bones bend towards its pad.
        spread_axes: (5, 3) axis about which a finger spreads (fingers: out of the palm; thumb: palmar abduction).
        pads: (5, 3) unit direction that the last bone's pad faces.
        tip_radius_m: (5,) radius of the flesh about the end of the last bone.
    """

    joints: Float[np.ndarray, "21 3"]
    bend_axes: Float[np.ndarray, "5 3"]
    spread_axes: Float[np.ndarray, "5 3"]
    pads: Float[np.ndarray, "5 3"]
    tip_radius_m: Float[np.ndarray, "5"]

    def bone_ends(self) -> Float[np.ndarray, "5 4 3"]:
        """Centres of the flesh along each finger: three joints, then the centre of the last bone's round end."""
        chain = self.joints[1:].reshape(N_FINGERS, 4, 3).copy()
        along = np.cross(self.pads, self.bend_axes)
        chain[:, 3] -= self.tip_radius_m[:, None] * (along + self.pads) / np.sqrt(2.0)
        return chain


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def adult_skeleton(scale: float = 1.0) -> Skeleton:
    """The skeleton of an adult's right hand.

    Bone lengths are near the means of Buryanov and Kotiuk, "Proportions of hand segments" (Int. J. Morphol. 2010).

    Args:
        scale: Uniform size, 1 = wrist to middle knuckle 9.5 cm.
    """
    joints = np.zeros((21, 3))
    pads, bends, spreads = np.zeros((5, 3)), np.zeros((5, 3)), np.zeros((5, 3))
    directions = _unit(_THUMB_DIRECTIONS)
    joints[1] = _THUMB_BASE
    joints[2] = joints[1] + directions[0] * _THUMB_BONES_M[0]
    joints[3] = joints[2] + directions[1] * _THUMB_BONES_M[1]
    last = [directions[2]]
    ends = [joints[3] + directions[2] * (_THUMB_BONES_M[2] - _TIP_RADIUS_M[0])]
    pads[0] = _unit(_THUMB_PAD - (_THUMB_PAD @ directions[2]) * directions[2])
    spreads[0] = _unit(np.cross(directions[0], np.array([0.0, 0.0, 1.0])))
    for f in range(1, 5):
        d = np.array([-np.sin(_SPLAY[f - 1]), np.cos(_SPLAY[f - 1]), 0.0])
        lengths = _BONES_M[f - 1]
        joints[1 + 4 * f] = _KNUCKLES[f - 1]
        joints[2 + 4 * f] = joints[1 + 4 * f] + d * lengths[0]
        joints[3 + 4 * f] = joints[2 + 4 * f] + d * lengths[1]
        ends.append(joints[3 + 4 * f] + d * (lengths[2] - _TIP_RADIUS_M[f]))
        last.append(d)
        pads[f] = spreads[f] = (0.0, 0.0, 1.0)
    for f in range(5):
        bends[f] = _unit(np.cross(last[f], pads[f]))
        joints[4 + 4 * f] = ends[f] + _TIP_RADIUS_M[f] * (last[f] + pads[f]) / np.sqrt(2.0)
    return Skeleton(joints * scale, bends, spreads, pads, _TIP_RADIUS_M * scale)


def rotation(axis: Float[np.ndarray, "*B 3"], angle: Float[np.ndarray, "*B"]) -> Float[np.ndarray, "*B 3 3"]:
    """Rotation matrices about unit axes (Rodrigues)."""
    axis, angle = np.asarray(axis, float), np.asarray(angle, float)
    x, y, z = np.moveaxis(np.broadcast_to(axis, (*angle.shape, 3)), -1, 0)
    zero = np.zeros_like(angle)
    k = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*angle.shape, 3, 3)
    s, c = np.sin(angle)[..., None, None], np.cos(angle)[..., None, None]
    return np.eye(3) + s * k + (1.0 - c) * (k @ k)


def _about(point: np.ndarray, R: np.ndarray) -> np.ndarray:
    """Pose that rotates about a fixed point."""
    return make_T(R, point - R @ point)


def finger_poses(skeleton: Skeleton, finger: int, angles: Float[np.ndarray, "*B 4"]) -> Float[np.ndarray, "*B 3 4 4"]:
    """Rest-to-posed transforms of one finger's three bones in the wrist frame.

    Args:
        skeleton: The hand.
        finger: 0 (thumb) to 4 (little).
        angles: rad, the finger's degrees of freedom. Fingers: spread (towards the thumb negative), bend of knuckle,
            middle and last joint. Thumb: palmar abduction and bend across the palm at the base (which turn the pad
            towards the fingers), bend of knuckle and last joint.
    """
    joints = skeleton.joints[1 + 4 * finger : 5 + 4 * finger]
    bend, spread = skeleton.bend_axes[finger], skeleton.spread_axes[finger]
    first = rotation(spread, angles[..., 0])
    if finger == 0:
        along = _unit(joints[1] - joints[0])
        turn = rotation(along, -(0.45 * angles[..., 0] + 0.35 * angles[..., 1]))
        across = rotation(np.array([0.0, 0.0, 1.0]), angles[..., 1])
        first = across @ first @ turn
        bends = (angles[..., 2], angles[..., 3])
    else:
        first = first @ rotation(bend, angles[..., 1])
        bends = (angles[..., 2], angles[..., 3])
    poses = [_about(joints[0], first)]
    for joint, angle in zip(joints[1:3], bends, strict=True):
        poses.append(poses[-1] @ _about(joint, rotation(bend, angle)))
    return np.stack(poses, -3)


def bone_poses(
    skeleton: Skeleton, angles: Float[np.ndarray, "*B 5 4"], R_wrist_forearm: Float[np.ndarray, "*B 3 3"] | None = None
) -> Float[np.ndarray, "*B 17 4 4"]:
    """Rest-to-posed transforms of all bones in the wrist frame; the palm's is the identity.

    Args:
        skeleton: The hand.
        angles: rad, see :func:`finger_poses`.
        R_wrist_forearm: Rotation of the forearm about the wrist against the rest pose; identity where not given.
    """
    out = np.broadcast_to(np.eye(4), (*angles.shape[:-2], N_BONES, 4, 4)).copy()
    for f in range(N_FINGERS):
        out[..., 1 + 3 * f : 4 + 3 * f, :, :] = finger_poses(skeleton, f, angles[..., f, :])
    if R_wrist_forearm is not None:
        out[..., FOREARM, :3, :3] = R_wrist_forearm
    return out


def posed_joints(skeleton: Skeleton, bones: Float[np.ndarray, "*B 17 4 4"]) -> Float[np.ndarray, "*B 21 3"]:
    """The 21 joints in the wrist frame."""
    carrier = [PALM]
    for f in range(N_FINGERS):
        carrier += [PALM, 1 + 3 * f, 2 + 3 * f, 3 + 3 * f]
    T = bones[..., carrier, :, :]
    return np.einsum("...jab,jb->...ja", T[..., :3, :3], skeleton.joints) + T[..., :3, 3]


def forearm_rotation(T_world_wrist: np.ndarray, shoulder: np.ndarray) -> Float[np.ndarray, "T 3 3"]:
    """``R_wrist_forearm``: the least turn that points the forearm at the shoulder, up to what a wrist allows.

    Args:
        T_world_wrist: Poses of the wrist.
        shoulder: Where the arm comes from, world, m.
    """
    ahead = T_world_wrist[:, :3, 3] - shoulder
    ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
    local = np.einsum("tba,tb->ta", T_world_wrist[:, :3, :3], ahead)
    axis = np.cross(np.array([0.0, 1.0, 0.0]), local)
    sine = np.linalg.norm(axis, axis=-1)
    angle = np.arctan2(sine, local[:, 1])
    axis = np.where(sine[:, None] > 1e-9, axis / np.maximum(sine, 1e-9)[:, None], np.array([1.0, 0.0, 0.0]))
    soft = _MAX_WRIST_BEND_RAD * np.tanh(angle / _MAX_WRIST_BEND_RAD)
    return rotation(axis, soft)
