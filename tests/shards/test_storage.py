from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hoiset.errors import DatasetError, MissingDependency
from hoiset.shards.storage import Storage
from tests.s3 import s3_server


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server("storage") as bucket:
        yield bucket


@pytest.fixture(params=["disk", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "disk":
        return Storage.at(tmp_path / "root")
    return Storage.at(f"{request.getfixturevalue('bucket')}/{tmp_path.name}/")


def test_files_come_back_as_they_went(storage: Storage, tmp_path: Path) -> None:
    assert storage.read("a/x.json") is None
    assert storage.size("a/x.json") is None
    storage.write("a/x.json", b"one")
    storage.write("a/x.json", b"two!")
    (tmp_path / "local").write_bytes(b"0123456789")
    storage.put(tmp_path / "local", "a/b/y.bin")
    assert (storage.read("a/x.json"), storage.size("a/x.json")) == (b"two!", 4)
    assert storage.names("a") == ["a/b/y.bin", "a/x.json"]
    assert storage.names("", ".json") == ["a/x.json"]
    assert storage.names("nowhere") == []
    storage.get("a/b/y.bin", tmp_path / "deep/copy")
    assert (tmp_path / "deep/copy").read_bytes() == b"0123456789"
    storage.remove("a/x.json")
    storage.remove("a/x.json")
    assert storage.read("a/x.json") is None
    with pytest.raises(DatasetError, match=r"a/x\.json is not there"):
        storage.get("a/x.json", tmp_path / "missing")


def test_a_store_creates_once_and_replaces_only_what_was_seen(bucket: str) -> None:
    storage = Storage.at(f"{bucket}/conditions")
    tag = storage.create("lock", b"a")
    assert tag is not None
    assert storage.create("lock", b"b") is None
    newer = storage.replace("lock", b"c", tag)
    assert newer is not None
    assert storage.replace("lock", b"d", tag) is None
    assert storage.read("lock") == b"c"
    found = storage.stamp("lock")
    assert found is not None
    assert found[1] == newer
    assert storage.stamp("other") is None


def test_a_disk_has_no_conditions(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="S3 only"):
        Storage.at(tmp_path).create("lock", b"")


def test_an_address_that_nobody_knows_is_a_clear_error() -> None:
    with pytest.raises((DatasetError, MissingDependency), match="nosuch"):
        Storage.at("nosuch://bucket/x")


def test_a_store_that_is_gone_is_no_empty_store(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage.at(f"{bucket}/gone")
    storage.write("x", b"1")

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(storage._fs, "cat_file", fail)
    with pytest.raises(DatasetError, match=r"cannot reach .*refused"):
        storage.read("x")
