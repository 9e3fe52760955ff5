from __future__ import annotations

import json
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hoiset
from hoiset.errors import DatasetError
from hoiset.loaders import ClipDataset, StreamingClips, load_dataset
from tests.factories import make_dataset

MEMBERS = ("clip", "time", "hand_joints")
N = 15


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 clips, 15 of which train, in shards of 2."""
    return make_dataset(tmp_path_factory.mktemp("streamed"), n_clips=20, n_frames=2)


@pytest.fixture(scope="module")
def clips(root: Path) -> ClipDataset:
    return load_dataset(root, members=MEMBERS, format="numpy")


def keys(stream: StreamingClips) -> list[str]:
    return [item["key"] for item in stream]


def test_items_are_those_of_the_dataset_in_the_order_of_the_epoch(clips: ClipDataset) -> None:
    stream = StreamingClips(clips, seed=3, group_shards=2)
    items = list(stream)
    assert sorted(item["key"] for item in items) == clips.keys
    assert [item["position"] for item in items] == list(range(N))
    for item in items:
        same = clips[clips.keys.index(item["key"])]
        assert item.pop("position") is not None
        assert item.keys() == same.keys()
        np.testing.assert_array_equal(item["hand_joints"], same["hand_joints"])
    assert keys(stream) == [item["key"] for item in items]
    assert keys(StreamingClips(clips, shuffle=False)) == clips.keys


def test_read_ahead_changes_nothing(clips: ClipDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = keys(StreamingClips(clips))
    for ahead in (1, 30_000, 10**9):
        monkeypatch.setattr("hoiset.loaders.streaming.AHEAD_BYTES", ahead)
        assert keys(StreamingClips(clips)) == expected


def test_epochs_follow_each_other(clips: ClipDataset) -> None:
    stream = StreamingClips(clips)
    first = keys(stream)
    stream.set_epoch(1)
    second = keys(stream)
    assert first != second
    again = StreamingClips(clips)
    for item in again:
        again.consumed(item["position"])
    assert again.epoch == 1
    assert keys(again) == second
    again.set_epoch(0)
    assert keys(again) == first


@pytest.mark.parametrize("uneven", ["repeat", "drop"])
def test_ranks_are_equally_long(clips: ClipDataset, uneven: Any) -> None:
    streams = [StreamingClips(clips, rank=r, world=2, uneven=uneven) for r in range(2)]
    found = [keys(s) for s in streams]
    assert len(found[0]) == len(found[1]) == len(streams[0]) == (8 if uneven == "repeat" else 7)
    counts = Counter(found[0] + found[1])
    assert set(counts.values()) == ({1, 2} if uneven == "repeat" else {1})
    assert len(counts) == (N if uneven == "repeat" else N - 1)


def test_a_stream_goes_on_where_it_was_left(clips: ClipDataset) -> None:
    whole = keys(StreamingClips(clips, seed=5))
    stream = StreamingClips(clips, seed=5)
    for item, _ in zip(stream, range(4), strict=False):
        stream.consumed(item["position"])
    state = json.loads(json.dumps(stream.state_dict()))
    assert (state["seed"], state["epoch"], state["consumed"]) == (5, 0, 4)
    resumed = StreamingClips(clips)
    resumed.load_state_dict(state)
    resumed.set_epoch(0)
    assert len(resumed) == N - 4
    assert keys(resumed) == whole[4:]
    assert keys(pickle.loads(pickle.dumps(resumed))) == whole[4:]


def test_states_of_other_clips_are_refused(root: Path, clips: ClipDataset) -> None:
    state = StreamingClips(clips).state_dict()
    fewer = load_dataset(root, members=MEMBERS, format="numpy", object="mug")
    for other in (StreamingClips(fewer), StreamingClips(clips, group_shards=1), StreamingClips(clips, shuffle=False)):
        with pytest.raises(DatasetError, match="the same dataset, filters, shuffle and group_shards"):
            other.load_state_dict(state)
    with pytest.raises(DatasetError, match="not the state of an epoch"):
        StreamingClips(clips).load_state_dict({})  # type: ignore[typeddict-item]
    with pytest.raises(DatasetError, match="batch_size=0"):
        StreamingClips(clips, batch_size=0)


def test_nothing_to_stream_is_an_empty_stream(root: Path) -> None:
    nothing = load_dataset(root, format="numpy", verb="juggle", streaming=True)
    assert list(nothing) == []
    assert len(nothing) == 0


def test_a_damaged_shard_stops_the_stream(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "damaged", n_clips=3, n_frames=2)
    path = root / "data/v2/core/train-00000.tar"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DatasetError, match="hoiset verify"):
        list(load_dataset(root, format="numpy", streaming=True))


def test_workers_killed_in_the_middle_and_resumed_in_other_numbers(clips: ClipDataset) -> None:
    data = pytest.importorskip("torch.utils.data", reason="needs hoiset[torch]")

    def loader(stream: StreamingClips, workers: int) -> Any:
        return data.DataLoader(stream, batch_size=2, num_workers=workers, collate_fn=hoiset.collate)

    seen: list[int] = []
    states = []
    for rank in range(2):
        stream = StreamingClips(clips, seed=2, batch_size=2, rank=rank, world=2)
        for batch, _ in zip(loader(stream, 3), range(2), strict=False):
            stream.consumed(batch["position"])
            seen += batch["position"]
        states.append(stream.state_dict())
    assert states[0] == states[1]
    assert states[0]["done"] == [[0, 8]]
    resumed = StreamingClips(clips, batch_size=2)
    resumed.load_state_dict(states[0])
    order = []
    for batch in loader(resumed, 2):
        resumed.consumed(batch["position"])
        seen += batch["position"]
        order += batch["key"]
    assert sorted(seen) == list(range(N))
    assert (resumed.epoch, resumed.state_dict()["done"]) == (1, [])
    assert order == keys(StreamingClips(clips, seed=2))[8:]


def test_workers_that_persist_follow_the_epoch_and_refuse_a_late_state(clips: ClipDataset) -> None:
    data = pytest.importorskip("torch.utils.data", reason="needs hoiset[torch]")
    stream = StreamingClips(clips, batch_size=4)
    loader = data.DataLoader(stream, 4, num_workers=2, collate_fn=hoiset.collate, persistent_workers=True)
    for epoch in range(3):
        stream.set_epoch(epoch)
        here = StreamingClips(clips)
        here.set_epoch(epoch)
        assert [key for batch in loader for key in batch["key"]] == keys(here)
    stream.load_state_dict(StreamingClips(clips).state_dict())
    with pytest.raises(DatasetError, match="make a new loader"):
        list(loader)
