"""One ARCTIC sequence (``arctic/*.npz``): two hands and an articulated object, motion capture (Fan et al., CVPR 2023).

**Units and frames in the file:** ``joints_left``, ``joints_right`` (T, 21, 3) m in MANO's order (wrist; three joints
each of index, middle, little, ring, thumb; then the tips of thumb, index, middle, ring, little); ``object_trans`` (T,
3) m and ``object_rotvec`` (T, 3) rad, the pose of the object's base; ``object_articulation`` (T,) rad between base and
lid. The frame is the capture room's: z up (the object comes to rest at one height, in different places), the person
looking along -y with the left hand at +x. There is no camera, no time (ARCTIC is captured at 30 frames a second), and
no mesh, so no distance between fingers and object. ``valid_contacts_left/right`` (T, 50) come without a description;
they are passed on as they are.

**Frame of the record:** a virtual camera that looks at the person from 1 m in front of the room's origin, level, at the
height of the hands: x = room x, y = room -z, z = room y. It stands for no real camera; metrics of depth or of pixels
mean nothing there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from hoiset.errors import DatasetError
from hoiset.eval.adapters.files import existing, read_arrays
from hoiset.eval.adapters.trajectory import Trajectory
from hoiset.geometry import make_T, transform

FRAMES_PER_S = 30.0
FROM_MANO = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)
"""Index in MANO's order of each of our joints."""

T_CAMERA_ROOM = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, -1.0, 1.2), (0.0, 1.0, 0.0, 1.0), (0.0, 0.0, 0.0, 1.0))


@dataclass(frozen=True)
class ArcticRecording:
    """A sequence.

    Attributes:
        trajectory: Hands and the object's base in the virtual camera's frame; one object, without a mesh.
        articulation: (T,) angle between base and lid, rad.
        contacts: (T, 2, 50) flags of the file, left hand first; their meaning is not documented.
    """

    trajectory: Trajectory
    articulation: Float[np.ndarray, "T"]
    contacts: Bool[np.ndarray, "T 2 50"]


def read_arctic(folder: Path, name: str = "mixer_use_01") -> ArcticRecording:
    """Read a sequence, named ``<object>_<action>_<number>``.

    Raises:
        DatasetError: The file is missing or malformed.
    """
    from scipy.spatial.transform import Rotation

    path = existing(folder, f"{name}.npz")
    arrays = read_arrays(
        path,
        {
            "joints_left": (None, 21, 3),
            "joints_right": (None, 21, 3),
            "object_trans": (None, 3),
            "object_rotvec": (None, 3),
            "object_articulation": (None,),
            "valid_contacts_left": (None, 50),
            "valid_contacts_right": (None, 50),
        },
    )
    joints = np.stack([arrays["joints_left"], arrays["joints_right"]], 1).astype(np.float64)[:, :, FROM_MANO]
    R, t = arrays["object_rotvec"].astype(np.float64), arrays["object_trans"].astype(np.float64)
    articulation = arrays["object_articulation"].astype(np.float64)
    if not all(np.isfinite(a).all() for a in (joints, R, t, articulation)):
        raise DatasetError(f"found values that are not finite in {path}, expected a whole recording")
    T_camera_room = np.array(T_CAMERA_ROOM)
    trajectory = Trajectory(
        name=name,
        time=np.arange(len(t)) / FRAMES_PER_S,
        joints=transform(T_camera_room, joints.reshape(-1, 3)).reshape(joints.shape),
        T_camera_object=(T_camera_room @ make_T(Rotation.from_rotvec(R).as_matrix(), t))[:, None],
        labels=(name.split("_")[0],),
        meshes=(None,),
        gravity=T_camera_room[:3, :3] @ np.array([0.0, 0.0, -1.0]),
    )
    contacts = np.stack([arrays["valid_contacts_left"], arrays["valid_contacts_right"]], 1).astype(bool)
    return ArcticRecording(trajectory, articulation, contacts)
