import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hoiset.eval import bootstrap
from hoiset.eval.definitions import class_f1, macro_f1

CLIPS = st.lists(st.lists(st.floats(-10, 10), min_size=1, max_size=6).map(np.array), min_size=2, max_size=8)


def clips_of(rng, n=12):
    """Clips with a mean of their own and different lengths."""
    return [rng.normal(rng.normal(5, 2), 1, int(rng.integers(3, 12))) for _ in range(n)]


class TestWeights:
    def test_every_resample_draws_as_many_clips_as_there_are(self):
        weights = bootstrap.resample_weights(7, 500, seed=3)
        assert weights.shape == (500, 7)
        assert (weights.sum(-1) == 7).all()
        assert weights.mean() == 1.0

    def test_the_seed_decides(self):
        a, b, c = (bootstrap.resample_weights(5, 50, seed=s) for s in (1, 1, 2))
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()


class TestValues:
    def test_pooled_mean_counts_values_not_clips(self):
        # (1 + 2 + 3 + 10) / 4 = 4, not (2 + 10) / 2 = 6.
        estimate = bootstrap.mean([np.array([1.0, 2.0, 3.0]), np.array([10.0])])
        assert estimate.value == 4.0
        assert estimate.n == 2
        # Resamples of two clips: (a, a) mean 2, (a, b) 4, (b, b) 10, with chances 1/4, 1/2, 1/4.
        assert (estimate.low, estimate.high) == (2.0, 10.0)

    def test_ratio_is_of_sums(self):
        # (1 + 9) / (2 + 18) = 0.5; resamples of equal ratios all give 0.5.
        estimate = bootstrap.ratio(np.array([1.0, 9.0]), np.array([2.0, 18.0]))
        assert (estimate.value, estimate.low, estimate.high) == (0.5, 0.5, 0.5)

    def test_absent_values_and_clips_do_not_count(self):
        with_absent = bootstrap.mean([np.array([1.0, np.nan]), np.array([np.nan]), np.array([]), np.array([4.0])])
        assert with_absent == bootstrap.mean([np.array([1.0]), np.array([4.0])])
        assert with_absent.n == 2

    def test_nothing_and_one_clip_have_no_interval(self):
        for nothing in (bootstrap.mean([]), bootstrap.quantile([np.array([np.nan])]), bootstrap.ratio([0.0], [0.0])):
            assert nothing.n == 0
            assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
        one = bootstrap.quantile([np.array([1.0, 2.0, 6.0])])
        assert (one.value, one.n) == (2.0, 1)
        assert np.isnan([one.low, one.high]).all()

    def test_infinite_sums_are_refused(self):
        with pytest.raises(ValueError, match="found 1 sums that are not finite"):
            bootstrap.ratio(np.array([np.inf]), np.array([1.0]))

    def test_macro_f1_of_pooled_confusions(self):
        rng = np.random.default_rng(0)
        matrices = rng.integers(0, 20, (9, 3, 3))

        def batched(sums):
            return np.nanmean([class_f1(m) for m in sums], axis=-1)

        estimate = bootstrap.of_sums(matrices, batched, resamples=200)
        assert estimate.value == pytest.approx(macro_f1(matrices.sum(0)))
        assert estimate.low < estimate.value < estimate.high


