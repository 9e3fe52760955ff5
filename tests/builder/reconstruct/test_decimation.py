import numpy as np
import open3d as o3d
import pytest

from hoiset.builder.reconstruct.decimation import decimate, distance
from hoiset.builder.reconstruct.shape import Mesh


def ball(radius: float, resolution: int) -> Mesh:
    made = o3d.geometry.TriangleMesh.create_sphere(radius, resolution)
    vertices = np.asarray(made.vertices)
    return Mesh(vertices, np.asarray(made.triangles), np.full(vertices.shape, (200, 100, 50), np.uint8), "given")


def test_triangles_go_while_the_surface_stays_within_the_tolerance() -> None:
    mesh = ball(0.05, 40)
    fewer = decimate(mesh, 0.0005)
    assert len(fewer.faces) < len(mesh.faces) / 3
    assert distance(mesh, fewer) <= 0.0005
    assert (fewer.colours == (200, 100, 50)).all()
    assert fewer.source == "given"
    again = decimate(mesh, 0.0005)
    np.testing.assert_array_equal(fewer.vertices, again.vertices)
    np.testing.assert_array_equal(fewer.faces, again.faces)


def test_a_larger_tolerance_leaves_fewer_and_none_leaves_all() -> None:
    mesh = ball(0.05, 20)
    assert len(decimate(mesh, 0.005).faces) < len(decimate(mesh, 0.001).faces)
    assert decimate(mesh, 0.0) is mesh


def test_distance_is_that_of_the_farther_surface() -> None:
    assert distance(ball(0.05, 40), ball(0.06, 40)) == pytest.approx(0.01, abs=2e-4)
