"""Which rows of a part of the index a tree is true of, column by column.

Columns may be plain or dictionary-encoded; of the latter every distinct text is looked at once. A column is asked for
when it is needed: cheap conditions go first, and those that can no longer change the answer read nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial, reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool

from hoiset.filter.buffers import bools, numbers, positions, strings
from hoiset.filter.fields import Field, Kind, field_named
from hoiset.filter.nodes import Always, And, Arrow, Compares, Condition, Is, IsNull, Matches, Node, Not, Or, conditions
from hoiset.filter.words import exact_verbs, object_phrases, similar_verbs
from hoiset.shards.index import UNLIKE, index_schema

Columns = Mapping[str, pa.Array]
Mask = Bool[np.ndarray, "N"]
_Match = Callable[[pa.Array], Mask]
FEW = 16
"""Less than one in so many rows: they are taken out for what is left to ask, and found by looking them up."""
_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def mask(node: Node, columns: Columns, n_rows: int) -> Mask:
    """Per row, whether a tree is true of it.

    Args:
        node: The tree.
        columns: Name -> array of ``n_rows``; those of :func:`columns_of`.
        n_rows: N.
    """
    match node:
        case Not(inner):
            return ~mask(inner, columns, n_rows)
        case And(nodes):
            found = np.ones(n_rows, bool)
            for one in _cheap_first(nodes):
                rows = np.flatnonzero(found)
                if not len(rows):
                    break
                if len(rows) * FEW < n_rows:
                    found[rows] = mask(one, _Rows(columns, rows), len(rows))
                else:
                    found &= mask(one, columns, n_rows)
            return found
        case Or(nodes):
            found = np.zeros(n_rows, bool)
            for one in _cheap_first(nodes):
                if not found.all():
                    found |= mask(one, columns, n_rows)
            return found
        case _:
            return _condition(node, columns, n_rows)


class _Rows(Mapping[str, pa.Array]):
    """Some rows of columns, taken when a column is looked at."""

    def __init__(self, columns: Columns, rows: np.ndarray) -> None:
        self._columns, self._rows = columns, positions(rows)

    def __getitem__(self, name: str) -> pa.Array:
        return self._columns[name].take(self._rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def columns_of(node: Node) -> tuple[str, ...]:
    """Columns of the index that a tree looks at, in the index's order; those of robots last."""
    used = {column for one in conditions(node) for column in _columns(one)}
    known = index_schema().names
    return (*(name for name in known if name in used), *sorted(used.difference(known)))


def _columns(node: Condition) -> tuple[str, ...]:
    match node:
        case Always():
            return ()
        case Arrow(_, columns):
            return columns
        case Is(field) | Matches(field) | Compares(field) | IsNull(field):
            return field_named(field).columns


