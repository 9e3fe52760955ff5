"""The UmeTrack hand model: joints and skin of a user's hand from joint angles.

Han et al., "UmeTrack: unified multi-view end-to-end hand tracking for VR", SIGGRAPH Asia 2022; kinematics as in the
HOT3D toolkit (Apache-2.0): five fingers of four hinges, of which the last three carry a bone each; every hinge turns
about a fixed axis through a fixed point of the hand at rest, after the hinges before it. A profile describes the left
hand; the right one is its mirror image in x of the wrist's frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from hoiset.errors import DatasetError
from hoiset.eval.adapters.files import read_json
from hoiset.geometry import make_T

N_FINGERS, N_HINGES, N_BONES = 5, 4, 17
THUMB_HINGE = 1
"""The hinge that the thumb's first bone turns about last: where the other fingers have their knuckle."""

LANDMARKS = (5, -1, 6, 7, 0, 8, 9, 10, 1, 11, 12, 13, 2, 14, 15, 16, 3, 17, 18, 19, 4)
"""Landmark of each of our joints; the thumb's first joint has none and is taken from its hinge."""


@dataclass(frozen=True)
class HandModel:
    """A user's left hand at rest, in the wrist's frame.

    Attributes:
        axes: (22, 3) unit axes of the hinges; the last two are the wrist's and are not used.
        pivots: (22, 3) m, a point on each.
        landmarks: (21, 3) m.
        landmark_weights: (21, 17) of each bone.
        vertices: (V, 3) m, the skin.
        vertex_weights: (V, 17) of each bone.
        faces: (F, 3).
    """

    axes: Float[np.ndarray, "22 3"]
    pivots: Float[np.ndarray, "22 3"]
    landmarks: Float[np.ndarray, "21 3"]
    landmark_weights: Float[np.ndarray, "21 17"]
    vertices: Float[np.ndarray, "V 3"]
    vertex_weights: Float[np.ndarray, "V 17"]
    faces: Int[np.ndarray, "F 3"]


def read_hand_model(path: Path) -> HandModel:
    """Read a ``umetrack_hand_user_profile.json`` (mm).

    Raises:
        DatasetError: Not such a profile.
    """
    value = read_json(path)
    try:
        raw = {k: np.asarray(v, np.float64) for k, v in value["hand_model"].items()}
        bones = raw["landmark_rest_bone_indices"].astype(np.int64)
        weights = np.zeros((len(bones), N_BONES))
        # Entries of weight zero repeat a bone: adding keeps the one that counts.
        np.add.at(weights, (np.arange(len(bones))[:, None], bones), raw["landmark_rest_bone_weights"])
        model = HandModel(
            raw["joint_rotation_axes"],
            raw["joint_rest_positions"] / 1000.0,
            raw["landmark_rest_positions"] / 1000.0,
            weights,
            raw["mesh_vertices"] / 1000.0,
            raw["dense_bone_weights"],
            raw["mesh_triangles"].astype(np.int64),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise DatasetError(f"found {path}, which is no UmeTrack hand profile: {error!r}") from error
    shapes = (model.axes.shape, model.pivots.shape, model.landmarks.shape, model.vertex_weights.shape)
    if shapes != ((22, 3), (22, 3), (21, 3), (len(model.vertices), N_BONES)):
        raise DatasetError(f"found {path} with arrays of {shapes}, expected 22 hinges, 21 landmarks, 17 bones")
    return model


def pose_hand(
    model: HandModel,
    angles: Float[np.ndarray, "T 22"],
    T_world_wrist: Float[np.ndarray, "T 4 4"],
    right: Bool[np.ndarray, "T"],
) -> tuple[Float[np.ndarray, "T 21 3"], Float[np.ndarray, "T V 3"]]:
    """Joints in our order and the skin's vertices, in the frame of the wrist's pose, m.

    Args:
        model: The user's hand.
        angles: Of the hinges, rad.
        T_world_wrist: Poses of the wrist.
        right: Whether a row is a right hand.
    """
    T = np.array(T_world_wrist, np.float64)
    T[right, :3, 0] *= -1.0
    bones, thumb = _bones(model, np.asarray(angles, np.float64))
    landmarks = _skin(model.landmarks, model.landmark_weights, bones)
    joints = np.where(np.array(LANDMARKS)[:, None] >= 0, landmarks[:, LANDMARKS], thumb[:, None])
    vertices = _skin(model.vertices, model.vertex_weights, bones)
    return _apply(T, joints), _apply(T, vertices)


def _bones(
    model: HandModel, angles: Float[np.ndarray, "T 22"]
) -> tuple[Float[np.ndarray, "T 17 4 4"], Float[np.ndarray, "T 3"]]:
    """Where each bone goes from rest (two for the wrist, then three a finger), and the thumb's first joint."""
    from scipy.spatial.transform import Rotation

    n = len(angles)
    turns = angles[:, : N_FINGERS * N_HINGES, None] * model.axes[: N_FINGERS * N_HINGES]
    R = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(n, -1, 3, 3)
    pivots = model.pivots[: N_FINGERS * N_HINGES]
    hinges = make_T(R, pivots - np.einsum("tkij,kj->tki", R, pivots))
    bones = np.tile(np.eye(4), (n, N_BONES, 1, 1))
    for finger in range(N_FINGERS):
        chain = np.tile(np.eye(4), (n, 1, 1))
        for hinge in range(N_HINGES):
            chain = chain @ hinges[:, finger * N_HINGES + hinge]
            if hinge:
                bones[:, 2 + finger * 3 + hinge - 1] = chain
    thumb = _apply(hinges[:, 0], np.tile(model.pivots[THUMB_HINGE], (n, 1, 1)))[:, 0]
    return bones, thumb


def _skin(
    points: Float[np.ndarray, "P 3"], weights: Float[np.ndarray, "P 17"], bones: Float[np.ndarray, "T 17 4 4"]
) -> Float[np.ndarray, "T P 3"]:
    """Linear blend skinning."""
    blended = np.einsum("pb,tbij->tpij", weights, bones[:, :, :3])
    return np.asarray(np.einsum("tpij,pj->tpi", blended[..., :3], points) + blended[..., 3])


def _apply(T: Float[np.ndarray, "T 4 4"], points: Float[np.ndarray, "T P 3"]) -> Float[np.ndarray, "T P 3"]:
    return points @ np.swapaxes(T[:, :3, :3], -1, -2) + T[:, None, :3, 3]
