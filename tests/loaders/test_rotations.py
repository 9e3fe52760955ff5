import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.geometry import angle_between
from hoiset.loaders.rotations import (
    pose_from_9d,
    pose_to_9d,
    rotation_from_6d,
    rotation_from_vector,
    rotation_to_6d,
    rotation_to_vector,
    slerp,
)


def random_rotations(seed: int, *shape: int) -> np.ndarray:
    return rotation_from_vector(np.random.default_rng(seed).normal(0, 1.5, (*shape, 3)))


@settings(max_examples=100, deadline=None)
@given(axis=st.integers(0, 2**31), angle=st.sampled_from([0.0, 1e-9, 1e-4, 0.3, 2.0, np.pi - 1e-6, np.pi - 1e-10]))
def test_vectors_and_back_at_every_angle(axis: int, angle: float) -> None:
    v = np.random.default_rng(axis).normal(size=3)
    v *= angle / np.linalg.norm(v)
    R = rotation_from_vector(v)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(rotation_from_vector(rotation_to_vector(R)), R, atol=1e-9)
    np.testing.assert_allclose(rotation_to_vector(R), v, atol=1e-6)


def test_vectors_agree_with_scipy() -> None:
    spatial = pytest.importorskip("scipy.spatial.transform", reason="needs hoiset[build]")
    R = random_rotations(0, 50)
    np.testing.assert_allclose(rotation_to_vector(R), spatial.Rotation.from_matrix(R).as_rotvec(), atol=1e-9)


def test_six_numbers_are_the_first_columns() -> None:
    R = random_rotations(1, 4, 5)
    six = rotation_to_6d(R)
    np.testing.assert_array_equal(six[..., :3], R[..., :, 0])
    np.testing.assert_array_equal(six[..., 3:], R[..., :, 1])
    np.testing.assert_allclose(rotation_from_6d(six), R, atol=1e-12)
    loose = rotation_from_6d(np.random.default_rng(0).normal(size=(7, 6)))
    np.testing.assert_allclose(np.linalg.det(loose), 1, atol=1e-12)


def test_poses_as_nine_numbers() -> None:
    T = np.tile(np.eye(4), (3, 1, 1))
    T[:, :3, :3], T[:, :3, 3] = random_rotations(2, 3), [[1, 2, 3]]
    np.testing.assert_array_equal(pose_to_9d(T)[:, :3], T[:, :3, 3])
    np.testing.assert_allclose(pose_from_9d(pose_to_9d(T)), T, atol=1e-12)


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.5, 1.0])
def test_slerp_goes_the_shortest_way_at_constant_speed(weight: float) -> None:
    R0, R1 = random_rotations(3, 40), random_rotations(4, 40)
    R = slerp(R0, R1, np.full(40, weight))
    whole = angle_between(R0, R1)
    np.testing.assert_allclose(angle_between(R0, R), weight * whole, atol=1e-6)
    np.testing.assert_allclose(angle_between(R, R1), (1 - weight) * whole, atol=1e-6)
    np.testing.assert_allclose(np.swapaxes(R, -1, -2) @ R, np.tile(np.eye(3), (40, 1, 1)), atol=1e-12)


def test_absence_stays_absence() -> None:
    nan = np.full((3, 3), np.nan)
    assert np.isnan(slerp(nan, np.eye(3), np.array(0.5))).all()
    assert np.isnan(slerp(np.eye(3), nan, np.array(0.5))).all()
    assert np.isnan(rotation_to_vector(nan)).all()
