import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from hoiset.errors import DatasetError, SchemaError
from hoiset.shards import index, tables
from hoiset.shards.index import index_row, index_schema, list_versions, read_index, write_index
from hoiset.shards.schema import HandSource, ObjectSource, ObjectState
from tests.factories import FPS, make_sample


def row(key: str, **kwargs: object) -> dict[str, object]:
    sample = make_sample(key, **kwargs)
    return {**index_row(sample, "train"), "members": []}


def test_row_says_what_is_in_the_clip() -> None:
    r = index_row(make_sample("a", n_frames=10, n_objects=2), "test")
    assert (r["key"], r["partition"], r["uid"], r["licence"]) == ("a", "test", "a.mp4", "CC0-1.0")
    assert (r["n_frames"], r["width"], r["height"]) == (10, 64, 48)
    assert (r["duration_s"], r["fps"]) == pytest.approx((10 / FPS, FPS))
    assert (r["verb"], r["nouns"], r["labels"]) == ("push", ["plate"], ["paper plate", "mug"])
    assert (r["n_objects"], r["n_manipulated"]) == (2, 1)
    assert (r["states"], r["grasps"]) == (["static", "grasped_right"], ["right"])
    assert (r["quality"], r["hand_infilled_ratio"], r["object_mask_iou"]) == (0.5, 0.25, None)
    assert json.loads(json.dumps(r)) == r
    assert set(r) | {"members"} == set(index_schema().names)


@pytest.mark.parametrize(
    ("states", "grasps"),
    [
        ((ObjectState.STATIC, ObjectState.MOVING), []),
        ((ObjectState.GRASPED_LEFT,), ["left"]),
        ((ObjectState.GRASPED_LEFT, ObjectState.GRASPED_RIGHT), ["left", "right"]),
        ((ObjectState.GRASPED_BOTH,), ["left", "right", "both"]),
    ],
)
def test_grasps_follow_the_states(states: tuple[ObjectState, ...], grasps: list[str]) -> None:
    sample = make_sample("a", n_frames=4)
    sample["object_state.npy"][:, 0] = np.resize(states, 4)
    r = index_row(sample, "train")
    assert r["grasps"] == grasps
    assert r["states"] == [s.name.lower() for s in sorted(states)]


def test_a_clip_of_one_frame_has_no_rate() -> None:
    r = index_row(make_sample("a", n_frames=1), "train")
    assert (r["fps"], r["duration_s"]) == (None, 0.0)


def test_bytes_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    rows = [row(k, seed=i, n_objects=i) for i, k in enumerate("cab")]
    a = write_index(tmp_path / "1", "v2", rows).read_bytes()
    b = write_index(tmp_path / "2", "v2", reversed(json.loads(json.dumps(rows)))).read_bytes()
    assert a == b
    table = read_index(tmp_path / "1", "v2")
    assert table.schema.equals(index_schema())
    assert table["key"].to_pylist() == ["a", "b", "c"]
    assert table.sort_by("key").to_pylist() == sorted(rows, key=lambda r: str(r["key"]))
    assert read_index(tmp_path / "1", "v2", ["key", "verb"]).column_names == ["key", "verb"]


def test_an_index_without_rows_has_its_columns(tmp_path: Path) -> None:
    write_index(tmp_path, "v2", [])
    assert read_index(tmp_path, "v2").schema.equals(index_schema())


def test_bad_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="'a' twice"):
        write_index(tmp_path, "v2", [row("a"), row("a")])
    with pytest.raises(SchemaError, match="differs in extra"):
        write_index(tmp_path, "v2", [{**row("a"), "extra": 1}])
    assert list_versions(tmp_path) == []


def test_missing_and_damaged_indexes_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="versions there: none"):
        read_index(tmp_path, "v2")
    path = write_index(tmp_path, "demo", [row("a")])
    with pytest.raises(DatasetError, match=r"no version 'v2'.*versions there: demo"):
        read_index(tmp_path, "v2")
    with pytest.raises(DatasetError, match=r"no version '\.\./index/demo'"):
        read_index(tmp_path, "../index/demo")
    pq.write_table(pq.read_table(path).drop_columns("verb"), path)
    with pytest.raises(DatasetError, match="build it again"):
        read_index(tmp_path, "demo")
    path.write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match="not a readable index"):
        read_index(tmp_path, "demo")


def test_sources_are_not_states() -> None:
    sample = make_sample("a", n_frames=4)
    sample["object_source.npy"][:, 0] = ObjectSource.INFILLED
    sample["hand_source.npy"][:, 1] = HandSource.INFILLED
    assert index_row(sample, "train")["states"] == ["grasped_right"]


def test_row_groups_are_filled_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(f"k{i}") for i in range(7)]
    whole = write_index(tmp_path / "whole", "v2", rows)
    monkeypatch.setattr(tables, "ROW_GROUP", 2)
    monkeypatch.setattr(index, "GROUP_ROWS", 4)
    path = write_index(tmp_path / "parts", "v2", rows)
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [4, 3]
    assert read_index(tmp_path / "parts", "v2").equals(pq.read_table(whole))


def test_what_is_asked_of_the_index_is_written_as_dictionaries(tmp_path: Path) -> None:
    path = write_index(tmp_path, "v2", [row("a")])
    group = pq.read_metadata(path).row_group(0)
    columns = {c.path_in_schema: c for c in map(group.column, range(group.num_columns))}
    assert set(index.encoded_columns()) <= {name for name, c in columns.items() if c.has_dictionary_page}
    assert not columns["key"].has_dictionary_page
    assert {columns["verb"].compression, columns["quality"].compression} == {"LZ4"}
    assert columns["members.list.element.shard"].compression == "ZSTD"
