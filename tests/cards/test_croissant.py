from __future__ import annotations

import json
from pathlib import Path

import pytest

from hoiset.cards import croissant
from hoiset.cards.croissant import CROISSANT_FILE, write_croissant
from hoiset.shards.index import read_index
from hoiset.shards.manifest import read_manifest
from hoiset.shards.reader import ShardReader, read_sample
from hoiset.shards.schema import members
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine

epath = pytest.importorskip("etils.epath", reason="needs hoiset[dev]")
mlcroissant = pytest.importorskip("mlcroissant", reason="needs hoiset[dev]")


def test_it_is_valid(pristine: Path) -> None:
    issues = mlcroissant.Dataset(str(pristine / CROISSANT_FILE)).metadata.ctx.issues
    assert not issues.errors
    assert [w for w in issues.warnings if "datePublished" not in w] == []


def test_the_index_is_read_as_records(pristine: Path) -> None:
    records = list(mlcroissant.Dataset(str(pristine / CROISSANT_FILE)).records("clips"))
    rows = read_index(pristine, "v2").to_pylist()
    assert [r["clips/key"].decode() for r in records] == [row["key"] for row in rows]
    for record, row in zip(records, rows, strict=True):
        assert record["clips/n_frames"] == row["n_frames"]
        assert record["clips/quality"] == row["quality"]
        assert [x.decode() for x in record["clips/labels"]] == row["labels"]


def test_members_are_read_out_of_the_tars(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # it keeps what it unpacks under the tar's name, whichever dataset that is of
    monkeypatch.setattr("mlcroissant._src.operation_graph.operations.extract.EXTRACT_PATH", epath.Path(tmp_path))
    found = list(mlcroissant.Dataset(str(pristine / CROISSANT_FILE)).records("v2-clip-json"))
    by_key = {r["v2-clip-json/key"].decode(): json.loads(r["v2-clip-json/content"]) for r in found}
    with ShardReader(pristine) as reader:
        for row in read_index(pristine, "v2").to_pylist():
            assert by_key[row["key"]] == read_sample(reader, row["members"], ["clip.json"])["clip.json"]


def test_every_shard_is_named_with_its_digest(pristine: Path) -> None:
    data = json.loads((pristine / CROISSANT_FILE).read_bytes())
    named = {part["contentUrl"]: part["sha256"] for part in data["distribution"] if "sha256" in part}
    listed = {e["path"]: e["sha256"] for e in read_manifest(pristine, "v2")["files"] if e["layer"]}
    assert listed.items() <= named.items()
    assert {"index/v2.parquet", "manifest/v2.json"} == set(named) - set(listed)
    shapes = {f["@id"]: f.get("arrayShape") for r in data["recordSet"] for f in r["field"]}
    assert shapes["v2-hand_joints-npy-gz/content"] == "-1,2,21,3"
    assert len(data["recordSet"]) == 1 + len(members("core")) + len(members("video"))


def test_very_many_shards_are_told_by_their_patterns(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(croissant, "MAX_OBJECTS", 2)
    path = write_croissant(dataset, "v2")
    named = [part["@id"] for part in json.loads(path.read_bytes())["distribution"] if part["@type"] == "cr:FileObject"]
    assert named == ["manifest/v2.json", "index/v2.parquet"]
    assert not mlcroissant.Dataset(str(path)).metadata.ctx.issues.errors
