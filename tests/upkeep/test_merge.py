from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hoiset.errors import DatasetError
from hoiset.shards.manifest import read_manifest
from hoiset.shards.verify import verify_dataset
from hoiset.upkeep.merge import merge_datasets
from tests.factories import make_sample
from tests.upkeep.test_diff import build, changed
from tests.upkeep.test_repair import files, keys, members_of


@pytest.fixture
def a(tmp_path: Path) -> Path:
    return build(tmp_path / "a", [make_sample("a1"), make_sample("both")])


@pytest.fixture
def b(tmp_path: Path) -> Path:
    return build(tmp_path / "b", [make_sample("b1", 1), make_sample("b2", 2)])


def test_shards_are_copied_under_new_numbers(a: Path, b: Path, tmp_path: Path) -> None:
    done = merge_datasets([a, b], "v2", tmp_path / "ab")
    assert (done.clips, done.taken_once, done.copied, done.rewritten) == (4, (), 4, 0)
    assert verify_dataset(tmp_path / "ab", processes=1).ok
    assert keys(tmp_path / "ab") == ["a1", "b1", "b2", "both"]
    digests = [{d for p, d in files(root).items() if p.startswith("data/")} for root in (a, b, tmp_path / "ab")]
    assert digests[0] | digests[1] == digests[2]
    merge_datasets([b, a], "v2", tmp_path / "ba")
    assert files(tmp_path / "ba") == files(tmp_path / "ab")


def test_equal_clips_are_taken_once(a: Path, tmp_path: Path) -> None:
    b = build(tmp_path / "b", [make_sample("both"), make_sample("b1", 1)])
    c = build(tmp_path / "c", [make_sample("both")])
    done = merge_datasets([a, b, c], "v2", tmp_path / "abc")
    assert done.clips == 3
    assert done.taken_once == ("both",)
    assert verify_dataset(tmp_path / "abc", processes=1).ok
    assert members_of(tmp_path / "abc") == members_of(a) | members_of(b)


def test_other_bytes_under_one_key_are_refused(a: Path, tmp_path: Path) -> None:
    b = build(tmp_path / "b", [changed("both")])
    with pytest.raises(DatasetError, match="other bytes in another build under the keys both"):
        merge_datasets([a, b], "v2", tmp_path / "ab")
    assert not (tmp_path / "ab").exists()
    assert not (tmp_path / ".ab.partial").exists()


def test_other_recipes_are_refused_with_the_difference(a: Path, b: Path, tmp_path: Path) -> None:
    manifest = read_manifest(b, "v2")
    manifest["recipe"]["verify"]["reprojection_share"] = 0.5
    (b / "manifest/v2.json").write_text(json.dumps(manifest))
    with pytest.raises(DatasetError, match=r"verify\.reprojection_share: 0\.(25 and 0\.5|5 and 0\.25)"):
        merge_datasets([a, b], "v2", tmp_path / "ab")


def test_one_video_in_two_partitions_is_refused(a: Path, tmp_path: Path) -> None:
    sample = make_sample("b1")
    sample["clip.json"]["source"]["uid"] = "a1.mp4"
    b = build(tmp_path / "b", [sample], partition="test")
    with pytest.raises(DatasetError, match=r"'a1\.mp4' in"):
        merge_datasets([a, b], "v2", tmp_path / "ab")


def test_damage_is_not_copied(a: Path, b: Path, tmp_path: Path) -> None:
    path = b / "data/v2/video/train-00000.tar"
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="hoiset repair"):
        merge_datasets([a, b], "v2", tmp_path / "ab")
    assert not (tmp_path / "ab").exists()


def test_statuses_are_joined(a: Path, b: Path, tmp_path: Path) -> None:
    for root, statuses in ((a, ["x", "y"]), (b, ["z", "y"])):
        pq.write_table(pa.table({"key": statuses, "status": ["ok"] * 2}), root / "status.parquet")
    merge_datasets([a, b], "v2", tmp_path / "ab")
    assert pq.read_table(tmp_path / "ab/status.parquet")["key"].to_pylist() == ["x", "y", "z"]


def test_the_place_must_be_empty_and_apart(a: Path, b: Path) -> None:
    with pytest.raises(DatasetError, match="apart"):
        merge_datasets([a, b], "v2", a / "sub")
    with pytest.raises(DatasetError, match="not empty"):
        merge_datasets([a], "v2", b)


def test_the_command(run_command: Any, a: Path, b: Path, tmp_path: Path) -> None:
    code, out, _ = run_command("merge", a, b, "--to", tmp_path / "ab")
    assert (code, out) == (0, f"v2: 4 clips (0 in several), 4 shards copied, 0 written again -> {tmp_path / 'ab'}\n")
    assert run_command("merge", a, "--to", tmp_path / "x")[0] == 2
    assert run_command("diff", tmp_path / "ab", a)[0] == 1
