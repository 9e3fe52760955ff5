from __future__ import annotations

import cv2
import numpy as np
import pytest
import trimesh

from hoiset.eval.silhouettes import Caster, small_camera
from hoiset.geometry import make_T, project, transform
from tests.eval import scenes as s


def filled(mesh: trimesh.Trimesh, T: np.ndarray, K: np.ndarray, width: int, height: int) -> np.ndarray:
    """Oracle: every triangle filled, at 16 times the resolution to be rid of thick edges."""
    fine = 16
    uv = (project(K, transform(T, mesh.vertices)) + 0.5) * fine - 0.5
    mask = np.zeros((height * fine, width * fine), np.uint8)
    for triangle in np.round(uv[mesh.faces]).astype(np.int32):
        cv2.fillConvexPoly(mask, triangle, 1)
    return mask.reshape(height, fine, width, fine)[:, fine // 2, :, fine // 2] > 0


@pytest.mark.parametrize("x", [0.0, 0.35, 0.6])
def test_an_outline_is_the_union_of_its_triangles(x: float) -> None:
    mesh = s.tool()
    T = make_T(np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0] * 1.0, np.array([x, 0.02, 0.7]))
    T[:3, :3] *= np.sign(np.linalg.det(T[:3, :3]))
    K, width, height = small_camera(s.K, (s.WIDTH, s.HEIGHT))
    found = Caster((mesh.vertices, mesh.faces)).mask(T, K, width, height)
    expected = filled(mesh, T, K, width, height)
    assert (found != expected).sum() <= 0.02 * expected.sum()
    assert found.any() == (x < 0.5)


def test_a_small_camera_sees_the_same() -> None:
    K, width, height = small_camera(s.K, (s.WIDTH, s.HEIGHT), 120)
    assert (width, height) == (160, 120)
    corner = np.array([[(-0.5 - s.K[0, 2]) / s.K[0, 0], (-0.5 - s.K[1, 2]) / s.K[1, 1], 1.0]])
    np.testing.assert_allclose(project(K, corner), [[-0.5, -0.5]], atol=1e-9)


def test_a_mesh_around_the_camera_fills_the_view() -> None:
    mesh = trimesh.creation.box((1, 1, 1))
    K, width, height = small_camera(s.K, (s.WIDTH, s.HEIGHT), 30)
    assert Caster((mesh.vertices, mesh.faces)).mask(np.eye(4), K, width, height).all()
