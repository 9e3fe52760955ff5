from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hoiset.builder.run import screen
from tests.builder.sources.action100m.corpus import pouring, uid_of, write_json, write_parquet
from tests.builder.test_build_action100m import PASSES, make_source

Run = Callable[..., tuple[int, str, str]]


def test_plan_prints_the_funnel(tmp_path: Path, run_command: Run) -> None:
    write_parquet(tmp_path / "a.parquet", [[pouring(uid_of(1), 3)]])
    write_json(tmp_path / "b.json", {})
    code, out, _ = run_command("plan", "--split", "action100m", "--source", tmp_path)
    assert code == 0
    assert out.splitlines()[:3] == ["rule\tdropped\tleft", "all\t-\t4", "malformed\t0\t4"]
    assert "covered\t0\t3" in out
    assert "3 segments (0.01 h) to screen" in out
    assert "1 of 1 videos" in out
    assert "b.json, row 1" in out


def test_plan_as_json(tmp_path: Path, run_command: Run) -> None:
    write_parquet(tmp_path / "a.parquet", [[pouring(uid_of(1), 3), pouring(uid_of(2))]])
    code, out, _ = run_command("plan", "--split", "action100m", "--source", tmp_path, "--limit", "1", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["segments"], found["videos"]) == (3, 1)
    assert found["rules"][-1] == {"rule": "covered", "dropped": 0, "left": 3}


def test_plan_reckons_the_cost_from_a_build(tmp_path: Path, run_command: Run) -> None:
    source = make_source(tmp_path / "in")
    screen("action100m", source, tmp_path / "out", workers=0, stages=PASSES)
    plan = ("plan", "--split", "action100m", "--source", source, "--rates", tmp_path / "out")
    found = json.loads(run_command(*plan, "--json")[1])
    assert found["segments"] == found["cost"]["corpus"]["segments"] == 8
    assert found["cost"]["screen_core_h"] > 0
    many = json.loads(run_command(*plan, "--of-videos", "3000", "--json")[1])
    assert many["cost"]["corpus"]["segments"] == 8000
    assert many["cost"]["screen_core_h"] == pytest.approx(1000 * found["cost"]["screen_core_h"])
    _, out, _ = run_command(*plan)
    assert "8 segments to judge" in out
    code, _, err = run_command("plan", "--split", "action100m", "--source", source, "--rates", tmp_path / "nowhere")
    assert code == 1
    assert "nowhere" in err


def test_wrong_calls(tmp_path: Path, run_command: Run) -> None:
    assert run_command("plan", "--split", "action100m")[0] == 2
    code, _, err = run_command("plan", "--split", "action100m", "--source", tmp_path / "nowhere")
    assert code == 1
    assert "nothing at" in err
    assert run_command("plan", "--split", "demo")[0] == 1
