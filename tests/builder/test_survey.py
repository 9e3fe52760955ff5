from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hoiset.builder.recipe import load_recipe
from hoiset.builder.survey import survey
from hoiset.errors import RecipeError
from tests.builder.sources.action100m.corpus import gpt, node, pouring, row, uid_of, write_json, write_parquet


def test_the_published_rows(shared_data: Path) -> None:
    found = survey(load_recipe("action100m"), shared_data / "action100m" / "examples.parquet")
    counts = {step.rule: (step.dropped, step.left) for step in found.rules}
    assert found.segments_found == 4480
    assert counts["malformed"] == (0, 4480)
    assert counts["no_caption"] == (3243, 1237)
    assert counts["no_action"] == (42, 1195)
    assert counts["too_short"] == (0, 1195)
    assert counts["too_long"] == (192, 1003)
    assert counts["covered"][1] == found.segments
    assert (found.videos, found.videos_chosen, found.unusable) == (10, 9, 0)
    assert found.video_hours == pytest.approx(3254 / 3600)
    assert found.segment_hours < found.video_chosen_hours < found.video_hours


def test_the_funnel_adds_up(tmp_path: Path) -> None:
    talk = gpt("Talk to camera", "a woman", detailed="Talk.", summary="A woman talks.")
    write_parquet(tmp_path / "a.parquet", [[pouring(uid_of(1), 3), row(uid_of(2), [node("x", 0, 9, None, talk)], 40)]])
    write_json(tmp_path / "b.json", {})
    found = survey(load_recipe("action100m"), tmp_path)
    left = found.segments_found
    for step in found.rules:
        left -= step.dropped
        assert step.left == left
    assert left == found.segments == 3
    assert (found.videos, found.videos_chosen, found.unusable) == (2, 1, 1)
    assert found.video_hours == pytest.approx(70 / 3600)
    assert found.video_chosen_hours == found.segment_hours == pytest.approx(30 / 3600)
    assert "b.json, row 1" in found.problems[0]
    assert found.to_json()["segments"] == 3


def test_a_limit_counts_videos(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [[pouring(uid_of(i), 2) for i in range(5)]])
    told: list[int] = []
    found = survey(load_recipe("action100m"), tmp_path, limit=2, progress=told.append)
    assert (found.videos, found.segments) == (2, 4)
    assert told == [1, 2]


def test_a_folder(tmp_path: Path, shared_data: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(next((shared_data / "videos").glob("*.mp4")), tmp_path / name)
    table = "file,start_s,end_s\na.mp4,0,2\na.mp4,2,5\nmissing.mp4,0,1\n"
    (tmp_path / "videos.csv").write_text(table)
    found = survey(load_recipe("v2"), tmp_path)
    assert (found.videos, found.segments, found.unusable, found.rules) == (2, 3, 1, ())
    assert found.segment_hours is None  # b.mp4 has no span
    (tmp_path / "videos.csv").write_text(table + "b.mp4,1,2\n")
    assert survey(load_recipe("v2"), tmp_path).segment_hours == pytest.approx(6 / 3600)


def test_only_what_reads_a_source_can_be_planned(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="makes its own videos"):
        survey(load_recipe("demo"), None)
    with pytest.raises(RecipeError, match="--source"):
        survey(load_recipe("action100m"), None)
