from __future__ import annotations

import random
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hoiset.builder.sources.action100m.reading import Row, find_tables, read_rows
from hoiset.errors import SourceError
from tests.builder.sources.action100m.corpus import (
    pouring,
    row,
    uid_of,
    wrapped,
    write_json,
    write_parquet,
)


def read(address: str | Path) -> list[Row]:
    return [found for table in find_tables(address) for found in read_rows(table)]


def test_the_published_rows(shared_data: Path) -> None:
    rows = read(shared_data / "action100m" / "examples.parquet")
    assert [r.where for r in rows] == [f"examples.parquet, row {i}" for i in range(1, 11)]
    assert (rows[0].uid, rows[0].duration_s, len(rows[0].nodes)) == ("8JOpXDtraZI", 219, 355)
    assert set(rows[0].nodes[0]) == {"node_id", "parent_id", "start", "end", "gpt"}
    assert set(rows[0].nodes[0]["gpt"]["summary"]) == {"brief"}


def test_both_forms_say_the_same(shared_data: Path) -> None:
    folder = shared_data / "action100m"
    (parquet,) = [r for r in read(folder / "examples.parquet") if r.uid == "hySSAAw4t24"]
    (json,) = read(folder / "hySSAAw4t24.json")
    assert (json.where, json.uid, json.duration_s) == ("hySSAAw4t24.json, row 1", parquet.uid, parquet.duration_s)
    assert len(json.nodes) == len(parquet.nodes) == 917
    for a, b in zip(parquet.nodes, json.nodes, strict=True):
        assert a == {**{k: b[k] for k in a}, "gpt": a["gpt"]}
        assert (a["gpt"] is None) == (b["gpt"] is None)
        assert a["gpt"] is None or a["gpt"]["action"] == b["gpt"]["action"]


def test_files_are_read_by_name_and_hidden_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / ".cache").mkdir()
    write_parquet(tmp_path / "data" / "b.parquet", [[pouring(uid_of(2))], [pouring(uid_of(3))]])
    write_parquet(tmp_path / "data" / "a.parquet", [[pouring(uid_of(1))]])
    write_json(tmp_path / ".cache" / "x.json", {})
    write_json(tmp_path / ".x.json", {})
    (tmp_path / "README.md").write_text("")
    assert [(r.where, r.uid) for r in read(tmp_path)] == [
        ("data/a.parquet, row 1", uid_of(1)),
        ("data/b.parquet, row 1", uid_of(2)),
        ("data/b.parquet, row 2", uid_of(3)),
    ]


def test_json_of_one_video_wrapped_or_not_and_of_several(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", pouring(uid_of(1)))
    write_json(tmp_path / "b.json", wrapped(pouring(uid_of(2))))
    two = [pouring(uid_of(3)), pouring(uid_of(4))]
    write_json(tmp_path / "c.json", {**{name: [r[name] for r in two] for name in two[0]}, "metadata": [None]})
    rows = read(tmp_path)
    assert [(r.uid, len(r.nodes), r.problem) for r in rows] == [(uid_of(i), 2, "") for i in (1, 2, 3, 4)]
    assert [r.duration_s for r in rows] == [10, 10, None, None]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("\xff", "no object"),
        ("[]", "no object"),
        ("{}", "no object"),
        ('{"video_uid": "x"}', "no object"),
    ],
)
def test_json_that_is_no_video_is_one_row_with_a_problem(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "a.json").write_text('"\xff"' if text == "\xff" else text, encoding="utf-8")
    (found,) = read(tmp_path)
    assert problem in found.problem


def test_json_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\xff")
    (found,) = read(tmp_path)
    assert "not JSON" in found.problem


def test_other_types_come_through_as_they_are(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([pouring("1")]).set_column(0, "video_uid", pa.array([7]))
    pq.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path)[0].uid == 7


