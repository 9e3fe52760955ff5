from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from hoiset.builder.recipe import load_recipe
from hoiset.builder.reconstruct.pipeline import Backends
from hoiset.builder.run import build, redecide
from hoiset.builder.run import screen as run_screen
from hoiset.builder.stages import Stages
from hoiset.builder.status import read_status
from hoiset.errors import DatasetError, HoisetError, RecipeError, SourceError
from hoiset.shards.verify import verify_dataset
from tests.builder.fakes import RECIPE, STAGES, FakeModel, dataset_bytes, make_source
from tests.builder.screen.scenes import SquareDetector, scene, video

WORDS = {f"clip_{i:02d}": "two" if i % 3 == 0 else "" for i in range(9)}


def run(source: Path, out: Path, **kwargs: Any) -> Any:
    return build(RECIPE, source, out, stages=STAGES, **{"workers": 0, **kwargs})


def statuses(out: Path) -> dict[str, str]:
    return {row["key"]: row["status"] for row in pq.read_table(out / "status.parquet").to_pylist()}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path / "source", WORDS)


def test_a_build_is_complete_and_true(source: Path, tmp_path: Path) -> None:
    steps = []
    report = run(source, tmp_path / "out", progress=steps.append)
    assert report.videos == 9
    assert report.gates == {"ok": 12}
    assert report.statuses == {"ok": 12}
    assert sum(report.clips.values()) == 12
    verified = verify_dataset(tmp_path / "out")
    assert verified.problems == ()
    assert verified.n_samples == 12
    for phase, total in (("screen", 9), ("reconstruct", 12)):
        done = [s.done for s in steps if s.phase == phase]
        assert done == list(range(total + 1))
    manifest = json.loads((tmp_path / "out/manifest/v2.json").read_bytes())
    assert manifest["backends"][0] == {"name": "hands", "version": "fake-1", "weights": "abcd"}
    candidates = pq.read_table(tmp_path / "out/screen/candidates.parquet").to_pylist()
    assert {row["shift"] for row in candidates} == {0.5}


def test_two_builds_can_share_the_results_of_stages(source: Path, tmp_path: Path) -> None:
    shared = tmp_path / "cache"
    for name in ("first", "second"):
        run(source, tmp_path / name, cache=shared)
        assert not list((tmp_path / name).glob(".hoiset/cache/*/*"))
    results = sorted(shared.rglob("*.npz"))
    assert len(results) == 12
    run(source, tmp_path / "alone")
    assert dataset_bytes(tmp_path / "alone") == dataset_bytes(tmp_path / "second")


def test_bytes_do_not_depend_on_workers_or_place(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "here")
    for workers in (1, 2):
        run(source, tmp_path / f"else/where{workers}", workers=workers)
        assert dataset_bytes(tmp_path / f"else/where{workers}") == dataset_bytes(tmp_path / "here")
    text = b"".join(dataset_bytes(tmp_path / "here").values())
    assert str(tmp_path).encode() not in text


def test_a_failure_costs_its_own_clip(tmp_path: Path) -> None:
    fates = {
        "bad": "clip_error",
        "bug": "bug",
        "odd": "invalid",
        "boom": "crash",
        "gone": "no_video",
        "zero": "screen_bug",
    }
    source = make_source(tmp_path / "source", {**fates, **{f"good_{i}": "" for i in range(6)}})
    report = run(source, tmp_path / "out", workers=1)
    found = statuses(tmp_path / "out")
    assert {key.split("-")[0]: status for key, status in found.items() if not key.startswith("good")} == {
        "bad": "no_hands",
        "bug": "exception",
        "odd": "schema_error",
        "boom": "worker_crashed",
    }
    assert report.statuses["ok"] == 6
    assert report.gates == {"error": 1, "no_video": 1, "ok": 10}
    (error,) = [
        r for r in pq.read_table(tmp_path / "out/screen/candidates.parquet").to_pylist() if r["gate"] == "error"
    ]
    assert "ZeroDivisionError: in pass 1" in error["detail"]
    assert verify_dataset(tmp_path / "out").problems == ()


def test_a_failed_unit_leaves_a_gap_and_no_file(tmp_path: Path) -> None:
    everything = {f"clip_{i:02d}": "" for i in range(24)}
    run(make_source(tmp_path / "good", everything), tmp_path / "out")
    good = dataset_bytes(tmp_path / "out")
    keys = {row["key"]: row["partition"] for row in pq.read_table(tmp_path / "out/status.parquet").to_pylist()}
    first = sorted(key for key, partition in keys.items() if partition == "train")[:2]
    broken = {**everything, **{key.rsplit("-", 1)[0]: "clip_error" for key in first}}
    run(make_source(tmp_path / "bad", broken), tmp_path / "out2")
    bad = dataset_bytes(tmp_path / "out2")
    shards = {name for name in good if name.endswith(".tar")}
    gone = {"data/v2/core/train-00000.tar", "data/v2/video/train-00000.tar"}
    assert {name for name in bad if name.endswith(".tar")} == shards - gone
    assert all(bad[name] == good[name] for name in shards - gone)
    assert verify_dataset(tmp_path / "out2").problems == ()


