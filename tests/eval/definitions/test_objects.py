import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from scipy.spatial.distance import cdist

from hoiset.eval import definitions as d
from hoiset.geometry import make_T
from tests.eval.definitions.shapes import SEEDS, about, poses, rotations

SQUARE = np.array([[1, 1, 0], [-1, 1, 0], [-1, -1, 0], [1, -1, 0]], float)
EYE = np.eye(4)[None]


class TestByHand:
    def test_add_and_adds_of_a_square_that_is_turned_by_a_quarter(self):
        turned = make_T(about([0, 0, 1], 90), np.zeros(3))[None]
        # Every corner moves along a side of 2 to where another one was.
        np.testing.assert_allclose(d.add(SQUARE, turned, EYE), [2.0])
        np.testing.assert_allclose(d.adds(SQUARE, turned, SQUARE, EYE), [0.0], atol=1e-12)

    def test_add_of_a_shift(self):
        shifted = make_T(np.eye(3), np.array([0.0, 0.3, 0.4]))[None]
        np.testing.assert_allclose(d.add(SQUARE, shifted, EYE), [0.5])
        # The nearest corner stays each one's own: 0.5 too.
        np.testing.assert_allclose(d.adds(SQUARE, shifted, SQUARE, EYE), [0.5])

    def test_adds_asks_for_the_true_points(self):
        # The prediction has one point of two: true points are 0 and 2 away from it. The other way round it would be 0.
        one, two = np.array([[0.0, 0, 0]]), np.array([[0.0, 0, 0], [2.0, 0, 0]])
        np.testing.assert_allclose(d.adds(one, EYE, two, EYE), [1.0])

    def test_chamfer(self):
        # From a: 0 and 1 (to the point at 0): mean 0.5; from b: 0. Half of the sum: 0.25.
        a, b = np.array([[0.0, 0, 0], [1, 0, 0]]), np.array([[0.0, 0, 0]])
        assert d.chamfer(a, b) == 0.25

    def test_translation(self):
        true = np.array([[0.0, 0, 1.0], [0.1, 0, 2.0]])
        # Twice as far along the same rays: absolute errors 1 and |(0.1, 0, 2)|; one scale of 1/2 mends both.
        np.testing.assert_allclose(d.translation_error(2 * true, true), [1.0, np.sqrt(4.01)])
        assert d.depth_scale(2 * true, true) == 0.5
        np.testing.assert_allclose(d.depth_aligned_translation_error(2 * true, true), 0, atol=1e-12)

    def test_depth_scale_is_one_for_the_clip_and_the_median(self):
        true = np.array([[0, 0, 1.0], [0, 0, 1.0], [0, 0, 1.0]])
        pred = np.array([[0, 0, 2.0], [0, 0, 2.0], [0, 0, 4.0]])
        # Ratios 1/2, 1/2, 1/4: the drift in the last frame stays, 4 / 2 - 1 = 1 m.
        np.testing.assert_allclose(d.depth_aligned_translation_error(pred, true), [0, 0, 1.0])

    def test_scale(self):
        assert d.scale_error(0.2, 0.1) == d.scale_error(0.1, 0.2) == 1.0
        assert d.scale_ratio(0.1, 0.2) == 0.5
        assert np.isnan(d.scale_error(0.1, 0.0))

    def test_masks(self):
        pred, true = np.zeros((3, 4, 4), bool), np.zeros((3, 4, 4), bool)
        pred[0, :2, :2] = true[0, :2, 1:3] = True  # 4 and 4 pixels, 2 in common: 2 / 6.
        pred[1, 0, 0] = True
        np.testing.assert_allclose(d.mask_iou(pred, true), [1 / 3, 0.0, np.nan])

    def test_boxes(self):
        # 2x2 and 2x2 with 1x2 in common: 2 / (4 + 4 - 2).
        assert d.box_iou(np.array([0, 0, 2, 2]), np.array([1, 0, 3, 2])) == pytest.approx(1 / 3)
        assert d.box_iou(np.array([0, 0, 1, 1]), np.array([2, 2, 3, 3])) == 0.0
        assert np.isnan(d.box_iou(np.full(4, np.nan), np.array([0, 0, 1, 1])))

    def test_temporal_distance(self):
        time = np.array([0.0, 0.1, 0.3])
        T = make_T(np.stack([np.eye(3)] * 3), np.array([[0, 0, 1], [0.02, 0, 1], [0.02, 0.02, 1]]))
        # 2 cm in 0.1 s, then 2 cm in 0.2 s.
        np.testing.assert_allclose(d.temporal_distance(SQUARE, T, time), [0.2, 0.1])
        # A half turn in place moves the corners by the diagonal, 2 sqrt(2).
        turn = make_T(np.stack([np.eye(3), about([0, 0, 1], 180)]), np.zeros((2, 3)))
        np.testing.assert_allclose(d.temporal_distance(SQUARE, turn, np.array([0.0, 1.0])), [2 * np.sqrt(2)])
        assert d.temporal_distance_excess(np.array([0.2, np.nan]), np.array([0.05, 1.0])) == pytest.approx(0.15)

    def test_absent_poses_stay_absent(self):
        T = np.concatenate([EYE, np.full((1, 4, 4), np.nan)])
        whole = np.concatenate([EYE, EYE])
        for errors in (d.add(SQUARE, T, whole), d.adds(SQUARE, T, SQUARE, whole), d.adds(SQUARE, whole, SQUARE, T)):
            assert np.isfinite(errors).tolist() == [True, False]
        assert np.isnan(d.depth_scale(np.full((2, 3), np.nan), np.ones((2, 3))))