@lru_cache(maxsize=256)
def _cheap_first(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    return tuple(sorted(nodes, key=_cost))


def _cost(node: Node) -> int:
    """About what it takes to read the columns: numbers, short texts, lists, sentences."""
    schema = index_schema()
    kinds = ((n, schema.field(n).type if n in schema.names else pa.float64()) for n in columns_of(node))
    return sum(
        8 if name in UNLIKE else 4 if pa.types.is_list(t) else 2 if pa.types.is_string(t) else 1 for name, t in kinds
    )


def _condition(node: Condition, columns: Columns, n_rows: int) -> Mask:
    match node:
        case Always(value):
            return np.full(n_rows, value)
        case Arrow():
            return _of_expression(node, columns, n_rows)
        case Compares(name, symbol, value):
            return np.asarray(_COMPARE[symbol](_numbers(columns, name), value))
        case IsNull(name):
            field = field_named(name)
            return reduce(np.logical_and, (_is_null(columns[column], field) for column in field.columns))
        case Is(name, values) if field_named(name).kind is Kind.NUMBER:
            return np.isin(_numbers(columns, name), values)
        case Is(name, values) | Matches(name, values):
            field = field_named(name)
            match_text = _matcher(field, tuple(map(str, values)), contained=isinstance(node, Matches))
            found = (_any_item(columns[column], match_text) for column in field.columns)
            return reduce(np.logical_or, (*found, *_of_none_and_any(field, values, columns)))


def _numbers(columns: Columns, name: str) -> np.ndarray:
    """Null becomes NaN, of which every comparison is false."""
    (column,) = field_named(name).columns
    return numbers(columns[column])


def _is_null(array: pa.Array, field: Field) -> Mask:
    if field.kind is Kind.NUMBER:
        return bools(pc.is_null(array, nan_is_null=True))
    if pa.types.is_list(array.type):
        return ~_has_items(array)
    return ~_any_item(array, lambda texts: bools(pc.not_equal(texts, "")))


def _has_items(array: pa.ListArray) -> Mask:
    return np.asarray(numbers(pc.list_value_length(array)) > 0)


def _of_none_and_any(field: Field, values: tuple[Any, ...], columns: Columns) -> list[Mask]:
    """What ``grasp`` says of the list as a whole."""
    if not {"none", "any"} & set(values) & set(field.values):
        return []
    held = _has_items(columns[field.columns[0]])
    return [held if value == "any" else ~held for value in values if value in ("none", "any")]


@lru_cache(maxsize=256)
def _matcher(field: Field, values: tuple[str, ...], *, contained: bool) -> _Match:
    """What tells of every text of an array whether it matches."""
    if field.kind is Kind.OBJECTS:
        asked = [sorted(object_phrases(value)) for value in values]
        return lambda texts: reduce(np.logical_or, (_phrases(texts, forms, ends=contained) for forms in asked))
    if contained:
        contain = partial(pc.match_substring, ignore_case=True)
        return lambda texts: bools(reduce(pc.or_, (contain(texts, value) for value in values)))
    if field.kind in (Kind.VERB, Kind.LEMMA):
        of_verb = similar_verbs if field.kind is Kind.VERB else exact_verbs
        lemmas = strings(sorted(frozenset().union(*map(of_verb, values))))
        return lambda texts: bools(pc.is_in(pc.utf8_lower(texts), value_set=lemmas))
    exact = strings(values)
    return lambda texts: bools(pc.is_in(texts, value_set=exact))


def _phrases(texts: pa.Array, forms: list[str], *, ends: bool) -> Mask:
    """Whether a text is, or ends with, one of the forms of a phrase; few hold what all forms begin with."""
    lower = pc.utf8_lower(texts)
    near = pc.match_substring(lower, _shared_start([form.rpartition(" ")[2] for form in forms]))
    some = lower.filter(near)
    phrases = pc.utf8_trim_whitespace(pc.replace_substring_regex(some, r"\s+", " "))
    found = pc.is_in(phrases, value_set=strings(forms))
    if ends:
        found = reduce(pc.or_, (found, *(pc.ends_with(phrases, f" {form}") for form in forms)))
    matches = bools(near)
    matches[matches] = bools(found)
    return matches


def _shared_start(words: list[str]) -> str:
    """What all words begin with."""
    first, last = min(words), max(words)
    return first[: next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]


def _any_item(array: pa.Array, match_text: _Match) -> Mask:
    """Per row, whether its text matches; of a list, whether any of its texts does."""
    if not pa.types.is_list(array.type):
        return _each(array, match_text)
    offsets = numbers(array.offsets)
    first, last = int(offsets[0]), int(offsets[-1])
    hits = _each(array.values.slice(first, last - first), match_text)
    items = np.flatnonzero(hits)
    found = np.zeros(len(array), bool)
    if len(items) * FEW < len(found):
        found[np.searchsorted(offsets, items + first, side="right") - 1] = True
    else:
        counted = np.zeros(len(hits) + 1, np.int32)
        np.cumsum(hits, out=counted[1:])
        ends = counted[offsets - first]
        found = ends[1:] > ends[:-1]
    return found & bools(array.is_valid()) if array.null_count else found


def _each(texts: pa.Array, match_text: _Match) -> Mask:
    if not pa.types.is_dictionary(texts.type):
        return match_text(texts)
    if len(texts) < len(texts.dictionary):
        return match_text(texts.dictionary_decode())
    return np.asarray(np.take(np.append(match_text(texts.dictionary), False), _codes(texts)))


def _codes(texts: pa.DictionaryArray) -> np.ndarray:
    """Positions in the dictionary; null is behind its end."""
    codes = texts.indices
    return numbers(codes.fill_null(len(texts.dictionary)) if codes.null_count else codes)


def _of_expression(node: Arrow, columns: Columns, n_rows: int) -> Mask:
    from pyarrow import acero  # imports pandas where it is installed, which takes longer than a query

    plain = {name: _plain(columns[name], index_schema().field(name).type) for name in node.columns}
    table = pa.table(plain or {"": pa.nulls(n_rows)})
    source = acero.Declaration("table_source", acero.TableSourceNodeOptions(table))
    project = acero.Declaration("project", acero.ProjectNodeOptions([node.expression], ["found"]))
    found = acero.Declaration.from_sequence([source, project]).to_table(use_threads=False)["found"]
    return bools(found.combine_chunks())


def _plain(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Without dictionaries, as expressions expect it."""
    if array.type == kind:
        return array
    if pa.types.is_list(array.type):
        offsets, values = array.offsets, array.values
        lists = pa.ListArray.from_arrays(offsets, values.dictionary_decode())
        return pc.if_else(array.is_valid(), lists, pa.scalar(None, lists.type)) if array.null_count else lists
    return array.dictionary_decode()
