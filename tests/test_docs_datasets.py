"""Every example of docs/datasets.md is run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_sample
from tests.fixtures import pristine as pristine
from tests.upkeep.test_diff import build

PAGE = (Path(__file__).parents[1] / "docs" / "datasets.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def out(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    build(tmp_path / "other", [make_sample("clip_99")])
    return Path(shutil.copytree(pristine, tmp_path / "out"))


def test_the_examples_run(run_command: Any, out: Path) -> None:
    for line in block("sh").splitlines():
        program, *args = shlex.split(line, comments=True)
        code, stdout, stderr = run_command(*args)
        assert (program, code, stderr) == ("hoiset", 0, ""), line
        assert stdout
    found: dict[str, Any] = {}
    exec(compile(block("python"), "docs/datasets.md", "exec"), found)
    assert found["report"].ok
    assert not found["would_be"].needed
    assert found["difference"].added == ("clip_99",)
