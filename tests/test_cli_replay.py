"""``hoiset replay`` on a small dataset."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.fixtures import pristine  # noqa: F401

pytest.importorskip("mujoco")
Run = Callable[..., tuple[int, str, str]]


def test_every_object_gets_a_row(run_command: Run, pristine: Path, tmp_path: Path) -> None:  # noqa: F811
    out = tmp_path / "tables" / "replay.parquet"
    code, text, _ = run_command("replay", pristine, "--out", out, "--open-loop")
    assert code == 0, text
    rows = pq.read_table(out).to_pylist()
    assert [(r["key"], r["object"]) for r in rows] == [
        ("clip_01", 0), ("clip_02", 0), ("clip_02", 1), ("clip_04", 0)
    ]  # fmt: skip
    assert {r["status"] for r in rows} <= {"passed", "failed", "not_testable"}
    assert all(r["reason"] for r in rows if r["status"] == "not_testable")
    assert "4 objects of 5 clips" in text


def test_a_choice_of_clips_as_json(run_command: Run, pristine: Path, tmp_path: Path) -> None:  # noqa: F811
    out = tmp_path / "replay.parquet"
    code, text, _ = run_command("replay", pristine, "--key", "clip_02", "--out", out, "--json", "--open-loop")
    assert code == 0
    assert [r["key"] for r in json.loads(text)] == ["clip_02", "clip_02"]
    first = out.read_bytes()
    assert run_command("replay", pristine, "--key", "clip_02", "--out", out, "--open-loop")[0] == 0
    assert out.read_bytes() == first


@pytest.mark.parametrize(
    "options",
    [
        ("--key", "nothing"),
        ("--where", "no such field = 1"),
        ("--down", "down"),
        ("--down", "0,0,0"),
        ("--out", "replay.csv"),
    ],
)
def test_wrong_calls(run_command: Run, pristine: Path, tmp_path: Path, options: tuple[str, str]) -> None:  # noqa: F811
    given = ("--out", tmp_path / "replay.parquet") if options[0] != "--out" else ()
    code, _, err = run_command("replay", pristine, *given, *options)
    assert code == 2
    assert err
