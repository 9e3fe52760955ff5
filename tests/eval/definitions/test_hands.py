import numpy as np
import pytest
import scipy.spatial
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hoiset.eval import definitions as d
from tests.eval.definitions.shapes import JOINTS, SEEDS, about, hands, rotations


def two_joints(*rows):
    """A hand of two joints: its wrist and one more."""
    return np.array([rows], float)


class TestByHand:
    def test_mpjpe(self):
        # Distances 3-4-5: |(3, 4, 0)| = 5 mm and 0 mm; mean 2.5 mm.
        pred = two_joints([0.003, 0.004, 0.0], [0.0, 0.0, 0.1])
        true = two_joints([0.0, 0.0, 0.0], [0.0, 0.0, 0.1])
        np.testing.assert_allclose(d.mpjpe(pred, true), [0.0025])

    def test_root_relative(self):
        # Wrist off by 1 m in z, the other joint by 1 m and 6 mm: relative to the wrist 0 and 6 mm, mean 3 mm.
        pred = two_joints([0, 0, 1.0], [0.006, 0, 1.1])
        true = two_joints([0, 0, 0.0], [0, 0, 0.1])
        np.testing.assert_allclose(d.root_relative_mpjpe(pred, true), [0.003])

    def test_scale_aligned(self):
        # Relative: pred (3, 0), true (1, 1) in cm: scale = 3 * 1 / 9 = 1/3, so (1, 0): error 1 cm; with the wrist 5 mm.
        pred, true = two_joints([0, 0, 0], [0.03, 0, 0]), two_joints([0, 0, 0], [0.01, 0.01, 0])
        np.testing.assert_allclose(d.scale_aligned_mpjpe(pred, true), [0.005])

    def test_procrustes_of_a_triangle_that_is_only_moved_turned_and_scaled(self):
        true = np.array([[[0, 0, 0], [1, 0, 0], [0, 2, 0]]], float)
        pred = 3.0 * true @ about([0, 0, 1], 90).T + [5, 6, 7]
        np.testing.assert_allclose(d.pa_mpjpe(pred, true), [0.0], atol=1e-12)
        assert d.scale_aligned_mpjpe(pred, true)[0] > 0.5

    def test_procrustes_does_not_mirror(self):
        # A tetrahedron with three different legs is not its own mirror image.
        true = np.array([[[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]]], float)
        assert d.pa_mpjpe(true * [-1, 1, 1], true)[0] > 0.1

    def test_pck_and_auc(self):
        errors = np.array([0.0, 0.01, 0.04, 0.06, np.nan])
        # At most 10 mm: 2 of 4; at most 50 mm: 3 of 4.
        np.testing.assert_allclose(d.pck(errors, np.array([0.01, 0.05])), [0.5, 0.75])
        # Each error lifts the curve from itself to 50 mm: (50 + 40 + 10 + 0) / 50 / 4 = 0.5.
        assert d.auc(errors) == pytest.approx(0.5)

    def test_rotation_error(self):
        R = np.stack([about([1, 0, 0], 30), about([0, 1, 0], 180), np.full((3, 3), np.nan)])
        found = np.degrees(d.rotation_error(R, np.broadcast_to(np.eye(3), (3, 3, 3))))
        np.testing.assert_allclose(found, [30, 180, np.nan], atol=1e-5)

    def test_acceleration_of_a_falling_hand_at_uneven_times(self):
        # x = t^2 has acceleration 2 everywhere; a divided difference of a parabola is exact.
        time = np.array([0.0, 0.1, 0.25, 0.3, 0.5])
        moving = np.zeros((5, 2, 3))
        moving[:, :, 0] = time[:, None] ** 2
        np.testing.assert_allclose(d.acceleration_error(moving, np.zeros_like(moving), time), [2.0] * 3)
        np.testing.assert_allclose(d.jitter(moving, time), [0.0, 0.0], atol=1e-9)

    def test_jitter_of_a_cubic(self):
        # y = t^3 has jerk 6.
        time = np.array([0.0, 0.1, 0.25, 0.3, 0.5, 0.52])
        joints = np.zeros((6, 3, 3))
        joints[..., 1] = time[:, None] ** 3
        np.testing.assert_allclose(d.jitter(joints, time), [6.0] * 3)

    def test_absent_hands_stay_absent(self):
        pred, true = np.zeros((2, 21, 3)), np.random.default_rng(0).normal(size=(2, 21, 3))
        pred[1] = np.nan
        for metric in (d.mpjpe, d.root_relative_mpjpe, d.scale_aligned_mpjpe, d.pa_mpjpe):
            assert np.isfinite(metric(pred, true)).tolist() == [True, False]
        assert np.isnan(d.auc(np.array([np.nan])))
        assert np.isnan(d.pck(np.array([]), np.array([0.1]))).all()


