import numpy as np
import pytest
import trimesh

from hoiset.errors import DatasetError
from hoiset.eval.adapters import Trajectory, trajectory_members
from hoiset.geometry import make_T
from hoiset.shards.glb import encode_objects
from hoiset.shards.schema import ObjectState, empty_arrays
from hoiset.shards.validate import mismatches
from tests.factories import K, make_clip

BOX = trimesh.creation.box((0.1, 0.1, 0.1))
MESH = np.asarray(BOX.vertices), np.asarray(BOX.faces)


def recording(n_objects=1, meshes=(MESH,), n=10):
    """A right hand whose index tip touches a box that starts to move at half time; a left hand that is not there."""
    rng = np.random.default_rng(0)
    time = 5.0 + np.arange(n) / 10
    t = np.tile([0.0, 0.0, 1.0], (n, 1))
    t[n // 2 :, 0] = 0.05 * np.arange(1, n - n // 2 + 1)
    joints = np.full((n, 2, 21, 3), np.nan)
    hand = rng.normal((0.0, 0.0, -0.3), 0.01, (21, 3))
    hand[8] = [0.0, 0.0, -0.07]
    joints[:, 1] = t[:, None] + hand
    T = np.tile(make_T(np.tile(np.eye(3), (n, 1, 1)), t)[:, None], (1, n_objects, 1, 1))
    return Trajectory("made", time, joints, T, ("box",) * n_objects, meshes, None)


def test_members_by_hand():
    members = trajectory_members(recording())
    assert members.keys() == empty_arrays(1).keys()
    assert members["time.npy"][0] == 0.0
    assert members["hand_source.npy"].tolist() == [[0, 1]] * 10
    # The tip is 70 mm in front of the box's centre, the face 50 mm.
    np.testing.assert_allclose(members["contact.npy.gz"][:, 1, 0], 0.02, atol=1e-6)
    assert np.isnan(members["contact.npy.gz"][:, 0]).all()
    state = members["object_state.npy"][:, 0]
    assert state[:4].tolist() == [ObjectState.STATIC] * 4
    assert state[5:].tolist() == [ObjectState.MOVING] * 5
    assert np.isnan(members["hand_joints_2d.npy.gz"]).all()


def test_nothing_is_called_grasped():
    assert trajectory_members(recording())["object_state.npy"].max() < ObjectState.GRASPED_LEFT


def test_objects_without_a_mesh():
    two = recording(2, (None, MESH))
    members = trajectory_members(two)
    assert np.isnan(members["contact.npy.gz"][:, 1, 0]).all()
    assert np.isfinite(members["contact.npy.gz"][:, 1, 1]).all()
    kept = trajectory_members(two, only_meshed=True)
    assert (kept["object_source.npy"][:, 1] == 0).all()
    np.testing.assert_array_equal(kept["contact.npy.gz"][:, 1, 0], members["contact.npy.gz"][:, 1, 1])


def test_members_fit_the_schema():
    members = trajectory_members(recording(), K=np.array(K))
    sample = members | {"clip.json": make_clip("made", 10), "objects.glb": encode_objects([BOX])}
    assert list(mismatches(sample, ("core",))) == []


def test_more_objects_than_slots():
    with pytest.raises(DatasetError, match="found 9 objects in made, expected at most 8"):
        trajectory_members(recording(9, (None,) * 9))
