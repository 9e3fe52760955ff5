import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.loaders.running import BINS, QUANTILES, Histogram, KeptValues, RunningMoments


def rows_of(seed: int, n: int, d: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.normal([0, 1e6, -3, 2, 0], [1, 1e-3, 50, 0, 1e-9], (n, d)).astype(np.float64)
    rows[rng.random(rows.shape) < 0.2] = np.nan
    return rows


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), cuts=st.lists(st.integers(0, 300), max_size=6))
def test_batches_of_any_size_give_the_moments_of_all(seed: int, cuts: list[int]) -> None:
    rows, running = rows_of(seed, 300), RunningMoments(5)
    for batch in np.split(rows, sorted(cuts)):
        running.add(batch)
    np.testing.assert_array_equal(running.count, np.isfinite(rows).sum(0))
    np.testing.assert_array_equal(running.absent, np.isnan(rows).sum(0))
    np.testing.assert_allclose(running.mean, np.nanmean(rows, 0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(running.std, np.nanstd(rows, 0), rtol=1e-6, atol=1e-12)
    np.testing.assert_array_equal(running.least, np.nanmin(rows, 0))
    np.testing.assert_array_equal(running.greatest, np.nanmax(rows, 0))


def test_what_was_never_there() -> None:
    running = RunningMoments(2)
    running.add(np.array([[1.0, np.nan], [3.0, np.inf]]))
    assert running.count.tolist() == [2, 0]
    assert running.absent.tolist() == [0, 2]
    assert running.std[0] == 1


def test_quantiles_are_numpys() -> None:
    rows, kept = rows_of(1, 400), KeptValues(1 << 20)
    for batch in np.split(rows, 4):
        kept.add(batch)
    assert kept.fits
    np.testing.assert_allclose(kept.quantiles(), np.nanquantile(rows, QUANTILES, axis=0))


@pytest.mark.parametrize("n", [1, 7, 5000])
def test_a_histogram_is_off_by_less_than_its_bins(n: int) -> None:
    rows = np.random.default_rng(0).gamma(2, 1, (n, 3))
    rows[:, 2] = 4.0
    histogram = Histogram(rows.min(0), rows.max(0))
    for batch in np.array_split(rows, 3):
        histogram.add(batch)
    exact = np.quantile(rows, QUANTILES, axis=0, method="lower")
    assert (np.abs(histogram.quantiles() - exact) <= (np.ptp(rows, 0) / BINS) + 1e-12).all()


def test_values_that_do_not_fit_are_dropped() -> None:
    kept = KeptValues(100)
    for _ in range(3):
        kept.add(np.zeros((5, 2)))
    assert not kept.fits
