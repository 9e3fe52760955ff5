"""Every example of docs/filter.md is run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from hoiset.filter.fields import GRASPS, STATES, fields
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine

REPO = Path(__file__).parents[1]
PAGE = (REPO / "docs" / "filter.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [block for name, block in found if name == language]


@pytest.fixture
def out(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.move(dataset, tmp_path / "out"))


def test_the_commands_run(run_command: Any, out: Path) -> None:
    (block,) = blocks("sh")
    for line in block.splitlines():
        program, *args = shlex.split(line, comments=True)
        code, stdout, stderr = run_command(*args)
        assert (program, code, stderr) == ("hoiset", 0, ""), line
        assert stdout
    assert (out.parent / "keys.txt").read_text().split() == ["clip_01", "clip_04"]
    assert (out.parent / "lifts" / "manifest" / "v2.json").exists()


def test_the_python_runs(out: Path) -> None:
    (block,) = blocks("python")
    found: dict[str, Any] = {}
    exec(compile(block, "docs/filter.md", "exec"), found)
    assert found["clips"].keys == found["same"].keys == ["clip_01", "clip_04"]
    assert found["rows"].num_rows == 3
    assert found["mask"].to_pylist() == [False, True, False, False, True]


def test_the_error_is_what_is_printed(run_command: Any, out: Path) -> None:
    (block,) = blocks("")
    query = block.splitlines()[1].strip()
    assert run_command("filter", out, query)[2] == block


def test_the_tables_name_every_field_and_value() -> None:
    table = PAGE.partition("| field |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([\w.]+)`", table))
    assert named >= {name for name in fields() if "." not in name} - {"grasps", "states"}
    assert named <= {*fields(), *GRASPS, *STATES, "train", "validation", "test"}


@pytest.mark.parametrize(
    ("query", "phrase", "matches"),
    [
        ('object ~ "plate"', "plate", True),
        ('object ~ "plate"', "paper plate", True),
        ('object ~ "plate"', "Plates", True),
        ('object ~ "plate"', "plateau", False),
        ('object ~ "plate"', "plate rack", False),
        ('object ~ "paper plates"', "white paper plate", True),
        ('object = "plate"', "paper plate", False),
        ('object = "plate"', "plates", True),
    ],
)
def test_what_the_page_says_of_objects(query: str, phrase: str, matches: bool) -> None:
    from hoiset.filter import select
    from tests.filter.trees import table_of

    assert query in PAGE
    assert select(table_of([{"labels": [phrase]}]), query).num_rows == int(matches)
