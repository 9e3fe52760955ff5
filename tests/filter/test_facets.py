from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from hoiset.errors import FilterError
from hoiset.filter import ClipIndex, parse
from hoiset.filter.facets import Facet, count_by, facet_names
from hoiset.filter.fields import Kind, field_named
from hoiset.filter.query import as_query
from hoiset.shards.index import index_options, index_schema
from tests.filter.trees import TREES, rows, slowly, table_of
from tests.fixtures import pristine as pristine

NAMES = ("verb", "object", "nouns", "grasp", "state", "partition", "uid", "n_objects", "action")


def slow_counts(found: list[dict[str, Any]], name: str) -> dict[Any, tuple[int, float]]:
    field = field_named(name)
    counted: dict[Any, list[float]] = defaultdict(lambda: [0, 0.0])
    for row in found:
        there = [row[column] for column in field.columns]
        items = {x for value in there for x in (value if isinstance(value, list) else [value])}
        if field.kind in (Kind.VERB, Kind.OBJECTS):
            items = {" ".join(x.lower().split()) for x in items if x is not None}
        for item in items - {None, ""} or {None}:
            counted[item][0] += 1
            counted[item][1] += row["duration_s"] or 0.0
    return {value: (int(clips), pytest.approx(seconds / 3600)) for value, (clips, seconds) in counted.items()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows(12), TREES)
def test_counts_are_those_of_the_rows(tmp_path: Path, found: list[dict[str, Any]], node: Any) -> None:
    timed = [{**row, "duration_s": 10.0 * i if i % 4 else None} for i, row in enumerate(found)]
    pq.write_table(table_of(timed), tmp_path / "i.parquet", row_group_size=5, **index_options(index_schema()))
    matching = [row for row in timed if slowly(row, node)]
    for name in NAMES:
        facets = count_by(ClipIndex.open(tmp_path / "i.parquet"), name, as_query(node))
        assert {f.value: (f.clips, f.hours) for f in facets} == slow_counts(matching, name)
        assert all(f.share == f.clips / len(matching) for f in facets)
        assert [f.clips for f in facets] == sorted((f.clips for f in facets), reverse=True)


def test_of_a_dataset(pristine: Path) -> None:
    index = ClipIndex.open(pristine)
    found = count_by(index, "verb", parse())
    assert [(f.value, f.clips, f.share) for f in found] == [("lift", 2, 0.4), ("push", 2, 0.4), ("pour", 1, 0.2)]
    assert [(f.value, f.clips) for f in count_by(index, "grasp", parse())] == [("right", 3), (None, 2)]
    assert count_by(index, "verb", parse("false")) == []
    assert isinstance(found[0], Facet)


@pytest.mark.parametrize(("name", "message"), [("vreb", "did you mean verb"), ("quality.score", "is measured")])
def test_what_cannot_be_counted_by_is_named(pristine: Path, name: str, message: str) -> None:
    with pytest.raises(FilterError, match=message):
        count_by(ClipIndex.open(pristine), name, parse())
    assert {"verb", "object", "grasp", "state", "partition", "licence", "uid"} <= set(facet_names())
    assert "quality" not in facet_names()
