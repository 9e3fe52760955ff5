import hashlib
import json
from pathlib import Path

import pytest

from hoiset.errors import DatasetError
from hoiset.shards.manifest import digest, read_manifest, write_manifest
from hoiset.shards.writer import ShardRecord
from tests.factories import make_recipe
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine


def test_manifest_lists_every_file_of_the_version(pristine: Path) -> None:
    manifest = read_manifest(pristine, "v2")
    there = {
        p.relative_to(pristine).as_posix(): p
        for p in pristine.rglob("*")
        if p.is_file() and p.suffix in (".tar", ".parquet", ".png", ".jpg")
    }
    assert {f["path"] for f in manifest["files"]} == set(there)
    for f in manifest["files"]:
        data = there[f["path"]].read_bytes()
        assert (f["bytes"], f["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert sum(f["samples"] or 0 for f in manifest["files"] if f["layer"] == "core") == 5
    assert manifest["recipe"] == make_recipe()
    assert (manifest["schema"], manifest["version"]) == ("2", "v2")
    assert manifest["backends"][0]["name"] == "none"


def test_manifest_does_not_depend_on_the_order_of_shards(dataset: Path) -> None:
    path = dataset / "manifest/v2.json"
    before = path.read_bytes()
    manifest = json.loads(before)
    shards = [
        ShardRecord(f["path"], f["layer"], f["partition"], f["bytes"], f["sha256"], ("k",) * f["samples"], {})
        for f in manifest["files"]
        if f["layer"]
    ]
    write_manifest(dataset, "v2", reversed(shards), recipe=manifest["recipe"], backends=manifest["backends"])
    assert path.read_bytes() == before


def test_missing_and_damaged_manifests_are_named(dataset: Path) -> None:
    with pytest.raises(DatasetError, match=r"no version 'v3'.*versions there: v2"):
        read_manifest(dataset, "v3")
    path = dataset / "manifest/v2.json"
    for text in ("{}", "[]", "{", '{"files": [], "recipe": {}, "schema": "1"}', "[" * 10**5):
        path.write_text(text)
        with pytest.raises(DatasetError, match=r"manifest/v2\.json"):
            read_manifest(dataset, "v2")


def test_a_manifest_needs_the_index(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"index/v2\.parquet"):
        write_manifest(tmp_path, "v2", [], recipe={})
    with pytest.raises(DatasetError, match="cannot read"):
        digest(tmp_path)
