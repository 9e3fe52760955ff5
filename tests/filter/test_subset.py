from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hoiset.errors import DatasetError
from hoiset.filter import ClipIndex, parse, select_index
from hoiset.filter import subset as subset_module
from hoiset.filter.subset import write_dataset, write_keys, write_selected_index
from hoiset.loaders import load_dataset
from hoiset.shards.index import index_schema, read_index, write_index
from hoiset.shards.manifest import digest
from hoiset.shards.reader import iter_tar
from hoiset.shards.schema import DEFAULT_LAYERS
from hoiset.shards.verify import verify_dataset
from hoiset.shards.writer import EncodedSample, UnitWriter
from tests.factories import make_sample
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine

QUERY = 'verb in ("lift", "pour") or key = "clip_03"'
KEYS = ["clip_01", "clip_02", "clip_03", "clip_04"]


def members_of(root: Path) -> dict[tuple[str, str, str], bytes]:
    tars = sorted((root / "data").rglob("*.tar"))
    return {(p.parent.name, item.key, item.member): item.data for p in tars for item in iter_tar(p)}


def files_of(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_a_dataset_of_some_clips_is_whole(pristine: Path, tmp_path: Path) -> None:
    out = tmp_path / "some"
    assert write_dataset(pristine, "v2", parse(QUERY), out) == 4
    report = verify_dataset(out)
    assert (report.problems, report.n_samples) == ((), 4)
    index = read_index(out, "v2")
    assert index["key"].to_pylist() == KEYS
    before = select_index(pristine, QUERY)
    assert index.drop_columns("members").equals(before.drop_columns("members"))
    source = members_of(pristine)
    assert members_of(out) == {name: data for name, data in source.items() if name[1] in KEYS}
    assert sorted(p.name for p in (out / "data" / "v2" / "core").iterdir()) == [
        "train-00000.tar", "train-00001.tar", "validation-00000.tar",
    ]  # fmt: skip
    assert load_dataset(out, split="validation", format="numpy").keys == ["clip_03"]
    assert not [p for p in out.rglob(".*")]


def test_where_it_comes_from_is_on_record(pristine: Path, tmp_path: Path) -> None:
    write_dataset(pristine, "v2", parse(QUERY), tmp_path / "some")
    first = json.loads((tmp_path / "some" / "manifest" / "v2.json").read_text())["selection"]
    sha256 = digest(pristine / "manifest" / "v2.json")["sha256"]
    assert first == {"query": QUERY, "manifest_sha256": sha256, "clips": 5}
    card = (tmp_path / "some" / "README.md").read_text()
    assert QUERY in card
    assert sha256 in card
    write_dataset(tmp_path / "some", "v2", parse(object="mug"), tmp_path / "fewer")
    second = json.loads((tmp_path / "fewer" / "manifest" / "v2.json").read_text())["selection"]
    assert (second["query"], second["clips"], second["of"]) == ('object ~ "mug"', 4, first)
    assert verify_dataset(tmp_path / "fewer").ok
    assert "selection" not in json.loads((pristine / "manifest" / "v2.json").read_text())


def test_equal_questions_give_equal_bytes(pristine: Path, tmp_path: Path) -> None:
    write_dataset(pristine, "v2", parse(QUERY), tmp_path / "a")
    (tmp_path / "b").mkdir()
    write_dataset(pristine, "v2", parse(QUERY), tmp_path / "b")
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    write_dataset(pristine, "v2", parse(), tmp_path / "all")
    shards = {name: data for name, data in files_of(tmp_path / "all").items() if name.endswith((".tar", ".parquet"))}
    assert shards == {name: data for name, data in files_of(pristine).items() if name in shards}


def test_only_a_place_of_its_own_is_written_to(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    for out, message in (
        (tmp_path / "full", "not empty"),
        (tmp_path / "full" / "x", "not empty"),
        (dataset, "apart from the dataset"),
        (dataset / "sub", "apart from the dataset"),
        (dataset.parent, "apart from the dataset"),
    ):
        with pytest.raises(DatasetError, match=message):
            write_dataset(dataset, "v2", parse(), out)
    with pytest.raises(DatasetError, match="no clip of"):
        write_dataset(dataset, "v2", parse("false"), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_missing_shard_leaves_nothing(dataset: Path, tmp_path: Path) -> None:
    (dataset / "data" / "v2" / "video" / "train-00001.tar").unlink()
    with pytest.raises(DatasetError, match="is its layer downloaded"):
        write_dataset(dataset, "v2", parse(), tmp_path / "out")
    assert not [p for p in tmp_path.iterdir() if "out" in p.name]


KILLED = """
import os, sys
from pathlib import Path
from hoiset.filter import parse, subset
from hoiset.cards import finish
kind, root, out = sys.argv[1:]
real = subset.UnitWriter.add_encoded
calls = []
def add(self, sample):
    calls.append(1)
    if kind == "copy" and len(calls) == 3:
        os.kill(os.getpid(), 9)
    real(self, sample)
subset.UnitWriter.add_encoded = add
if kind != "copy":
    setattr(finish, kind, lambda *a, **k: os.kill(os.getpid(), 9))
subset.write_dataset(Path(root), "v2", parse(), Path(out))
"""


@pytest.mark.parametrize("moment", ["copy", "write_index", "write_manifest", "write_card"])
def test_a_kill_leaves_no_dataset_and_the_next_attempt_succeeds(pristine: Path, tmp_path: Path, moment: str) -> None:
    out = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", KILLED, moment, pristine, out], capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    assert not out.exists()
    left = tmp_path / ".out.partial"
    assert left.exists()
    if moment == "write_card":
        assert not verify_dataset(left).ok
    else:
        with pytest.raises(DatasetError):
            verify_dataset(left)
    assert write_dataset(pristine, "v2", parse(), out) == 5
    assert verify_dataset(out).ok
    assert not left.exists()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [("key", "../../x", "do not trust"), ("member", "x.sh", "expected one of the schema"), ("layer", "..", "layers")],
)
def test_names_in_an_index_are_not_trusted(
    dataset: Path, tmp_path: Path, column: str, value: str, message: str
) -> None:
    rows = read_index(dataset, "v2").to_pylist()
    for row in rows:
        if column == "key":
            row["key"] = value
        for span in row["members"]:
            span[column] = value if column != "key" else span.get(column)
            span.pop("key", None)
    path = dataset / "index" / "v2.parquet"
    pq.write_table(read_index(dataset, "v2").schema.empty_table().from_pylist(rows, schema=index_schema()), path)
    with pytest.raises(DatasetError, match=message):
        write_dataset(dataset, "v2", parse(), tmp_path / "out")


def test_keys_and_an_index_are_files(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, query = ClipIndex.open(pristine), parse(QUERY)
    assert write_keys(index, query, tmp_path / "keys.txt") == 4
    assert (tmp_path / "keys.txt").read_text().split() == KEYS
    assert write_selected_index(index, query, tmp_path / "some.parquet") == 4
    assert select_index(tmp_path / "some.parquet").equals(select_index(pristine, QUERY))
    assert write_selected_index(index, parse("false"), tmp_path / "none.parquet") == 0
    assert select_index(tmp_path / "none.parquet").num_rows == 0
    monkeypatch.setattr(subset_module, "GROUP_ROWS", 3)
    write_selected_index(index, parse(), tmp_path / "all.parquet")
    metadata = pq.read_metadata(tmp_path / "all.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [3, 2]


def test_copying_holds_one_sample_at_a_time(tmp_path: Path) -> None:
    big = os.urandom(1 << 21)
    with UnitWriter(tmp_path / "in", "v2", "train", 0) as unit:
        for i in range(20):
            small = EncodedSample.of(make_sample(f"clip_{i:02d}"), DEFAULT_LAYERS, "train")
            unit.add_encoded(EncodedSample(small.key, {**small.layers, "video": {"rgb.mp4": big}}, small.row))
    index = ClipIndex(write_index(tmp_path / "in", "v2", unit.rows))
    tracemalloc.start()
    subset_module._copy(tmp_path / "in", "v2", index, parse(), "train", 20, tmp_path / "out")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(big)
    copied = tmp_path / "out" / "data" / "v2" / "video" / "train-00000.tar"
    assert copied.read_bytes() == (tmp_path / "in" / "data" / "v2" / "video" / "train-00000.tar").read_bytes()
