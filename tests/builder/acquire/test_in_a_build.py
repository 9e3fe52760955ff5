"""A build whose videos come from a web server of this machine."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from hoiset.builder.acquire import AcquireParams, Acquirer, Machine
from hoiset.builder.recipe import Recipe
from hoiset.builder.records import Candidate, Clip, SourceVideo
from hoiset.builder.run import CANDIDATES_FILE, SCREEN_REPORT_FILE, build, screen
from hoiset.builder.stages import Made, Stages, handler_factory
from hoiset.builder.status import read_status
from hoiset.errors import AcquireError
from hoiset.shards.schema import Sample
from hoiset.video import probe
from tests.builder.acquire.conftest import make_clip
from tests.builder.acquire.server import Web, body, ranged, status
from tests.builder.fakes import backends, dataset_bytes
from tests.factories import make_sample

RECIPE = Recipe(name="v2", acquire=AcquireParams(retries=0, timeout_s=5))


def screen_fetched(video: SourceVideo, hands: Any, params: Any, step_s: Any) -> tuple[Candidate, ...]:
    if video.problem:
        return (Candidate(video.uid, 0, 0.0, 0.0, "no_video", video.problem),)
    start_s = video.start_s or 0.0
    return (Candidate(video.uid, 0, start_s, start_s + probe(video.path).duration_s / 2, "ok"),)


def reconstruct(clip: Clip, models: Any, params: Any, cache: Any, provenance: dict[str, Any]) -> Sample:
    sample = make_sample(clip.key, int(clip.video.sha256[:6], 16) % 1000, n_frames=4)
    sample["clip.json"]["source"]["uid"] = clip.video.uid
    sample["clip.json"]["provenance"] = {**provenance, "stages": [], "fallbacks": []}
    return sample


def stages(machine: Machine) -> Stages:
    return Stages(screen_fetched, reconstruct, backends, partial(Acquirer, machine=machine))


@pytest.fixture
def table(web: Web, clip: bytes, tmp_path: Path) -> Path:
    """Two spans of one video, another video, one that is gone, one that is busy, and one that may not be asked for."""
    rows = [
        f"{web.on('/two.mp4', ranged(clip))},0,1",
        f"{web.on('/two.mp4', ranged(clip))},1,2",
        f"{web.on('/one.mp4', body(make_clip(seed=3)))},,",
        f"{web.on('/gone.mp4', status(410))},,",
        f"{web.on('/busy.mp4', status(500))},,",
        "file:///etc/passwd,,",
    ]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["url,start_s,end_s", *rows]) + "\n")
    return path


def candidates(out: Path) -> dict[str, str]:
    rows = pq.read_table(out / CANDIDATES_FILE).to_pylist()
    return {row["uid"].rpartition("/")[2]: row["detail"] for row in rows}


def test_pass_1_fetches_what_it_looks_at(web: Web, table: Path, tmp_path: Path):
    machine = Machine(tmp_path / "cache", None, ("127.0.0.1",))
    report = screen(RECIPE, table, tmp_path / "out", workers=0, stages=stages(machine))
    assert (report.videos, report.gates["ok"]) == (6, 3)
    assert len(web.asked("/two.mp4")) == 1
    said = candidates(tmp_path / "out")
    assert said["gone.mp4"] == "removed: 127.0.0.1 answered with HTTP status 410"
    assert said["busy.mp4"] == "network: 127.0.0.1 answered with HTTP status 500"
    assert "expected https" in said["passwd"]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_report_shows_videos_that_are_no_longer_here(web: Web, table: Path, tmp_path: Path, workers: int):
    """Pictures are made while a video is at hand, and outlive it: a later run neither fetches nor loses them."""
    machine, out = Machine(tmp_path / "cache", None, ("127.0.0.1",)), tmp_path / "out"
    screen(RECIPE, table, out, workers=workers, stages=stages(machine))
    page = (out / SCREEN_REPORT_FILE).read_text()
    assert page.count("data:image/jpeg") == 3
    assert page.count("<div>no picture</div>") == 3
    assert set(read_status(out).timings["screen"].stage_s) == {"fetch", "thumbnails"}
    shutil.rmtree(tmp_path / "cache")
    asked = len(web.asked("/two.mp4"))
    screen(RECIPE, table, out, workers=0, stages=stages(machine))
    assert pictures((out / SCREEN_REPORT_FILE).read_text()) == pictures(page)
    assert len(web.asked("/two.mp4")) == asked
    assert len(list((out / ".hoiset/thumbnails").iterdir())) == 3


def pictures(page: str) -> list[str]:
    return re.findall(r"data:image/jpeg;base64,[^\"]+", page)


def test_pass_2_fetches_what_it_reconstructs(web: Web, clip: bytes, tmp_path: Path):
    machine = Machine(tmp_path / "cache", None, ("127.0.0.1",))
    video = SourceVideo("two.mp4", Path(), remote=web.on("/two.mp4", ranged(clip)))
    with handler_factory(RECIPE, stages(machine), None)() as handle:
        made = handle(Clip("two", video, 0.0, 1.0, "train"))
        assert isinstance(made, Made)
        assert json.loads(made.sample.layers["core"]["clip.json"])["provenance"]["hoiset"]
        web.on("/gone.mp4", status(404))
        gone = replace(video, remote=f"http://127.0.0.1:{web.port}/gone.mp4")
        with pytest.raises(AcquireError, match="removed"):
            handle(Clip("gone", gone, 0.0, 1.0, "train"))


@pytest.mark.slow
def test_neither_cache_nor_number_of_workers_shows_in_the_dataset(web: Web, table: Path, tmp_path: Path):
    cookies = tmp_path / "cookies.txt"
    cookies.write_text("# Netscape HTTP Cookie File\n")
    outs = []
    for name, workers, path in (("a", 0, None), ("b", 2, cookies)):
        machine = Machine(tmp_path / f"cache_{name}", path, ("127.0.0.1",))
        report = build(RECIPE, table, tmp_path / name, workers=workers, stages=stages(machine))
        assert report.statuses == {"ok": 3}
        outs.append(dataset_bytes(tmp_path / name))
    assert outs[0] == outs[1]
    assert len(web.asked("/two.mp4")) == 2


@pytest.mark.parametrize("option", ["--cookies", "HOISET_COOKIES"])
def test_cookies_that_cannot_be_read_are_told_before_anything_is_done(
    run_command: Callable[..., tuple[int, str, str]],
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
):
    missing = tmp_path / "none.txt"
    args: tuple[Any, ...] = ("screen", "--split", "v2", "--source", table, "--out", tmp_path / "out")
    if option.startswith("--"):
        args += (option, missing)
    else:
        monkeypatch.setenv(option, str(missing))
    code, _, stderr = run_command(*args)
    assert code == 1
    assert "the cookies file" in stderr.replace("\n", " ")
    assert not (tmp_path / "out").exists()


def test_the_machine_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("HOISET_COOKIES", raising=False)
    monkeypatch.setenv("HOISET_VIDEO_CACHE", str(tmp_path))
    monkeypatch.setenv("HOISET_PRIVATE_HOSTS", " Files.lan, 10.0.0.7 ,")
    assert Machine.from_environment() == Machine(tmp_path, None, ("files.lan", "10.0.0.7"))
