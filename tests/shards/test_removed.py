import json
from pathlib import Path

import pytest

from hoiset.errors import DatasetError
from hoiset.shards.removed import REMOVED_FILE, Removed, read_removed, uid_digest, write_removed


def test_a_tombstone_is_found_again_and_names_nobody(tmp_path: Path) -> None:
    removed = Removed.of(["späte/vidéo.mp4", "abc"], "asked by the person in it")
    write_removed(tmp_path, removed)
    data = (tmp_path / REMOVED_FILE).read_bytes()
    assert b"abc" not in data
    found = read_removed(tmp_path)
    assert found == removed
    assert "abc" in found
    assert "abcd" not in found
    assert [v["sha256"] for v in json.loads(data)["videos"]] == sorted(map(uid_digest, ("späte/vidéo.mp4", "abc")))


def test_nothing_removed_is_no_file(tmp_path: Path) -> None:
    write_removed(tmp_path, Removed())
    assert not (tmp_path / REMOVED_FILE).exists()
    assert "abc" not in read_removed(tmp_path)


def test_joined_they_keep_what_reason_there_is() -> None:
    joined = Removed.of(["a"]) | Removed.of(["a", "b"], "why")
    assert joined.reasons == {uid_digest("a"): "why", uid_digest("b"): "why"}
    assert (Removed.of(["a"], "new") | Removed.of(["a"], "old")).reasons == {uid_digest("a"): "new"}


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"videos": [{"sha256": "abc", "reason": ""}]}', b"{" * 9999])
def test_a_damaged_list_is_never_taken_for_empty(tmp_path: Path, data: bytes) -> None:
    (tmp_path / REMOVED_FILE).write_bytes(data)
    with pytest.raises(DatasetError, match="restore it"):
        read_removed(tmp_path)


@pytest.mark.parametrize("reason", ["two\nlines", "x" * 201])
def test_a_reason_is_one_short_line(reason: str) -> None:
    with pytest.raises(DatasetError, match="one line"):
        Removed.of(["a"], reason)
