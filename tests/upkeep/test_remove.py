from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hoiset.builder.run import build as build_dataset
from hoiset.cards.front_matter import read_front_matter
from hoiset.errors import DatasetError
from hoiset.filter.query import parse
from hoiset.filter.subset import write_dataset
from hoiset.shards.index import read_index
from hoiset.shards.removed import REMOVED_FILE, Removed, read_removed, uid_digest, write_removed
from hoiset.shards.verify import verify_dataset
from hoiset.upkeep.merge import merge_datasets
from hoiset.upkeep.remove import remove_videos
from hoiset.upkeep.repair import repair_dataset
from tests.builder.fakes import RECIPE, STAGES, make_source
from tests.factories import make_dataset, make_sample
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine
from tests.shards.test_verify import CORE, VIDEO
from tests.upkeep.test_diff import build
from tests.upkeep.test_repair import ALL, files, keys, members_of

UID = "clip_01.mp4"


def texts(root: Path) -> bytes:
    """Every byte of the dataset, so that a name that is left in any file is found."""
    return b"".join(p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file())


def test_a_video_is_gone_from_everything_and_the_rest_is_as_it_was(dataset: Path, pristine: Path) -> None:
    before = files(dataset)
    done = remove_videos(dataset, [UID], reason="asked for")
    assert (done.uids, done.clips, done.rewritten, done.removed) == ((UID,), {"v2": ("clip_01",)}, (CORE, VIDEO), ())
    assert verify_dataset(dataset, processes=1).problems == ()
    assert keys(dataset) == [k for k in ALL if k != "clip_01"]
    assert b"clip_01" not in texts(dataset)
    whole = members_of(pristine)
    assert members_of(dataset) == {k: whole[k] for k in keys(dataset)}
    after = files(dataset)
    assert all(after[p] == before[p] for p in before if p.startswith("data/") and p not in (CORE, VIDEO))
    assert read_removed(dataset).reasons == {uid_digest(UID): "asked for"}


def test_it_is_as_if_the_clip_had_never_been(tmp_path: Path) -> None:
    samples = [make_sample("a", 1), make_sample("b", 2), make_sample("c", 3)]
    full, without = build(tmp_path / "full", samples), build(tmp_path / "without", [samples[0], samples[2]])
    remove_videos(full, ["b.mp4"])
    write_removed(without, read_removed(full))
    mine, never = files(full), files(without)
    assert {p: d for p, d in mine.items() if p != "README.md"} == {p: d for p, d in never.items() if p != "README.md"}


def test_a_key_stands_for_its_video(dataset: Path) -> None:
    assert remove_videos(dataset, ["clip_03"]).uids == ("clip_03.mp4",)
    assert not (dataset / "data/v2/core/validation-00000.tar").exists()
    assert verify_dataset(dataset, processes=1).ok
    assert [s["split"] for s in read_front_matter(dataset / "README.md")["configs"][0]["data_files"]] == ["train"]


def test_again_is_nothing_to_do(dataset: Path) -> None:
    remove_videos(dataset, [UID])
    before = files(dataset)
    assert not remove_videos(dataset, [UID]).needed
    assert files(dataset) == before


def test_a_name_that_is_nowhere_is_refused_unless_it_is_ahead(dataset: Path) -> None:
    before = files(dataset)
    with pytest.raises(DatasetError, match=r"no clip of 'clip_77\.mp4'"):
        remove_videos(dataset, [UID, "clip_77.mp4"])
    assert files(dataset) == before
    assert remove_videos(dataset, ["clip_77.mp4"], ahead=True).needed
    assert keys(dataset) == ALL
    assert "clip_77.mp4" in read_removed(dataset)


def test_all_versions_lose_it_and_the_card_keeps_its_own(dataset: Path) -> None:
    make_dataset(dataset, n_clips=2, version="demo")
    done = remove_videos(dataset, [UID])
    assert done.clips == {"demo": ("clip_01",), "v2": ("clip_01",)}
    assert verify_dataset(dataset, processes=1).ok
    configs = read_front_matter(dataset / "README.md")["configs"]
    assert [c["config_name"] for c in configs if c.get("default")] == ["demo"]


def test_the_last_video_leaves_an_empty_version(tmp_path: Path) -> None:
    root = build(tmp_path / "one", [make_sample("a")])
    remove_videos(root, ["a.mp4"])
    assert keys(root) == []
    assert verify_dataset(root, processes=1).ok
    assert "This version has no clips." in (root / "README.md").read_text()
    assert list(root.glob("figures/*")) == []


def test_tables_of_the_build_follow(dataset: Path) -> None:
    (dataset / "screen").mkdir()
    for name in ("screen/candidates.parquet", "status.parquet"):
        pq.write_table(pa.table({"uid": [UID, "other.mp4", UID], "gate": ["ok", "ok", "no_hands"]}), dataset / name)
    (dataset / "screen/report.html").write_text(UID)
    assert remove_videos(dataset, [UID]).removed == ("screen/report.html",)
    for name in ("screen/candidates.parquet", "status.parquet"):
        assert pq.read_table(dataset / name)["uid"].to_pylist() == ["other.mp4"]
    assert UID.encode() not in texts(dataset)


def test_a_dry_run_says_the_same_and_changes_nothing(dataset: Path) -> None:
    before = files(dataset)
    said = remove_videos(dataset, [UID], dry_run=True)
    assert files(dataset) == before
    assert said == remove_videos(dataset, [UID])


def test_damage_and_missing_layers_are_said_first(dataset: Path) -> None:
    (dataset / VIDEO).rename(dataset / "elsewhere")
    with pytest.raises(DatasetError, match="fetch that layer first"):
        remove_videos(dataset, [UID])
    (dataset / VIDEO).write_bytes((dataset / "elsewhere").read_bytes()[:-1])
    with pytest.raises(DatasetError, match="hoiset repair"):
        remove_videos(dataset, [UID])


