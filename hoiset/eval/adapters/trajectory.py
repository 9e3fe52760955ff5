"""Recordings of hands and objects in one camera frame, and the members of the schema that they give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from hoiset.errors import DatasetError
from hoiset.eval.definitions import posed_points, surface_centroid, surface_distance
from hoiset.geometry import invert, project, transform, wrist_frame
from hoiset.shards.schema import FINGERTIPS, MAX_OBJECTS, HandSource, ObjectSource, ObjectState, empty_arrays

MOVING_M_S = 0.02
"""Speed from which an object counts as moving: motion capture of one at rest is below 5 mm/s."""
MOVING_WINDOW_S = 0.2
"""Time over which speed is taken, so that jitter from frame to frame is no motion."""

Mesh = tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"]]


@dataclass(frozen=True)
class Trajectory:
    """Two hands and objects over time, in the frame of one static camera (OpenCV axes).

    Attributes:
        name: Of the recording.
        time: (T,) s from its start.
        joints: (T, 2, 21, 3) m, NaN where a hand is absent.
        T_camera_object: (T, N, 4, 4), NaN where an object is absent.
        labels: N nouns.
        meshes: N meshes (vertices in m in the object's frame, faces), ``None`` where the data has none.
        gravity: Unit vector in the camera frame, ``None`` where unknown.
    """

    name: str
    time: Float[np.ndarray, "T"]
    joints: Float[np.ndarray, "T 2 21 3"]
    T_camera_object: Float[np.ndarray, "T N 4 4"]
    labels: tuple[str, ...]
    meshes: tuple[Mesh | None, ...]
    gravity: Float[np.ndarray, "3"] | None


def trajectory_members(
    trajectory: Trajectory, *, K: Float[np.ndarray, "3 3"] | None = None, only_meshed: bool = False
) -> dict[str, np.ndarray]:
    """The array members of schema v2 for a recording.

    ``object_state`` is ``static`` or ``moving``, which follow from the pose alone: these recordings do not say what is
    grasped, and deriving it from contact and common motion would be a guess of ours, not ground truth. There are no
    grasp segments for the same reason: do not score states or grasps on these members. ``contact`` is the least
    distance of the five fingertip joints to the mesh; it is NaN for an object without one (such members cannot be
    written as a dataset, which wants a distance for everything that is present: take ``only_meshed``).

    Args:
        trajectory: The recording.
        K: A pinhole camera for ``hand_joints_2d``; without one they stay NaN.
        only_meshed: Leave out objects without a mesh; the others move up.

    Returns:
        Member name -> array, all array members of the core layer.

    Raises:
        DatasetError: More objects than the schema has slots.
    """
    kept = [i for i, mesh in enumerate(trajectory.meshes) if mesh is not None or not only_meshed]
    if len(kept) > MAX_OBJECTS:
        raise DatasetError(f"found {len(kept)} objects in {trajectory.name}, expected at most {MAX_OBJECTS}")
    out = empty_arrays(len(trajectory.time))
    out["time.npy"][:] = trajectory.time - trajectory.time[0]
    there = np.isfinite(trajectory.joints).all((-1, -2))
    for hand in range(2):
        seen, joints = there[:, hand], trajectory.joints[:, hand]
        out["hand_joints.npy.gz"][seen, hand] = joints[seen]
        out["hand_wrist.npy.gz"][seen, hand] = wrist_frame(joints, left=hand == 0)[seen]
        if K is not None:
            out["hand_joints_2d.npy.gz"][seen, hand] = project(K, joints[seen])
    out["hand_source.npy"][there] = HandSource.OBSERVED
    out["hand_score.npy"][there] = 1.0
    for slot, i in enumerate(kept):
        T, mesh = trajectory.T_camera_object[:, i], trajectory.meshes[i]
        seen = np.isfinite(T).all((-1, -2))
        out["object_pose.npy.gz"][seen, slot] = T[seen]
        out["object_source.npy"][seen, slot] = ObjectSource.OBSERVED
        centre = np.zeros(3) if mesh is None else surface_centroid(*mesh)
        moving = _moving(posed_points(T, centre), trajectory.time)
        out["object_state.npy"][seen, slot] = np.where(moving, ObjectState.MOVING, ObjectState.STATIC)[seen]
        if mesh is not None:
            out["contact.npy.gz"][:, :, slot] = fingertip_distance(trajectory.joints, T, mesh)
    return out


def fingertip_distance(
    joints: Float[np.ndarray, "T 2 21 3"], T_camera_object: Float[np.ndarray, "T 4 4"], mesh: Mesh
) -> Float[np.ndarray, "T 2"]:
    """Least distance of each hand's fingertip joints to an object's mesh, m; NaN where either is absent."""
    tips = joints[:, :, FINGERTIPS, :]
    local = transform(invert(T_camera_object), tips.reshape(len(tips), -1, 3))
    return surface_distance(local.reshape(-1, 3), *mesh).reshape(len(tips), 2, len(FINGERTIPS)).min(-1)


def _moving(positions: Float[np.ndarray, "T 3"], time: Float[np.ndarray, "T"]) -> np.ndarray:
    """Whether a point is faster than :data:`MOVING_M_S` over :data:`MOVING_WINDOW_S` around each frame.

    A turn about the centre is not seen: it is called static.
    """
    before = np.searchsorted(time, time - 0.5 * MOVING_WINDOW_S - 1e-9)
    after = np.searchsorted(time, time + 0.5 * MOVING_WINDOW_S + 1e-9) - 1
    lasted = np.maximum(time[after] - time[before], 1e-9)
    return np.asarray(np.linalg.norm(positions[after] - positions[before], axis=-1) / lasted > MOVING_M_S)
