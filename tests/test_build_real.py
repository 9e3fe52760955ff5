"""The whole build on real footage, through the command line, read back by every reader."""

from __future__ import annotations

import csv
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hoiset
from hoiset.shards.schema import HandSource, ObjectState

NAMES = ("plate_push.mp4", "snackbox_push.mp4", "plate_pivot.mp4")
BROKEN = {"truncated.mp4": 20_000, "empty.mp4": 0}


def command(*args: str | Path) -> Any:
    """Run a command of the package with ``--json`` and give what it printed."""
    line = [sys.executable, "-m", "hoiset.cli", *map(str, args), "--json"]
    result = subprocess.run(line, capture_output=True, text=True, timeout=800)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def built(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A dataset of three real clips, built beside two broken files and a directory that is named like a video."""
    root = tmp_path_factory.mktemp("real")
    source = root / "videos"
    source.mkdir()
    for name in NAMES:
        (source / name).write_bytes((shared_data / "videos" / name).read_bytes())
    for name, size in BROKEN.items():
        (source / name).write_bytes((shared_data / "videos" / NAMES[0]).read_bytes()[:size])
    (source / "folder.mp4").mkdir()
    with (shared_data / "videos" / "videos.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["file"] in NAMES]
    with (source / "videos.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    out = root / "out"
    return out, command("build", "--split", "v2", "--source", source, "--out", out)


def test_every_clip_is_there_and_broken_files_cost_only_themselves(built: tuple[Path, Any]) -> None:
    _, report = built
    assert report["videos"] == 6
    assert report["statuses"] == {"ok": 3}
    assert report["gates"]["ok"] == 3
    assert sum(report["gates"].values()) == 6


def test_it_verifies(built: tuple[Path, Any]) -> None:
    found = command("verify", built[0])
    assert found["ok"] is True
    assert found["n_samples"] == 3


def test_words_hands_and_objects(built: tuple[Path, Any]) -> None:
    verbs = {}
    for split in sorted(built[1]["clips"]):
        for clip in hoiset.load_dataset(built[0], "v2", split=split, format="numpy", layers=("core", "video")):
            words = clip["clip"]["text"]
            verbs[clip["clip"]["source"]["uid"]] = words["verb"]
            assert clip["rgb"].shape[0] == len(clip["time"])
            seen = (clip["hand_source"] != HandSource.ABSENT).any(1)
            assert seen.mean() > 0.5
            wrist = clip["hand_joints"][:, :, 0]
            distance_m = np.linalg.norm(wrist[np.isfinite(wrist).all(-1)], axis=-1)
            assert 0.1 < np.median(distance_m) < 3.0
            assert clip["clip"]["objects"], f"no object in {words['action']}"
            assert (clip["object_state"] != ObjectState.ABSENT).any()
    assert verbs == {"plate_push.mp4": "push", "snackbox_push.mp4": "push", "plate_pivot.mp4": "pivot"}


def test_filter_finds_it(built: tuple[Path, Any]) -> None:
    rows = command("filter", built[0], "--verb", "push", "--object", "plate")
    assert [row["uid"] for row in rows] == ["plate_push.mp4"]


def test_datasets_and_webdataset_read_it(built: tuple[Path, Any], tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    webdataset = pytest.importorskip("webdataset")
    total = 0
    for split, count in built[1]["clips"].items():
        rows = datasets.load_dataset(str(built[0]), "v2", split=split, cache_dir=str(tmp_path))
        total += len(rows)
        assert len(rows) == count
        shards = sorted(str(path) for path in (built[0] / "data/v2/core").glob(f"{split}-*.tar"))
        samples = list(webdataset.WebDataset(shards, shardshuffle=False))
        assert sorted(s["__key__"] for s in samples) == sorted(row["__key__"] for row in rows)
    assert total == 3


def test_a_policy_learns_from_it(built: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="needs hoiset[torch]")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    train = runpy.run_path(str(Path(__file__).parents[1] / "examples/02_windows_and_training.py"))["main"]
    losses = train(str(built[0]), epochs=40, where='verb in ("push", "pivot") and hand_valid_ratio > 0.3')
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.slow
def test_a_demo_build_that_is_killed_ends_with_the_same_bytes(tmp_path: Path) -> None:
    """Real stages, real workers: three kills on the way."""
    from tests.builder.fakes import dataset_bytes

    args = ["build", "--split", "demo", "--limit", "3", "--out"]
    command(*args, tmp_path / "calm")
    line = [sys.executable, "-m", "hoiset.cli", *args, str(tmp_path / "killed")]
    for seconds in (6.0, 15.0, 25.0):
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    command(*args, tmp_path / "killed")
    calm, killed = dataset_bytes(tmp_path / "calm"), dataset_bytes(tmp_path / "killed")
    assert calm.keys() == killed.keys()
    assert [name for name in calm if calm[name] != killed[name]] == []
