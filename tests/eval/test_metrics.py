from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from hoiset.eval.clip import judge_clip
from hoiset.eval.metrics import METRICS, metric, value_of
from hoiset.eval.screening import Expected, Judged, screening_sums
from hoiset.eval.tally import add, figures, mean_of
from tests.eval import scenes as s


def test_every_figure_is_known_and_every_known_one_is_made() -> None:
    view = s.view(s.make_truth())
    expected = Expected("a", "positive", "passes", ((0.0, 3.0),))
    made = {**judge_clip(view, [view]).sums, **screening_sums(expected, Judged("passes", ((0.0, 3.0),)))}
    assert {name for name in made if not name.startswith("curve_")} == {m.name for m in METRICS}
    for m in METRICS:
        assert len(made[m.name]) == m.width + 1, m.name
    assert len({m.name for m in METRICS}) == len(METRICS)
    assert metric("hand_recall").better == "higher"


def test_state_f1_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    true, pred = rng.integers(0, 6, 500), rng.integers(0, 6, 500)
    confusion = np.zeros((6, 6))
    np.add.at(confusion, (true, pred), 1.0)
    expected = f1_score(true, pred, labels=[1, 2, 3, 4, 5], average="macro")
    assert value_of("macro_f1", confusion.ravel()) == pytest.approx(expected)
    both = value_of("macro_f1", np.stack([confusion.ravel(), np.zeros(36)]))
    assert both[0] == pytest.approx(expected)
    assert np.isnan(both[1])


def test_parts_add_up_to_the_whole() -> None:
    values = np.random.default_rng(1).random(30)
    whole = {"hand_mpjpe_mm": mean_of(values)}
    parts = add({"hand_mpjpe_mm": mean_of(values[:7])}, {}, {"hand_mpjpe_mm": mean_of(values[7:])})
    assert figures(parts)["hand_mpjpe_mm"] == pytest.approx(figures(whole)["hand_mpjpe_mm"]) == 1e3 * values.mean()
    assert np.isnan(figures(parts)["hand_recall"])
    np.testing.assert_array_equal(mean_of(np.array([1.0, np.nan, 3.0]), 0.5), [2.0, 1.0, 2.0])


def test_the_page_is_current() -> None:
    docs = Path(__file__).parents[2] / "docs"
    page = runpy.run_path(str(docs / "make_eval.py"))["eval_page"]()
    assert (docs / "eval.md").read_text(encoding="utf-8") == page, "run: python docs/make_eval.py"
