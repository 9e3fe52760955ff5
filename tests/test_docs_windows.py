"""Every example of docs/windows.md is run, and its tables are those of the code."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from hoiset.loaders.features import FEATURES
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine

PAGE = (Path(__file__).parents[1] / "docs" / "windows.md").read_text(encoding="utf-8")


def test_the_python_runs(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="needs hoiset[torch]")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.move(dataset, tmp_path / "out")
    found: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        exec(compile(block, "docs/windows.md", "exec"), found)
    window = found["window"]
    shapes = {"rgb": (2, 224, 224, 3), "hand_wrist_9d": (2, 2, 9), "hand_joints_local": (1, 2, 21, 3)}
    for key, shape in {**shapes, "hand_wrist_relative_9d": (4, 2, 9)}.items():
        assert tuple(window[key].shape) == shape
    assert tuple(found["batch"]["rgb"].shape) == (4, 2, 224, 224, 3)
    assert tuple(found["heights"][0]["wrist_height_mask"].shape) == (2, 2)


def test_the_table_names_every_key() -> None:
    rows = re.findall(r"^\| (`.*?`) \| (\(.*?\)) \|", PAGE, re.MULTILINE)
    named: dict[str, str] = {}
    for keys, steps in rows:
        names, shapes = re.findall(r"`(\w+)`", keys), re.findall(r"\([^)]*\)", steps)
        named |= dict(zip(names, shapes, strict=True))
    assert set(named) == set(FEATURES)
    for key, shape in named.items():
        assert FEATURES[key].doc.split(" f4")[0].split(" u1")[0].replace(",)", ")") == shape.replace(",)", ")"), key
