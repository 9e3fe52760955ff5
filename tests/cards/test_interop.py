"""The same directory through other people's libraries."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hoiset.cards import finish_version
from hoiset.cards.front_matter import read_front_matter
from hoiset.shards.features import features_yaml
from hoiset.shards.schema import DEFAULT_LAYERS, members
from hoiset.shards.writer import UnitWriter
from tests.factories import make_recipe, make_sample

datasets = pytest.importorskip("datasets", reason="needs hoiset[datasets]")
webdataset = pytest.importorskip("webdataset", reason="needs hoiset[datasets]")


def hostile_samples() -> list[dict[str, Any]]:
    """Six samples whose first five would mislead whoever infers types from them: empty, null, and whole numbers."""
    samples = []
    for i in range(6):
        sample = make_sample(f"clip_{i}", i, n_frames=1 if i < 5 else 4, n_objects=0 if i < 5 else 2)
        clip = sample["clip.json"]
        clip["quality"] = dict.fromkeys(clip["quality"], 0 if i < 5 else 0.5)
        clip["quality"]["object_mask_iou"] = None if i < 5 else 0.25
        clip["text"]["objects"] = [] if i < 5 else ["plate"]
        clip["text"]["summary"] = None if i < 5 else "späte Worte"
        samples.append(sample)
    return samples


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hostile")
    shards, rows = [], []
    for partition, samples in (("train", hostile_samples()), ("test", [make_sample("other")])):
        with UnitWriter(root, "v2", partition, 0) as unit:
            for sample in samples:
                unit.add(sample)
        shards += unit.records
        rows += unit.rows
    finish_version(root, "v2", shards=shards, rows=rows, recipe=make_recipe())
    return root


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_gives_the_schemas_types_and_all_values(hostile: Path, tmp_path: Path, streaming: bool) -> None:
    loaded = datasets.load_dataset(str(hostile), "v2", split="train", streaming=streaming, cache_dir=str(tmp_path))
    assert loaded.features == datasets.Features._from_yaml_list(features_yaml("core"))
    examples = list(loaded)
    assert [e["__key__"] for e in examples] == [f"clip_{i}" for i in range(6)]
    for example, sample in zip(examples, hostile_samples(), strict=True):
        assert example["clip.json"] == sample["clip.json"]
        assert example["objects.glb"] == sample["objects.glb"]
        for member in members("core"):
            if member.is_array:
                found = np.asarray(example[member.name], member.dtype)
                np.testing.assert_array_equal(found, sample[member.name])
    assert examples[5]["clip.json"]["quality"]["score"] == 0.5


@pytest.mark.parametrize("streaming", [False, True])
def test_every_layer_and_split_is_a_config_joined_by_key(hostile: Path, tmp_path: Path, streaming: bool) -> None:
    for layer in DEFAULT_LAYERS:
        config = "v2" if layer == "core" else f"v2-{layer}"
        loaded = datasets.load_dataset(str(hostile), config, streaming=streaming, cache_dir=str(tmp_path))
        assert set(loaded) == {"train", "test"}
        assert [e["__key__"] for e in loaded["train"]] == [f"clip_{i}" for i in range(6)]
        assert [e["__key__"] for e in loaded["test"]] == ["other"]


@pytest.mark.parametrize("config", ["v2", "v2-video"])
def test_the_cards_sizes_are_what_datasets_finds(hostile: Path, tmp_path: Path, config: str) -> None:
    card = {i["config_name"]: i for i in read_front_matter(hostile / "README.md")["dataset_info"]}[config]
    loaded = datasets.load_dataset(str(hostile), config, cache_dir=str(tmp_path))
    for split in card["splits"]:
        found = loaded[split["name"]].info.splits[split["name"]]
        assert found.num_examples == split["num_examples"]
        assert 0.8 < split["num_bytes"] / found.num_bytes < 1.2
    assert datasets.load_dataset_builder(str(hostile), config).info.download_size == card["download_size"]


def test_a_split_that_lacks_examples_is_noticed(hostile: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(hostile, tmp_path / "d"))
    shutil.copy(root / "data/v2/core/test-00000.tar", root / "data/v2/core/train-00000.tar")
    with pytest.raises(datasets.exceptions.DatasetsError):
        datasets.load_dataset(str(root), "v2", split="train", cache_dir=str(tmp_path / "cache"))


def test_the_core_layer_is_the_default_config(hostile: Path, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(hostile), split="test", streaming=True)
    assert "hand_joints.npy.gz" in loaded.features


def test_a_video_column_can_become_a_video(hostile: Path) -> None:
    loaded = datasets.load_dataset(str(hostile), "v2-video", split="test", streaming=True)
    (example,) = loaded.cast_column("rgb.mp4", datasets.Video(decode=False))
    assert example["rgb.mp4"]["bytes"] == make_sample("other")["rgb.mp4"]


def test_torch_format_gives_tensors(hostile: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs hoiset[torch]")
    loaded = datasets.load_dataset(str(hostile), "v2", split="train", cache_dir=str(tmp_path)).with_format("torch")
    assert loaded[5]["hand_joints.npy.gz"].shape == (4, 2, 21, 3)
    assert loaded[5]["hand_joints.npy.gz"].dtype == torch.float32


def test_webdataset_reads_the_same_tars(hostile: Path) -> None:
    for layer in DEFAULT_LAYERS:
        url = str(hostile / f"data/v2/{layer}/train-00000.tar")
        found = list(webdataset.WebDataset(url, shardshuffle=False).decode())
        for item, sample in zip(found, hostile_samples(), strict=True):
            assert {m.name for m in members(layer)} == {k for k in item if not k.startswith("__")}
            assert item["__key__"] == sample["clip.json"]["key"]
            if layer == "core":
                np.testing.assert_array_equal(item["hand_joints.npy.gz"], sample["hand_joints.npy.gz"])
                assert item["clip.json"] == sample["clip.json"]
