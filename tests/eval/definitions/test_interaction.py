import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from hoiset.eval import definitions as d

CODES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60).map(np.array)
SEGMENTS = st.lists(st.tuples(st.floats(0, 5), st.floats(0, 2)).map(lambda s: (s[0], s[0] + s[1])), max_size=5).map(
    lambda s: np.array(s).reshape(-1, 2)
)


class TestStates:
    def test_confusion_by_hand(self):
        # Truth 0 0 1 1 1, found 0 1 1 1 2: of two 0s one is right; of three 1s two are, one is called 2.
        matrix = d.confusion(np.array([0, 1, 1, 1, 2]), np.array([0, 0, 1, 1, 1]), 4)
        np.testing.assert_array_equal(matrix[:3, :3], [[1, 1, 0], [0, 2, 1], [0, 0, 0]])
        # F1: 0 -> 2*1 / (2 + 1) = 2/3; 1 -> 2*2 / (3 + 3) = 2/3; 2 -> 0 / 1 = 0; 3 is nowhere.
        np.testing.assert_allclose(d.class_f1(matrix), [2 / 3, 2 / 3, 0.0, np.nan])
        assert d.macro_f1(matrix) == pytest.approx(4 / 9)

    def test_wrong_input_is_refused(self):
        with pytest.raises(ValueError, match=r"found codes 0\.\.6, expected 0\.\.5"):
            d.confusion(np.array([6]), np.array([0]), 6)
        with pytest.raises(ValueError, match="found 2 predictions and 1 labels"):
            d.confusion(np.array([0, 1]), np.array([0]), 6)

    def test_no_frames_have_no_score(self):
        assert np.isnan(d.macro_f1(np.zeros((3, 3), int)))

    @given(CODES)
    @settings(max_examples=30, deadline=None)
    def test_as_scikit_learn(self, codes):
        pred, true = codes.T
        np.testing.assert_array_equal(d.confusion(pred, true, 5), sk.confusion_matrix(true, pred, labels=range(5)))
        expected = sk.f1_score(true, pred, average="macro", zero_division=0)
        assert d.macro_f1(d.confusion(pred, true, 5)) == pytest.approx(expected)
        np.testing.assert_array_equal(d.confusion(pred, true, 5), d.confusion(true, pred, 5).T)


