import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hoiset.builder.studio.skeleton import adult_skeleton, bone_poses, forearm_rotation, posed_joints, rotation
from hoiset.geometry import make_T, wrist_frame

BONES = [(0 if k == 0 else 4 * f + k, 4 * f + k + 1) for f in range(5) for k in range(4)]
angles = st.lists(st.floats(-0.3, 1.4), min_size=20, max_size=20).map(lambda a: np.array(a).reshape(5, 4))


def lengths(joints: np.ndarray) -> np.ndarray:
    return np.array([np.linalg.norm(joints[a] - joints[b]) for a, b in BONES])


@settings(max_examples=50, deadline=None)
@given(pose=angles)
def test_bending_keeps_bone_lengths_and_the_wrist_frame(pose: np.ndarray) -> None:
    skeleton = adult_skeleton()
    joints = posed_joints(skeleton, bone_poses(skeleton, pose))
    assert np.allclose(lengths(joints), lengths(skeleton.joints), atol=1e-9)
    assert np.allclose(wrist_frame(joints, left=False), np.eye(4), atol=1e-9)


def test_proportions_are_an_adults() -> None:
    joints = adult_skeleton().joints
    assert np.linalg.norm(joints[9]) == pytest.approx(0.095)
    assert np.linalg.norm(joints[12]) == pytest.approx(0.193, abs=0.01)
    assert np.linalg.norm(joints[5] - joints[17]) == pytest.approx(0.067, abs=0.006)
    assert np.allclose(adult_skeleton(1.1).joints, joints * 1.1)


def test_fingers_bend_towards_the_palm_and_the_thumb_across_it() -> None:
    skeleton = adult_skeleton()
    bent = np.zeros((5, 4))
    bent[1:, 1:] = 0.8
    joints = posed_joints(skeleton, bone_poses(skeleton, bent))
    assert (joints[[8, 12, 16, 20], 2] > 0.03).all()
    across = np.zeros((5, 4))
    across[0] = (0.6, 0.4, 0.3, 0.3)
    thumb = posed_joints(skeleton, bone_poses(skeleton, across))[4]
    assert thumb[2] > skeleton.joints[4, 2] + 0.015
    assert thumb[0] < skeleton.joints[4, 0]


@settings(max_examples=50, deadline=None)
@given(angle=st.floats(-3, 3), seed=st.integers(0, 1000))
def test_rotation_agrees_with_scipy(angle: float, seed: int) -> None:
    axis = np.random.default_rng(seed).normal(size=3)
    axis /= np.linalg.norm(axis)
    assert np.allclose(rotation(axis, np.array(angle)), Rotation.from_rotvec(axis * angle).as_matrix(), atol=1e-12)


def test_the_forearm_points_at_the_shoulder_within_what_a_wrist_can_bend() -> None:
    T = make_T(np.eye(3), np.array([0.1, 0.2, 0.3]))[None]
    straight = forearm_rotation(T, np.array([0.1, -1.0, 0.3]))[0]
    assert np.allclose(straight, np.eye(3))
    slight = forearm_rotation(T, np.array([0.3, -1.0, 0.4]))[0]
    wanted = T[0, :3, 3] - np.array([0.3, -1.0, 0.4])
    assert np.degrees(np.arccos(slight[:, 1] @ wanted / np.linalg.norm(wanted))) < 1.0
    behind = forearm_rotation(T, np.array([0.1, 1.0, 0.4]))[0]
    assert np.degrees(np.arccos(behind[1, 1])) < 60.1
