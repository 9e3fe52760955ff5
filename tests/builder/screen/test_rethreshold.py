from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from hoiset.builder.screen import MEASURED, ScreenParams
from hoiset.builder.screen.gates import CHECKS, first_failed
from hoiset.builder.screen.rethreshold import REDECIDABLE, rethreshold
from hoiset.errors import DatasetError, RecipeError
from tests.builder.screen.test_report import write_table

OLD = ScreenParams()


def gates(path: Path) -> list[str]:
    return pq.read_table(path)["gate"].to_pylist()


def test_the_same_thresholds_change_nothing(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet")
    found = rethreshold(tmp_path / "a.parquet", tmp_path / "b.parquet", OLD, OLD)
    assert (found.changed, found.unknown, found.before) == (0, 0, found.after)
    before, after = (pq.read_table(tmp_path / name).to_pylist() for name in ("a.parquet", "b.parquet"))
    assert repr(before) == repr(after)


def test_stricter_thresholds_decide_as_a_new_screening_would(tmp_path: Path) -> None:
    rows = write_table(tmp_path / "a.parquet")
    new = OLD.model_copy(update={"min_hand_size": 0.35, "max_blur": 0.4, "min_hand_speed": 0.3})
    found = rethreshold(tmp_path / "a.parquet", tmp_path / "b.parquet", OLD, new)
    fixed = ("too_short", "camera_moves")
    want = [row["gate"] if row["gate"] in fixed else first_failed(row, new)[0] for row in rows]
    assert gates(tmp_path / "b.parquet") == want
    assert found.unknown == 0
    assert found.changed == sum(a != b for a, b in zip(want, (row["gate"] for row in rows), strict=True)) > 0


def test_a_span_that_was_not_looked_at_for_hands_waits(tmp_path: Path) -> None:
    rows = write_table(tmp_path / "a.parquet")
    new = OLD.model_copy(update={"max_blur": 1.0, "max_text": 1.0, "max_split": 1.0, "max_inset": 1.0})
    found = rethreshold(tmp_path / "a.parquet", tmp_path / "b.parquet", OLD, new)
    after = gates(tmp_path / "b.parquet")
    waiting = [
        i
        for i, row in enumerate(rows)
        if row["gate"] not in ("ok", "too_short", "camera_moves")
        and np.isnan(row["hand_size"])
        and first_failed(row, new)[0] in ("ok", "still_image")
    ]
    assert found.unknown == len(waiting) > 0
    assert all(after[i] == rows[i]["gate"] for i in waiting)
    assert found.after["ok"] > found.before["ok"]


@pytest.mark.parametrize("name", sorted(set(ScreenParams.model_fields) - set(REDECIDABLE)))
def test_what_decides_what_is_measured_cannot_be_changed_in_hindsight(tmp_path: Path, name: str) -> None:
    value = getattr(OLD, name)
    new = OLD.model_copy(update={name: value * 2})
    with pytest.raises(RecipeError, match=rf"other values of {name},.*screen again"):
        rethreshold(tmp_path / "a.parquet", tmp_path / "b.parquet", OLD, new)
    assert not (tmp_path / "b.parquet").exists()


def test_all_that_is_only_compared_can_be() -> None:
    assert set(REDECIDABLE) == {check.param for check in CHECKS} - {"min_clip_s", "max_camera_shift"}


def test_a_table_of_an_older_version_is_refused(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", 4)
    pq.write_table(pq.read_table(tmp_path / "a.parquet").drop_columns(["blur"]), tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match="lacks blur"):
        rethreshold(tmp_path / "a.parquet", tmp_path / "b.parquet", OLD, OLD)
    assert "blur" in MEASURED
    with pytest.raises(DatasetError, match="run hoiset screen"):
        rethreshold(tmp_path / "none.parquet", tmp_path / "b.parquet", OLD, OLD)
