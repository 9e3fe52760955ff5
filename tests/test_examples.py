"""The examples run, on a dataset that tests build."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from hoiset.loaders import load_dataset
from tests.factories import make_dataset
from tests.fixtures import pristine as pristine

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name: str) -> Any:
    return runpy.run_path(str(EXAMPLES / name))["main"]


def test_load_and_filter(pristine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert example("01_load_and_filter.py")(str(pristine)).keys == ["clip_01", "clip_02", "clip_04"]
    out = capsys.readouterr().out
    assert "5 clips: 2 x push" in out
    assert "object 0: paper plate, held in 100% of the frames" in out


def test_training_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="needs hoiset[torch]")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    dataset = make_dataset(tmp_path / "out", 3, n_frames=24, n_objects=1)
    losses = example("02_windows_and_training.py")(str(dataset), epochs=40)
    assert losses[-1] < 0.7 * losses[0]


def test_datasets(pristine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("datasets", reason="needs hoiset[datasets]")
    verbs = example("03_datasets.py")(str(pristine), str(tmp_path))
    assert verbs == {"push": 1, "lift": 2, "pour": 1}
    out = capsys.readouterr().out
    assert "3 of 4 clips: the right hand holds something" in out
    assert "clip_01: hand_joints (7, 2, 21, 3)" in out
    assert "clip_04: 10 frames of 48x64" in out


def test_webdataset(pristine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("webdataset", reason="needs hoiset[datasets]")
    torch = pytest.importorskip("torch", reason="needs hoiset[torch]")
    batches = example("04_webdataset.py")(str(pristine))
    assert sorted(key for batch in batches for key in batch["key"]) == ["clip_00", "clip_01", "clip_02", "clip_04"]
    clips = {clip["key"]: clip for clip in load_dataset(pristine, format="torch")}
    for batch in batches:
        assert batch["hand_there"].all()
        for key, wrist in zip(batch["key"], batch["hand_wrist"], strict=True):
            poses = clips[key]["hand_wrist"][:, 1]
            assert any(torch.equal(poses[i : i + 4], wrist) for i in range(len(poses) - 3))
    assert "clip_02: the right wrist moves " in capsys.readouterr().out
