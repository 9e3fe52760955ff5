"""Every example of docs/loading.md is run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from hoiset.loaders.streaming import GROUP_SHARDS
from hoiset.shards.blocks import BLOCK_BYTES, DEFAULT_GB
from hoiset.shards.remote import GAP_BYTES, REQUESTS_AT_ONCE, Patience
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine
from tests.hub import REPO, hub_of
from tests.s3 import s3_server
from tests.web import serve

PAGE = (Path(__file__).parents[1] / "docs" / "loading.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def run(number: int, code: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    exec(compile(code or EXAMPLES[number], f"docs/loading.md, example {number}", "exec"), found)
    return found


@pytest.fixture
def out(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOISET_CACHE", str(tmp_path / "cache"))
    return Path(shutil.move(dataset, tmp_path / "out"))


def test_there_are_five() -> None:
    assert len(EXAMPLES) == 5


def test_the_first(out: Path) -> None:
    pytest.importorskip("torch", reason="needs hoiset[torch]")
    found = run(0)
    assert found["clips"].keys == ["clip_01", "clip_04"]
    assert found["clip"]["rgb"].shape == (7, 48, 64, 3)
    assert found["clip"]["clip"]["text"]["action"]


def test_every_place(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp", reason="pip install 'hoiset[http]'")
    shutil.copytree(out, out.parent / "served" / "hands")
    assert REPO in EXAMPLES[1]
    with (
        hub_of({"main": out, "v1.0": out}, monkeypatch),
        s3_server("bucket"),
        serve(out.parent / "served") as web,
    ):
        import s3fs

        s3fs.S3FileSystem().put(f"{out}/", "bucket/hands", recursive=True)
        lines = [line for line in EXAMPLES[1].splitlines() if line.startswith("clips = ")]
        assert len(lines) == 6
        for line in lines:
            code = "import hoiset\n" + line.replace("https://data.example.org", web.url)
            assert len(run(1, code)["clips"]) == 4, line


def test_the_stream_and_the_sampler(out: Path) -> None:
    pytest.importorskip("torch", reason="needs hoiset[torch]")
    found = run(2)
    assert (found["stream"].epoch, found["state"]["epoch"], found["state"]["done"]) == (2, 2, [])
    assert len(found["clips"]) == 4
    assert (run(3)["sampler"].epoch, found["state"]["clips"]) == (1, 4)


def test_other_libraries(out: Path) -> None:
    pytest.importorskip("datasets", reason="needs hoiset[datasets]")
    found = run(4)
    assert [row["__key__"] for row in found["rows"]] == ["clip_00", "clip_01", "clip_02", "clip_04"]
    assert [item["__key__"] for item in found["tars"]] == ["clip_00", "clip_01"]


def test_the_figures_are_those_of_the_code() -> None:
    assert (GAP_BYTES, BLOCK_BYTES) == (64 << 10, 32 << 10)
    assert f"up to {REQUESTS_AT_ONCE}\nrequests" in PAGE
    assert f"up to {Patience().attempts} times" in PAGE
    assert f"`HOISET_CACHE_GB` | {DEFAULT_GB:g} |" in PAGE
    assert f"groups of {GROUP_SHARDS} shards" in PAGE
