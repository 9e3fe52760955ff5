from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hoiset.errors import DatasetError
from hoiset.loaders import collate, load_dataset
from tests.fixtures import pristine as pristine


@pytest.fixture
def items(pristine: Path) -> list[dict[str, Any]]:
    return list(load_dataset(pristine, layers=("core", "video"), format="numpy"))


def test_frames_are_padded_with_absence(items: list[dict[str, Any]]) -> None:
    batch = collate(items)
    lengths = [6, 7, 8, 10]
    assert batch["mask"].sum(1).tolist() == lengths
    assert batch["mask"].dtype == bool
    assert batch["hand_joints"].shape == (4, 10, 2, 21, 3)
    for row, (item, n) in enumerate(zip(items, lengths, strict=True)):
        for name in ("hand_joints", "object_pose", "time", "hand_source", "hand_score", "rgb"):
            np.testing.assert_array_equal(batch[name][row, :n], item[name])
            padding = batch[name][row, n:]
            absent = np.isnan(padding) if name in ("hand_joints", "object_pose", "time") else padding == 0
            assert absent.all(), name
        assert batch["clip"][row] is item["clip"]
        assert batch["objects_glb"][row] == item["objects_glb"]


def test_items_without_frames_make_lists(items: list[dict[str, Any]]) -> None:
    batch = collate([{"key": i["key"], "clip": i["clip"]} for i in items])
    assert set(batch) == {"key", "clip"}


def test_encoded_video_makes_a_list(pristine: Path) -> None:
    batch = collate(list(load_dataset(pristine, layers=("video",), format="numpy", decode_video=False)))
    assert [type(x) for x in batch["rgb"]] == [bytes] * 4
    assert "mask" not in batch


def test_items_that_do_not_go_together_are_refused(items: list[dict[str, Any]]) -> None:
    with pytest.raises(DatasetError, match="at least one"):
        collate([])
    with pytest.raises(DatasetError, match="different keys"):
        collate([items[0], {"key": "x"}])
    with pytest.raises(DatasetError, match="clip_00: found members of"):
        collate([{**items[0], "time": items[0]["time"][1:]}])
    with pytest.raises(DatasetError, match="rgb: found frames of shapes"):
        collate([items[0], {**items[1], "rgb": items[1]["rgb"][:, ::2]}])
