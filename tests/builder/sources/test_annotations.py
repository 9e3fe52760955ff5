from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hoiset.builder.sources.annotations import Annotation, read_annotations
from hoiset.errors import SourceError

ROW = {
    "file": "a.mp4",
    "action_brief": "Push the plate",
    "objects": ["plate", "red box"],
    "summary": "Someone pushes, slowly",
    "start_s": 1.5,
    "end_s": 4.0,
    "focal_px": 800.0,
    "licence": "CC-BY-4.0",
    "url": "https://example.org/a",
    "note": 3,
}
WANT = Annotation(
    number=1,
    file="a.mp4",
    action="Push the plate",
    objects=("plate", "red box"),
    summary="Someone pushes, slowly",
    licence="CC-BY-4.0",
    url="https://example.org/a",
    start_s=1.5,
    end_s=4.0,
    focal_px=800.0,
)


def write(folder: Path, kind: str) -> None:
    if kind == "csv":
        row = {**ROW, "objects": "plate; red box;"}
        lines = [",".join(row), ",".join(f'"{v}"' for v in row.values())]
        (folder / "videos.csv").write_text("\n".join(lines), encoding="utf-8-sig")
    elif kind == "jsonl":
        (folder / "videos.jsonl").write_text(json.dumps(ROW) + "\n\n")
    else:
        pq.write_table(pa.Table.from_pylist([ROW]), folder / "videos.parquet")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_every_format_says_the_same(tmp_path: Path, kind: str) -> None:
    write(tmp_path, kind)
    assert read_annotations(tmp_path) == [WANT]


def test_no_table_is_no_rows(tmp_path: Path) -> None:
    assert read_annotations(tmp_path) == []


def test_a_noun_named_twice_is_two_things(shared_data: Path) -> None:
    cups = next(r for r in read_annotations(shared_data / "videos") if r.file == "cups_shuffle.mp4")
    assert cups.objects == ("red cup", "red cup", "red cup", "ball")


def test_action_wins_over_brief_and_empty_cells_are_nothing(tmp_path: Path) -> None:
    (tmp_path / "videos.csv").write_text(
        "file,action,action_brief,start_s,objects,license\na.mp4,Lift it,Lift,, ,MIT\n"
    )
    row = read_annotations(tmp_path)[0]
    assert (row.action, row.start_s, row.objects, row.licence, row.problem) == ("Lift it", None, (), "MIT", "")


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ("5,2,", "end_s 2 is not after start_s 5"),
        ("2,2,", "not after"),
        ("x,,", "start_s is 'x'"),
        ("-1,,", "start_s is '-1'"),
        (",inf,", "end_s is 'inf'"),
        (",nan,", "end_s is 'nan'"),
        (",,0", "focal_px is 0"),
    ],
)
def test_a_bad_value_costs_its_row_only(tmp_path: Path, cells: str, problem: str) -> None:
    (tmp_path / "videos.csv").write_text(f"file,start_s,end_s,focal_px\na.mp4,{cells}\nb.mp4,1,2,\n")
    bad, good = read_annotations(tmp_path)
    assert problem in bad.problem
    assert bad.problem.startswith("row 1 of videos.csv")
    assert good.problem == ""


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("videos.csv", "name\na.mp4\n", "column `file`"),
        ("videos.csv", "file\n \n,\n", "column `file`"),
        ("videos.jsonl", "{broken\n", "cannot be read"),
        ("videos.jsonl", "[1]\n", "found list"),
        ("videos.parquet", "PAR1 not", "parquet"),
    ],
)
def test_a_broken_table_is_an_error(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=message):
        read_annotations(tmp_path)


def test_wrong_encoding_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "videos.csv").write_bytes("file\ncafé.mp4\n".encode("latin-1"))
    with pytest.raises(SourceError, match="UTF-8"):
        read_annotations(tmp_path)


def test_two_tables_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, "csv")
    write(tmp_path, "jsonl")
    with pytest.raises(SourceError, match=r"videos\.csv and videos\.jsonl"):
        read_annotations(tmp_path)
