"""A version with the optional layer of depth and masks: written, verified, loaded."""

from pathlib import Path

import numpy as np
import pytest

from hoiset.cards import finish_version
from hoiset.errors import SchemaError
from hoiset.loaders import load_dataset
from hoiset.shards.verify import verify_dataset
from hoiset.shards.writer import UnitWriter
from hoiset.video import encode_lossless
from tests.factories import make_recipe, make_sample

LAYERS = ("core", "video", "scene")


def write(root: Path, n_depth: int = 8) -> Path:
    depth = np.arange(n_depth * 12, dtype=np.uint16).reshape(n_depth, 3, 4) * 500
    masks = np.arange(8 * 12, dtype=np.uint8).reshape(8, 3, 4) % 11
    sample = {**make_sample("a"), "depth.mkv": encode_lossless(depth), "masks.mkv": encode_lossless(masks)}
    with UnitWriter(root, "v2", "train", 0, LAYERS) as unit:
        unit.add(sample)
    finish_version(root, "v2", shards=unit.records, rows=unit.rows, recipe=make_recipe(), backends=[])
    return root


def test_a_scene_layer_is_written_and_read(tmp_path: Path) -> None:
    root = write(tmp_path)
    assert verify_dataset(root, "v2").problems == ()
    (item,) = load_dataset(root, layers=LAYERS, format="numpy")
    assert (item["depth"].dtype, item["depth"].shape) == (np.uint16, (8, 3, 4))
    assert item["depth"][7, 2, 3] == 95 * 500
    assert item["masks"].max() == 10
    assert isinstance(load_dataset(root, layers=LAYERS, format="numpy", decode_video=False)[0]["depth"], bytes)


def test_a_depth_of_another_length_is_found(tmp_path: Path) -> None:
    (problem,) = verify_dataset(write(tmp_path, 7), "v2").problems
    assert problem.what == "depth.mkv: found 7 frames, expected 8, as time.npy"


def test_the_layer_is_not_there_unless_asked_for(tmp_path: Path) -> None:
    with UnitWriter(tmp_path, "v2", "train", 0) as unit:
        unit.add(make_sample("a"))
    assert {record.layer for record in unit.records} == {"core", "video"}


def test_a_sample_without_it_is_refused_where_it_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"depth\.mkv"), UnitWriter(tmp_path, "v2", "train", 0, LAYERS) as unit:
        unit.add(make_sample("a"))