class TestAgainstOthers:
    @given(SEEDS)
    def test_procrustes_as_scipy(self, seed):
        rng = np.random.default_rng(seed)
        true, pred = hands(rng, 1)[0], hands(rng, 1)[0]
        # scipy mirrors where that fits better: make the best rotation proper, as it is for hands.
        U, _, Vt = np.linalg.svd((true - true.mean(0)).T @ (pred - pred.mean(0)))
        if np.linalg.det(U @ Vt) < 0:
            pred[:, 0] *= -1
        a, b, _ = scipy.spatial.procrustes(true, pred)
        size = np.linalg.norm(true - true.mean(0))
        np.testing.assert_allclose(d.procrustes_aligned(pred[None], true[None])[0], b * size + true.mean(0), atol=1e-9)
        np.testing.assert_allclose(
            d.pa_mpjpe(pred[None], true[None]), [np.linalg.norm(a - b, axis=-1).mean() * size], atol=1e-9
        )

    @given(SEEDS)
    def test_rotation_error_as_scipy(self, seed):
        rng = np.random.default_rng(seed)
        a, b = Rotation.random(7, rng=rng), Rotation.random(7, rng=rng)
        np.testing.assert_allclose(d.rotation_error(a.as_matrix(), b.as_matrix()), (a.inv() * b).magnitude(), atol=1e-6)

    @given(SEEDS)
    def test_scale_is_the_best_one(self, seed):
        rng = np.random.default_rng(seed)
        pred, true = hands(rng, 1), hands(rng, 1)
        p, t = d.root_relative(pred).ravel(), d.root_relative(true).ravel()
        best = np.linalg.lstsq(p[:, None], t, rcond=None)[0][0]
        np.testing.assert_allclose(d.scale_aligned(pred, true).ravel(), best * p, atol=1e-12)

    @given(st.lists(st.floats(0, 0.12), min_size=1, max_size=40))
    def test_auc_as_the_trapezoid_rule_of_the_benchmarks(self, errors):
        thresholds = np.linspace(0, 0.05, 5001)
        curve = (np.array(errors)[:, None] <= thresholds).mean(0)
        assert d.auc(np.array(errors)) == pytest.approx(np.trapezoid(curve, thresholds) / 0.05, abs=2e-4)
        np.testing.assert_allclose(d.pck(np.array(errors), thresholds), curve)

    def test_acceleration_as_numpy_at_even_times(self):
        rng = np.random.default_rng(0)
        joints, time = rng.normal(size=(9, 21, 3)), np.arange(9) / 25.0
        np.testing.assert_allclose(d.acceleration(joints, time), np.diff(joints, n=2, axis=0) * 25.0**2, rtol=1e-9)
        jerk = np.linalg.norm(np.diff(joints, n=3, axis=0) * 25.0**3, axis=-1).mean(-1)
        np.testing.assert_allclose(d.jitter(joints, time), jerk, rtol=1e-9)


class TestProperties:
    @given(JOINTS, JOINTS, SEEDS)
    def test_what_each_alignment_forgives(self, pred, true, seed):
        rng = np.random.default_rng(seed)
        shift, scale, R = rng.normal(size=3), rng.uniform(0.5, 2), rotations(rng, 1)[0]
        np.testing.assert_allclose(
            d.root_relative_mpjpe(pred + shift, true), d.root_relative_mpjpe(pred, true), atol=1e-9
        )
        np.testing.assert_allclose(
            d.scale_aligned_mpjpe(pred * scale + shift, true), d.scale_aligned_mpjpe(pred, true), atol=1e-9
        )
        np.testing.assert_allclose(d.mpjpe(pred @ R.T + shift, true @ R.T + shift), d.mpjpe(pred, true), atol=1e-9)

    @given(SEEDS)
    def test_procrustes_forgives_any_similarity(self, seed):
        rng = np.random.default_rng(seed)
        pred, true, R = hands(rng, 4), hands(rng, 4), rotations(rng, 1)[0]
        moved = rng.uniform(0.3, 3) * pred @ R.T + rng.normal(size=3)
        np.testing.assert_allclose(d.pa_mpjpe(moved, true), d.pa_mpjpe(pred, true), atol=1e-9)

    @given(SEEDS)
    def test_more_freedom_leaves_less_squared_error(self, seed):
        rng = np.random.default_rng(seed)
        pred, true = hands(rng, 5), hands(rng, 5)

        def squared(a, b):
            return ((a - b) ** 2).sum((-1, -2))

        relative = d.root_relative(true)
        scaled = squared(d.scale_aligned(pred, true), relative)
        assert (scaled <= squared(d.root_relative(pred), relative) + 1e-12).all()
        assert (squared(d.procrustes_aligned(pred, true), true) <= scaled + 1e-12).all()

    @given(SEEDS)
    def test_a_hand_equals_itself(self, seed):
        joints = hands(np.random.default_rng(seed), 3)
        for metric in (d.mpjpe, d.root_relative_mpjpe, d.scale_aligned_mpjpe, d.pa_mpjpe):
            np.testing.assert_allclose(metric(joints, joints), 0.0, atol=1e-12)

    def test_all_joints_in_one_point(self):
        one, true = np.ones((1, 21, 3)), hands(np.random.default_rng(0), 1)
        expected = np.linalg.norm(d.root_relative(true), axis=-1).mean(-1)
        np.testing.assert_allclose(d.scale_aligned_mpjpe(one, true), expected)
        assert np.isfinite(d.pa_mpjpe(one, true)).all()