def test_a_second_build_does_nothing_again(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(source, tmp_path / "out")
    before = dataset_bytes(tmp_path / "out")
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    run(source, tmp_path / "out")
    assert not (tmp_path / "log").exists()
    assert dataset_bytes(tmp_path / "out") == before


def test_a_changed_source_rebuilds_what_changed(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "out")
    (source / "clip_00.mp4").unlink()
    make_source(source, {"zz_new": "two", "clip_01": "two  "})
    run(source, tmp_path / "out")
    run(source, tmp_path / "fresh")
    assert dataset_bytes(tmp_path / "out") == dataset_bytes(tmp_path / "fresh")
    for path in list(source.iterdir())[1:]:
        path.unlink()
    run(source, tmp_path / "out")
    run(source, tmp_path / "fresh2")
    assert dataset_bytes(tmp_path / "out") == dataset_bytes(tmp_path / "fresh2")


def test_a_lost_shard_is_built_again(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "out")
    before = dataset_bytes(tmp_path / "out")
    shard = next((tmp_path / "out/data").rglob("*.tar"))
    shard.write_bytes(shard.read_bytes()[:-512])
    run(source, tmp_path / "out")
    assert dataset_bytes(tmp_path / "out") == before


def test_a_screen_is_taken_over_by_the_build(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = run_screen(RECIPE, source, tmp_path / "out", workers=0, stages=STAGES)
    assert report.gates == {"ok": 12}
    assert report.statuses == {}
    assert not (tmp_path / "out/data").exists()
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    run(source, tmp_path / "out")
    assert "screen" not in (tmp_path / "log").read_text()


def test_limit_takes_the_first_videos(source: Path, tmp_path: Path) -> None:
    report = run(source, tmp_path / "out", limit=2)
    assert report.videos == 2
    assert set(statuses(tmp_path / "out")) == {"clip_00-00000000", "clip_00-00004000", "clip_01-00000000"}


def test_nothing_made_is_an_error_that_says_where_to_look(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", {"a": "no_hands", "b": "no_video"})
    with pytest.raises(DatasetError, match=r"no_hands 1, no_video 1; see .*candidates.parquet"):
        run(source, tmp_path / "out")
    with pytest.raises(DatasetError, match=r"no_hands 1; see .*status.parquet"):
        run(make_source(tmp_path / "source2", {"a": "clip_error"}), tmp_path / "out2")


def test_another_recipe_is_refused(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "out")
    before = dataset_bytes(tmp_path / "out")
    other = RECIPE.model_copy(update={"clips_per_shard": 3})
    with pytest.raises(RecipeError, match=r"belongs to recipe 'v2'.*choose another output directory"):
        build(other, source, tmp_path / "out", workers=0, stages=STAGES)
    assert dataset_bytes(tmp_path / "out") == before


def test_a_directory_of_something_else_is_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/README.md").write_text("mine")
    with pytest.raises(DatasetError, match="no build made it"):
        run(source, tmp_path / "precious")
    assert os.listdir(tmp_path / "precious") == ["README.md"]


def test_two_builds_do_not_share_a_directory(source: Path, tmp_path: Path) -> None:
    def intrude(step: Any) -> None:
        with pytest.raises(DatasetError, match="another build"):
            run(source, tmp_path / "out")

    run(source, tmp_path / "out", progress=intrude)
    run(source, tmp_path / "out")


@pytest.mark.parametrize("out", ["file/out", "/proc/hoiset-out"])
def test_an_unwritable_output_is_a_clear_error(source: Path, tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="choose another output directory"):
        run(source, tmp_path / out)


def test_sources_are_checked_first(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such directory"):
        run(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(RecipeError, match="--source"):
        build("v2", None, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_stops_the_build_and_loses_nothing(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    out.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(out)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a file system of 300 KiB cannot be mounted here; the next test breaks the writes instead")
    try:
        with pytest.raises(DatasetError, match="No space left on device"):
            run(source, out, workers=1)
        done = {p.name: p.read_bytes() for p in (out / ".hoiset/units").glob("*.json")}
        assert list(out.rglob("data/**/.*.tmp")) == []
        subprocess.run(["mount", "-o", "remount,size=64m", str(out)], check=True)
        run(source, out, workers=1)
        assert {name: (out / ".hoiset/units" / name).read_bytes() for name in done} == done
        run(source, tmp_path / "roomy")
        assert dataset_bytes(out) == dataset_bytes(tmp_path / "roomy")
    finally:
        subprocess.run(["umount", str(out)], check=True)


@pytest.mark.parametrize("allowed", [0, 1, 5, 20, 31, 40])
def test_a_disk_that_fills_at_any_write(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    left = allowed
    fsync = os.fsync

    def full(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(HoisetError, match="No space left"):
            run(source, tmp_path / "out")
    run(source, tmp_path / "out")
    run(source, tmp_path / "fresh")
    assert dataset_bytes(tmp_path / "out") == dataset_bytes(tmp_path / "fresh")


def gates(out: Path) -> dict[str, tuple[str, str]]:
    rows = pq.read_table(out / "screen/candidates.parquet").to_pylist()
    return {row["uid"]: (row["gate"], row["detail"]) for row in rows}


def test_a_video_that_is_not_to_be_had_is_asked_for_again_only_where_that_may_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fates = {"a": "private_screen", "b": "network_screen", "c": "network_full", "d": "private_full", "e": "", "f": ""}
    source = make_source(tmp_path / "source", fates)
    out = tmp_path / "out"
    run(source, out)
    assert gates(out)["a.mp4"] == ("unavailable", "private: the owner says no")
    assert gates(out)["b.mp4"] == ("unavailable", "network: timed out")
    assert statuses(out) == {
        "c-00000000": "network",
        "d-00000000": "private",
        "e-00000000": "ok",
        "f-00000000": "ok",
    }
    status = read_status(out)
    assert status.screened == 5
    assert {phase: timings.unavailable for phase, timings in status.timings.items()} == {
        "screen": {"network": 1},
        "reconstruct": {"network": 1},
    }
    for name in ("b", "c"):
        (source / f"{name}.online").touch()
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    run(source, out)
    log = (tmp_path / "log").read_text().splitlines()
    assert [line for line in log if line.startswith("screen")] == ["screen b.mp4"]
    assert "reconstruct c-00000000" in log
    assert gates(out)["b.mp4"] == ("ok", "")
    assert statuses(out) == {f"{n}-00000000": "private" if n == "d" else "ok" for n in "bcdef"}
    assert not any(timings.unavailable for timings in read_status(out).timings.values())


def test_seconds_are_kept_apart_from_the_dataset(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "out")
    timings = read_status(tmp_path / "out").timings
    for phase, total in (("screen", 9), ("reconstruct", 12)):
        found = timings[phase]
        assert (found.done, found.total, found.tasks) == (total, total, total)
        assert found.task_s > 0
        assert 0 <= sum(found.stage_s.values()) <= found.task_s
    assert set(timings["reconstruct"].stage_s) == {"fake"}
    run(source, tmp_path / "out")
    again = read_status(tmp_path / "out").timings["reconstruct"]
    assert (again.done, again.tasks, again.task_s) == (12, 12, timings["reconstruct"].task_s)


def test_pass_1_leaves_a_report(source: Path, tmp_path: Path) -> None:
    run_screen(RECIPE, source, tmp_path / "out", workers=0, stages=STAGES)
    record = json.loads((tmp_path / "out/screen/report.json").read_bytes())
    table = pq.read_table(tmp_path / "out/screen/candidates.parquet")
    assert record["spans"] == table.num_rows
    assert record["throughput"]["videos"] == record["videos"]
    assert (tmp_path / "out/screen/report.html").read_text().startswith("<!doctype html>")


@contextlib.contextmanager
def squares(profile: str) -> Iterator[Any]:
    yield Backends(hands=SquareDetector(), person=FakeModel("person"))


def test_other_thresholds_decide_again_beside_what_was_built(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    video(source / "a.mp4", scene(4))
    video(source / "b.mp4", scene(4, lambda _: None))
    recipe = load_recipe("v2")
    run_screen(recipe, source, out, workers=0, stages=Stages(backends=squares))
    before = {p: p.read_bytes() for p in (out / "screen").iterdir()}
    strict = recipe.model_copy(update={"screen": recipe.screen.model_copy(update={"min_hand_size": 0.9})})
    found = redecide(strict, out)
    assert (found.before, found.after) == ({"no_hands": 1, "ok": 1}, {"hands_too_small": 1, "no_hands": 1})
    assert {p: p.read_bytes() for p in before} == before
    assert json.loads((out / "screen/rethreshold/report.json").read_bytes())["passed"] == 0
    anew = run_screen(strict, source, tmp_path / "anew", workers=0, stages=Stages(backends=squares))
    assert anew.gates == found.after
    finer = recipe.model_copy(update={"screen": recipe.screen.model_copy(update={"sample_fps": 10.0})})
    with pytest.raises(RecipeError, match="sample_fps"):
        redecide(finer, out)
    with pytest.raises(DatasetError, match="hoiset build"):
        redecide(strict, tmp_path / "nowhere")
