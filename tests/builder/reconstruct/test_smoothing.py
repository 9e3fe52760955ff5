import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.builder.reconstruct.smoothing import outliers, runs, short_gaps, smooth


def uneven_time(seed, n=200, fps=30.0):
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.uniform(0.5, 1.5, n)) / fps


@given(st.integers(0, 1000), st.floats(0.02, 0.3))
@settings(max_examples=25, deadline=None)
def test_a_quadratic_passes_unchanged_at_any_spacing(seed, sigma):
    t = uneven_time(seed)
    x = np.stack([1 + 2 * t - 0.7 * t**2, 5 * t], 1)
    assert np.allclose(smooth(t, x, sigma_s=sigma), x, atol=1e-6)


def test_an_oracle_fit_at_one_sample():
    t = uneven_time(1)
    x = np.random.default_rng(2).normal(size=(len(t), 1))
    w = np.random.default_rng(3).uniform(0.1, 1, len(t))
    i, sigma = 80, 0.1
    near = np.abs(t - t[i]) <= 3 * sigma
    k = np.sqrt(w * np.exp(-0.5 * ((t - t[i]) / sigma) ** 2))[near]
    c = np.polyfit(t[near] - t[i], x[near, 0], 2, w=k)
    assert smooth(t, x, sigma_s=sigma, weight=w)[i, 0] == pytest.approx(c[-1], abs=1e-8)


def test_motion_does_not_lag_and_keeps_its_amplitude():
    t = uneven_time(4, 400)
    for hz in (0.5, 1.0, 2.0):
        x = np.sin(2 * np.pi * hz * t)
        y = smooth(t, x[:, None], sigma_s=0.035)[:, 0]
        inner = slice(20, -20)
        basis = np.stack([np.sin(2 * np.pi * hz * t[inner]), np.cos(2 * np.pi * hz * t[inner])], 1)
        a, b = np.linalg.lstsq(basis, y[inner], rcond=None)[0]
        assert np.hypot(a, b) > 0.98
        assert abs(np.arctan2(b, a)) / (2 * np.pi * hz) < 0.001


def test_noise_shrinks():
    t = uneven_time(5, 600)
    noise = np.random.default_rng(6).normal(size=(600, 3))
    assert smooth(t, noise, sigma_s=0.1).std() < 0.6 * noise.std()


def test_absent_rows_stay_absent_and_do_not_spread():
    t = np.arange(50) / 30
    x = np.stack([t, t**2], 1)
    x[20:24] = np.nan
    y = smooth(t, x, sigma_s=0.1)
    assert np.isnan(y).any(1).nonzero()[0].tolist() == [20, 21, 22, 23]
    assert np.allclose(y[~np.isnan(y)], x[~np.isnan(x)], atol=1e-6)


def test_few_samples_are_left_alone():
    t, x = np.array([0.0, 1.0]), np.array([[1.0], [3.0]])
    assert np.array_equal(smooth(t, x, sigma_s=0.1), x)
    assert smooth(np.zeros(0), np.zeros((0, 2)), sigma_s=0.1).shape == (0, 2)


def test_time_must_increase():
    with pytest.raises(ValueError, match="increase"):
        smooth(np.array([0.0, 0.0, 1.0]), np.zeros((3, 1)), sigma_s=0.1)


def test_teleports_are_found_and_fast_motion_is_not():
    t = np.arange(90) / 30
    x = np.stack([400 * t, 50 * np.sin(3 * t)], 1)
    wild = x.copy()
    wild[[30, 61]] += 150
    limit = np.full(90, 40.0)
    assert not outliers(t, x, window_s=0.1, threshold=limit).any()
    assert outliers(t, wild, window_s=0.1, threshold=limit).nonzero()[0].tolist() == [30, 61]


def test_gaps_are_measured_between_what_is_present():
    t = np.arange(20) / 10
    present = np.ones(20, bool)
    present[[0, 5, 6, 7, 12, 13, 14, 15, 16, 19]] = False
    assert runs(~present) == [(0, 1), (5, 8), (12, 17), (19, 20)]
    assert short_gaps(t, present, max_gap_s=0.5) == [(5, 8)]
