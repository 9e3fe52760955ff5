"""``load_dataset`` from a web server, a Hub and an object store on loopback: what comes, and how many bytes travel."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hoiset
from hoiset.errors import DatasetError, MissingDependency
from hoiset.loaders import ClipDataset, load_dataset
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine
from tests.hub import REPO, Hub, hub_of
from tests.loaders.clips import make_long, shard_bytes
from tests.s3 import s3_server
from tests.web import Web, serve


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOISET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 clips in 5 shards."""
    return make_long(tmp_path_factory.mktemp("long"))


@pytest.fixture
def web(long: Path) -> Iterator[Web]:
    pytest.importorskip("aiohttp", reason="pip install 'hoiset[http]'")
    with serve(long) as served:
        yield served


@pytest.fixture
def hub(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Revision ``main``, and ``old``, whose first training shard and index are other ones."""
    from tests.factories import make_dataset

    old = make_dataset(tmp_path / "old", n_clips=2, n_frames=3)
    monkeypatch.chdir(tmp_path)
    with hub_of({"main": dataset, "old": old}, monkeypatch) as served:
        yield served


def assert_same(found: ClipDataset, expected: ClipDataset) -> None:
    assert found.keys == expected.keys
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_one_percent_of_the_clips_costs_about_one_percent_of_the_bytes(web: Web, long: Path, cache: Path) -> None:
    query: dict[str, Any] = {"where": 'verb = "pour"', "format": "numpy"}
    clips = load_dataset(web.url, members=("hand_joints", "time"), **query)
    assert_same(clips, load_dataset(long, members=("hand_joints", "time"), **query))
    whole = shard_bytes(long)
    assert len(clips) == 2
    assert whole > 20 << 20
    members = web.bytes_of(".tar")
    assert members <= 0.022 * whole
    clips = load_dataset(web.url, **query, cache_gb=0)
    web.sent.clear()
    assert_same(clips, load_dataset(long, **query))
    core = web.bytes_of(".tar")
    wanted = int(clips.spans.size.sum())
    assert len(web.sent) == 2, "one range a clip"
    assert wanted <= core <= wanted + len(clips) * len(clips.members) * 1024
    assert abs(core / whole - 0.02) < 0.001
    print(
        f"of {whole} bytes of shards: two members of 2 of 100 clips {members} ({members / whole:.2%}), "
        f"all members {core} ({core / whole:.2%}; their own {wanted})"
    )


def test_the_second_epoch_costs_nothing(web: Web, long: Path, cache: Path) -> None:
    wanted: dict[str, Any] = {"members": ("hand_joints", "clip"), "format": "numpy"}
    stream = load_dataset(web.url, **wanted, streaming=True)
    first = [item["key"] for item in stream]
    travelled = web.bytes_sent
    web.sent.clear()
    stream.set_epoch(1)
    second = [item["key"] for item in stream]
    assert sorted(first) == sorted(second) == load_dataset(long, **wanted).keys
    again = load_dataset(web.url, **wanted, streaming=True)
    assert [item["key"] for item in again] == first
    assert web.sent == [], "nor does a later process ask again, of the index or of the shards"
    assert 0 < travelled < 0.7 * shard_bytes(long)
    assert sum(p.stat().st_size for p in cache.rglob("*") if p.is_file()) < 1.05 * travelled


def test_a_batch_reads_its_shards_once(web: Web) -> None:
    clips = load_dataset(web.url, format="numpy", cache_gb=0)
    web.sent.clear()
    clips.__getitems__([3, 0, 2, 1])
    (request,) = web.sent
    assert request[2] < 1.05 * clips.spans.size[:4].sum()


def test_windows_read_what_they_show(web: Web, long: Path) -> None:
    deltas = {"hand_joints": [0.0, 0.2]}
    here, there = (
        hoiset.WindowDataset(load_dataset(place, members=("time",), format="numpy"), deltas, rate_hz=5.0)
        for place in (long, web.url)
    )
    assert len(here) == len(there)
    web.sent.clear()
    for index in (0, 7, len(here) - 1):
        np.testing.assert_array_equal(there[index]["hand_joints"], here[index]["hand_joints"])
    assert 0 < web.bytes_of(".tar") < 0.03 * shard_bytes(long)


def test_workers_read_what_the_parent_has_opened(web: Web, long: Path) -> None:
    data = pytest.importorskip("torch.utils.data", reason="needs hoiset[torch]")
    wanted: dict[str, Any] = {"members": ("time",), "format": "numpy"}
    clips = load_dataset(web.url, **wanted)
    clips[0]
    stream = hoiset.StreamingClips(clips, batch_size=10)
    loader = data.DataLoader(stream, 10, num_workers=2, collate_fn=hoiset.collate)
    assert sorted(key for batch in loader for key in batch["key"]) == load_dataset(long, **wanted).keys


def test_an_object_store(pristine: Path) -> None:
    with s3_server("hands") as bucket:
        import s3fs

        s3fs.S3FileSystem().put(f"{pristine}/", f"{bucket}/set", recursive=True)
        wanted: dict[str, Any] = {"layers": ("core", "video"), "format": "numpy"}
        for _ in range(2):
            assert_same(load_dataset(f"{bucket}/set", **wanted), load_dataset(pristine, **wanted))
        clips = load_dataset(f"{bucket}/set/", members=("hand_mano",), format="numpy", cache_gb=0)
        s3fs.S3FileSystem().pipe(f"{bucket}/set/data/v2/core/train-00000.tar", bytes(10**6))
        with pytest.raises(DatasetError, match=r"train-00000\.tar, .*changed while it was read"):
            clips[0]
        with pytest.raises(DatasetError, match="no version 'v9' with an index; versions there: v2"):
            load_dataset(f"{bucket}/set", "v9", **wanted)
        s3fs.S3FileSystem().rm(f"{bucket}/set/data/v2/video/train-00001.tar")
        with pytest.raises(DatasetError, match=r"has no data/v2/video/train-00001\.tar; is its layer downloaded"):
            load_dataset(f"{bucket}/set", **wanted)


def test_a_repository_and_its_revisions(hub: Hub, dataset: Path) -> None:
    wanted: dict[str, Any] = {"layers": ("core", "video"), "format": "numpy"}
    for place in (REPO, f"hf://datasets/{REPO}", f"hf://datasets/{REPO}@main", f"hf://datasets/{REPO}/"):
        assert_same(load_dataset(place, **wanted), load_dataset(dataset, **wanted))
    old = load_dataset(REPO, revision="old", **wanted)
    assert_same(old, load_dataset(hub.revisions["old"], **wanted))
    assert old.keys == load_dataset(f"hf://datasets/{REPO}@old", **wanted).keys == ["clip_00", "clip_01"]
    assert load_dataset(REPO, revision=hub.commit("old"), **wanted).keys == old.keys
    assert hoiset.open_index(REPO, revision="old").num_rows == 2


def test_a_push_in_the_middle_changes_nothing_and_equal_files_are_kept(hub: Hub, dataset: Path) -> None:
    clips = load_dataset(REPO, format="numpy")
    expected = [item["hand_joints"] for item in load_dataset(dataset, format="numpy")]
    pinned = hub.commit("main")
    hub.revisions[pinned] = Path(shutil.copytree(dataset, dataset.parent / "pinned"))
    (dataset / "data/v2/core/train-00000.tar").write_bytes(b"")
    for item, joints in zip(clips, expected, strict=True):
        np.testing.assert_array_equal(item["hand_joints"], joints)
    (dataset / "README.md").write_text("another commit")
    shutil.copy(hub.revisions[pinned] / "data/v2/core/train-00000.tar", dataset / "data/v2/core")
    assert hub.commit("main") != pinned
    hub.sent.clear()
    assert len(list(load_dataset(REPO, format="numpy"))) == 4
    assert hub.sent == [], "shards and index of equal content are in the cache"


def test_what_the_hub_does_not_have(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetError, match="neither a directory some/thing nor a dataset some/thing on the Hub"):
        load_dataset("some/thing", format="numpy")
    with pytest.raises(DatasetError, match="no dataset some/thing on the Hub"):
        load_dataset("hf://datasets/some/thing", format="numpy")
    with pytest.raises(DatasetError, match="no revision 'v9'; expected a branch, tag or commit"):
        load_dataset(REPO, revision="v9", format="numpy")
    with pytest.raises(DatasetError, match="no version 'v9' with an index; versions there: v2"):
        load_dataset(REPO, "v9", format="numpy")
    with pytest.raises(DatasetError, match="expected one revision"):
        load_dataset(f"hf://datasets/{REPO}@main", revision="old", format="numpy")
    for address in ("hf://", "hf://datasets", "hf://datasets/one", "hf://models/a/b"):
        with pytest.raises(DatasetError, match="expected hf://datasets/OWNER/NAME"):
            load_dataset(address, format="numpy")
    hub.token = "hf_right"
    monkeypatch.setenv("HF_TOKEN", "hf_wrongwrong")
    with pytest.raises(DatasetError) as caught:
        load_dataset(REPO, format="numpy")
    assert "hf_" not in str(caught.value)
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    assert len(load_dataset(REPO, format="numpy")) == 4


def test_a_directory_wins_over_a_repository(hub: Hub, pristine: Path, tmp_path: Path) -> None:
    shutil.copytree(pristine, tmp_path / REPO)
    hub.asked.clear()
    assert len(load_dataset(REPO, format="numpy")) == 4
    assert hub.asked == []
    with pytest.raises(DatasetError, match=r"found revision 'old' for .*, which has none"):
        load_dataset(REPO, revision="old", format="numpy")


def test_a_hub_that_is_not_there(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DatasetError, match="cannot reach dataset some/thing of the Hub"):
        load_dataset("some/thing", format="numpy")


def test_memory_and_files_by_address(pristine: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put(f"{pristine}/", "/places", recursive=True)
    try:
        assert_same(load_dataset("memory://places", format="numpy"), load_dataset(pristine, format="numpy"))
    finally:
        memory.rm("/places", recursive=True)
    assert_same(load_dataset(f"file://{pristine}", format="numpy"), load_dataset(pristine, format="numpy"))
    with pytest.raises((DatasetError, MissingDependency), match="nosuch"):
        load_dataset("nosuch://bucket/x", format="numpy")
