from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fidelity_gains import FIGURES, gains, meets, parent_of
from fidelity_page import short, with_interval, write_page

from hoiset.eval.metrics import METRICS, metric

BUILDS = ("pixels", "camera", "camera, landmarks", "camera, palm depth", "camera, hands", "camera, hands, masks")


def figure(value: float | None, spread: float = 0.02) -> dict[str, Any]:
    if value is None:
        return {"value": None, "low": None, "high": None, "n": 0, "clips": 0}
    return {"value": value, "low": value * (1 - spread), "high": value * (1 + spread), "n": 10, "clips": 3}


def evaluation(**values: float | None) -> dict[str, Any]:
    """All shares 0.5 and all errors 100, but for what is said."""
    pooled = {m.name: figure(0.5 if m.better == "higher" else 100.0) for m in METRICS}
    return {
        "pooled": pooled | {name: figure(value) for name, value in values.items()},
        "screening": {"wrong": [{"uid": "s3.mp4", "kind": "slow_pan", "expected": "camera_moves", "found": "passes"}]},
        "meta": {"truth": {"clips": 5}, "confidence": 0.95},
    }


@pytest.fixture
def evaluations() -> dict[str, Any]:
    """The camera costs translation, the hands' depth costs it too, the masks cost recall and rotation."""
    return {
        "pixels": evaluation(object_translation_mm=200.0),
        "camera": evaluation(object_translation_mm=150.0),
        "camera, landmarks": evaluation(object_translation_mm=149.0, hand_pa_mpjpe_mm=10.0),
        "camera, palm depth": evaluation(object_translation_mm=120.0),
        "camera, hands": evaluation(object_translation_mm=75.0, hand_pa_mpjpe_mm=0.0),
        "camera, hands, masks": evaluation(object_translation_mm=80.0, object_recall=0.9, object_rotation_deg=60.0),
    }


def result(**more: Any) -> dict[str, Any]:
    corpus = {"videos": 7, "duration_s": 28.4, "kinds": {"positive": 5, "slow_pan": 2}}
    return {"corpus": corpus, **more}


def real() -> dict[str, Any]:
    shown = {**figure(0.25), "n": 4}
    row = {"clip": "2|3", "pass_1": ["ok"], "status": "ok", "hand_recall": None, "object_box_iou": {"book 1": 0.5}}
    return {
        "hands_real": {"images": 400, "hand_recall": shown, "hand_mpjpe_mm": shown},
        "hot3d": {"frames": 34, "blocks": 3, "hand_recall": shown, "hand_mpjpe_mm": shown},
        "arctic": {"frames": 638, "blocks": 43, "hand_recall": shown, "hand_mpjpe_mm": figure(None)},
        "boxes": {"clips": 6, "hand_recall": shown, "object_recall": shown, "rows": [row]},
        "depth_nyu": {"images": 3, "why_none": "there is no depth"},
    }


def page(tmp_path: Path, *args: Any) -> str:
    write_page(tmp_path / "page.md", *args)
    return (tmp_path / "page.md").read_text()


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


def test_a_builds_parent_is_fed_all_but_one_thing(evaluations) -> None:
    parents = {name: parent_of(name, evaluations) for name in BUILDS}
    assert parents == {
        "pixels": None,
        "camera": "pixels",
        "camera, landmarks": "camera",
        "camera, palm depth": "camera",
        "camera, hands": "camera",
        "camera, hands, masks": "camera, hands",
    }


def test_gains_are_shares_of_the_error_that_goes(evaluations) -> None:
    found = {(g.fed, g.figure): g for g in gains(evaluations)}
    assert found["camera", "object_translation_mm"].share == pytest.approx(0.25)
    assert found["camera", "object_translation_mm"].clear
    assert found["palm_depth", "object_translation_mm"].share == pytest.approx(0.2)
    assert found["hands", "object_translation_mm"].share == pytest.approx(0.5)
    assert found["masks", "object_recall"].share == pytest.approx(0.8)  # 0.5 missing, then 0.1
    assert found["masks", "object_translation_mm"].share == pytest.approx(-5 / 75)
    assert not found["landmarks", "object_translation_mm"].clear


def test_what_is_given_is_not_praised_for_itself(evaluations) -> None:
    found = {(g.fed, g.figure) for g in gains(evaluations)}
    assert ("hands", "hand_pa_mpjpe_mm") not in found
    assert ("landmarks", "hand_recall") not in found
    assert ("landmarks", "hand_pa_mpjpe_mm") in found


def test_figures_are_in_the_registry() -> None:
    assert {metric(name).better for name in FIGURES} == {"higher", "lower"}


