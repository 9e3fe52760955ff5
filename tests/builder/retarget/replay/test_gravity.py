"""Down, from what stands."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hoiset.builder.retarget.replay.bodies import Body, body_of
from hoiset.builder.retarget.replay.gravity import gravity_from_places, gravity_from_rest, world_from_camera
from hoiset.builder.retarget.replay.records import ReplayParams
from hoiset.geometry import transform


def body(mesh: trimesh.Trimesh) -> Body:
    return body_of((np.asarray(mesh.vertices), np.asarray(mesh.faces)), ReplayParams())


@pytest.mark.parametrize("pitch", [-10.0, 0.0, 30.0, 60.0, 85.0])
@pytest.mark.parametrize("yaw", [0.0, 37.0])
def test_a_standing_cylinder_tells(pitch: float, yaw: float) -> None:
    down = np.array([0.0, np.cos(np.deg2rad(pitch)), np.sin(np.deg2rad(pitch))])
    x = np.array([1.0, 0.0, 0.0])
    R = np.stack([x, np.cross(-down, x), -down], -1) @ Rotation.from_euler("z", yaw, degrees=True).as_matrix()
    found = gravity_from_rest(body(trimesh.creation.cylinder(0.03, 0.12, sections=48)), R)
    assert found is not None
    np.testing.assert_allclose(found, down, atol=1e-6)


def test_a_sphere_tells_nothing() -> None:
    assert gravity_from_rest(body(trimesh.creation.icosphere(3, 0.05)), np.eye(3)) is None


def test_a_cube_that_may_be_seen_from_above_or_from_its_side_tells_nothing() -> None:
    assert gravity_from_rest(body(trimesh.creation.box((0.1, 0.1, 0.1))), np.eye(3)) is None


def test_no_camera_hangs_upside_down() -> None:
    plate = body(trimesh.creation.cylinder(0.1, 0.01))
    found = gravity_from_rest(plate, Rotation.from_euler("x", 90, degrees=True).as_matrix())
    assert found is not None
    assert found[1] == pytest.approx(1.0)


def test_the_world_has_gravity_down_and_its_origin_where_asked() -> None:
    gravity, centre = np.array([0.1, 0.7, 0.4]), np.array([0.2, -0.1, 0.9])
    T = world_from_camera(gravity, centre)
    np.testing.assert_allclose(transform(T, centre[None])[0], 0.0, atol=1e-12)
    np.testing.assert_allclose(T[:3, :3] @ gravity / np.linalg.norm(gravity), [0, 0, -1], atol=1e-12)
    assert np.linalg.det(T[:3, :3]) == pytest.approx(1.0)


@pytest.mark.parametrize("pitch", [0.0, 11.0, 45.0])
def test_resting_places_of_one_table_tell(pitch: float) -> None:
    down = np.array([0.0, np.cos(np.deg2rad(pitch)), np.sin(np.deg2rad(pitch))])
    far = np.array([0.0, -down[2], down[1]])
    places = (
        np.array([0.1, 0.2, 1.0]) + np.array([[0.0], [0.3], [-0.2]]) * far + np.array([[0.0], [0.2], [0.1]]) * [1, 0, 0]
    )
    found = gravity_from_places(places)
    assert found is not None
    np.testing.assert_allclose(found, down, atol=1e-3)


@pytest.mark.parametrize(
    "move",
    [[0.4, 0.0, 0.0], [0.0, -0.3, 0.02], [0.0, -0.4, 0.1], [0.0, 0.3, 0.1]],
    ids=["sideways", "up", "up and back", "down and away"],
)
def test_places_that_are_not_level_in_depth_tell_nothing(move: list[float]) -> None:
    assert gravity_from_places(np.array([[0.0, 0.0, 1.0], [move[0], move[1], move[2] + 1.0]])) is None