class TestAgainstOthers:
    @pytest.mark.parametrize("q", [0.5, 0.9, 0.25])
    def test_quantile_is_that_of_the_clips_drawn(self, q):
        clips = clips_of(np.random.default_rng(1), 6)
        weights = bootstrap.resample_weights(6, 300, seed=5)
        drawn = [
            np.quantile(
                np.concatenate([v for v, w in zip(clips, row, strict=True) for _ in range(w)]),
                q,
                method="averaged_inverted_cdf",
            )
            for row in weights
        ]
        estimate = bootstrap.quantile(clips, q, resamples=300, seed=5)
        np.testing.assert_allclose([estimate.low, estimate.high], np.quantile(drawn, [0.025, 0.975]), rtol=1e-12)
        pooled = np.concatenate(clips)
        assert estimate.value == pytest.approx(np.quantile(pooled, q, method="averaged_inverted_cdf"), rel=1e-12)

    def test_interval_of_a_mean_agrees_with_scipy(self):
        rng = np.random.default_rng(2)
        values = rng.gamma(2.0, 1.0, 50)
        ours = bootstrap.mean([values[i : i + 1] for i in range(50)], resamples=20_000)
        theirs = stats.bootstrap(
            (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0), vectorized=True
        ).confidence_interval
        width = theirs.high - theirs.low
        # Two independent simulations of 20 000: each end scatters by about 0.5 % of the width.
        np.testing.assert_allclose([ours.low, ours.high], [theirs.low, theirs.high], atol=0.03 * width)

    def test_interval_of_a_ratio_agrees_with_scipy(self):
        rng = np.random.default_rng(3)
        bottom = rng.integers(5, 60, 40).astype(float)
        top = rng.binomial(bottom.astype(int), 0.7).astype(float)
        ours = bootstrap.ratio(top, bottom, resamples=20_000)
        theirs = stats.bootstrap(
            (top, bottom),
            lambda a, b, axis=-1: a.sum(axis) / b.sum(axis),
            paired=True,
            n_resamples=20_000,
            method="percentile",
            rng=np.random.default_rng(0),
            vectorized=True,
        ).confidence_interval
        width = theirs.high - theirs.low
        np.testing.assert_allclose([ours.low, ours.high], [theirs.low, theirs.high], atol=0.03 * width)


class TestCoverage:
    @staticmethod
    def covered(n_clips: int, trials: int, statistic) -> float:
        rng = np.random.default_rng(4)
        hits = 0
        for _ in range(trials):
            clips = [5.0 + rng.normal(0, 2) + rng.normal(0, 1, 20) for _ in range(n_clips)]
            estimate = statistic(clips)
            hits += estimate.low <= 5.0 <= estimate.high
        return hits / trials

    def test_fifty_clips_hold_the_true_mean_as_often_as_stated(self):
        # 400 trials: standard error sqrt(0.94 * 0.06 / 400) = 0.012.
        assert 0.90 <= self.covered(50, 400, lambda c: bootstrap.mean(c, resamples=400)) <= 0.98

    def test_fifty_clips_hold_the_true_median(self):
        assert 0.90 <= self.covered(50, 200, lambda c: bootstrap.quantile(c, resamples=300)) <= 0.99

    def test_few_clips_hold_it_less_often(self):
        assert 0.70 <= self.covered(6, 400, lambda c: bootstrap.mean(c, resamples=400)) <= 0.90

    def test_frames_as_independent_would_be_far_too_narrow(self):
        rng = np.random.default_rng(6)
        clips = [rng.normal(0, 2) + rng.normal(0, 1, 100) for _ in range(30)]
        frames = [np.array([v]) for v in np.concatenate(clips)]
        by_clip, by_frame = bootstrap.mean(clips, resamples=500), bootstrap.mean(frames, resamples=500)
        assert by_clip.high - by_clip.low > 4 * (by_frame.high - by_frame.low)


class TestProperties:
    @given(CLIPS)
    @settings(max_examples=40, deadline=None)
    def test_intervals_are_ordered_and_within_the_values(self, clips):
        for estimate in (bootstrap.mean(clips, resamples=60), bootstrap.quantile(clips, resamples=60)):
            everything = np.concatenate(clips)
            assert everything.min() - 1e-9 <= estimate.low <= estimate.high <= everything.max() + 1e-9

    @given(CLIPS, st.floats(0.1, 5), st.floats(-3, 3))
    @settings(max_examples=40, deadline=None)
    def test_units_do_not_matter(self, clips, factor, shift):
        a = bootstrap.mean(clips, resamples=60)
        b = bootstrap.mean([c * factor + shift for c in clips], resamples=60)
        np.testing.assert_allclose(
            [b.value, b.low, b.high], np.array([a.value, a.low, a.high]) * factor + shift, atol=1e-8
        )

    def test_the_same_call_gives_the_same_interval(self):
        clips = clips_of(np.random.default_rng(7))
        assert bootstrap.mean(clips, seed=1) == bootstrap.mean(clips, seed=1)
        assert bootstrap.mean(clips, seed=1) != bootstrap.mean(clips, seed=2)
