import pickle
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import hoiset
from hoiset.errors import DatasetError, FilterError, MissingDependency, QueryError
from hoiset.loaders import ClipDataset, item_name, load_dataset
from hoiset.loaders import dataset as dataset_module
from hoiset.shards.index import read_index
from hoiset.shards.schema import DEFAULT_LAYERS, members
from hoiset.video import decode_mp4_bytes
from tests.factories import make_sample
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine


def test_items_are_the_samples(pristine: Path) -> None:
    clips = load_dataset(pristine, layers=("core", "video"), format="numpy")
    assert clips.keys == ["clip_00", "clip_01", "clip_02", "clip_04"]
    for index, item in zip((0, 1, 2, 4), clips, strict=True):
        sample = make_sample(f"clip_{index:02d}", index, 6 + index, index % 3)
        assert set(item) == {"key"} | {item_name(m.name) for layer in DEFAULT_LAYERS for m in members(layer)}
        assert item["key"] == item["clip"]["key"] == sample["clip.json"]["key"]
        for name, value in sample.items():
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(item[item_name(name)], value)
                assert item[item_name(name)].flags.writeable
        np.testing.assert_array_equal(item["rgb"], decode_mp4_bytes(sample["rgb.mp4"])[0])
        assert item["rgb"].shape == (6 + index, 48, 64, 3)
        assert item["objects_glb"] == sample["objects.glb"]


def test_the_public_face_loads_and_filters(pristine: Path) -> None:
    clips = hoiset.load_dataset(
        str(pristine), "v2", split=None, verb="lift", object="mug", grasp="right", format="numpy"
    )
    assert clips.keys == ["clip_01", "clip_04"]
    assert hoiset.open_index(pristine).num_rows == 5
    assert len(hoiset.load_dataset(pristine, verb="juggle", format="numpy")) == 0
    assert hoiset.load_dataset(pristine, split="validation", format="numpy").keys == ["clip_03"]


def test_video_can_stay_encoded(pristine: Path) -> None:
    clips = load_dataset(pristine, layers=("video",), format="numpy", decode_video=False)
    assert clips[0]["rgb"] == make_sample("clip_00", 0, 6, 0)["rgb.mp4"]
    assert set(clips[0]) == {"key", "rgb"}


def test_only_the_members_asked_for_are_read(dataset: Path) -> None:
    (dataset / "data/v2/video/train-00000.tar").unlink()
    clips = load_dataset(dataset, members=("hand_joints", "time.npy", "clip"), format="numpy")
    assert list(clips[0]) == ["key", "hand_joints", "time", "clip"]
    with pytest.raises(DatasetError, match=r"no data/v2/video/train-00000.tar; is its layer downloaded"):
        load_dataset(dataset, layers=("core", "video"), format="numpy")
    only_mine = load_dataset(dataset, layers=("core", "video"), members=("time",), format="numpy")
    assert list(only_mine[0]) == ["key", "time"]


def test_indices_behave_like_a_list(pristine: Path) -> None:
    clips = load_dataset(pristine, members=("time",), format="numpy")
    assert clips[-1]["key"] == clips[3]["key"] == clips[np.int64(3)]["key"] == "clip_04"
    for index in (4, -5):
        with pytest.raises(IndexError):
            clips[index]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"version": "v9"}, "no version 'v9'.*versions there: v2"),
        ({"split": "test"}, "no split 'test'; splits there: train, validation"),
        ({"split": "dev"}, "splits there: train, validation"),
        ({"layers": ("core", "depth")}, "no layer 'depth'; layers there: core, video"),
        ({"members": ("rgb",)}, "no member 'rgb' in layers core; members there: clip, contact"),
        ({"format": "jax"}, "expected 'torch' or 'numpy'"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(pristine: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load_dataset(pristine, **{"format": "numpy", **arguments})


def test_unknown_filters_and_directories_are_named(pristine: Path, tmp_path: Path) -> None:
    with pytest.raises(FilterError, match="unknown filter 'colour'"):
        load_dataset(pristine, format="numpy", colour="red")
    with pytest.raises(DatasetError, match="versions there: none"):
        load_dataset(tmp_path / "nowhere", format="numpy")


def test_a_damaged_shard_is_an_error_not_a_wrong_array(dataset: Path) -> None:
    path = dataset / "data/v2/core/train-00000.tar"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DatasetError, match="hoiset verify"):
        load_dataset(dataset, members=("time",), format="numpy")[0]


def test_an_index_that_leads_out_is_refused(dataset: Path) -> None:
    table = read_index(dataset, "v2")
    rows = table.to_pylist()
    for row in rows:
        for member in row["members"]:
            member["shard"] = "../../../etc/passwd"
    pq.write_table(type(table).from_pylist(rows, schema=table.schema), dataset / "index/v2.parquet")
    with pytest.raises(DatasetError, match="do not trust"):
        load_dataset(dataset, format="numpy")


def test_torch_is_optional(pristine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_module, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"hoiset\[torch\]"):
        load_dataset(pristine)
    assert len(load_dataset(pristine, format="numpy")) == 4


def test_tensors_and_data_loader_workers(pristine: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs hoiset[torch]")
    clips = load_dataset(pristine, layers=("core", "video"))
    here = [clips[i] for i in range(len(clips))]
    assert here[0]["hand_joints"].dtype == torch.float32
    assert here[0]["rgb"].dtype == torch.uint8
    again = pickle.loads(pickle.dumps(clips))
    assert isinstance(again, ClipDataset)
    loader = torch.utils.data.DataLoader(again, batch_size=2, num_workers=2, collate_fn=hoiset.collate)
    batches = list(loader)
    assert [k for b in batches for k in b["key"]] == clips.keys
    for batch, items in zip(batches, (here[:2], here[2:]), strict=True):
        for row, item in enumerate(items):
            n = len(item["time"])
            assert batch["mask"][row].sum() == n
            for name in ("hand_joints", "rgb", "object_state"):
                torch.testing.assert_close(batch[name][row, :n], item[name], equal_nan=True)


def test_a_query_chooses_the_clips(pristine: Path) -> None:
    query = 'verb = "lifted" and object ~ "mugs" and grasp = "right"'
    expected = hoiset.load_dataset(pristine, split=None, verb="lift", object="mug", grasp="right", format="numpy").keys
    assert expected == ["clip_01", "clip_04"]
    assert hoiset.load_dataset(pristine, split=None, where=query, format="numpy").keys == expected
    assert (
        hoiset.load_dataset(pristine, split=None, where="n_objects > 0", verb="lift", format="numpy").keys == expected
    )
    expression = (pc.field("verb") == "lift") & (pc.field("n_objects") > 0)
    assert hoiset.load_dataset(pristine, split=None, where=expression, format="numpy").keys == expected
    assert hoiset.load_dataset(pristine, where=expression, format="numpy").keys == ["clip_01", "clip_04"]
    with pytest.raises(QueryError, match="unknown field 'vreb'"):
        hoiset.load_dataset(pristine, where='vreb = "lift"', format="numpy")
