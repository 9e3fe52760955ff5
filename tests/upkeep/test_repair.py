from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hoiset.errors import DatasetError
from hoiset.shards.index import read_index
from hoiset.shards.manifest import digest, read_manifest
from hoiset.shards.reader import ShardReader, read_sample
from hoiset.shards.verify import verify_dataset
from hoiset.upkeep.repair import record_path, repair_dataset
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine
from tests.shards.test_verify import CORE, VIDEO, bless, member, overwrite

ALL = ["clip_00", "clip_01", "clip_02", "clip_03", "clip_04"]


def keys(root: Path) -> list[str]:
    return read_index(root, "v2")["key"].to_pylist()


def files(root: Path) -> dict[str, str]:
    return {p.relative_to(root).as_posix(): digest(p)["sha256"] for p in sorted(root.rglob("*")) if p.is_file()}


def members_of(root: Path) -> dict[str, dict[str, bytes]]:
    with ShardReader(root) as reader:
        return {
            row["key"]: {m["member"]: reader.read(m["shard"], m["offset"], m["size"]) for m in row["members"]}
            for row in read_index(root, "v2").to_pylist()
        }


def repair(root: Path, **kwargs: Any) -> Any:
    return repair_dataset(root, "v2", processes=1, **kwargs)


def damage_sample(root: Path) -> None:
    overwrite(root, "clip_01", "object_state.npy", lambda data: data[:-1] + b"\x4d")


def test_nothing_is_done_to_what_is_whole(dataset: Path, pristine: Path) -> None:
    done = repair(dataset)
    assert (done.needed, done.kept, done.lost, done.rewritten) == (False, 5, (), ())
    assert files(dataset) == files(pristine)


def test_a_wrong_member_takes_its_clip_and_no_other(dataset: Path, pristine: Path) -> None:
    damage_sample(dataset)
    before = files(dataset)
    done = repair(dataset)
    assert [(c["key"], c["partition"]) for c in done.lost] == [("clip_01", "train")]
    assert "object_state.npy" in done.lost[0]["reasons"][0]
    assert verify_dataset(dataset, processes=1).ok
    assert keys(dataset) == [k for k in ALL if k != "clip_01"]
    assert done.unproven == ("clip_00",)
    after = files(dataset)
    untouched = [p for p in before if p.startswith("data/") and p not in done.rewritten]
    assert done.rewritten == (CORE, VIDEO)
    assert len(untouched) == 4
    assert all(after[p] == before[p] for p in untouched)
    whole = members_of(pristine)
    assert members_of(dataset) == {k: whole[k] for k in keys(dataset)}
    record = json.loads((dataset / record_path("v2")).read_text())
    assert [clip["key"] for clip in record[0]["lost"]] == ["clip_01"]
    assert record[0]["manifest_sha256"] == digest(pristine / "manifest/v2.json")["sha256"]
    assert not repair(dataset).needed


def test_strict_leaves_out_what_nothing_proves(dataset: Path) -> None:
    damage_sample(dataset)
    done = repair(dataset, strict=True)
    assert [c["key"] for c in done.lost] == ["clip_00", "clip_01"]
    assert done.removed == (CORE, VIDEO)
    assert verify_dataset(dataset, processes=1).ok


def test_a_truncated_shard_loses_what_is_cut_off(dataset: Path) -> None:
    span = member(dataset, "clip_01", "rgb.mp4")
    path = dataset / span["shard"]
    path.write_bytes(path.read_bytes()[: span["offset"] + 100])
    done = repair(dataset)
    assert [c["key"] for c in done.lost] == ["clip_01"]
    assert done.unproven == ("clip_00",)
    assert verify_dataset(dataset, processes=1).ok


def test_clips_behind_a_broken_header_are_found_through_the_index(dataset: Path) -> None:
    span = member(dataset, "clip_00", "time.npy")
    path = dataset / CORE
    data = bytearray(path.read_bytes())
    data[span["offset"] - 512 : span["offset"] - 400] = b"?" * 112
    path.write_bytes(data)
    done = repair(dataset)
    assert [c["key"] for c in done.lost] == ["clip_00"]
    assert "clip_01" in keys(dataset)
    assert verify_dataset(dataset, processes=1).ok


@pytest.mark.parametrize("shard", [CORE, VIDEO])
def test_a_missing_shard_takes_its_unit(dataset: Path, shard: str) -> None:
    (dataset / shard).unlink()
    done = repair(dataset)
    assert [c["key"] for c in done.lost] == ["clip_00", "clip_01"]
    assert not (dataset / CORE).exists()
    assert not (dataset / VIDEO).exists()
    assert verify_dataset(dataset, processes=1).ok


def test_a_lost_index_and_card_are_made_again(dataset: Path, pristine: Path) -> None:
    (dataset / "index/v2.parquet").unlink()
    (dataset / "README.md").unlink()
    assert repair(dataset).lost == ()
    found = files(dataset)
    found.pop(record_path("v2"))
    assert found == files(pristine)


