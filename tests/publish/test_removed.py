"""Videos that were removed for good stay out of the repository, and its tombstones are never lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from hoiset.errors import PushError
from hoiset.shards.removed import Removed, read_removed, uid_digest
from hoiset.shards.verify import verify_dataset
from hoiset.upkeep.remove import remove_videos
from tests.factories import make_dataset
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine
from tests.hub_writing import WritableHub, put
from tests.publish.pushes import actions, pushed

UID = "clip_01.mp4"


def tombstones(hub: WritableHub) -> set[str]:
    return set(read_removed(hub.revisions["main"]).reasons)


def test_a_removed_video_leaves_the_head_and_cannot_come_back(dataset: Path, pristine: Path, hub: WritableHub) -> None:
    pushed(dataset)
    remove_videos(dataset, [UID], reason="asked for")
    done = pushed(dataset)
    assert done.tag == "v2.1.0"
    assert actions(done)["new"] == {"removed.json"}
    assert {"data/v2/core/train-00000.tar", "data/v2/video/train-00000.tar"} <= actions(done)["changed"]
    assert "the tags v2.0.0 keep them" in "".join(done.notes)
    head = hub.revisions["main"]
    assert b"clip_01" not in b"".join(p.read_bytes() for p in head.rglob("*") if p.is_file())
    assert verify_dataset(head).ok
    hub.requests.clear()
    assert not pushed(dataset).tagged
    assert hub.writes == []
    with pytest.raises(PushError, match=r"found 1 videos .* removed from the repository for good: clip_01\.mp4"):
        pushed(pristine)
    assert hub.writes == []


def test_tombstones_of_other_machines_are_kept(dataset: Path, hub: WritableHub) -> None:
    hub.create("private")
    theirs = Removed.of(["elsewhere.mp4"]).to_bytes()
    hub.add_commit(lambda folder: put(folder / "removed.json", theirs))
    remove_videos(dataset, [UID])
    pushed(dataset)
    assert tombstones(hub) == {uid_digest(UID), uid_digest("elsewhere.mp4")}
    assert set(read_removed(dataset).reasons) == {uid_digest(UID)}


def test_other_versions_that_may_still_have_it_are_named(dataset: Path, tmp_path: Path, hub: WritableHub) -> None:
    pushed(make_dataset(tmp_path / "old", n_clips=2, version="v1"), "v1")
    pushed(dataset)
    remove_videos(dataset, [UID])
    assert "the repository's versions v1 may still have them" in "".join(pushed(dataset).notes)
    tag = hub.tags["v1.0.0"]
    again = pushed(remade(tmp_path), "v1")
    assert again.tag == "v1.1.0"
    assert hub.tags["v1.0.0"] == tag


def remade(tmp_path: Path) -> Path:
    """The old version without the video."""
    root = tmp_path / "old"
    remove_videos(root, [UID])
    return root


def test_a_list_that_cannot_be_read_is_never_taken_for_empty(pristine: Path, hub: WritableHub) -> None:
    hub.create("private")
    hub.add_commit(lambda folder: put(folder / "removed.json", b"{}"))
    with pytest.raises(PushError, match="not a list of removed videos"):
        pushed(pristine)
    assert not hub.tags
