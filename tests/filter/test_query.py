from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings

from hoiset.errors import FilterError
from hoiset.filter import masks, parse, select
from hoiset.filter.nodes import Node, to_text
from hoiset.filter.query import as_query
from tests.filter.trees import TREES, rows, slowly, table_of


def encoded(table: pa.Table) -> pa.Table:
    """As the index is read from its file: texts as dictionaries."""
    columns = []
    for column in table.combine_chunks().columns:
        if pa.types.is_string(column.type):
            column = column.dictionary_encode()
        elif column.type == pa.list_(pa.string()) and column.num_chunks:
            lists = column.chunk(0)
            column = pa.ListArray.from_arrays(lists.offsets, lists.values.dictionary_encode(), mask=lists.is_null())
        columns.append(column)
    return pa.table(columns, names=table.column_names)


@settings(max_examples=250, deadline=None)
@given(rows(), TREES)
def test_a_query_is_what_its_tree_says_row_by_row(found: list[dict[str, Any]], node: Node) -> None:
    expected = [slowly(row, node) for row in found]
    table, query = table_of(found), as_query(node)
    for few in (0, masks.FEW, 1 << 30):
        with patch.object(masks, "FEW", few):
            assert query.mask(table).to_pylist() == expected
            assert query.mask(encoded(table)).to_pylist() == expected
    assert query.mask(table.select(list(query.columns)) if query.columns else table).to_pylist() == expected
    halves = pa.concat_tables([table.slice(0, 3), table.slice(3)])
    assert query.mask(halves).to_pylist() == expected
    assert query.mask(table.slice(2)).to_pylist() == expected[2:]


@settings(max_examples=250, deadline=None)
@given(TREES)
def test_a_tree_is_read_from_its_own_text(node: Node) -> None:
    assert parse(to_text(node)).node == node


@settings(max_examples=30, deadline=None)
@given(rows())
def test_text_keywords_and_expressions_ask_the_same(found: list[dict[str, Any]]) -> None:
    table = table_of(found)
    ways = [
        select(table, 'partition = "train" and quality >= 0.25 and n_objects >= 1'),
        select(table, {"partition": "train", "min_quality": 0.25, "min_objects": 1}),
        select(table, partition="train", min_quality=0.25, min_objects=1),
        select(table, "quality >= 0.25 and n_objects >= 1", partition=["train"]),
        select(
            table, (pc.field("partition") == "train") & (pc.field("quality") >= 0.25) & (pc.field("n_objects") >= 1)
        ),
        select(table, parse(pc.field("n_objects") >= 1) & parse('partition = "train"') & parse(min_quality=0.25)),
    ]
    assert all(way.equals(ways[0]) for way in ways)


def test_keywords_have_a_text() -> None:
    query = parse(verb=["Pour", "stir"], object="paper  plates", max_duration_s=10)
    assert query.text == 'verb in ("pour", "stir") and object ~ "paper plates" and duration_s <= 10'
    assert parse(query.text) == query


def test_what_a_clip_lacks_is_no_match_and_not_is_a_complement() -> None:
    table = table_of([{"quality": None, "verb": None}, {"quality": 0.5, "verb": "push"}])
    assert select(table, "quality > 0.1").num_rows == 1
    assert select(table, "not quality > 0.1")["key"].to_pylist() == ["0000"]
    assert select(table, "quality != 0.5")["key"].to_pylist() == ["0000"]
    assert select(table, 'verb not in ("push")')["key"].to_pylist() == ["0000"]


def test_columns_are_those_that_are_looked_at() -> None:
    assert parse('object ~ "mug" and quality.score > 0.5').columns == ("nouns", "labels", "quality")
    assert parse(pc.field("fps") > pc.field("width")).columns == ("fps", "width")
    assert parse().columns == ()


def test_an_expression_over_lists_reads_dictionaries() -> None:
    table = encoded(table_of([{"labels": ["mug"], "verb": "push"}, {"labels": None, "verb": "lift"}, {"labels": []}]))
    assert parse(pc.list_value_length(pc.field("labels")) > 0).mask(table).to_pylist() == [True, False, False]
    assert parse(pc.field("verb") == "push").mask(table).to_pylist() == [True, False, False]
    assert parse(pc.scalar(True)).mask(table).to_pylist() == [True, True, True]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (3, "found int, expected a query's text"),
        (pc.field("colour") == "red", "columns: key, partition"),
        (pc.field("quality") > "high", "cannot ask"),
        ({"colour": "red"}, "unknown filter 'colour'"),
    ],
)
def test_what_is_no_query_is_refused(where: Any, message: str) -> None:
    with pytest.raises(FilterError, match=message.replace("(", r"\(")):
        parse(where)


def test_a_table_of_other_columns_is_refused() -> None:
    with pytest.raises(FilterError, match="without verb, expected the columns of a clip index"):
        select(pa.table({"key": ["a"]}), verb="push")