def test_a_row_without_bytes_is_lost_with_a_reason(dataset: Path) -> None:
    from hoiset.shards.index import write_index

    rows = read_index(dataset, "v2").to_pylist()
    ghost = {**rows[0], "key": "ghost", "members": []}
    write_index(dataset, "v2", [*rows, ghost])
    bless(dataset)
    (lost,) = repair(dataset).lost
    assert (lost["key"], lost["reasons"]) == ("ghost", ["a row of the index without a shard"])
    assert keys(dataset) == ALL


def test_files_that_nobody_lists_are_removed(dataset: Path) -> None:
    stray = dataset / "data/v2/core/train-00009.tar"
    stray.write_bytes(b"x")
    assert repair(dataset).removed == ("data/v2/core/train-00009.tar",)
    assert not stray.exists()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_damaged_verify_passes_afterwards(
    pristine: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("damaged") / "d"))
    shards = sorted(root.glob("data/v2/*/*.tar"))
    for path in data.draw(st.lists(st.sampled_from(shards), min_size=1, max_size=2, unique=True)):
        content = bytearray(path.read_bytes())
        for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3)):
            content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    done = repair(root)
    assert verify_dataset(root, processes=1).ok
    kept, lost = keys(root), [clip["key"] for clip in done.lost]
    assert set(kept) <= set(ALL)
    # beside clips that were there, those may be lost whose names damage has made up
    assert sorted(key for key in [*kept, *lost] if key in ALL) == ALL


def test_a_name_that_damage_has_made_up_does_not_hide_the_clip_it_was(dataset: Path) -> None:
    path = dataset / "data/v2/core/train-00000.tar"
    content = bytearray(path.read_bytes())
    content[0], content[3] = content[0] ^ 1, content[3] ^ 1  # the checksum of a header is a sum: it stays the same
    path.write_bytes(content)
    done = repair(dataset)
    assert {clip["key"] for clip in done.lost} == {"bliq_00", "clip_00"}
    assert keys(dataset) == ALL[1:]
    assert verify_dataset(dataset, processes=1).ok


def test_a_dry_run_says_the_same_and_changes_nothing(dataset: Path) -> None:
    damage_sample(dataset)
    before = files(dataset)
    said = repair(dataset, dry_run=True)
    assert files(dataset) == before
    assert said == repair(dataset)


def test_a_layer_that_was_never_fetched_is_no_damage(dataset: Path) -> None:
    shutil.rmtree(dataset / "data/v2/video")
    with pytest.raises(DatasetError, match="fetch that layer"):
        repair(dataset)


def test_nothing_left_is_refused(dataset: Path) -> None:
    before = files(dataset)
    for path in dataset.glob("data/v2/core/*.tar"):
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match="nothing would be left"):
        repair(dataset)
    assert files(dataset).keys() == before.keys()


KILLED = """
import os, signal, sys
from pathlib import Path
import hoiset.upkeep.{module} as module
from hoiset.upkeep.repair import repair_dataset
real = module.{name}
def stop(*args, **kwargs):
    if {after}:
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
module.{name} = stop
repair_dataset(Path(sys.argv[1]), "v2", processes=1)
"""


@pytest.mark.parametrize(
    ("module", "name", "after", "repaired"),
    [("repair", "UnitWriter", True, False), ("swap", "exchange", False, False), ("swap", "exchange", True, True)],
)
def test_a_kill_leaves_the_dataset_before_or_after(
    dataset: Path, module: str, name: str, after: bool, repaired: bool
) -> None:
    damage_sample(dataset)
    before = files(dataset)
    code = KILLED.format(module=module, name=name, after=after)
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    assert subprocess.run([sys.executable, "-c", code, dataset], env=env).returncode == -signal.SIGKILL
    assert verify_dataset(dataset, processes=1).ok == repaired
    assert (files(dataset) == before) == (not repaired)
    assert repair(dataset).needed == (not repaired)
    assert verify_dataset(dataset, processes=1).ok
    if not repaired:
        assert not (dataset.parent / f".{dataset.name}.partial").exists()


def test_the_command_says_what_was_lost(run_command: Any, dataset: Path) -> None:
    damage_sample(dataset)
    code, out, _ = run_command("repair", dataset, "--dry-run")
    assert code == 0
    assert "lost clip_01: " in out
    assert "nothing was changed" in out
    code, out, _ = run_command("repair", dataset, "--json")
    assert json.loads(out)["kept"] == 4
    assert run_command("verify", dataset)[0] == 0
    assert "nothing is wrong" in run_command("repair", dataset)[1]
    assert read_manifest(dataset, "v2")["files"]
    with ShardReader(dataset) as reader:
        assert read_sample(reader, read_index(dataset, "v2").to_pylist()[0]["members"])
