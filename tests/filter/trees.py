"""Random rows, random trees, and what a tree means row by row: the oracle of the vectorised ones."""

from __future__ import annotations

from typing import Any

import lemminflect
import pyarrow as pa
from hypothesis import strategies as st

from hoiset.filter.fields import GRASPS, STATES, Kind, field_named
from hoiset.filter.nodes import Always, And, Compares, Is, IsNull, Matches, Node, Not, Or
from hoiset.filter.words import verb_groups
from hoiset.shards.index import index_schema

VERBS = ["push", "shove", "Pour", "tip", "lift", "pick up", ""]
PHRASES = ["plate", "paper plate", "Paper  Plates", "plateau", "mug", "knives", "knife", ""]
ASKED_VERBS = ["push", "Shoves", "pouring", "lifted", "juggle", "picks up", "pick"]
ASKED_PHRASES = ["plate", "plates", "Paper plate", "mugs", "knife", "late"]
TEXTS = ["Push the plate.", "", "lift (a) mug", 'say "it\'s" \\ done']
NUMBERS = [0, 1, 2, 0.25, 0.5, 1e-3, -1.5]


def rows(max_size: int = 8) -> st.SearchStrategy[list[dict[str, Any]]]:
    phrases = st.lists(st.none() | st.sampled_from(PHRASES), max_size=3)
    row = st.fixed_dictionaries(
        {
            "verb": st.none() | st.sampled_from(VERBS),
            "nouns": st.none() | phrases,
            "labels": phrases,
            "action": st.none() | st.sampled_from(TEXTS),
            "grasps": st.sampled_from([[], ["left"], ["right"], ["left", "right"], ["left", "right", "both"]]),
            "states": st.lists(st.sampled_from(STATES), unique=True),
            "partition": st.sampled_from(["train", "validation", "test"]),
            "uid": st.sampled_from(["a.mp4", "b.mp4", ""]),
            "quality": st.none() | st.sampled_from(NUMBERS),
            "n_objects": st.none() | st.integers(0, 3),
        }
    )
    return st.lists(row, max_size=max_size)


def table_of(found: list[dict[str, Any]]) -> pa.Table:
    full = [{"members": [], **r, "key": f"{i:04d}"} for i, r in enumerate(found)]
    return pa.Table.from_pylist(full, schema=index_schema())


def some(values: list[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3).map(tuple)


def is_or_matches(contained: bool, field: str, values: tuple[str, ...]) -> Node:
    return (Matches if contained else Is)(field, values)


CONDITIONS: st.SearchStrategy[Node] = st.one_of(
    st.builds(Always, st.booleans()),
    st.builds(Is, st.sampled_from(["verb", "text.verb", "lemma"]), some([v.lower() for v in ASKED_VERBS])),
    st.builds(
        is_or_matches, st.booleans(), st.sampled_from(["object", "nouns", "labels"]),
        some([p.lower() for p in ASKED_PHRASES]),
    ),
    st.builds(Is, st.sampled_from(["grasp", "grasps"]), some(list(GRASPS))),
    st.builds(Is, st.sampled_from(["state"]), some(list(STATES))),
    st.builds(Is, st.just("partition"), some(["train", "validation", "test"])),
    st.builds(
        is_or_matches, st.booleans(), st.sampled_from(["action", "text.action", "uid"]),
        some(["plate", *TEXTS[::2], TEXTS[3], "A.MP4", "b.mp4"]),
    ),
    st.builds(Matches, st.sampled_from(["verb", "lemma"]), some(["pu", "o"])),
    st.builds(Is, st.sampled_from(["quality", "quality.score", "n_objects"]), some(NUMBERS)),
    st.builds(
        Compares, st.sampled_from(["quality.score", "n_objects"]), st.sampled_from(["<", "<=", ">", ">="]),
        st.sampled_from(NUMBERS),
    ),
    st.builds(IsNull, st.sampled_from(["verb", "object", "nouns", "grasp", "action", "quality", "n_objects"])),
)  # fmt: skip
TREES: st.SearchStrategy[Node] = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


def slowly(row: dict[str, Any], node: Node) -> bool:
    match node:
        case Always(value):
            return value
        case Not(inner):
            return not slowly(row, inner)
        case And(nodes):
            return all([slowly(row, one) for one in nodes])
        case Or(nodes):
            return any([slowly(row, one) for one in nodes])
        case IsNull(name):
            return not any(row[c] not in (None, "", []) for c in field_named(name).columns)
        case Compares(name, symbol, value):
            there = row[field_named(name).columns[0]]
            return there is not None and {
                "<": there < value, "<=": there <= value, ">": there > value, ">=": there >= value
            }[symbol]  # fmt: skip
        case Is(name, values) | Matches(name, values):
            return any(_one(row, name, value, contained=isinstance(node, Matches)) for value in values)
    raise AssertionError(node)


def _one(row: dict[str, Any], name: str, value: Any, *, contained: bool) -> bool:
    field = field_named(name)
    found = [row[column] for column in field.columns]
    items = [x for value_ in found for x in (value_ if isinstance(value_, list) else [value_]) if x is not None]
    if field.kind is Kind.OBJECTS:
        return any(_same_phrase(value, item, ends=contained) for item in items)
    if contained:
        return any(value.lower() in item.lower() for item in items)
    if field.kind in (Kind.VERB, Kind.LEMMA):
        return any(item.lower() in _verbs(value, synonyms=field.kind is Kind.VERB) for item in items)
    if field.columns == ("grasps",) and value in ("any", "none"):
        return bool(items) == (value == "any")
    return value in items


def _verbs(asked: str, *, synonyms: bool) -> set[str]:
    first, *rest = asked.lower().split()
    lemma = lemminflect.getLemma(first, upos="VERB")[0]
    phrase = " ".join([lemma, *rest])
    groups = [group for group in verb_groups().values() if synonyms and phrase in group]
    return {verb for group in groups for verb in group} or {lemma, phrase}


def _same_phrase(asked: str, item: str, *, ends: bool) -> bool:
    a, b = [_singular(words.lower().split()) for words in (asked, item)]
    return a == b or (ends and len(b) > len(a) and b[-len(a) :] == a)


def _singular(words: list[str]) -> list[str]:
    return [*words[:-1], lemminflect.getLemma(words[-1], upos="NOUN")[0]] if words else []
