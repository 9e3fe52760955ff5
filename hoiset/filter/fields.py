"""The fields of a query: which columns of the index each one asks, and what may be said of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from functools import cache
from typing import Any

import pyarrow as pa

from hoiset.filter.nodes import Compares, Condition, Is, IsNull, Matches
from hoiset.filter.words import plain_words
from hoiset.shards.index import index_schema
from hoiset.shards.robots import COLUMNS, column_of_field
from hoiset.shards.schema import CLIP_FIELDS, PARTITIONS, ObjectState

GRASPS = ("left", "right", "both", "any", "none")
STATES = tuple(s.name.lower() for s in ObjectState if s is not ObjectState.ABSENT)
ORDERINGS = ("<", "<=", ">", ">=")
EQUALITIES = ("=", "==", "in")
_OF_ROBOTS = ", ".join(f"robots.<robot>.{column}" for column in COLUMNS)


class Kind(Enum):
    """What a field holds, in words for a message."""

    VERB = "a verb; = finds its synonyms too"
    LEMMA = "a verb; = finds no synonyms"
    OBJECTS = "nouns"
    CODES = "one of a few words"
    TEXT = "text"
    NUMBER = "a number"


@dataclass(frozen=True)
class Field:
    """A name in a query.

    Attributes:
        name: As it is written.
        kind: What it holds.
        columns: Of the index, any of which may hold it.
        values: All there are, of :attr:`Kind.CODES`.
    """

    name: str
    kind: Kind
    columns: tuple[str, ...]
    values: tuple[str, ...] = ()


class Wrong(Exception):  # noqa: N818
    """A condition that cannot be meant.

    Attributes:
        part: ``"field"``, ``"operator"``, or the number of the value that is wrong.
    """

    def __init__(self, part: str | int, message: str) -> None:
        super().__init__(message)
        self.part = part


@cache
def fields() -> Mapping[str, Field]:
    """All fields by name: the index's columns, what is asked of several of them, and names as in ``clip.json``."""
    found = {
        "verb": Field("verb", Kind.VERB, ("verb",)),
        "lemma": Field("lemma", Kind.LEMMA, ("verb",)),
        "object": Field("object", Kind.OBJECTS, ("nouns", "labels")),
        "nouns": Field("nouns", Kind.OBJECTS, ("nouns",)),
        "labels": Field("labels", Kind.OBJECTS, ("labels",)),
        "partition": Field("partition", Kind.CODES, ("partition",), PARTITIONS),
        **{name: Field(name, Kind.CODES, ("grasps",), GRASPS) for name in ("grasp", "grasps")},
        **{name: Field(name, Kind.CODES, ("states",), STATES) for name in ("state", "states")},
    }
    for column in index_schema():
        if column.name not in found and not pa.types.is_nested(column.type):
            kind = Kind.TEXT if pa.types.is_string(column.type) else Kind.NUMBER
            found[column.name] = Field(column.name, kind, (column.name,))
    for part in ("source", "camera", "text", "quality"):
        for name in CLIP_FIELDS[part]:
            column_name = "quality" if (part, name) == ("quality", "score") else name
            if column_name in found:
                there = found[column_name]
                found[f"{part}.{name}"] = Field(f"{part}.{name}", there.kind, there.columns, there.values)
    return found


def field_named(name: str) -> Field:
    """The field of that name; raises Wrong with those that are near, and all."""
    if name in fields():
        return fields()[name]
    if (column := column_of_field(name)) is not None:
        return Field(name, Kind.NUMBER, (column,))
    near = get_close_matches(name.lower(), fields(), 3, 0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise Wrong(
        "field", f"unknown field {name!r}{hint}\nof robots: {_OF_ROBOTS}\nfields: {', '.join(sorted(fields()))}"
    )


def condition(name: str, operator: str, values: Sequence[Any]) -> Condition:
    """A condition whose values are of the field's kind.

    Args:
        name: Of the field.
        operator: ``=`` or ``in``, ``~``, ``<``, ``<=``, ``>``, ``>=``, or ``is null`` (without values).
        values: Any of which is meant.

    Raises:
        Wrong: Unknown field, an operator that its kind has not, or a value of another type or not there.
    """
    field = field_named(name)
    if operator == "is null":
        return IsNull(name)
    if operator in ORDERINGS:
        if field.kind is not Kind.NUMBER:
            raise Wrong("operator", f"{name} is {_what(field)}: found {operator}, expected = != in or ~")
        return Compares(name, operator, _number(field, 0, values[0]))  # type: ignore[arg-type]
    if operator == "~":
        if field.kind in (Kind.NUMBER, Kind.CODES):
            raise Wrong("operator", f"{name} is {_what(field)}: found ~, expected {_operators(field)}")
        return Matches(name, tuple(_text(field, i, v, empty=False) for i, v in enumerate(values)))
    if field.kind is Kind.NUMBER:
        return Is(name, tuple(_number(field, i, v) for i, v in enumerate(values)))
    return Is(name, tuple(_text(field, i, v, empty=field.kind is Kind.TEXT) for i, v in enumerate(values)))


def _what(field: Field) -> str:
    return f"one of {', '.join(field.values)}" if field.values else field.kind.value.partition(";")[0]


def _operators(field: Field) -> str:
    return "= != in < <= > or >=" if field.kind is Kind.NUMBER else "= != or in"


def _number(field: Field, index: int, value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Wrong(index, f"{field.name}: found {value!r}, expected a number")
    return value


def _text(field: Field, index: int, value: Any, *, empty: bool) -> str:
    expected = "a word" if field.kind in (Kind.VERB, Kind.LEMMA, Kind.OBJECTS) else "a string"
    if field.values:
        expected = f"one of {', '.join(field.values)}"
    if not isinstance(value, str) or not (empty or value.strip()):
        raise Wrong(index, f"{field.name}: found {value!r}, expected {expected}")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise Wrong(index, f"{field.name}: found {value!r}, which is no text; expected UTF-8")
    if field.kind is Kind.TEXT:
        return value
    word = plain_words(value)
    if field.values and word not in field.values:
        near = get_close_matches(word, field.values, 1, 0.6)
        raise Wrong(index, f"{field.name}: found {value!r}, expected {expected}" + "".join(f"; {n}?" for n in near))
    return word
