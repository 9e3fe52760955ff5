from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import trimesh

from hoiset.builder.reconstruct.depth_shape import ROUND_SOURCE, SOURCE, solid_on_plane
from hoiset.builder.reconstruct.shape import Mesh
from hoiset.builder.reconstruct.support import gather, support_under

from . import table
from .table import K, Shot, shoot

ROUND = (table.can, table.plate, table.bottle)
FLAT = (table.box, table.book)


def shaped(shot: Shot, rng: np.random.Generator | None = None, noise_m: float = 0.0) -> tuple[Mesh, np.ndarray]:
    depth = shot.depth_m + (0.0 if rng is None else rng.normal(0.0, noise_m, shot.depth_m.shape))
    standing = gather(shot.mask[None], depth[None])
    plane = support_under(standing, K, shot.background_m)
    assert plane is not None
    return solid_on_plane(standing, shot.rgb, K, plane)


@pytest.mark.parametrize("make", ROUND + FLAT)
def test_size_and_place_are_the_things_own(make: Callable[[], trimesh.Trimesh]) -> None:
    shot = shoot(make())
    mesh, pose = shaped(shot)
    assert mesh.source == (ROUND_SOURCE if make in ROUND else SOURCE)
    # A pixel is 2.7 mm wide; the thin rim of a plate shows as one of them.
    np.testing.assert_allclose(np.sort(mesh.extent_m), shot.size_m, atol=0.010 if make is table.plate else 0.004)
    assert np.linalg.norm(pose[:3, 3] - shot.centre) < 0.004


@pytest.mark.parametrize("make", [*ROUND, *FLAT, table.mug])
def test_meshes_are_closed_wound_outwards_and_small(make: Callable[[], trimesh.Trimesh]) -> None:
    mesh, _ = shaped(shoot(make()))
    made = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert made.is_watertight
    assert made.is_winding_consistent
    # Nobody sees what is below a rim or inside: it is solid.
    assert 0.85 * make().volume < made.volume < (1.15 if make is not table.plate else 2.2) * make().volume
    assert len(mesh.faces) < 8000
    assert mesh.colours.shape == (len(mesh.vertices), 3)


def test_a_handle_is_kept() -> None:
    shot = shoot(table.mug(), turn_deg=-20.0)
    mesh, _ = shaped(shot)
    assert mesh.source == ROUND_SOURCE
    np.testing.assert_allclose(np.sort(mesh.extent_m), shot.size_m, atol=0.007)


@pytest.mark.parametrize("make", [table.can, table.box])
def test_noise_of_every_pixel_does_little(make: Callable[[], trimesh.Trimesh]) -> None:
    shot = shoot(make())
    mesh, pose = shaped(shot, np.random.default_rng(0), 0.002)
    np.testing.assert_allclose(np.sort(mesh.extent_m), shot.size_m, atol=0.010)
    assert np.linalg.norm(pose[:3, 3] - shot.centre) < 0.006


def test_z_is_up() -> None:
    shot = shoot(table.book())
    mesh, pose = shaped(shot)
    np.testing.assert_allclose(pose[:3, 2], shot.T_camera_table[:3, 2], atol=0.01)
    assert mesh.extent_m[0] > mesh.extent_m[1] > mesh.extent_m[2]


def test_colours_are_the_pictures() -> None:
    shot = shoot(table.box())
    mesh, _ = shaped(shot)
    assert (np.abs(mesh.colours.astype(int) - shot.rgb[shot.mask].mean(0)).max(1) < 90).all()