class TestSegments:
    def test_runs_become_times_of_their_first_and_last_frame(self):
        time = np.array([0.0, 0.1, 0.3, 0.4, 0.5])
        found = d.segments_of(np.array([True, True, False, False, True]), time)
        np.testing.assert_allclose(found, [[0.0, 0.1], [0.5, 0.5]])
        assert d.segments_of(np.zeros(5, bool), time).shape == (0, 2)

    def test_f1_by_hand(self):
        true = np.array([[1.0, 2.0], [3.0, 4.0]])
        pred = np.array([[1.05, 2.05], [3.2, 4.0], [6.0, 7.0]])
        # At 0.1 s only the first fits: 2*1 / (2*1 + 2 + 1) = 0.4; at 0.25 s two do: 4 / (4 + 1 + 0) = 0.8.
        assert d.segment_f1(pred, true, 0.1) == pytest.approx(0.4)
        assert d.segment_f1(pred, true, 0.25) == pytest.approx(0.8)
        assert d.segment_counts(pred, true, 0.1) == d.Counts(1, 2, 1)

    def test_both_borders_must_fit_and_the_limit_counts_as_in(self):
        assert d.segment_f1(np.array([[1.0, 2.5]]), np.array([[1.0, 2.0]]), 0.25) == 0.0
        assert d.segment_f1(np.array([[0.75, 2.25]]), np.array([[1.0, 2.0]]), 0.25) == 1.0

    def test_each_segment_is_matched_once(self):
        # Two predictions beside one truth: one of them is too many.
        assert d.segment_counts(np.array([[1.0, 2.0], [1.01, 2.0]]), np.array([[1.0, 2.0]]), 0.1) == d.Counts(1, 1, 0)

    def test_none_anywhere_is_undefined_and_none_on_one_side_is_zero(self):
        nothing, some = np.empty((0, 2)), np.array([[0.0, 1.0]])
        assert np.isnan(d.segment_f1(nothing, nothing, 0.1))
        assert d.segment_f1(nothing, some, 0.1) == d.segment_f1(some, nothing, 0.1) == 0.0

    @given(SEGMENTS, SEGMENTS, st.floats(0.01, 2))
    def test_as_many_pairs_as_any_assignment_has(self, pred, true, tolerance):
        few, many = sorted((pred, true), key=len)
        fits = [
            sum(bool(np.abs(few[i] - many[j]).max() <= tolerance + 1e-9) for i, j in enumerate(order))
            for order in itertools.permutations(range(len(many)), len(few))
        ]
        assert len(d.match_segments(pred, true, tolerance)) == max(fits, default=0)

    @given(SEGMENTS, SEGMENTS, st.floats(0.01, 1), st.floats(0, 1))
    def test_symmetry_and_a_wider_tolerance_never_hurts(self, pred, true, tolerance, more):
        f1 = np.nan_to_num(d.segment_f1(pred, true, tolerance))
        assert f1 == np.nan_to_num(d.segment_f1(true, pred, tolerance))
        assert 0.0 <= f1 <= np.nan_to_num(d.segment_f1(pred, true, tolerance + more)) <= 1.0

    def test_temporal_iou_and_borders_by_hand(self):
        pred, true = np.array([[1.0, 3.0], [8.0, 9.0]]), np.array([[2.0, 4.0], [20.0, 21.0]])
        # Overlap 1 s of 3 s.
        np.testing.assert_allclose(d.temporal_iou(pred, true), [[1 / 3, 0], [0, 0]])
        # The first is 1 s early at both ends; the others overlap nothing.
        np.testing.assert_allclose(d.border_errors(pred, true), [[-1.0, -1.0]])
        assert d.border_errors(np.empty((0, 2)), true).shape == (0, 2)

    @given(SEGMENTS, SEGMENTS)
    def test_temporal_iou_as_counted_samples(self, pred, true):
        found = d.temporal_iou(pred, true)
        grid = np.linspace(0, 7, 20_001)
        for i, j in itertools.product(range(len(pred)), range(len(true))):
            a, b = ((grid >= s[0]) & (grid < s[1]) for s in (pred[i], true[j]))
            if (a | b).sum() > 2000:
                assert found[i, j] == pytest.approx((a & b).sum() / (a | b).sum(), abs=5e-3)
        np.testing.assert_allclose(found, d.temporal_iou(true, pred).T)


class TestContact:
    def test_by_hand(self):
        pred = np.array([0.005, 0.02, 0.01, np.nan, 0.0])
        true = np.array([0.0, 0.005, 0.03, 0.002, np.nan])
        # Hit; miss; false; absent prediction: miss; absent truth: left out. P = 1/2, R = 1/3.
        assert d.contact_counts(pred, true) == d.Counts(1, 1, 2)
        precision, recall = d.contact_precision_recall(pred, true)
        assert (precision, recall) == (0.5, pytest.approx(1 / 3))

    @given(st.lists(st.tuples(st.floats(0, 0.03), st.floats(0, 0.03)), min_size=1, max_size=40).map(np.array))
    @settings(max_examples=30, deadline=None)
    def test_as_scikit_learn(self, distances):
        pred, true = distances.T
        precision, recall = d.contact_precision_recall(pred, true, 0.012)
        p, r, f, _ = sk.precision_recall_fscore_support(
            true <= 0.012, pred <= 0.012, average="binary", zero_division=np.nan
        )
        np.testing.assert_allclose([precision, recall], [p, r])
        counts = d.contact_counts(pred, true, 0.012)
        if counts.tp + counts.fp + counts.fn:
            assert counts.f1 == pytest.approx(np.nan_to_num(f))

    def test_counts_add_up(self):
        total = d.Counts(1, 2, 3) + d.Counts(4, 0, 1)
        assert total == d.Counts(5, 2, 4)
        # 5 / 7, 5 / 9, 10 / 16.
        assert (total.precision, total.recall, total.f1) == (5 / 7, 5 / 9, 10 / 16)
        nothing = d.Counts(0, 0, 0)
        assert np.isnan([nothing.precision, nothing.recall, nothing.f1]).all()