def test_not_while_a_build_writes(dataset: Path) -> None:
    (dataset / ".hoiset").mkdir()
    with (dataset / ".hoiset/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DatasetError, match="a build is writing"):
            remove_videos(dataset, [UID])
    assert remove_videos(dataset, [UID]).needed


KILLED = """
import os, signal, sys
from pathlib import Path
import hoiset.upkeep.{module} as module
from hoiset.upkeep.remove import remove_videos
def stop(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
module.{name} = stop
remove_videos(Path(sys.argv[1]), ["clip_01.mp4"])
"""


@pytest.mark.parametrize(("module", "name"), [("remove", "rewritten"), ("swap", "exchange")])
def test_a_kill_leaves_all_as_it_was_and_the_next_attempt_succeeds(dataset: Path, module: str, name: str) -> None:
    before = files(dataset)
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    code = KILLED.format(module=module, name=name)
    assert subprocess.run([sys.executable, "-c", code, dataset], env=env).returncode == -signal.SIGKILL
    assert files(dataset) == before
    assert remove_videos(dataset, [UID]).needed
    assert verify_dataset(dataset, processes=1).ok
    assert not (dataset.parent / f".{dataset.name}.partial").exists()


def test_verify_and_repair_know_what_must_not_be_there(dataset: Path, pristine: Path) -> None:
    write_removed(dataset, Removed.of([UID]))
    (problem,) = verify_dataset(dataset, processes=1).problems
    assert (problem.file, problem.key) == (CORE, "clip_01")
    done = repair_dataset(dataset, "v2", processes=1)
    assert [clip["key"] for clip in done.lost] == ["clip_01"]
    assert verify_dataset(dataset, processes=1).ok
    for name in (CORE, VIDEO):
        (dataset / name).write_bytes((pristine / name).read_bytes())
    repair_dataset(dataset, "v2", processes=1)
    assert "clip_01" not in keys(dataset)
    assert verify_dataset(dataset, processes=1).ok


def test_merging_joins_the_lists_and_brings_nothing_back(tmp_path: Path) -> None:
    a = build(tmp_path / "a", [make_sample("a1", 1), make_sample("both", 2)])
    b = build(tmp_path / "b", [make_sample("b1", 3), make_sample("both", 2)])
    remove_videos(a, ["both.mp4"], reason="asked for")
    pq.write_table(pa.table({"key": ["both", "b1"], "uid": ["both.mp4", "b1.mp4"]}), b / "status.parquet")
    done = merge_datasets([a, b], "v2", tmp_path / "ab")
    assert done.clips == 2
    assert keys(tmp_path / "ab") == ["a1", "b1"]
    assert read_removed(tmp_path / "ab") == read_removed(a)
    assert pq.read_table(tmp_path / "ab/status.parquet")["uid"].to_pylist() == ["b1.mp4"]
    assert verify_dataset(tmp_path / "ab", processes=1).ok


def test_a_selection_takes_the_list_along_and_no_removed_clip(dataset: Path, tmp_path: Path) -> None:
    write_removed(dataset, Removed.of([UID]))
    with pytest.raises(DatasetError, match="hoiset repair"):
        write_dataset(dataset, "v2", parse("fps > 0"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    repair_dataset(dataset, "v2", processes=1)
    write_dataset(dataset, "v2", parse("fps > 0"), tmp_path / "out")
    assert read_removed(tmp_path / "out") == read_removed(dataset)
    assert "clip_01" not in keys(tmp_path / "out")


def test_later_builds_leave_it_out_without_opening_it(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", {f"clip_{i:02d}": "" for i in range(4)})
    out = tmp_path / "out"
    build_dataset(RECIPE, source, out, stages=STAGES, workers=0)
    uid = read_index(out, "v2")["uid"].to_pylist()[0]
    remove_videos(out, [uid])
    (source / uid).write_bytes(b"no video any more")
    report = build_dataset(RECIPE, source, out, stages=STAGES, workers=0)
    assert report.gates == {"ok": 3, "removed": 1}
    assert uid not in read_index(out, "v2")["uid"].to_pylist()
    rows = pq.read_table(out / "screen/candidates.parquet").to_pylist()
    assert [r["uid"] for r in rows if r["gate"] == "removed"] == [f"sha256:{uid_digest(uid)}"]
    assert verify_dataset(out, processes=1).ok
    assert (out / REMOVED_FILE).exists()


def test_a_copied_list_holds_for_a_new_build(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", {"clip_00": "", "clip_01": ""})
    write_removed(tmp_path / "out", Removed.of(["clip_00.mp4", "clip_01.mp4"]))
    with pytest.raises(DatasetError, match="removed 2"):
        build_dataset(RECIPE, source, tmp_path / "out", stages=STAGES, workers=0)


def test_the_commands_say_what_is_removed(run_command: Any, dataset: Path) -> None:
    code, out, _ = run_command("remove", dataset, UID, "--dry-run")
    assert (code, "nothing was changed" in out) == (0, True)
    code, out, _ = run_command("remove", dataset, UID, "--reason", "asked for")
    assert code == 0
    assert out.splitlines() == [
        "v2: clip_01",
        "1 clip of 1 video; 2 shards written again, 0 files removed; kept out from now on by removed.json",
    ]
    assert "nothing was done" in run_command("remove", dataset, UID)[1]
    assert json.loads(run_command("info", dataset, "--json")[1])["removed_videos"] == 1
    assert run_command("remove", dataset, "nobody")[0] == 1
