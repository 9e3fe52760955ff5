from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hoiset.errors import DatasetError
from hoiset.loaders import WindowDataset, collate, load_dataset
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


def windows(path: Path, format: str) -> WindowDataset:
    deltas = {"hand_joints": [-0.05, 0.0, 0.1], "hand_wrist_relative_9d": [0.1], "rgb": [0.0, 0.1]}
    clips = load_dataset(path, split=None, format="numpy")
    return WindowDataset(clips, deltas, stride_s=0.1, format=format, resize=(24, 32))  # type: ignore[arg-type]


def test_windows_are_stacked(pristine: Path) -> None:
    items = [windows(pristine, "numpy")[i] for i in (0, 5, 9)]
    batch = collate(items)
    assert set(batch) == set(items[0])
    assert batch["hand_joints"].shape == (3, 3, 2, 21, 3)
    assert batch["rgb"].shape == (3, 2, 24, 32, 3)
    assert batch["hand_joints_mask"].shape == (3, 3, 2)
    assert batch["rgb_is_pad"].dtype == bool
    assert batch["key"] == [item["key"] for item in items]
    assert batch["task"] == [item["task"] for item in items]
    assert batch["index"].tolist() == [0, 5, 9]
    for name in ("hand_joints", "rgb", "hand_joints_is_pad", "timestamp"):
        for row, item in zip(batch[name], items, strict=True):
            np.testing.assert_array_equal(row, item[name])


def test_windows_of_different_sizes_are_refused(pristine: Path) -> None:
    one = windows(pristine, "numpy")[0]
    with pytest.raises(DatasetError, match=r"rgb: found windows of shapes.*resize"):
        collate([one, {**one, "rgb": one["rgb"][:, ::2]}])


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_windows_from_workers_are_those_of_one_process(pristine: Path, start: str) -> None:
    torch = pytest.importorskip("torch", reason="needs hoiset[torch]")
    ours = windows(pristine, "torch")
    here = [collate([ours[i] for i in range(at, min(at + 8, len(ours)))]) for at in range(0, len(ours), 8)]
    loader = torch.utils.data.DataLoader(
        ours, batch_size=8, num_workers=2, collate_fn=collate, multiprocessing_context=start
    )
    there = list(loader)
    assert len(there) == len(here)
    for found, expected in zip(there, here, strict=True):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            if isinstance(value, torch.Tensor):
                torch.testing.assert_close(found[name], value, rtol=0, atol=0, equal_nan=True)
            else:
                assert found[name] == value, name


def test_small_tensors_from_a_worker_share_memory(pristine: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs hoiset[torch]")
    ours = windows(pristine, "torch")
    (here,) = [collate([ours[i] for i in range(4)])]
    (there,) = torch.utils.data.DataLoader(
        torch.utils.data.Subset(ours, range(4)), batch_size=4, num_workers=1, collate_fn=collate
    )
    tensors = {name: value for name, value in there.items() if isinstance(value, torch.Tensor)}
    assert len({value.untyped_storage().data_ptr() for value in tensors.values()}) == 1
    for name, value in tensors.items():
        assert (value.dtype, value.shape) == (here[name].dtype, here[name].shape)
        assert torch.equal(value.nan_to_num(), here[name].nan_to_num())
