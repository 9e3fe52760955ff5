from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from hoiset.cards import finish_version
from hoiset.errors import DatasetError
from hoiset.shards.writer import UnitWriter
from hoiset.upkeep.diff import diff_datasets
from hoiset.upkeep.differences import differences, value_at
from tests.factories import make_dataset, make_recipe, make_sample
from tests.fixtures import pristine as pristine


def build(root: Path, samples: list[dict[str, Any]], version: str = "v2", partition: str = "train") -> Path:
    with UnitWriter(root, version, partition, 0) as unit:
        for sample in samples:
            unit.add(sample)
    finish_version(root, version, shards=unit.records, rows=unit.rows, recipe=make_recipe(version))
    return root


def changed(key: str) -> dict[str, Any]:
    """A sample whose hands were made by another backend, and moved."""
    sample = make_sample(key)
    sample["hand_score.npy"] = sample["hand_score.npy"] * 0.5
    sample["clip.json"]["provenance"]["stages"][0] |= {"backend": "other", "digest": "1" * 8}
    return sample


def test_a_copy_is_equal_and_nothing_is_read(pristine: Path, tmp_path: Path, run_command: Any) -> None:
    copy = shutil.copytree(pristine, tmp_path / "copy")
    found = diff_datasets(pristine, "v2", copy, "v2")
    assert (found.is_empty, found.n_equal, found.bytes_read) == (True, 5, 0)
    assert run_command("diff", pristine, copy)[0] == 0


def test_other_shards_of_the_same_clips_are_equal(pristine: Path, tmp_path: Path) -> None:
    other = make_dataset(tmp_path / "other", n_clips=5, clips_per_shard=3)
    found = diff_datasets(pristine, "v2", other, "v2")
    assert (found.is_empty, found.n_equal) == (True, 5)
    assert found.bytes_read > 0


def test_what_changed_and_why(tmp_path: Path, run_command: Any) -> None:
    a = build(tmp_path / "a", [make_sample("one"), make_sample("same"), make_sample("gone")])
    b = build(tmp_path / "b", [changed("one"), make_sample("new"), make_sample("same")])
    found = diff_datasets(a, "v2", b, "v2")
    assert (found.added, found.removed, found.n_equal) == (("new",), ("gone",), 1)
    (change,) = found.changed
    assert change.members == ("clip.json", "hand_score.npy")
    assert change.fields == ("provenance.stages",)
    assert change.stages == ("hands",)
    code, out, _ = run_command("diff", a, b)
    assert code == 1
    assert "changed one: clip.json, hand_score.npy (stages: hands)" in out
    assert "changed hands\t1" in out
    code, out, _ = run_command("diff", a, b, "--json")
    assert (code, json.loads(out)["counts"]["stages"]) == (1, {"hands": 1})


def test_another_partition_is_a_change(tmp_path: Path) -> None:
    a = build(tmp_path / "a", [make_sample("one")])
    b = build(tmp_path / "b", [make_sample("one")], partition="test")
    assert [c.members for c in diff_datasets(a, "v2", b, "v2").changed] == [("partition",)]


def test_two_versions_of_one_directory(tmp_path: Path, run_command: Any) -> None:
    root = build(build(tmp_path, [make_sample("one")]), [changed("one")], "v3")
    code, out, _ = run_command("diff", root, "v2", "v3")
    assert code == 1
    assert "recipes differ in name" in out
    assert run_command("diff", root, "v2", "v2")[0] == 0
    assert run_command("diff", root)[0] == 2


def test_damage_is_said(tmp_path: Path) -> None:
    a = build(tmp_path / "a", [make_sample("one")])
    b = build(tmp_path / "b", [make_sample("one"), make_sample("two")])
    (b / "data/v2/core/train-00000.tar").write_bytes(b"")
    with pytest.raises(DatasetError, match="truncated"):
        diff_datasets(a, "v2", b, "v2")


def test_paths_of_differences() -> None:
    a, b = {"x": {"y": 1, "z": [1]}, "w": 0}, {"x": {"y": 2, "z": [1, 2]}, "w": 0, "v": None}
    assert list(differences(a, b)) == ["v", "x.y", "x.z"]
    assert list(differences(a, a)) == []
    assert (value_at(a, "x.y"), value_at(a, "v.u"), value_at(a, "")) == (1, None, a)
