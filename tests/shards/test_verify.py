import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hoiset.cards import finish_version
from hoiset.errors import DatasetError
from hoiset.shards.index import read_index
from hoiset.shards.manifest import digest
from hoiset.shards.verify import VerifyReport, verify_dataset
from hoiset.shards.writer import UnitWriter
from tests.factories import make_recipe, make_sample
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine

CORE = "data/v2/core/train-00000.tar"
VIDEO = "data/v2/video/train-00000.tar"


def verify(root: Path) -> VerifyReport:
    return verify_dataset(root, processes=1)


def member(root: Path, key: str, name: str) -> dict[str, Any]:
    (row,) = [r for r in read_index(root, "v2").to_pylist() if r["key"] == key]
    return next(m for m in row["members"] if m["member"] == name)


def overwrite(root: Path, key: str, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a member in place, keeping its size."""
    span = member(root, key, name)
    path = root / span["shard"]
    data = bytearray(path.read_bytes())
    old = bytes(data[span["offset"] : span["offset"] + span["size"]])
    new = change(old)
    assert len(new) == len(old)
    data[span["offset"] : span["offset"] + span["size"]] = new
    path.write_bytes(data)


def bless(root: Path) -> None:
    """Make the manifest agree with the files, so that only their content can give a problem away."""
    path = root / "manifest/v2.json"
    manifest = json.loads(path.read_text())
    for entry in manifest["files"]:
        entry |= digest(root / entry["path"])
    path.write_text(json.dumps(manifest))


def finish(root: Path, samples: list[tuple[str, dict[str, Any]]]) -> Path:
    """A dataset of one unit a (partition, sample)."""
    shards, rows = [], []
    for i, (partition, sample) in enumerate(samples):
        with UnitWriter(root, "v2", partition, i) as unit:
            unit.add(sample)
        shards += unit.records
        rows += unit.rows
    finish_version(root, "v2", shards=shards, rows=rows, recipe=make_recipe())
    return root


def test_a_built_dataset_is_whole(pristine: Path) -> None:
    report = verify_dataset(pristine, processes=2)
    assert report.ok
    assert report.problems == ()
    assert (report.versions, report.n_files, report.n_samples) == (("v2",), 10, 5)
    assert report.n_frames == 6 + 7 + 8 + 9 + 10
    assert report == verify(pristine)


def test_problems_come_in_one_order_whoever_looks(dataset: Path) -> None:
    for path in dataset.glob("data/v2/*/*.tar"):
        data = bytearray(path.read_bytes())
        data[2000] ^= 1
        path.write_bytes(data)
    alone = verify(dataset)
    assert len(alone.problems) >= 6
    assert verify_dataset(dataset, processes=3) == alone


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_flipped_byte_is_found(dataset: Path, data: st.DataObject) -> None:
    files = sorted(p for p in dataset.rglob("*") if p.suffix in (".tar", ".parquet", ".png"))
    path = data.draw(st.sampled_from(files))
    original = path.read_bytes()
    position = data.draw(st.integers(0, len(original) - 1))
    damaged = bytearray(original)
    damaged[position] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged)
    try:
        assert path.relative_to(dataset).as_posix() in {p.file for p in verify(dataset).problems}
    finally:
        path.write_bytes(original)


def test_text_in_the_index_that_is_none_is_found(dataset: Path) -> None:
    path = dataset / "index/v2.parquet"
    table = pq.read_table(path)
    broken = pa.array([b"\xff\xfe" * 4] * table.num_rows, pa.binary()).view(pa.string())
    pq.write_table(table.set_column(table.schema.get_field_index("key"), "key", broken), path)
    bless(dataset)
    assert "index/v2.parquet" in {p.file for p in verify(dataset).problems}


@pytest.mark.parametrize("name", ["clip.json", "time.npy"])
@pytest.mark.parametrize("agree", [False, True])
def test_a_cut_at_a_member_boundary_is_found(dataset: Path, name: str, agree: bool) -> None:
    span = member(dataset, "clip_01", name)
    path = dataset / CORE
    path.write_bytes(path.read_bytes()[: span["offset"] - 512])
    if agree:
        bless(dataset)
    assert CORE in {p.file for p in verify(dataset).problems}


@pytest.mark.parametrize("path", [CORE, VIDEO, "index/v2.parquet", "figures/v2-overview.png"])
def test_a_missing_file_is_found(dataset: Path, path: str) -> None:
    (dataset / path).unlink()
    report = verify(dataset)
    assert path in {p.file for p in report.problems}
    assert not report.ok


def test_a_file_too_many_is_found(dataset: Path) -> None:
    (dataset / "data/v2/core/train-00009.tar").write_bytes((dataset / CORE).read_bytes())
    assert [p.file for p in verify(dataset).problems] == ["data/v2/core/train-00009.tar"]


def test_swapped_arrays_are_found_although_the_digests_agree(dataset: Path) -> None:
    spans = [member(dataset, "clip_01", name) for name in ("object_source.npy", "object_state.npy")]
    path = dataset / CORE
    data = path.read_bytes()
    a, b = (data[s["offset"] : s["offset"] + s["size"]] for s in spans)
    overwrite(dataset, "clip_01", "object_source.npy", lambda _: b)
    overwrite(dataset, "clip_01", "object_state.npy", lambda _: a)
    bless(dataset)
    assert "clip_01" in {p.key for p in verify(dataset).problems}


def test_swapped_videos_are_found_although_the_digests_agree(dataset: Path) -> None:
    data = (dataset / VIDEO).read_bytes().replace(b"clip_00.", b"clip_xx.")
    (dataset / VIDEO).write_bytes(data.replace(b"clip_01.", b"clip_00.").replace(b"clip_xx.", b"clip_01."))
    bless(dataset)
    assert VIDEO in {p.file for p in verify(dataset).problems}


ARRAYS: dict[str, tuple[str, Any, Any]] = {
    "a NaN outside its marks": ("hand_joints.npy.gz", (0, 1), np.nan),
    "a value where absent": ("hand_joints.npy.gz", (0, 0), 1.0),
    "a stretched pose": ("object_pose.npy.gz", (0, 0, 0, 0), 1.1),
    "time backwards": ("time.npy", slice(None), np.linspace(1, 0, 7)),
    "joints that do not reproject": ("hand_joints_2d.npy.gz", (slice(None), 1), np.arange(42.0).reshape(21, 2)),
    "an unknown code": ("object_state.npy", (0, 0), 77),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_wrong_values_are_found_although_the_digests_agree(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, index, value = ARRAYS[name]
    wrong = make_sample("clip_01", n_frames=7)
    wrong[file][index] = value
    monkeypatch.setattr("hoiset.shards.writer.validate_sample", lambda *_, **__: None)
    problems = verify(finish(tmp_path, [("train", make_sample("clip_00")), ("train", wrong)])).problems
    assert {(p.file, p.key) for p in problems} == {("data/v2/core/train-00001.tar", "clip_01")}
    assert any(file.partition(".")[0].removesuffix("_2d") in p.what for p in problems)


def test_a_packed_member_of_which_a_byte_changed_is_found(dataset: Path) -> None:
    overwrite(dataset, "clip_01", "hand_joints.npy.gz", lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:])
    bless(dataset)
    (problem,) = verify(dataset).problems
    assert (problem.file, problem.key) == (CORE, "clip_01")
    assert "gzip" in problem.what


def test_a_video_of_another_length_is_found(tmp_path: Path) -> None:
    sample = {**make_sample("a"), "rgb.mp4": make_sample("a", n_frames=5)["rgb.mp4"]}
    problems = verify(finish(tmp_path, [("train", sample)])).problems
    assert [p.what for p in problems] == ["rgb.mp4: found 5 frames, expected 8, as time.npy"]


def test_meshes_that_do_not_match_are_found(tmp_path: Path) -> None:
    sample = {**make_sample("a"), "objects.glb": make_sample("a", n_objects=2)["objects.glb"]}
    problems = verify(finish(tmp_path, [("train", sample)])).problems
    assert [p.what for p in problems] == ["objects.glb: found 2 meshes, expected 1, as clip.json's objects"]


def test_a_source_video_in_two_partitions_is_found(tmp_path: Path) -> None:
    a, b = make_sample("a"), make_sample("b")
    b["clip.json"]["source"]["uid"] = a["clip.json"]["source"]["uid"]
    problems = verify(finish(tmp_path, [("train", a), ("test", b)])).problems
    assert len(problems) == 1
    assert "another partition" in problems[0].what


def test_a_key_in_two_shards_is_found(tmp_path: Path) -> None:
    root = finish(tmp_path / "1", [("train", make_sample("a"))])
    for layer in ("core", "video"):
        twin = root / f"data/v2/{layer}/train-00001.tar"
        twin.write_bytes((root / f"data/v2/{layer}/train-00000.tar").read_bytes())
    path = root / "manifest/v2.json"
    manifest = json.loads(path.read_text())
    manifest["files"] += [
        {**f, "path": f["path"].replace("00000", "00001")} for f in manifest["files"] if f["path"].endswith(".tar")
    ]
    path.write_text(json.dumps(manifest))
    assert any("expected unique keys" in p.what for p in verify(root).problems)


@pytest.mark.parametrize("column", ["verb", "quality", "n_frames", "grasps", "partition"])
def test_an_index_that_says_otherwise_is_found(dataset: Path, column: str) -> None:
    table = read_index(dataset, "v2")
    i = table.column_names.index(column)
    pq.write_table(table.set_column(i, table.schema.field(i), table[column][::-1]), dataset / "index/v2.parquet")
    bless(dataset)
    expected = table[column].to_pylist() != table[column].to_pylist()[::-1]
    assert bool(verify(dataset).problems) == expected


def test_an_index_with_wrong_offsets_is_found(dataset: Path) -> None:
    rows = read_index(dataset, "v2").to_pylist()
    rows[0]["members"][3]["offset"] += 512
    pq.write_table(pa.Table.from_pylist(rows, schema=read_index(dataset, "v2").schema), dataset / "index/v2.parquet")
    bless(dataset)
    assert [(p.file, p.key) for p in verify(dataset).problems] == [("index/v2.parquet", "clip_00")]


def test_an_index_that_lacks_a_row_is_found(dataset: Path) -> None:
    pq.write_table(read_index(dataset, "v2").slice(1), dataset / "index/v2.parquet")
    bless(dataset)
    assert [(p.key, p.what) for p in verify(dataset).problems] == [("clip_00", "no row of this sample")]


def test_a_row_twice_is_found(dataset: Path) -> None:
    table = read_index(dataset, "v2")
    pq.write_table(pa.concat_tables([table, table.slice(4)]), dataset / "index/v2.parquet")
    bless(dataset)
    assert [(p.key, p.what) for p in verify(dataset).problems] == [("clip_04", "found the key twice")]


def test_a_manifest_that_leads_out_is_a_problem(dataset: Path) -> None:
    path = dataset / "manifest/v2.json"
    manifest = json.loads(path.read_text())
    manifest["files"][0]["path"] = "../../etc/passwd"
    path.write_text(json.dumps(manifest))
    assert any("do not trust" in p.what for p in verify(dataset).problems)


def test_the_recipe_sets_the_bound(dataset: Path) -> None:
    path = dataset / "manifest/v2.json"
    manifest = json.loads(path.read_text())
    manifest["recipe"]["verify"]["reprojection_share"] = 1e-9
    path.write_text(json.dumps(manifest))
    assert any("hand_joints_2d" in p.what for p in verify(dataset).problems)
    manifest["recipe"]["verify"]["reprojection_share"] = "much"
    path.write_text(json.dumps(manifest))
    with pytest.raises(DatasetError, match="positive number"):
        verify(dataset)


def test_what_is_no_dataset_is_refused(tmp_path: Path, pristine: Path) -> None:
    with pytest.raises(DatasetError, match="hoiset build"):
        verify_dataset(tmp_path)
    with pytest.raises(DatasetError, match="versions there: v2"):
        verify_dataset(pristine, "v9")
