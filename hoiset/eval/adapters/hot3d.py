"""A HOT3D recording (``hot3d/``): two hands, six objects, a moving headset (Banerjee et al., CVPR 2025).

**Units and frames in the files:** m, rad, ns; quaternions wxyz; poses of wrists, objects and headset in the room's
frame, z up. Streams are exposed at slightly different instants, and poses are given at each of them; the frames of the
record are those of the colour camera, ``214-1``. Hands come as UmeTrack joint angles with the user's hand model, from
which joints and skin follow without MANO's weights (the MANO parameters that are also there need them and are not
read). Of six objects four have a mesh here. There are no images and no camera calibration.

**Frame of the record:** the headset's device frame at the first frame, held still: what a static camera in its place
would see. For Aria that frame is the left SLAM camera's, an OpenCV frame turned by a quarter (x points down in the
room). The tests project into stream ``1201-1`` to confirm it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from hoiset.errors import DatasetError
from hoiset.eval.adapters.files import existing, number, read_json, read_json_lines, read_table
from hoiset.eval.adapters.trajectory import Mesh, Trajectory
from hoiset.eval.adapters.umetrack import pose_hand, read_hand_model
from hoiset.geometry import invert, make_T

STREAM = "214-1"
MASKS = (
    "good_exposure",
    "hand_pose_available",
    "hand_visible",
    "headset_pose_available",
    "object_pose_available",
    "object_visible",
)
POSE_COLUMNS = ("t_wo_x[m]", "t_wo_y[m]", "t_wo_z[m]", "q_wo_w", "q_wo_x", "q_wo_y", "q_wo_z")


@dataclass(frozen=True)
class Hot3dRecording:
    """A recording at the instants of one stream.

    Attributes:
        trajectory: Hands and objects in the frame of the headset at the first frame, held still.
        timestamps_ns: (T,) of the frames.
        T_camera_device: (T, 4, 4) how the headset itself moves; the identity at the first frame.
        hand_vertices: (T, 2, V, 3) m, the skin of the hands.
        hand_faces: (F, 3) of the left hand; of the right one they point inwards.
        masks: Name of the validity mask -> (T,); a frame counts where all that one needs are true.
        uids: Of the objects.
    """

    trajectory: Trajectory
    timestamps_ns: Int[np.ndarray, "T"]
    T_camera_device: Float[np.ndarray, "T 4 4"]
    hand_vertices: Float[np.ndarray, "T 2 V 3"]
    hand_faces: Int[np.ndarray, "F 3"]
    masks: dict[str, Bool[np.ndarray, "T"]]
    uids: tuple[str, ...]


def read_hot3d(folder: Path, recording: str = "P0003_c701bd11", *, stream: str = STREAM) -> Hot3dRecording:
    """Read a recording and the meshes of its objects, as far as they are there.

    Where ``hand_pose_available`` or ``object_pose_available`` is false, hands or objects are NaN.

    Args:
        folder: Holds the recording's folder and ``object_library``.
        recording: Name of the recording's folder.
        stream: The stream at whose instants to read.

    Raises:
        DatasetError: A file is missing or malformed, or an instant of the stream lacks a pose of the headset.
    """
    base = existing(folder, f"{recording}/metadata.json").parent
    masks, stamps = _masks(base, stream)
    headset = _poses(existing(base, "headset_trajectory.csv"))
    devices = [poses for poses in headset.values() if set(stamps.tolist()) <= poses.keys()]
    if not devices:
        raise DatasetError(f"found no headset pose at every frame of stream {stream} in {base}, expected one a frame")
    T_room_device = np.array([devices[0][stamp] for stamp in stamps.tolist()])
    T_camera_room = invert(T_room_device[0])
    joints, vertices, faces = _hands(base, stamps, T_camera_room)
    joints[~masks["hand_pose_available"]] = np.nan
    vertices[~masks["hand_pose_available"]] = np.nan
    tracked = _poses(existing(base, "dynamic_objects.csv"))
    uids = tuple(sorted(tracked))
    T_camera_object = np.full((len(stamps), len(uids), 4, 4), np.nan)
    for n, uid in enumerate(uids):
        for t, stamp in enumerate(stamps.tolist()):
            if stamp in tracked[uid] and masks["object_pose_available"][t]:
                T_camera_object[t, n] = T_camera_room @ tracked[uid][stamp]
    library = folder / "object_library"
    names = read_json(existing(library, "instance.json"))
    trajectory = Trajectory(
        name=recording,
        time=(stamps - stamps[0]) / 1e9,
        joints=joints,
        T_camera_object=T_camera_object,
        labels=tuple(_label(names, uid) for uid in uids),
        meshes=tuple(_mesh(library, uid) for uid in uids),
        gravity=T_camera_room[:3, :3] @ np.array([0.0, 0.0, -1.0]),
    )
    return Hot3dRecording(trajectory, stamps, T_camera_room @ T_room_device, vertices, faces, masks, uids)


def _masks(base: Path, stream: str) -> tuple[dict[str, Bool[np.ndarray, "T"]], Int[np.ndarray, "T"]]:
    """Validity masks of a stream and its instants."""
    tables = {}
    for name in MASKS:
        rows = read_table(existing(base, f"masks/mask_{name}.csv"), ("timestamp[ns]", "stream_id", "mask"))
        tables[name] = {int(r["timestamp[ns]"]): r["mask"] == "True" for r in rows if r["stream_id"] == stream}
    stamps = sorted(set().union(*tables.values()))
    if not stamps:
        raise DatasetError(f"found no frame of stream {stream} in {base / 'masks'}, expected one of its streams")
    masks = {name: np.array([table.get(stamp, False) for stamp in stamps]) for name, table in tables.items()}
    return masks, np.array(stamps, np.int64)


def _poses(path: Path) -> dict[str, dict[int, Float[np.ndarray, "4 4"]]]:
    """``T_room_x`` by id and instant."""
    out: dict[str, dict[int, Float[np.ndarray, "4 4"]]] = {}
    for row in read_table(path, ("object_uid", "timestamp[ns]", *POSE_COLUMNS)):
        values = [number(row[column], str(path)) for column in POSE_COLUMNS]
        out.setdefault(row["object_uid"], {})[int(row["timestamp[ns]"])] = _pose(values[:3], values[3:], path)
    return out


def _pose(t: list[float], q_wxyz: list[float], path: Path) -> Float[np.ndarray, "4 4"]:
    from scipy.spatial.transform import Rotation

    if abs(np.linalg.norm(q_wxyz) - 1.0) > 1e-3:
        raise DatasetError(f"found the quaternion {q_wxyz} in {path}, expected one of length 1")
    return make_T(Rotation.from_quat(q_wxyz, scalar_first=True).as_matrix(), np.array(t))


def _hands(
    base: Path, stamps: Int[np.ndarray, "T"], T_camera_room: Float[np.ndarray, "4 4"]
) -> tuple[Float[np.ndarray, "T 2 21 3"], Float[np.ndarray, "T 2 V 3"], Int[np.ndarray, "F 3"]]:
    """Joints, skin (NaN where a hand is absent) and faces."""
    model = read_hand_model(existing(base, "umetrack_hand_user_profile.json"))
    path = existing(base, "umetrack_hand_pose_trajectory.jsonl")
    joints = np.full((len(stamps), 2, 21, 3), np.nan)
    vertices = np.full((len(stamps), 2, len(model.vertices), 3), np.nan)
    try:
        lines: dict[int, dict[str, Any]] = {int(v["timestamp_ns"]): v["hand_poses"] for v in read_json_lines(path)}
        for side in range(2):
            rows = [t for t, stamp in enumerate(stamps.tolist()) if str(side) in lines.get(stamp, {})]
            if not rows:
                continue
            hands = [lines[int(stamps[t])][str(side)] for t in rows]
            wrists = [_pose(h["wrist_xform"]["t_xyz"], h["wrist_xform"]["q_wxyz"], path) for h in hands]
            angles = np.array([h["joint_angles"] for h in hands], np.float64)
            right = np.full(len(rows), side == 1)
            joints[rows, side], vertices[rows, side] = pose_hand(model, angles, T_camera_room @ np.array(wrists), right)
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"found {path} with a line that is no pair of hand poses: {error!r}") from error
    return joints, vertices, model.faces


def _label(names: Any, uid: str) -> str:
    """The object's name in words, as the library has it: "mug white", "coffee pot"."""
    try:
        return str(names[uid]["instance_name"]).replace("_", " ")
    except (KeyError, TypeError) as error:
        raise DatasetError(f"found no instance_name of object {uid} in instance.json, expected one") from error


def _mesh(library: Path, uid: str) -> Mesh | None:
    """Vertices and faces in the object's frame, ``None`` when the library does not have it."""
    import trimesh

    path = library / f"{uid}.glb"
    if not path.is_file():
        return None
    scene = trimesh.load_scene(existing(library, path.name), file_type="glb")
    mesh = scene.to_mesh()
    return np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
