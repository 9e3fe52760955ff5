import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hoiset.cards import finish_version, write_card
from hoiset.cards.sheet import CAPTION_PX, COLUMNS, TILE, _tile, choose, draw_sheet, telling_frame
from hoiset.shards.index import read_index, write_index
from hoiset.shards.reader import ShardReader, read_sample
from hoiset.shards.schema import HandSource, ObjectState
from hoiset.shards.writer import UnitWriter
from tests.factories import make_recipe, make_sample
from tests.fixtures import pristine as pristine


def dataset_of(root: Path, samples: list[dict[str, Any]], layers: tuple[str, ...] = ("core", "video")) -> Path:
    with UnitWriter(root, "v2", "train", 0, layers) as unit:
        for sample in samples:
            unit.add(sample)
    finish_version(root, "v2", shards=unit.records, rows=unit.rows, recipe=make_recipe())
    return root


def licensed(key: str, licence: str, **kwargs: Any) -> dict[str, Any]:
    sample = make_sample(key, **kwargs)
    sample["clip.json"]["source"]["licence"] = licence
    return sample


def test_only_what_may_be_shown_is_shown(tmp_path: Path) -> None:
    licences = {"a": "CC0-1.0", "b": "", "c": "CC BY-ND 4.0", "d": "Standard YouTube License", "e": "CC BY 4.0"}
    root = dataset_of(tmp_path, [licensed(key, licence) for key, licence in licences.items()])
    shown = choose(read_index(root, "v2"))
    assert shown.keys == ("a", "e")
    assert (shown.permitted, shown.total, shown.has_video) == (2, 5, True)


def test_the_best_of_each_verb_come_first(tmp_path: Path) -> None:
    samples = []
    for i, (verb, score) in enumerate([("push", 0.1), ("push", 0.9), ("push", 0.5), ("pour", 0.2), ("", 1.0)]):
        sample = make_sample(f"k{i}", verb=verb)
        sample["clip.json"]["quality"]["score"] = score
        samples.append(sample)
    root = dataset_of(tmp_path, samples)
    assert choose(read_index(root, "v2")).keys == ("k1", "k3", "k4", "k2")


def test_a_sheet_has_full_rows_of_a_tile_a_clip(pristine: Path) -> None:
    data = draw_sheet(pristine, "v2")
    assert data is not None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (TILE[1] + CAPTION_PX, COLUMNS * TILE[0], 3)
    assert data == draw_sheet(pristine, "v2")
    orange = (image[..., 2].astype(int) - image[..., 0] > 120).sum()
    assert orange > 100


def test_without_footage_there_is_no_sheet(tmp_path: Path) -> None:
    root = dataset_of(tmp_path, [make_sample("a")], ("core",))
    assert draw_sheet(root, "v2") is None
    assert "No footage is shown here: this version has no video layer." in (root / "README.md").read_text()


def test_a_card_of_fewer_layers_keeps_the_sheet_and_its_count(pristine: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(pristine, tmp_path / "d"))
    rows = read_index(root, "v2").to_pylist()
    core = [{**row, "members": [m for m in row["members"] if m["layer"] == "core"]} for row in rows]
    write_index(root, "v2", core)
    text = write_card(root, "v2").read_text()
    assert "(figures/v2-sheet.jpg)" in text
    assert "meshes over 4 clips" in text


@pytest.mark.parametrize("keep", [0, 200, 700])
def test_a_video_that_cannot_be_decoded_leaves_its_tile_blank(pristine: Path, keep: int) -> None:
    with ShardReader(pristine) as reader:
        row = read_index(pristine, "v2").to_pylist()[0]
        sample = read_sample(reader, row["members"])
    whole, broken = _tile(row, sample), _tile(row, {**sample, "rgb.mp4": sample["rgb.mp4"][:keep]})
    assert broken.shape == whole.shape
    assert (broken[: TILE[1]] == broken[0, 0]).all()
    np.testing.assert_array_equal(broken[TILE[1] :], whole[TILE[1] :])


def test_shards_that_are_elsewhere_are_brought(pristine: Path) -> None:
    brought: list[str] = []
    draw_sheet(pristine, "v2", bring=brought.append)
    keys = choose(read_index(pristine, "v2")).keys
    rows = [row for row in read_index(pristine, "v2").to_pylist() if row["key"] in keys]
    assert set(brought) == {m["shard"] for row in rows for m in row["members"]}


def test_the_frame_that_tells_most() -> None:
    sample = make_sample("a", n_frames=9)
    sample["hand_source.npy"][:] = HandSource.ABSENT
    sample["object_state.npy"][:] = ObjectState.STATIC
    sample["hand_source.npy"][5:8, 1] = HandSource.OBSERVED
    assert telling_frame(sample) == 6
    sample["object_state.npy"][7, 0] = ObjectState.GRASPED_RIGHT
    assert telling_frame(sample) == 7
