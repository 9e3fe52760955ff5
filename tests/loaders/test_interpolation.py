import numpy as np
import pytest

from hoiset.loaders.interpolation import KINDS, interpolate, locate
from hoiset.loaders.names import item_name
from hoiset.loaders.rotations import rotation_from_vector
from hoiset.shards.schema import SCHEMA

TIME = np.array([0.0, 0.1, 0.25, 0.3])


def test_every_array_member_of_the_schema_has_a_way_between_frames() -> None:
    assert set(KINDS) == {item_name(m.name) for m in SCHEMA if m.is_array}


def test_places() -> None:
    at = locate(TIME, np.array([-0.1, 0.0, 0.05, 0.17, 0.2, 0.25003, 0.3, 0.30005, 0.4]))
    assert at.low.tolist() == [0, 0, 0, 1, 1, 2, 3, 3, 3]
    assert at.high.tolist() == [0, 0, 1, 2, 2, 2, 3, 3, 3]
    np.testing.assert_allclose(at.weight, [0, 0, 0.5, 0.07 / 0.15, 0.1 / 0.15, 0, 0, 0, 0])
    assert at.nearest.tolist() == [0, 0, 0, 1, 2, 2, 3, 3, 3]
    assert at.is_pad.tolist() == [True, False, False, False, False, False, False, False, True]
    assert not at.on_frames
    assert locate(TIME, TIME).on_frames
    assert locate(TIME, TIME).low.tolist() == [0, 1, 2, 3]


def test_one_frame_stands_for_all_times() -> None:
    at = locate(np.zeros(1), np.array([-1.0, 0.0, 1.0]))
    assert at.low.tolist() == [0, 0, 0]
    assert at.is_pad.tolist() == [True, False, True]


def test_positions_go_straight_and_frames_are_exact() -> None:
    values = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
    found = interpolate(values, locate(TIME, np.array([0.0, 0.05, 0.1, 0.25])), "linear")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[[0, 2, 3]], values[[0, 1, 2]])
    np.testing.assert_allclose(found[1], (values[0] + values[1]) / 2, rtol=1e-6)


def test_absence_is_never_invented() -> None:
    values = np.array([1.0, np.nan, 3.0, 4.0], np.float32)
    found = interpolate(values, locate(TIME, np.array([0.0, 0.05, 0.1, 0.2, 0.25])), "linear")
    assert np.isnan(found).tolist() == [False, True, True, True, False]
    score = interpolate(np.array([0.8, 0.0, 0.5, 0.7]), locate(TIME, np.array([0.05, 0.2, 0.275])), "score")
    np.testing.assert_allclose(score, [0, 0, 0.6])


def test_poses_turn_about_their_axis() -> None:
    T = np.tile(np.eye(4, dtype=np.float32), (4, 1, 1))
    T[1, :3, :3], T[1, :3, 3] = rotation_from_vector(np.array([0, 0, 1.0])), [2, 0, 0]
    found = interpolate(T, locate(TIME, np.array([0.025])), "pose")[0]
    np.testing.assert_allclose(found[:3, :3], rotation_from_vector(np.array([0, 0, 0.25])), atol=1e-6)
    np.testing.assert_allclose(found[:, 3], [0.5, 0, 0, 1], atol=1e-6)


def test_mano_turns_every_joint() -> None:
    rng = np.random.default_rng(0)
    mano = rng.normal(0, 0.5, (4, 2, 61))
    found = interpolate(mano, locate(TIME, np.array([0.05, 0.1])), "mano")
    np.testing.assert_array_equal(found[1], mano[1])
    np.testing.assert_allclose(found[0, :, 48:], mano[:2, :, 48:].mean(0))
    R0, R1, R = (rotation_from_vector(x[..., 6:9]) for x in (mano[0], mano[1], found[0]))
    np.testing.assert_allclose(R0.swapaxes(-1, -2) @ R, R.swapaxes(-1, -2) @ R1, atol=1e-9)


@pytest.mark.parametrize(("at", "code"), [(0.04, 7), (0.05, 7), (0.06, 9), (0.24, 4)])
def test_codes_are_those_of_the_nearest_frame(at: float, code: int) -> None:
    codes = np.array([7, 9, 4, 1], np.uint8)
    assert interpolate(codes, locate(TIME, np.array([at])), "nearest").tolist() == [code]
