from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.builder.fakes import STAGES, make_source
from tests.factories import make_dataset


@pytest.fixture
def hoiset(monkeypatch: pytest.MonkeyPatch, run_command: Any) -> Any:
    """Run a command whose passes take milliseconds."""
    monkeypatch.setattr("hoiset.builder.run.Stages", lambda: STAGES)
    return run_command


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("cli") / "data")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    words = {"a": "two", "b": "clip_error", "[red]c": "no_hands", "d": ""}
    return make_source(tmp_path / "source", words)


def test_build_then_status_verify_info(hoiset: Any, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, stdout, stderr = hoiset("build", "--split", "v2", "--source", source, "--out", out, "--workers", "0")
    assert (code, stderr) == (0, "")
    assert "pass 1: 1 no_hands, 4 ok" in stdout
    assert "pass 2: 1 no_hands, 3 ok" in stdout
    code, stdout, _ = hoiset("status", out)
    assert code == 0
    assert "finished" in stdout
    assert "none in any frame" in stdout
    assert hoiset("verify", out)[0] == 0
    code, stdout, _ = hoiset("info", out, "--json")
    assert (code, json.loads(stdout)["version"]) == (0, "v2")


@pytest.mark.parametrize("command", ["build", "screen"])
def test_json_is_all_that_stdout_holds(hoiset: Any, source: Path, tmp_path: Path, command: str) -> None:
    args = ("--split", "v2", "--source", source, "--out", tmp_path / "out", "--workers", "0", "--json")
    code, stdout, _ = hoiset(command, *args)
    report = json.loads(stdout)
    assert code == 0
    assert report["gates"] == {"no_hands": 1, "ok": 4}
    assert report["statuses"] == ({"no_hands": 1, "ok": 3} if command == "build" else {})
    code, stdout, _ = hoiset("status", tmp_path / "out", "--json")
    assert json.loads(stdout)["finished"] is (command == "build")


def test_verify_reports_damage(hoiset: Any, tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "data")
    shard = next((root / "data").rglob("*.tar"))
    shard.write_bytes(b"x" + shard.read_bytes()[1:])
    code, stdout, _ = hoiset("verify", root, "--json")
    assert code == 1
    found = json.loads(stdout)
    assert found["ok"] is False
    assert shard.name in found["problems"][0]["file"]
    code, stdout, _ = hoiset("verify", root)
    assert code == 1
    assert "problems" in stdout


def test_filter_finds_and_counts(hoiset: Any, dataset: Path) -> None:
    code, stdout, _ = hoiset("filter", dataset, "--json")
    everything = json.loads(stdout)
    assert code == 0
    assert len(everything) == 6
    code, stdout, _ = hoiset("filter", dataset, "--grasp", "right", "--min-objects", "2", "--json")
    some = json.loads(stdout)
    assert [row["key"] for row in some] == [row["key"] for row in everything if row["n_objects"] >= 2]
    code, stdout, _ = hoiset("filter", dataset, "--min-quality", "0.9")
    assert "0 clips" in stdout


def test_view_draws_a_clip(hoiset: Any, dataset: Path, tmp_path: Path) -> None:
    code, stdout, _ = hoiset("view", dataset, "--overlay", tmp_path / "sheet.png")
    assert code == 0
    assert "clip_00" in stdout
    assert (tmp_path / "sheet.png").stat().st_size > 0
    code, _, stderr = hoiset("view", dataset, "--key", "nobody", "--overlay", tmp_path / "sheet.png")
    assert code == 2
    assert "nobody" in stderr


def test_info_prints_a_recipe_with_its_defaults(hoiset: Any) -> None:
    code, stdout, _ = hoiset("info", "--split", "demo")
    recipe = json.loads(stdout)
    assert code == 0
    assert recipe["source"]["kind"] == "studio"
    assert recipe["screen"]


def test_doctor_without_starting_models(hoiset: Any) -> None:
    code, stdout, _ = hoiset("doctor", "--no-start", "--json")
    findings = json.loads(stdout)
    assert {"package", "program", "library", "backend", "device"} == {finding["kind"] for finding in findings}
    missing = [finding for finding in findings if not finding["ok"]]
    assert code == int(any(finding["needed"] for finding in missing))
    assert all(finding["get"] for finding in missing if finding["needed"])


@pytest.mark.parametrize(
    "args",
    [
        ["build", "--split", "v9", "--source", "."],
        ["build", "--split", "v2"],
        ["build", "--split", "v2", "--source", ".", "--nope"],
        ["build", "--split", "v2", "--source", ".", "--workers", "-1"],
        ["build", "--split", "v2", "--source", ".", "--engine", "slurm"],
        ["screen", "--split", "v2", "--source", ".", "--address", "auto"],
        ["frobnicate"],
        ["view", ".", "--overlay", "x.txt"],
        ["info"],
        ["filter"],
    ],
)
def test_a_wrong_call_exits_2(hoiset: Any, args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, stdout, stderr = hoiset(*args)
    assert (code, stdout) == (2, "")
    assert "Traceback" not in stderr
    assert stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["build", "--split", "v2", "--source", "nowhere"], "no such directory"),
        (["status", "nowhere"], "was not made by"),
        (["verify", "nowhere"], "hoiset build"),
        (["info", "nowhere"], "hoiset build"),
        (["filter", "nowhere"], "hoiset build"),
    ],
)
def test_a_problem_of_data_exits_1_with_one_line(
    hoiset: Any, args: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, stdout, stderr = hoiset(*args)
    assert (code, stdout) == (1, "")
    assert message in stderr
    assert stderr.count("\n") == 1


def test_debug_shows_the_traceback(hoiset: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOISET_DEBUG", "1")
    _, _, stderr = hoiset("status", "nowhere")
    assert "Traceback" in stderr


def test_reading_commands_need_no_build_packages(dataset: Path) -> None:
    blocked = "; ".join(f"sys.modules['{name}'] = None" for name in ("cv2", "open3d", "scipy", "lemminflect"))
    code = f"import sys; {blocked}; sys.argv = ['hoiset', *sys.argv[1:]]; from hoiset.cli import main; main()"
    for args in (["filter", dataset], ["info", dataset], ["verify", dataset]):
        result = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, env=os.environ)
        assert result.returncode == 0, result.stderr
    result = subprocess.run([sys.executable, "-c", code, "build", "--split", "demo"], capture_output=True, text=True)
    assert result.returncode == 1
    assert "hoiset[build]" in result.stderr


def test_studio_prints_what_it_made(hoiset: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hoiset.builder.studio import corpus

    asked: list[Any] = []

    def make(out: Path, **how: Any) -> corpus.CorpusReport:
        asked.append((out, how["seed"], how["n_clips"]))
        return corpus.CorpusReport(str(out), 3, 2, 90, 9.0, {"no_hand": 1, "positive": 2})

    monkeypatch.setattr(corpus, "make_corpus", make)
    code, stdout, stderr = hoiset("studio", "--seed", "7", "--clips", "3", "--out", tmp_path)
    assert (code, stderr) == (0, "")
    assert "3 videos, 90 frames" in stdout
    assert "1 no_hand, 2 positive" in stdout
    code, stdout, _ = hoiset("studio", "--seed", "7", "--clips", "3", "--out", tmp_path, "--json")
    assert (code, json.loads(stdout)["samples"]) == (0, 2)
    assert asked == [(tmp_path, 7, 3)] * 2
    assert hoiset("studio", "--clips", "0", "--out", tmp_path)[0] == 2
