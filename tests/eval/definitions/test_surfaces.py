import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from scipy.spatial.distance import pdist

from hoiset.eval import definitions as d
from tests.eval.definitions.shapes import SEEDS, rotations

BOX = trimesh.creation.box((0.1, 0.2, 0.4))
MESHES = {
    "box": BOX,
    "ring": trimesh.creation.annulus(0.02, 0.05, 0.1),
    "cone": trimesh.creation.cone(0.03, 0.1),
    "open": trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 1, 2], [0, 2, 3]], process=False),
}


def args(mesh):
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


class TestByHand:
    def test_a_right_triangle(self):
        vertices, faces = np.array([[0, 0, 0], [3, 0, 0], [0, 4, 0]], float), np.array([[0, 1, 2]])
        assert d.triangle_areas(vertices, faces).tolist() == [6.0]
        np.testing.assert_allclose(d.surface_centroid(vertices, faces), [1, 4 / 3, 0])
        assert d.diameter(vertices) == 5.0

    def test_a_box(self):
        # Diagonal sqrt(1 + 4 + 16) dm.
        assert d.diameter(BOX.vertices) == pytest.approx(np.sqrt(0.21))
        np.testing.assert_allclose(d.surface_centroid(*args(BOX)), 0, atol=1e-15)

    def test_an_open_surface_has_the_centroid_of_its_area(self):
        # Two right triangles of area 1/2 with centroids (1/3, 1/3, 0) and (0, 1/3, 1/3).
        np.testing.assert_allclose(d.surface_centroid(*args(MESHES["open"])), [1 / 6, 1 / 3, 1 / 6])

    def test_gyration_radius_of_a_sphere_is_its_radius(self):
        assert d.gyration_radius(*args(trimesh.creation.icosphere(5, 0.07))) == pytest.approx(0.07, rel=1e-3)

    def test_distance_to_a_box(self):
        # Half sides 0.05, 0.1, 0.2: above a face; beyond an edge (3-4-5); beyond a corner; inside; nowhere.
        points = np.array(
            [[0.0, 0.0, 0.5], [0.08, 0.14, 0.0], [0.06, 0.12, 0.22], [0.04, 0.0, 0.0], [np.nan, 0.0, 0.0]]
        )
        np.testing.assert_allclose(d.surface_distance(points, *args(BOX)), [0.3, 0.05, 0.03, 0.01, np.nan])

    def test_no_surface_is_refused(self):
        flat = np.zeros((3, 3))
        for function in (d.surface_centroid, lambda v, f: d.sample_surface(v, f, 5)):
            with pytest.raises(ValueError, match="no area"):
                function(flat, np.array([[0, 1, 2]]))
        with pytest.raises(ValueError, match="found no faces"):
            d.surface_distance(flat, flat, np.empty((0, 3), int))


class TestAgainstOthers:
    @pytest.mark.parametrize("name", MESHES)
    def test_as_trimesh(self, name):
        mesh = MESHES[name]
        vertices, faces = args(mesh)
        np.testing.assert_allclose(d.triangle_areas(vertices, faces), mesh.area_faces)
        np.testing.assert_allclose(d.surface_centroid(vertices, faces), mesh.centroid, atol=1e-12)
        assert d.diameter(vertices) == pytest.approx(pdist(vertices).max())
        cloud = trimesh.sample.sample_surface(mesh, 200_000, seed=1)[0]
        expected = np.sqrt(((cloud - mesh.centroid) ** 2).sum(-1).mean())
        assert d.gyration_radius(vertices, faces) == pytest.approx(expected, rel=3e-3)

    @pytest.mark.parametrize("name", MESHES)
    def test_distance_as_trimesh(self, name):
        mesh = MESHES[name]
        points = np.random.default_rng(0).normal(0, 0.1, (60, 3)) + mesh.centroid
        triangles = mesh.triangles
        expected = [
            np.linalg.norm(
                trimesh.triangles.closest_point(triangles, np.tile(p, (len(triangles), 1))) - p, axis=-1
            ).min()
            for p in points
        ]
        np.testing.assert_allclose(d.surface_distance(points, *args(mesh)), expected, atol=1e-12)

    @pytest.mark.parametrize("name", MESHES)
    def test_samples_lie_on_the_surface_and_are_even(self, name):
        mesh = MESHES[name]
        points = d.sample_surface(*args(mesh), 2000)
        assert d.surface_distance(points[:200], *args(mesh)).max() < 1e-9
        # Moments as of trimesh's random samples.
        cloud = trimesh.sample.sample_surface(mesh, 100_000, seed=0)[0]
        np.testing.assert_allclose(points.mean(0), cloud.mean(0), atol=0.01 * mesh.scale)
        np.testing.assert_allclose(np.cov(points.T), np.cov(cloud.T), atol=0.01 * mesh.scale**2)

    def test_samples_do_not_depend_on_chance_and_every_face_gets_its_share(self):
        first, second = (d.sample_surface(*args(BOX), 7000) for _ in range(2))
        np.testing.assert_array_equal(first, second)
        # Sides of 0.1, 0.2, 0.4: the two faces across x have 2 * 0.08 of 0.28 of the area.
        across_x = np.isclose(np.abs(first[:, 0]), 0.05).mean()
        assert across_x == pytest.approx(0.16 / 0.28, abs=0.002)


class TestProperties:
    @given(SEEDS)
    @settings(max_examples=15, deadline=None)
    def test_size_does_not_depend_on_the_frame_nor_on_the_triangles(self, seed):
        rng = np.random.default_rng(seed)
        mesh, R, t = MESHES["ring"], rotations(rng, 1)[0], rng.normal(size=3)
        vertices, faces = args(mesh)
        moved = vertices @ R.T + t
        finer = mesh.subdivide()
        assert d.diameter(moved) == pytest.approx(d.diameter(vertices))
        np.testing.assert_allclose(d.surface_centroid(moved, faces), R @ d.surface_centroid(vertices, faces) + t)
        for other in ((moved, faces), args(finer)):
            assert d.gyration_radius(*other) == pytest.approx(d.gyration_radius(vertices, faces))
        np.testing.assert_allclose(d.surface_centroid(*args(finer)), mesh.centroid, atol=1e-12)

    def test_a_flat_mesh_has_a_diameter(self):
        grid = np.stack(np.meshgrid(np.arange(4.0), np.arange(3.0)), -1).reshape(-1, 2)
        assert d.diameter(np.c_[grid, np.zeros(len(grid))]) == pytest.approx(np.sqrt(13))
