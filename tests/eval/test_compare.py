from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hoiset.errors import DatasetError
from hoiset.eval import compare


def pooled(**figures: tuple[float | None, float | None, float | None]) -> dict[str, Any]:
    return {"pooled": {name: {"value": v, "low": a, "high": b, "n": 1} for name, (v, a, b) in figures.items()}}


BEFORE = pooled(hand_recall=(0.9, 0.8, 0.95), hand_mpjpe_mm=(30.0, 25.0, 36.0), hand_jitter_m_s3=(5.0, 4.0, 6.0))


def names(after: dict[str, Any], before: dict[str, Any] = BEFORE) -> list[str]:
    return [w.name for w in compare(before, after)]


def test_nothing_is_worse_than_itself() -> None:
    assert compare(BEFORE, BEFORE) == []


@pytest.mark.parametrize(
    ("recall", "error", "worse"),
    [
        (0.81, 35.9, []),
        (0.79, 30.0, ["hand_recall"]),
        (0.99, 36.1, ["hand_mpjpe_mm"]),
        (0.99, 10.0, []),
        (0.1, 90.0, ["hand_recall", "hand_mpjpe_mm"]),
    ],
)
def test_worse_is_beyond_the_bad_end_of_the_interval(recall: float, error: float, worse: list[str]) -> None:
    after = pooled(hand_recall=(recall, 0, 1), hand_mpjpe_mm=(error, 0, 99), hand_jitter_m_s3=(500.0, 1, 999))
    assert names(after) == worse


def test_a_figure_that_is_gone_is_worse() -> None:
    found = compare(BEFORE, pooled(hand_recall=(None, None, None)))
    assert [w.name for w in found] == ["hand_recall", "hand_mpjpe_mm"]
    assert "nothing left to judge" in str(found[0])
    assert names(BEFORE, pooled(hand_recall=(None, None, None))) == []


def test_without_an_interval_the_value_is_the_bound() -> None:
    before = pooled(hand_recall=(1.0, None, None), hand_mpjpe_mm=(20.0, 21.0, 22.0))
    assert names(pooled(hand_recall=(0.999, None, None), hand_mpjpe_mm=(20.0, 0, 1)), before) == ["hand_recall"]
    assert compare(before, before) == []


def test_files_are_read_and_refused(tmp_path: Path) -> None:
    path = tmp_path / "eval.json"
    path.write_text(json.dumps(BEFORE))
    found = compare(path, pooled(hand_recall=(0.5, 0, 1), hand_mpjpe_mm=(30.0, 1, 2)))
    assert str(found[0]) == "hand_recall: 0.9 before (worst in its interval 0.8), now 0.5"
    path.write_text("{")
    with pytest.raises(DatasetError, match=r"eval\.json"):
        compare(path, BEFORE)
    for nonsense in ({}, {"pooled": {"hand_recall": 1}}, []):
        path.write_text(json.dumps(nonsense))
        with pytest.raises(DatasetError, match="no pooled figures"):
            compare(BEFORE, path)
