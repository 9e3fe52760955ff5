import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.builder.studio.shapes import round_cone, rounded_box
from hoiset.builder.studio.surface_nets import closed_mesh_from_sdf, mesh_from_sdf
from tests.builder.studio.conftest import edge_counts


def axes(half: float, spacing: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a = np.arange(-half, half + spacing, spacing)
    return a, a, a


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return float((a * np.cross(b, c)).sum() / 6.0)


@settings(max_examples=15, deadline=None)
@given(radius=st.floats(0.02, 0.06), x=st.floats(-0.01, 0.01), y=st.floats(-0.01, 0.01))
def test_a_sphere_is_closed_faces_outwards_and_has_its_volume(radius: float, x: float, y: float) -> None:
    centre = np.array([x, y, 0.002])
    mesh = closed_mesh_from_sdf(lambda p: np.linalg.norm(p - centre, axis=-1) - radius, axes(0.085, 0.005))
    assert (edge_counts(mesh.faces) == 2).all()
    assert volume(mesh.vertices, mesh.faces) == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.03)
    assert np.abs(np.linalg.norm(mesh.vertices - centre, axis=-1) - radius).max() < 1e-5
    assert ((mesh.normals() * (mesh.vertices - centre)).sum(-1) > 0).all()


def test_uneven_axes_give_the_same_surface() -> None:
    a, b = np.array([0.0, -0.05, 0.0]), np.array([0.0, 0.05, 0.0])
    x = np.arange(-0.03, 0.031, 0.003)
    y = np.concatenate([np.arange(-0.08, 0.0, 0.006), np.arange(0.0, 0.081, 0.003)])
    mesh = mesh_from_sdf(lambda p: round_cone(p, a, b, 0.012, 0.012), (x, y, x))
    capsule = np.pi * 0.012**2 * 0.1 + 4 / 3 * np.pi * 0.012**3
    assert volume(mesh.vertices, mesh.faces) == pytest.approx(capsule, rel=0.03)


def test_a_surface_that_leaves_the_grid_is_an_error() -> None:
    with pytest.raises(ValueError, match="widen the axes"):
        mesh_from_sdf(lambda p: rounded_box(p, np.full(3, 0.1), 0.01), axes(0.05, 0.005))
