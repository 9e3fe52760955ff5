import numpy as np
import pytest

from hoiset.errors import DatasetError
from hoiset.eval.adapters import read_arctic, trajectory_members
from hoiset.geometry import wrist_frame
from hoiset.shards.schema import ObjectState

PARENTS = (0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19)


@pytest.fixture(scope="module")
def mixer(shared_data):
    return read_arctic(shared_data / "arctic")


def test_bones_are_rigid_in_our_order(mixer):
    joints = mixer.trajectory.joints
    assert joints.shape == (638, 2, 21, 3)
    bones = np.linalg.norm(joints[:, :, 1:] - joints[:, :, PARENTS], axis=-1)
    assert 0.015 < bones.min() < bones.max() < 0.11
    # All but the last bone of a finger, whose tip is a point of the skin, keep their length: the order is right.
    inner = np.arange(20) % 4 != 3
    assert bones[..., inner].std(0).max() < 1e-5
    assert bones[..., ~inner].std(0).max() < 5e-3
    # The middle finger reaches farthest from the wrist, the little finger's bones are the shortest.
    mean = bones.mean((0, 1)).reshape(5, 4)[:, 1:3].sum(-1)
    assert np.argmin(mean) == 4


def test_left_is_left(mixer):
    for side in range(2):
        joints = mixer.trajectory.joints[:, side]
        T = wrist_frame(joints, left=side == 0)
        local = np.einsum("nji,nkj->nki", T[:, :3, :3], joints - joints[:, :1])
        # Fingers curl towards the palm, which is +z of a wrist frame of the right side and -z of one of the wrong side.
        assert np.median(local[:, [8, 12, 16, 20], 2]) > 0.01


def test_frame(mixer):
    trajectory = mixer.trajectory
    assert trajectory.joints[..., 2].min() > 0.5
    R = trajectory.T_camera_object[:, 0, :3, :3]
    np.testing.assert_allclose(R @ np.swapaxes(R, -1, -2), np.broadcast_to(np.eye(3), R.shape), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(R), 1.0)
    # It stands at one height before and after, in different places: gravity is along +y.
    ends = trajectory.T_camera_object[[0, -1], 0, :3, 3]
    assert abs(ends[0, 1] - ends[1, 1]) < 2e-3
    assert np.linalg.norm(ends[0] - ends[1]) > 0.05
    np.testing.assert_array_equal(trajectory.gravity, [0, 1, 0])
    np.testing.assert_allclose(np.diff(trajectory.time), 1 / 30)


def test_members(mixer):
    members = trajectory_members(mixer.trajectory)
    state = members["object_state.npy"][:, 0]
    assert set(state) == {ObjectState.STATIC, ObjectState.MOVING}
    assert (state[:30] == ObjectState.STATIC).all()
    assert (state[-30:] == ObjectState.STATIC).all()
    assert np.isnan(members["contact.npy.gz"]).all()
    # While the file marks contact, the hands are nearer to the object than while it does not.
    tips = mixer.trajectory.joints[:, :, 4::4] - mixer.trajectory.T_camera_object[:, :, None, :3, 3]
    near = np.linalg.norm(tips, axis=-1).min(-1)
    touched = mixer.contacts.any(-1)
    assert near[touched].max() < np.median(near[~touched])


def test_a_broken_file_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="found no"):
        read_arctic(tmp_path)
    np.savez(tmp_path / "mixer_use_01.npz", joints_left=np.zeros((2, 20, 3)))
    with pytest.raises(DatasetError, match="without"):
        read_arctic(tmp_path)
