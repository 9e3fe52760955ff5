from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hoiset.errors import FilterError
from hoiset.filter import select
from hoiset.filter.fields import GRASPS, STATES
from hoiset.filter.predicates import filter_names
from hoiset.shards.index import index_schema, read_index
from tests.fixtures import pristine as pristine

WORDS = ["push", "Push", "lift", "plate", "paper plate", "Paper  Plate", "plateau", "mug", ""]


def rows() -> st.SearchStrategy[list[dict[str, Any]]]:
    words = st.lists(st.sampled_from(WORDS), max_size=3)
    row = st.fixed_dictionaries(
        {
            "verb": st.none() | st.sampled_from(WORDS),
            "nouns": words,
            "labels": words,
            "action": st.none() | st.sampled_from(["Push the plate.", "", "lift (a) mug"]),
            "grasps": st.sampled_from([[], ["left"], ["right"], ["left", "right"], ["left", "right", "both"]]),
            "states": st.lists(st.sampled_from(STATES), unique=True),
            "partition": st.sampled_from(["train", "validation", "test"]),
            "quality": st.none() | st.floats(0, 1),
        }
    )
    return st.lists(row, max_size=6)


def table_of(found: list[dict[str, Any]]) -> pa.Table:
    full = [{"members": [], **r, "key": str(i)} for i, r in enumerate(found)]
    return pa.Table.from_pylist(full, schema=index_schema())


def keys(table: pa.Table) -> list[str]:
    return list(table["key"].to_pylist())


def slowly(row: dict[str, Any], name: str, value: Any) -> bool:
    """What the filters mean, row by row: the oracle of the vectorised ones."""
    if name == "verb":
        return row["verb"] is not None and row["verb"].lower() == value.lower()
    if name == "object":
        noun = " ".join(value.lower().split())
        phrases = [" ".join(p.lower().split()) for p in row["nouns"] + row["labels"]]
        return any(p == noun or p.split(" ")[-1] == noun for p in phrases)
    if name == "grasp":
        return value in row["grasps"] if value in ("left", "right", "both") else bool(row["grasps"]) == (value == "any")
    if name == "state":
        return value in row["states"]
    if name == "partition":
        return bool(row["partition"] == value)
    if name == "action":
        return value.lower() in (row["action"] or "").lower()
    return row["quality"] is not None and row["quality"] >= value


FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "verb": st.sampled_from([w for w in WORDS if w]),
        "object": st.sampled_from([w for w in WORDS if w]),
        "grasp": st.sampled_from(GRASPS),
        "state": st.sampled_from(STATES),
        "partition": st.sampled_from(["train", "test"]),
        "action": st.sampled_from(["plate", "(a)", "."]),
        "min_quality": st.floats(0, 1),
    },
)


BLANK = {"verb": None, "action": None, "grasps": [], "states": [], "partition": "train", "quality": None, "nouns": []}


@settings(max_examples=150, deadline=None)
@given(rows(), FILTERS)
@example([{**BLANK, "labels": ["Paper  Plate"]}], {"object": "paper plate"})
@example(
    [{**BLANK, "labels": ["plateau"]}, {**BLANK, "labels": []}, {**BLANK, "labels": ["plate"]}], {"object": "Plate"}
)
def test_select_is_what_it_says(found: list[dict[str, Any]], filters: dict[str, Any]) -> None:
    expected = [str(i) for i, r in enumerate(found) if all(slowly(r, n, v) for n, v in filters.items())]
    assert keys(select(table_of(found), **filters)) == expected


@settings(max_examples=50, deadline=None)
@given(rows(), st.lists(st.sampled_from([w for w in WORDS if w]), min_size=1, max_size=3))
def test_a_list_of_words_is_any_of_them(found: list[dict[str, Any]], words: list[str]) -> None:
    table = table_of(found)
    for name in ("verb", "object"):
        expected = {k for w in words for k in keys(select(table, **{name: w}))}
        assert set(keys(select(table, **{name: words}))) == expected


def test_select_on_a_real_index(pristine: Any) -> None:
    index = read_index(pristine, "v2")
    assert keys(select(index)) == [f"clip_0{i}" for i in range(5)]
    assert keys(select(index, verb="lift", object="mug", grasp="right")) == ["clip_01", "clip_04"]
    assert keys(select(index, object="plate", partition="train")) == ["clip_01", "clip_02", "clip_04"]
    assert keys(select(index, grasp="none")) == ["clip_00", "clip_03"]
    assert keys(select(index, key=["clip_03", "clip_00"], uid="clip_00.mp4", licence="CC0-1.0")) == ["clip_00"]
    assert keys(select(index, min_objects=2, min_manipulated=1, max_duration_s=100)) == ["clip_02"]
    assert keys(select(index, min_duration_s=0.6, min_hand_valid=0.5)) == ["clip_03", "clip_04"]
    assert keys(select(index, verb=None, min_quality=None)) == keys(index)


def test_sliced_and_chunked_tables_are_filtered_alike(pristine: Any) -> None:
    index = read_index(pristine, "v2")
    chunked = pa.concat_tables([index.slice(0, 1), index.slice(1, 3), index.slice(4)])
    for filters in ({"object": "mug"}, {"grasp": "right"}, {"grasp": "any", "verb": "lift"}, {"state": "static"}):
        assert keys(select(chunked, **filters)) == keys(select(index, **filters))
        assert keys(select(index.slice(2), **filters)) == [k for k in keys(select(index, **filters)) if k >= "clip_02"]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"colour": "red"}, "unknown filter 'colour'; filters: action, grasp"),
        ({"grasp": "foot"}, "grasp: found 'foot', expected one of left, right, both, any, none"),
        ({"state": "flying"}, "expected one of static, moving"),
        ({"partition": "dev"}, "expected one of train, validation, test"),
        ({"verb": 3}, "verb: found 3, expected a word"),
        ({"verb": []}, "expected a word"),
        ({"object": [""]}, "expected a word"),
        ({"key": [3]}, "expected a string"),
        ({"min_quality": "high"}, "min_quality: found 'high', expected a number"),
        ({"min_quality": True}, "expected a number"),
        ({"min_quality": float("nan")}, "expected a number"),
    ],
)
def test_bad_filters_list_the_good_ones(filters: dict[str, Any], message: str) -> None:
    with pytest.raises(FilterError) as error:
        select(table_of([]), **filters)
    assert message in str(error.value)


def test_every_filter_is_documented() -> None:
    assert all(f"``{name}``" in str(select.__doc__) for name in filter_names())
