import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.eval import definitions as d
from tests.eval.definitions.shapes import SEEDS, about


def slow_dtw(a, b):
    """The recurrence written out cell by cell, with the length of the path that the benchmark follows."""
    n, m = len(a), len(b)
    best = np.full((n + 1, m + 1), np.inf)
    best[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            cost = np.sqrt(((a[i - 1] - b[j - 1]) ** 2).sum())
            best[i, j] = cost + min(best[i - 1, j], best[i, j - 1], best[i - 1, j - 1])
    i, j, length = n, m, 0
    while i > 0 or j > 0:
        length += 1
        step = int(np.argmin([best[i - 1, j], best[i, j - 1], best[i - 1, j - 1]]))
        i, j = (i - 1, j) if step == 0 else (i, j - 1) if step == 1 else (i - 1, j - 1)
    return best[n, m], length


def line(*x):
    return np.array([[v, 0.0, 0.0] for v in x])


class TestByHand:
    def test_ade_and_fde(self):
        # Distances 0, 1, 3: mean 4 / 3, last 3.
        pred, true = line(0, 2, 5), line(0, 1, 2)
        assert d.ade(pred, true) == pytest.approx(4 / 3)
        assert d.fde(pred, true) == 3.0

    def test_dtw_forgives_a_late_start(self):
        # 0 0 1 2 against 0 1 2 2: warps without cost along (0,0) (1,0) (2,1) (3,2) (3,3); ADE is (0 + 1 + 1 + 0) / 4.
        pred, true = line(0, 0, 1, 2), line(0, 1, 2, 2)
        assert d.dtw(pred, true) == 0.0
        assert d.ade(pred, true) == 0.5

    def test_dtw_is_divided_by_the_length_of_its_path(self):
        # Costs of 0 1 against 1 1: rows (1, 1), (0, 0). Cheapest sum 1 (start (0,0) costs 1, then 0s). Going back from
        # (1,1): up 2, left 1, both 1: left (to (1,0)) comes before both; from (1,0) up: path of 3 cells, 1 / 3.
        pred, true = line(0, 1), line(1, 1)
        assert d.dtw(pred, true) == pytest.approx(1 / 3)
        np.testing.assert_array_equal(d.warp(pred, true)[1], [[0, 0], [1, 0], [1, 1]])

    def test_rot(self):
        R = np.stack([about([0, 0, 1], a) for a in (10, 20, 60)])
        assert np.degrees(d.rot(R, np.stack([np.eye(3)] * 3))) == pytest.approx(30)

    def test_frames_without_truth_are_left_out(self):
        true = line(0, np.nan, 2, np.nan)
        true[np.isnan(true).any(-1)] = np.nan
        pred = line(1, 9, 2, 9)
        # Left: |1 - 0| and |2 - 2|.
        assert d.ade(pred, true) == 0.5
        assert d.fde(pred, true) == 0.0
        assert d.dtw(pred, true) == d.dtw(line(1, 2), line(0, 2))

    def test_a_prediction_that_ends_early_stands_still(self):
        pred = line(0, 1, np.nan, np.nan)
        pred[2:] = np.nan
        # Held at 1: distances 0, 0, 1, 2.
        assert d.ade(pred, line(0, 1, 2, 3)) == 0.75
        assert d.fde(pred, line(0, 1, 2, 3)) == 2.0
        late = np.full((3, 3), np.nan)
        late[2] = 5.0
        np.testing.assert_array_equal(d.hold(late), np.full((3, 3), 5.0))

    def test_nothing_to_compare(self):
        absent = np.full((3, 3), np.nan)
        for metric in (d.ade, d.fde, d.dtw):
            assert np.isnan(metric(absent, line(0, 1, 2)))
            assert np.isnan(metric(line(0, 1, 2), absent))
        assert np.isnan(d.rot(np.full((2, 3, 3), np.nan), np.stack([np.eye(3)] * 2)))


class TestAgainstOthers:
    @given(SEEDS, st.integers(1, 14), st.integers(1, 14))
    def test_warp_as_the_recurrence(self, seed, n, m):
        rng = np.random.default_rng(seed)
        a, b = np.cumsum(rng.normal(size=(n, 3)), 0), np.cumsum(rng.normal(size=(m, 3)), 0)
        total, path = d.warp(a, b)
        expected, length = slow_dtw(a, b)
        assert total == pytest.approx(expected, abs=1e-9)
        assert len(path) == length

    @given(SEEDS, st.integers(1, 8))
    def test_ties_are_broken_as_in_the_benchmark(self, seed, n):
        rng = np.random.default_rng(seed)
        a, b = rng.integers(0, 2, (n, 3)).astype(float), rng.integers(0, 2, (n, 3)).astype(float)
        assert len(d.warp(a, b)[1]) == slow_dtw(a, b)[1]


class TestProperties:
    @given(SEEDS, st.integers(1, 12))
    def test_the_path_is_a_warping_path_and_its_costs_add_up(self, seed, n):
        rng = np.random.default_rng(seed)
        a, b = rng.normal(size=(n, 3)), rng.normal(size=(n + 2, 3))
        total, path = d.warp(a, b)
        assert path[0].tolist() == [0, 0]
        assert path[-1].tolist() == [n - 1, n + 1]
        assert set(map(tuple, np.diff(path, axis=0))) <= {(1, 0), (0, 1), (1, 1)}
        assert np.linalg.norm(a[path[:, 0]] - b[path[:, 1]], axis=-1).sum() == pytest.approx(total)

    @given(SEEDS, st.integers(2, 12))
    def test_bounds_and_symmetry(self, seed, n):
        rng = np.random.default_rng(seed)
        a, b = rng.normal(size=(n, 3)), rng.normal(size=(n, 3))
        total = d.warp(a, b)[0]
        assert total == pytest.approx(d.warp(b, a)[0])
        assert total <= n * d.ade(a, b) + 1e-9
        assert d.ade(a, b) == pytest.approx(d.ade(b, a))
        assert d.ade(a, a) == d.fde(a, a) == d.dtw(a, a) == 0.0
        shift = rng.normal(size=3)
        assert d.dtw(a + shift, b + shift) == pytest.approx(d.dtw(a, b))
