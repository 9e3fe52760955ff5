from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from hoiset.eval.calibration import ERRORS, Scored, calibrate, errors_of, spearman
from hoiset.eval.metrics import METRICS


def scored(score: np.ndarray, error: np.ndarray, clips: np.ndarray | None = None) -> list[Scored]:
    clips = np.arange(len(score)) if clips is None else clips
    return [
        Scored(int(c), float(a), dict.fromkeys(ERRORS, float(e))) for c, a, e in zip(clips, score, error, strict=True)
    ]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=40))
def test_rank_correlation_is_scipys(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, float).T
    weights = np.stack([np.ones(len(a), int), 1 + np.arange(len(a)) % 3])
    got = spearman(a, b, weights)
    if len(set(a)) > 1 and len(set(b)) > 1:
        again = np.repeat(np.arange(len(a)), weights[1])
        assert got[0] == pytest.approx(spearmanr(a, b).statistic, abs=1e-9)
        assert got[1] == pytest.approx(spearmanr(a[again], b[again]).statistic, abs=1e-9)
    else:
        assert np.isnan(got).all()


def test_a_score_that_tells_all() -> None:
    score = np.linspace(0.1, 0.9, 12)
    found = calibrate(scored(score, 10 - 10 * score))["wrist_depth_error_percent"]
    assert found["spearman"]["value"] == pytest.approx(-1.0)
    assert found["worth_filtering"] is True
    assert [t["n"] for t in found["thirds"]] == [4, 4, 4]
    errors = [t["error"] for t in found["thirds"]]
    assert errors == sorted(errors, reverse=True)
    assert found["thirds"][0]["score_low"] == pytest.approx(0.1)
    risks = [p["risk"] for p in found["risk_coverage"]]
    assert risks == sorted(risks)
    assert risks[-1] == pytest.approx(found["risk"]) == pytest.approx(5.0)
    assert found["half_risk"] == pytest.approx(np.mean(10 - 10 * score[6:]))


def test_a_score_that_tells_nothing() -> None:
    found = calibrate(scored(np.arange(40.0), np.tile([1.0, 2.0], 20)))["state_wrong"]
    assert found["worth_filtering"] is False
    assert found["spearman"]["low"] < 0 < found["spearman"]["high"]


def test_samples_of_one_clip_are_drawn_together() -> None:
    """Twelve copies of three clips know no more than three clips."""
    score, error = np.tile([0.1, 0.5, 0.9], 12), np.tile([3.0, 1.0, 2.0], 12)
    apart = calibrate(scored(score, error))["state_wrong"]["spearman"]
    together = calibrate(scored(score, error, np.tile([0, 1, 2], 12)))["state_wrong"]["spearman"]
    assert together["high"] - together["low"] > 1.5 * (apart["high"] - apart["low"])


def test_too_few_samples_say_nothing() -> None:
    found = calibrate(scored(np.arange(5) / 5, np.arange(5.0)))["state_wrong"]
    assert found == {"n": 5, "spearman": None, "worth_filtering": None}
    nothing = [Scored(i, 0.5, dict.fromkeys(ERRORS, float("nan"))) for i in range(9)]
    assert calibrate(nothing)["state_wrong"]["n"] == 0


def test_shares_become_errors() -> None:
    figures = {m.name: 0.25 for m in METRICS}
    assert errors_of(figures)["object_missed"] == errors_of(figures)["state_wrong"] == 0.75
    assert errors_of(figures)["object_rotation_deg"] == 0.25
