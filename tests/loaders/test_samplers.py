from __future__ import annotations

import json

import pytest

from hoiset.errors import DatasetError
from hoiset.loaders import ClipDataset, ClipSampler, StreamingClips, WindowDataset, load_dataset
from tests.factories import make_dataset

N = 9


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> ClipDataset:
    root = make_dataset(tmp_path_factory.mktemp("sampled"), n_clips=12, n_frames=2)
    return load_dataset(root, members=("time",), format="numpy")


def test_the_order_is_that_of_the_stream(clips: ClipDataset) -> None:
    sampler = ClipSampler(clips, seed=4, group_shards=2)
    stream = StreamingClips(clips, seed=4, group_shards=2)
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        stream.set_epoch(epoch)
        assert [clips.keys[i] for i in sampler] == [item["key"] for item in stream]
        assert len(sampler) == N


@pytest.mark.parametrize("world", [1, 2, 4])
def test_killed_at_any_step_and_resumed_on_other_ranks(clips: ClipDataset, world: int) -> None:
    for stop in range(4):
        samplers = [ClipSampler(clips, seed=1, rank=r, world=2, uneven="drop") for r in range(2)]
        seen = [list(s)[:stop] for s in samplers]
        for sampler in samplers:
            sampler.consumed(stop)
        states = [json.loads(json.dumps(s.state_dict())) for s in samplers]
        assert states[0] == states[1]
        resumed = [ClipSampler(clips, rank=r, world=world) for r in range(world)]
        for sampler in resumed:
            sampler.load_state_dict(states[0])
        rest = [list(s) for s in resumed]
        assert len({len(r) for r in rest}) == 1
        indices = [i for part in (*seen, *rest) for i in part]
        assert set(indices) == set(range(N))
        assert len(indices) - N < world


def test_an_epoch_that_is_consumed_is_over(clips: ClipDataset) -> None:
    sampler = ClipSampler(clips)
    first = list(sampler)
    sampler.consumed(5)
    assert len(sampler) == N
    with pytest.raises(DatasetError, match="found 5 clips consumed, expected at most 4"):
        sampler.consumed(5)
    sampler.consumed(4)
    assert sampler.epoch == 1
    assert list(sampler) != first


def test_a_data_loader_takes_it(clips: ClipDataset) -> None:
    data = pytest.importorskip("torch.utils.data", reason="needs hoiset[torch]")
    sampler = ClipSampler(clips, seed=1)
    loader = data.DataLoader(clips, batch_size=4, sampler=sampler, collate_fn=lambda items: [i["key"] for i in items])
    found = []
    for batch in loader:
        sampler.consumed(len(batch))
        found += batch
    assert sorted(found) == clips.keys
    assert sampler.epoch == 1


def test_windows_are_sampled_and_resumed_as_clips_are(clips: ClipDataset) -> None:
    windows = WindowDataset(clips, {"hand_joints": [0.0]}, format="numpy")
    assert len(windows) == 2 * N
    sampler = ClipSampler(windows, seed=3, group_shards=1)
    order = list(sampler)
    assert sorted(order) == list(range(2 * N))
    clip_of = [windows[i]["key"] for i in order]
    assert len(set(clip_of[:4])) == 2, "windows of one shard, which has two clips, come together"
    sampler.consumed(5)
    resumed = ClipSampler(windows, group_shards=1)
    resumed.load_state_dict(sampler.state_dict())
    assert list(resumed) == order[5:]
    with pytest.raises(DatasetError, match="state of 18 items"):
        ClipSampler(clips, group_shards=1).load_state_dict(sampler.state_dict())
