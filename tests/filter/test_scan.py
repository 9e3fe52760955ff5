from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from hoiset.errors import DatasetError
from hoiset.filter import ClipIndex, parse, select, select_index
from hoiset.filter.nodes import Node
from hoiset.filter.query import as_query
from hoiset.shards.index import index_options, index_schema, write_index
from tests.filter.trees import TREES, rows, table_of
from tests.fixtures import pristine as pristine


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows(20), TREES)
def test_a_file_of_many_row_groups_is_searched_as_a_table_is(
    tmp_path: Path, found: list[dict[str, Any]], node: Node
) -> None:
    table, path = table_of(found), tmp_path / "index.parquet"
    pq.write_table(table, path, row_group_size=3, **index_options(index_schema()))
    expected = select(table, as_query(node))
    assert select_index(path, as_query(node)).equals(expected)
    assert select_index(path, as_query(node), columns=["key", "labels"]).equals(expected.select(["key", "labels"]))
    every = list(ClipIndex.open(path).find(as_query(node)))
    assert [3 * one.group + int(row) for one in every for row in one.rows] == [
        int(k) for k in expected["key"].to_pylist()
    ]


@pytest.mark.parametrize(
    ("where", "groups"),
    [
        ('key = "0004"', [1]),
        ('key in ("0000", "0008") and quality > 0', [0, 2]),
        ("n_objects > 6", [2]),
        ("n_objects >= 6 or n_objects < 1", [0, 2]),
        ("n_objects = 4", [1]),
        ("n_objects > 100", []),
        ("not n_objects > 100", [0, 1, 2]),
        ('partition = "test" and n_objects >= 0', []),
        ('uid ~ "x"', [0, 1, 2]),
        ("false", []),
    ],
)
def test_row_groups_that_cannot_match_are_passed_over(tmp_path: Path, where: str, groups: list[int]) -> None:
    table = table_of([{"n_objects": i, "quality": 0.5, "partition": "train", "uid": "x"} for i in range(9)])
    pq.write_table(table, tmp_path / "i.parquet", row_group_size=3, **index_options(index_schema()))
    assert ClipIndex.open(tmp_path / "i.parquet")._groups(parse(where)) == groups


def test_a_dataset_is_asked_by_its_version(pristine: Path) -> None:
    assert select_index(pristine, 'verb = "lifting"')["key"].to_pylist() == ["clip_01", "clip_04"]
    assert select_index(pristine, object="mug", columns=["key"])["key"].to_pylist()
    assert select_index(pristine).schema.equals(index_schema())
    assert select_index(pristine, "false").schema.equals(index_schema())
    assert select_index(pristine, pc.field("n_objects") == 2)["key"].to_pylist() == ["clip_02"]
    assert ClipIndex.open(pristine).values("partition") == {"train", "validation"}
    assert ClipIndex.open(pristine).first(2)["key"].to_pylist() == ["clip_00", "clip_01"]
    with pytest.raises(DatasetError, match="versions there: v2"):
        select_index(pristine, version="v3")


def test_what_is_no_index_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match="not a readable index"):
        select_index(tmp_path / "x.parquet")
    pq.write_table(table_of([]).drop_columns("verb"), tmp_path / "x.parquet")
    with pytest.raises(DatasetError, match="found other columns"):
        select_index(tmp_path / "x.parquet")


def test_a_damaged_index_is_named(tmp_path: Path) -> None:
    table = table_of([{"verb": f"push{i}", "quality": i / 500} for i in range(500)])
    path = write_index(tmp_path, "v2", table.to_pylist())
    data = bytearray(path.read_bytes())
    data[4:2000] = bytes(1996)
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="damaged"):
        select_index(tmp_path, 'key ~ "1" or verb = "push1" or quality > 0.1')


def test_a_query_does_not_wait_for_pandas(pristine: Path) -> None:
    code = (
        "import sys; from hoiset.filter import ClipIndex, parse; "
        f"index = ClipIndex.open({str(pristine)!r}); "
        'query = parse(\'verb = "lift" and object ~ "mug" and grasp = "right" and quality > 0.1\'); '
        "print(sum(len(found.table) for found in index.find(query, ['key'])), 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "False"]