def test_null_columns(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [[row(None, None), {"video_uid": "x"}]])
    assert [(r.uid, r.nodes, r.duration_s) for r in read(tmp_path)] == [(None, None, 60), ("x", None, None)]


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda p: p.write_bytes(b"PAR1 not"), "cannot be read"),
        (lambda p: pq.write_table(pa.table({"video_uid": ["a"], "nodes": [1]}), p), "no column nodes.node_id"),
        (lambda p: pq.write_table(pa.table({"a.b": [1]}), p), "no column video_uid"),
    ],
)
def test_a_file_that_is_none_of_it_is_an_error(tmp_path: Path, write: Any, message: str) -> None:
    write(tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=message):
        read(tmp_path)


def test_a_file_that_breaks_off_is_an_error_and_not_an_end(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [[pouring(uid_of(i), 40)] for i in range(4)])
    whole = bytearray(path.read_bytes())
    second = pq.ParquetFile(path).metadata.row_group(2).column(0)
    whole[second.data_page_offset : second.data_page_offset + 200] = bytes(200)
    path.write_bytes(whole)
    rows = read_rows(find_tables(path)[0])
    assert [next(rows).uid, next(rows).uid] == [uid_of(0), uid_of(1)]
    with pytest.raises(SourceError, match="cannot be read"):
        next(rows)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nowhere", "nothing at"),
        ("nowhere.parquet", "nothing at"),
        ("nonsense://x/y", "cannot be listed"),
    ],
)
def test_an_address_without_anything(tmp_path: Path, address: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        find_tables(address if "://" in address else tmp_path / address)


def test_a_directory_without_tables(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("")
    with pytest.raises(SourceError, match=r"no \.parquet or \.json"):
        find_tables(tmp_path)


def test_other_file_systems(tmp_path: Path) -> None:
    import fsspec

    path = write_parquet(tmp_path / "a.parquet", [[pouring(uid_of(1))]])
    memory = fsspec.filesystem("memory")
    try:
        memory.pipe_file("/corpus/data/a.parquet", path.read_bytes())
        (found,) = read("memory://corpus")
        assert (found.where, found.uid) == ("data/a.parquet, row 1", uid_of(1))
    finally:
        memory.rm("/corpus", recursive=True)


def _peak(path: Path) -> tuple[int, int]:
    """Bytes that Python and arrow hold at most while the rows go by."""
    base = pa.total_allocated_bytes()
    arrow = 0
    tracemalloc.start()
    try:
        for table in find_tables(path):
            for _ in read_rows(table):
                arrow = max(arrow, pa.total_allocated_bytes() - base)
        return tracemalloc.get_traced_memory()[1], arrow
    finally:
        tracemalloc.stop()


def test_large_row_groups_are_read_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_parquet(
        tmp_path / "a.parquet", [[pouring(uid_of(10 * g + i), i) for i in range(10)] for g in range(3)]
    )
    at_once = read(path)
    monkeypatch.setattr("hoiset.builder.sources.action100m.reading._GROUP_BYTES", 0)
    assert read(path) == at_once
    assert [r.uid for r in at_once] == [uid_of(i) for i in range(30)]


@pytest.mark.parametrize("page_by_page", [False, True])
@pytest.mark.parametrize("one_group", [False, True], ids=["many row groups", "one row group"])
def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, one_group: bool, page_by_page: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page_by_page:
        monkeypatch.setattr("hoiset.builder.sources.action100m.reading._GROUP_BYTES", 0)
    draw = random.Random(0)
    peaks = {}
    for n in (40, 320):
        rows = [pouring(uid_of(i), 4, draw.randbytes(2000).hex()) for i in range(n)]
        groups = [rows] if one_group else [rows[i : i + 8] for i in range(0, n, 8)]
        peaks[n] = _peak(write_parquet(tmp_path / f"{n}.parquet", groups))
    footer = pq.ParquetFile(tmp_path / "320.parquet").metadata.serialized_size
    assert peaks[320][0] < 1.5 * peaks[40][0] + (1 << 17) + 2 * footer
    assert peaks[320][1] < 1.5 * peaks[40][1] + (1 << 20) + 2 * footer
    assert (tmp_path / "320.parquet").stat().st_size > 2 << 20
