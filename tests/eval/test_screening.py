from __future__ import annotations

from pathlib import Path

import pytest

from hoiset.errors import DatasetError
from hoiset.eval.metrics import value_of
from hoiset.eval.screening import Expected, Judged, read_expected, read_judged, screening_report, screening_sums
from tests.eval import scenes as s

HEADER = "uid,kind,seed,passes,gate,spans\n"


def figures(expected: Expected, judged: Judged) -> dict[str, float]:
    return {
        name.removeprefix("screen_"): float(value_of("mean", x)) for name, x in screening_sums(expected, judged).items()
    }


def test_spans_count_by_time_and_by_overlap() -> None:
    expected = Expected("a", "cut", "passes", ((0.0, 4.0), (6.0, 10.0)))
    got = figures(expected, Judged("passes", ((0.0, 3.0), (7.0, 8.0), (20.0, 22.0))))
    assert got["time_precision"] == pytest.approx(4 / 6)
    assert got["time_recall"] == pytest.approx(4 / 8)
    assert got["span_precision"] == pytest.approx(1 / 3)
    assert got["span_recall"] == pytest.approx(1 / 2)
    assert got["video_precision"] == got["video_recall"] == got["gate_accuracy"] == 1.0


def test_kept_spans_that_overlap_count_once() -> None:
    got = figures(Expected("a", "positive", "passes", ((0.0, 4.0),)), Judged("passes", ((2.0, 4.0), (0.0, 3.0))))
    assert got["time_precision"] == got["time_recall"] == 1.0


def test_a_video_that_nobody_judged_is_missed() -> None:
    expected = {"a": Expected("a", "positive", "passes", ((0.0, 4.0),)), "b": Expected("b", "pan", "camera_moves", ())}
    report = screening_report(expected, {"b": Judged("no_hands", ()), "c": Judged("passes", ((0.0, 9.0),))})
    assert report["videos"] == 2
    assert report["gates"]["passes"]["recall"] == 0.0
    assert report["gates"]["camera_moves"] == {"precision": None, "recall": 0.0, "expected": 1, "found": 0}
    outcomes = report["confusion"]["outcomes"]
    counts = report["confusion"]["counts"]
    assert counts[outcomes.index("camera_moves")][outcomes.index("no_hands")] == 1
    assert counts[outcomes.index("passes")][outcomes.index("not_judged")] == 1
    assert sum(map(sum, counts)) == 2


def test_the_longest_span_says_why_a_video_was_stopped(tmp_path: Path) -> None:
    rows = [
        ("a", 0.0, 1.0, "too_short"),
        ("a", 1.0, 9.0, "no_hands"),
        ("b", 0.0, 9.0, "no_hands"),
        ("b", 9, 12.0, "ok"),
    ]
    s.write_candidates(tmp_path, rows)
    judged = read_judged(tmp_path)
    assert judged == {"a": Judged("no_hands", ()), "b": Judged("passes", ((9.0, 12.0),))}


def test_a_build_without_a_record_of_pass_1(tmp_path: Path) -> None:
    assert read_judged(tmp_path) is None
    (tmp_path / "screen").mkdir()
    (tmp_path / "screen" / "candidates.parquet").write_bytes(b"PAR1 or not")
    with pytest.raises(DatasetError, match=r"candidates\.parquet"):
        read_judged(tmp_path)


def test_a_table_of_what_pass_1_should_do(tmp_path: Path) -> None:
    path = tmp_path / "screening.csv"
    path.write_text(HEADER + "a.mp4,cut,7,yes,,0.000-3.500;4.000-8.000\nb.mp4,pan,8,no,camera_moves,\n")
    assert read_expected(path) == {
        "a.mp4": Expected("a.mp4", "cut", "passes", ((0.0, 3.5), (4.0, 8.0))),
        "b.mp4": Expected("b.mp4", "pan", "camera_moves", ()),
    }


@pytest.mark.parametrize(
    "row", ["a,x,1,maybe,,0-1", "a,x,1,yes,,", "a,x,1,no,,", "a,x,1,yes,,3-1", "a,x,1,yes,,1", "a,x", "a,x,1,yes,,-1-2"]
)
def test_a_table_that_makes_no_sense(tmp_path: Path, row: str) -> None:
    path = tmp_path / "screening.csv"
    path.write_text(HEADER + row + "\n")
    with pytest.raises(DatasetError, match="line 2"):
        read_expected(path)
    with pytest.raises(DatasetError, match="nowhere"):
        read_expected(tmp_path / "nowhere.csv")
