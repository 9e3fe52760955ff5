"""The examples run, on a dataset that tests build."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

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