def test_aims() -> None:
    assert meets("hand_recall", 0.95, 0.95)
    assert not meets("hand_recall", 0.94, 0.95)
    assert meets("hand_pa_mpjpe_mm", 9.0, 9.0)
    assert not meets("hand_pa_mpjpe_mm", 9.1, 9.0)
    assert not meets("hand_pa_mpjpe_mm", None, 9.0)


def test_the_page_ranks_stages_by_numbers_alone(evaluations, tmp_path) -> None:
    where = section(page(tmp_path, evaluations, result()), "Where the error is")
    ranked = [line for line in where.splitlines() if line[:2] in ("1.", "2.", "3.", "4.")]
    assert [line[3:].split(":")[0] for line in ranked] == ["landmarks", "masks", "hands"]
    assert "`hand_pa_mpjpe_mm` goes 100 -> 10.0 mm (90% of the error*)" in ranked[0]
    assert "`object_recall` goes 0.50 -> 0.90 (80% of the error*)" in ranked[1]
    assert "`object_translation_mm` (200 mm from pixels): hands given 150 -> 75.0 mm (50% of the error*)" in where
    swapped = {**evaluations, "camera": evaluation(object_translation_mm=2.0)}
    where = section(page(tmp_path, swapped, result()), "Where the error is")
    assert "\n1. camera: with it given, `object_translation_mm` goes 200 -> 2.00 mm (99% of the error*)" in where


def test_aims_are_judged_with_their_intervals(evaluations, tmp_path) -> None:
    evaluations["pixels"] = evaluation(
        hand_recall=0.97, hand_pa_mpjpe_mm=8.0, object_rotation_deg=25.2, hand_root_relative_mpjpe_mm=30.0
    )
    aims = section(page(tmp_path, evaluations, result()), "Aims")
    line = {row.split("`")[1]: row for row in aims.splitlines() if row.startswith("| `")}
    met = {name: row.split("|")[-2].strip() for name, row in line.items()}
    assert met["hand_pa_mpjpe_mm"] == "yes"
    assert met["hand_root_relative_mpjpe_mm"] == "no"
    aims = aims.split("With perfect perception")[0]
    assert "| `hand_recall` | >= 0.95 | 0.97 [0.95, 0.99] | 0.50 [0.49, 0.51] | yes" in aims
    assert "25.2 [24.7, 25.7] | 100 [98.0, 102] | no, but the aim is within the interval |" in aims


def test_rows_are_builds(evaluations, tmp_path) -> None:
    text = section(page(tmp_path, evaluations, result()), "What each stage costs")
    assert text.count("\n| nothing: from pixels |") == 3
    assert "| camera, hands | " in text
    rows = [row for row in text.splitlines() if row.startswith("|")]
    assert len(rows) == 3 * (2 + len(BUILDS))


def test_negatives_are_counted_by_kind(evaluations, tmp_path) -> None:
    text = section(page(tmp_path, evaluations, result()), "Screening")
    assert "| positive | 5 | 5 | - |" in text
    assert "| slow pan | 2 | 1 | passes instead of camera_moves (s3.mp4) |" in text


def test_before_and_after_takes_figures_with_and_without_intervals(evaluations, tmp_path) -> None:
    before = {"figures": {"pixels": {"object_translation_mm": 400.0, "object_recall": figure(0.0)}}}
    text = section(page(tmp_path, evaluations, result(), before), "Before and after")
    assert "| pixels | `object_translation_mm` | 400 | 200 [196, 204] | -50% |" in text
    assert "| pixels | `object_recall` | 0.00 [0.00, 0.00] | 0.50 [0.49, 0.51] | -50% |" in text
    assert "| pixels | `hand_recall` | - | 0.50 [0.49, 0.51] | - |" in text
    assert "Before and after" not in page(tmp_path, evaluations, result())


def test_real_sets_and_what_is_not_there(evaluations, tmp_path) -> None:
    evaluations["pixels"] = evaluation(hand_recall=None)
    text = page(tmp_path, evaluations, result(real=real()))
    assert "there is no depth" in text
    assert "| `hand_mpjpe_mm` | 0.25 [0.24, 0.26] | 0.25 [0.24, 0.26] | - |" in text
    assert "| `hand_recall` | >= 0.95 | - | 0.50 [0.49, 0.51] | no |" in text
    assert "| - | book 1 0.50 |" in text


def test_pixels_alone_make_a_page(tmp_path) -> None:
    text = page(tmp_path, {"pixels": evaluation()}, result())
    assert "Where the error is" not in text
    assert "With perfect perception" not in text


def test_numbers() -> None:
    assert [short(x) for x in (None, 0.0, 0.123, 12.34, 123.4, -3.3)] == ["-", "0.00", "0.12", "12.3", "123", "-3.30"]
    assert with_interval({"value": 1.0, "low": None, "high": None}) == "1.00"
