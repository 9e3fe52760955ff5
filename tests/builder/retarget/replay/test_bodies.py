"""Meshes as solids."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from hoiset.builder.retarget.replay.bodies import Body, body_of
from hoiset.builder.retarget.replay.records import NotTestable, ReplayParams

PARAMS = ReplayParams(density_kg_m3=500.0)


def solid(mesh: trimesh.Trimesh) -> Body:
    return body_of((np.asarray(mesh.vertices), np.asarray(mesh.faces)), PARAMS)


def test_a_box_has_its_volume_mass_and_centre() -> None:
    body = solid(trimesh.creation.box((0.1, 0.1, 0.2)).apply_translation([0.3, 0.0, 0.1]))
    assert body.volume_m3 == pytest.approx(0.002)
    assert body.mass_kg == pytest.approx(1.0)
    np.testing.assert_allclose(body.centre, [0.3, 0.0, 0.1], atol=1e-9)
    assert len(body.parts) == 1


def test_a_bottle_keeps_its_neck() -> None:
    profile = np.array([[0, 0], [0.04, 0], [0.04, 0.15], [0.012, 0.18], [0.012, 0.24], [0, 0.24]])
    body = solid(trimesh.creation.revolve(profile, sections=24))
    assert len(body.parts) == 4
    top = max(body.parts, key=lambda part: part[:, 2].mean())
    assert np.linalg.norm(top[:, :2], axis=1).max() < 0.02
    assert body.volume_m3 < 0.9 * trimesh.convex.convex_hull(body.corners).volume


def test_an_open_mesh_counts_as_its_hull() -> None:
    mesh = trimesh.creation.box((0.1, 0.1, 0.1))
    mesh.update_faces(np.arange(len(mesh.faces)) > 1)
    assert solid(mesh).volume_m3 == pytest.approx(0.001)


def test_mass_stays_within_its_bounds() -> None:
    assert solid(trimesh.creation.box((0.5, 0.5, 0.5))).mass_kg == 3.0
    assert solid(trimesh.creation.box((0.01, 0.01, 0.01))).mass_kg == 0.02


def test_the_same_mesh_gives_the_same_body() -> None:
    mesh = trimesh.creation.icosphere(2, 0.05)
    np.testing.assert_array_equal(solid(mesh).surface, solid(mesh).surface)


@pytest.mark.parametrize("scale", [1e-3, 100.0])
def test_no_hand_moves_things_of_that_size(scale: float) -> None:
    with pytest.raises(NotTestable, match="bad_mesh"):
        solid(trimesh.creation.box((0.1, 0.1, 0.1)).apply_scale(scale))