class TestAgainstOthers:
    @given(SEEDS)
    @settings(max_examples=20, deadline=None)
    def test_adds_and_chamfer_as_all_pairs(self, seed):
        rng = np.random.default_rng(seed)
        a, b, T_a, T_b = rng.normal(size=(15, 3)), rng.normal(size=(20, 3)), poses(rng, 3), poses(rng, 3)
        posed_a, posed_b = d.posed_points(T_a, a), d.posed_points(T_b, b)
        expected = [cdist(posed_b[i], posed_a[i]).min(1).mean() for i in range(3)]
        np.testing.assert_allclose(d.adds(a, T_a, b, T_b), expected)
        apart = cdist(a, b)
        assert d.chamfer(a, b) == pytest.approx((apart.min(0).mean() + apart.min(1).mean()) / 2)

    def test_posed_points_as_trimesh(self):
        T = poses(np.random.default_rng(0), 2)
        for t, posed in zip(T, d.posed_points(T, SQUARE), strict=True):
            np.testing.assert_allclose(posed, trimesh.transform_points(SQUARE, t))

    def test_auc_of_add_as_the_curve_of_posecnn(self):
        errors = np.random.default_rng(1).uniform(0, 0.15, 200)
        # VOC-style: area under recall over sorted errors up to 0.1 m.
        inside = np.sort(errors[errors < 0.1])
        edges = np.concatenate([inside, [0.1]])
        area = (np.diff(edges) * np.arange(1, len(inside) + 1) / len(errors)).sum() / 0.1
        assert d.auc(errors, 0.1) == pytest.approx(area)


class TestProperties:
    @given(SEEDS)
    @settings(max_examples=25, deadline=None)
    def test_adds_is_at_most_add_and_both_ignore_the_camera(self, seed):
        rng = np.random.default_rng(seed)
        points, T_a, T_b, T = rng.normal(size=(12, 3)), poses(rng, 4), poses(rng, 4), poses(rng, 1)[0]
        add, adds = d.add(points, T_a, T_b), d.adds(points, T_a, points, T_b)
        assert (adds <= add + 1e-12).all()
        np.testing.assert_allclose(d.add(points, T @ T_a, T @ T_b), add)
        np.testing.assert_allclose(d.adds(points, T @ T_a, points, T @ T_b), adds)
        np.testing.assert_allclose(d.add(points, T_b, T_a), add)

    @given(SEEDS)
    @settings(max_examples=25, deadline=None)
    def test_frame_free_errors_ignore_the_predicted_object_frame(self, seed):
        rng = np.random.default_rng(seed)
        points, T_pred, T_true, X = rng.normal(size=(12, 3)), poses(rng, 4), poses(rng, 4), poses(rng, 1)
        other = d.posed_points(np.linalg.inv(X), points)[0]
        np.testing.assert_allclose(
            d.adds(other, T_pred @ X[0], points, T_true), d.adds(points, T_pred, points, T_true), atol=1e-9
        )
        np.testing.assert_allclose(
            d.posed_points(T_pred @ X[0], other.mean(0)), d.posed_points(T_pred, points.mean(0)), atol=1e-9
        )

    @given(SEEDS)
    def test_chamfer_is_symmetric_and_zero_of_itself(self, seed):
        rng = np.random.default_rng(seed)
        a, b = rng.normal(size=(9, 3)), rng.normal(size=(7, 3))
        assert d.chamfer(a, b) == d.chamfer(b, a) >= 0.0
        assert d.chamfer(a, a) == 0.0

    def test_chamfer_of_two_samples_of_one_surface_is_about_half_their_spacing(self):
        mesh = trimesh.creation.icosphere(4, 0.1)
        a = d.sample_surface(mesh.vertices, mesh.faces, 4000)
        b = a @ rotations(np.random.default_rng(0), 1)[0].T
        assert d.chamfer(a, b) == pytest.approx(np.sqrt(mesh.area / 4000) / 2, rel=0.2)

    @given(SEEDS)
    def test_iou_is_symmetric_and_bounded(self, seed):
        rng = np.random.default_rng(seed)
        a, b = rng.random((3, 6, 6)) < 0.4, rng.random((3, 6, 6)) < 0.4
        np.testing.assert_array_equal(d.mask_iou(a, b), d.mask_iou(b, a))
        assert ((d.mask_iou(a, b) >= 0) & (d.mask_iou(a, b) <= 1)).all()
        np.testing.assert_array_equal(d.mask_iou(a, a), 1.0)
