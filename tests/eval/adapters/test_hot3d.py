import shutil

import numpy as np
import pytest

from hoiset.errors import DatasetError
from hoiset.eval.adapters import read_hot3d, trajectory_members
from hoiset.eval.adapters.files import read_table
from hoiset.eval.definitions import surface_distance
from hoiset.geometry import invert, transform, wrist_frame
from hoiset.shards.schema import ObjectState

NAME = "P0003_c701bd11"
PARENTS = (0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19)


@pytest.fixture(scope="module")
def recording(shared_data):
    return read_hot3d(shared_data / "hot3d")


def test_hands_are_rigid_hands_of_one_person(recording):
    joints = recording.trajectory.joints
    assert joints.shape == (34, 2, 21, 3)
    bones = np.linalg.norm(joints[:, :, 1:] - joints[:, :, PARENTS], axis=-1)
    assert bones.std(0).max() < 1e-5
    # Left and right share one profile.
    np.testing.assert_allclose(bones[:, 0], bones[:, 1], atol=1e-4)
    assert 0.015 < bones.min() < bones.max() < 0.11


def test_left_is_left(recording):
    for side in range(2):
        joints = recording.trajectory.joints[:, side]
        T = wrist_frame(joints, left=side == 0)
        local = np.einsum("nji,nkj->nki", T[:, :3, :3], joints - joints[:, :1])
        # Fingers curl towards the palm, which is +z of a wrist frame of the right side and -z of one of the wrong side.
        assert np.median(local[:, [8, 12, 16, 20], 2]) > 0.01


def test_tips_lie_on_the_skin_and_knuckles_inside(recording):
    faces = recording.hand_faces
    for side in range(2):
        skin, joints = recording.hand_vertices[5, side], recording.trajectory.joints[5, side]
        assert surface_distance(joints[[4, 8, 12, 16, 20]], skin, faces).max() < 1e-3
        knuckles = surface_distance(joints[[5, 9, 13, 17]], skin, faces)
        assert 0.003 < knuckles.min() < knuckles.max() < 0.015


def test_objects(recording):
    trajectory = recording.trajectory
    assert set(trajectory.labels) == {"puzzle toy", "mug white", "coffee pot", "mouse", "keyboard", "cellphone"}
    assert [label for label, mesh in zip(trajectory.labels, trajectory.meshes, strict=True) if mesh is None] == [
        "mug white",
        "coffee pot",
    ]
    R = trajectory.T_camera_object[..., :3, :3]
    np.testing.assert_allclose(R @ np.swapaxes(R, -1, -2), np.broadcast_to(np.eye(3), R.shape), atol=1e-9)
    keyboard = trajectory.meshes[trajectory.labels.index("keyboard")]
    np.testing.assert_allclose(np.ptp(keyboard[0], axis=0), [0.429, 0.020, 0.129], atol=1e-3)


def test_gravity_is_across_what_lies_flat(recording):
    trajectory = recording.trajectory
    for label, limit_deg in (("cellphone", 2), ("keyboard", 8)):
        # The thin side of both is y.
        up = trajectory.T_camera_object[:, trajectory.labels.index(label), :3, 1]
        assert np.degrees(np.arccos(np.abs(up @ trajectory.gravity))).max() < limit_deg


def test_the_frame_is_that_of_the_left_slam_camera(shared_data):
    # An equidistant fisheye of Aria's nominal focal length puts each hand's joints into the box drawn around its skin.
    recording = read_hot3d(shared_data / "hot3d", stream="1201-1")
    rows = read_table(shared_data / "hot3d" / NAME / "box2d_hands.csv", ("stream_id", "hand_index"))
    index = {stamp: t for t, stamp in enumerate(recording.timestamps_ns.tolist())}
    shares = []
    for row in rows:
        if row["stream_id"] != "1201-1" or not row["x_min[pixel]"]:
            continue
        t, side = index[int(row["timestamp[ns]"])], int(row["hand_index"])
        joints = transform(invert(recording.T_camera_device[t]), recording.trajectory.joints[t, side])
        sideways = np.linalg.norm(joints[:, :2], axis=-1)
        angle = np.arctan2(sideways, joints[:, 2])
        u, v = (joints[:, :2] / sideways[:, None] * angle[:, None] * 241.0 + [319.5, 239.5]).T
        box = [float(row[f"{side}[pixel]"]) for side in ("x_min", "x_max", "y_min", "y_max")]
        shares.append(((u > box[0] - 5) & (u < box[1] + 5) & (v > box[2] - 5) & (v < box[3] + 5)).mean())
    assert len(shares) >= 30
    assert np.mean(shares) > 0.95


def test_instants_and_masks(recording):
    assert recording.trajectory.time[0] == 0.0
    np.testing.assert_allclose(np.diff(recording.trajectory.time), 1 / 30, atol=1e-3)
    assert {m.sum() for m in recording.masks.values()} == {34}
    np.testing.assert_allclose(recording.T_camera_device[0], np.eye(4), atol=1e-12)
    # The head moves by centimetres, so that the frame is held still on purpose.
    assert 0.005 < np.linalg.norm(recording.T_camera_device[:, :3, 3], axis=-1).max() < 0.05


def test_members(recording):
    members = trajectory_members(recording.trajectory, only_meshed=True)
    assert np.isfinite(members["contact.npy.gz"][..., :4]).all()
    assert (members["object_state.npy"][:, :4] == ObjectState.STATIC).all()
    everything = trajectory_members(recording.trajectory)
    pot = recording.trajectory.labels.index("coffee pot")
    assert (everything["object_state.npy"][:, pot] == ObjectState.MOVING).any()
    # Exact distances: no sample of the surface is nearer.
    slot = [i for i, m in enumerate(recording.trajectory.meshes) if m is not None].index(
        recording.trajectory.labels.index("keyboard")
    )
    vertices, _ = recording.trajectory.meshes[recording.trajectory.labels.index("keyboard")]
    T = recording.trajectory.T_camera_object[3, recording.trajectory.labels.index("keyboard")]
    tips = transform(invert(T), recording.trajectory.joints[3, 0, 4::4])
    nearest_vertex = np.linalg.norm(tips[:, None] - vertices, axis=-1).min()
    assert members["contact.npy.gz"][3, 0, slot] <= nearest_vertex + 1e-6


def test_masked_frames_are_absent(shared_data, tmp_path):
    copy = tmp_path / "hot3d"
    shutil.copytree(shared_data / "hot3d", copy, copy_function=shutil.copyfile)
    for folder in (copy, *(p for p in copy.rglob("*") if p.is_dir())):
        folder.chmod(0o755)
    for name in ("hand", "object"):
        path = copy / NAME / "masks" / f"mask_{name}_pose_available.csv"
        path.write_text(path.read_text().replace("56752108188860,214-1,True", "56752108188860,214-1,False"))
    trajectory = read_hot3d(copy).trajectory
    assert np.isnan(trajectory.joints[0]).all()
    assert np.isnan(trajectory.T_camera_object[0]).all()
    assert np.isfinite(trajectory.joints[1:]).all()
    (copy / NAME / "headset_trajectory.csv").unlink()
    with pytest.raises(DatasetError, match=r"found no .*headset_trajectory\.csv"):
        read_hot3d(copy)


def test_a_stream_that_is_not_there(shared_data):
    with pytest.raises(DatasetError, match="found no frame of stream 9-9"):
        read_hot3d(shared_data / "hot3d", stream="9-9")
