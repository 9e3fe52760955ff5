"""How many clips, and hours, there are of every value of a field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from hoiset.errors import FilterError
from hoiset.filter.buffers import numbers
from hoiset.filter.fields import Kind, Wrong, field_named, fields
from hoiset.filter.query import Query
from hoiset.filter.scan import ClipIndex
from hoiset.filter.words import plain_words
from hoiset.shards.index import index_schema

_Counted = dict[str | int | None, list[float]]


@dataclass(frozen=True)
class Facet:
    """One value of a field.

    Attributes:
        value: A text in lower case where case does not matter, a whole number, or ``None``: clips that have none.
        clips: That have it; of a field of several items a clip counts for each, once.
        share: Of all clips that were asked for.
        hours: Of these clips.
    """

    value: str | int | None
    clips: int
    share: float
    hours: float


def facet_names() -> list[str]:
    """Fields that can be counted by: all but measured numbers."""
    return sorted(name for name in fields() if _is_countable(name))


def _is_countable(name: str) -> bool:
    types = [index_schema().field(column).type for column in field_named(name).columns]
    return not any(pa.types.is_floating(kind) for kind in types)


def count_by(index: ClipIndex, name: str, query: Query) -> list[Facet]:
    """Values of a field over the clips that match, most clips first, then by value.

    Args:
        index: Of a dataset.
        name: Of a field; ``object`` counts nouns and labels together.
        query: Which clips.

    Raises:
        FilterError: No such field, or one of measured numbers.
    """
    try:
        field = field_named(name)
    except Wrong as error:
        raise FilterError(str(error)) from None
    if not _is_countable(name):
        raise FilterError(f"{name} is measured, so hardly two clips share a value; fields: {', '.join(facet_names())}")
    loose = field.kind in (Kind.VERB, Kind.LEMMA, Kind.OBJECTS)
    counted: _Counted = {}
    total = 0
    for found in index.find(query, ["duration_s", *field.columns], encoded=True):
        duration_s = np.nan_to_num(numbers(_one(found.table["duration_s"])))
        total += len(duration_s)
        _add(counted, [_one(found.table[column]) for column in field.columns], duration_s, loose=loose)
    facets = [Facet(v, int(clips), clips / total, seconds / 3600) for v, (clips, seconds) in counted.items()]
    return sorted(facets, key=lambda f: (-f.clips, f.value is None, str(f.value)))


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _add(counted: _Counted, arrays: list[pa.Array], duration_s: np.ndarray, *, loose: bool) -> None:
    """Count the values of a part of the index."""
    known: dict[str | int, int] = {}
    pairs = [_pairs(array, known, loose=loose) for array in arrays]
    rows, codes = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    both = np.unique(rows * max(len(known), 1) + codes)
    rows, codes = both // max(len(known), 1), both % max(len(known), 1)
    clips = np.bincount(codes, minlength=len(known))
    seconds = np.bincount(codes, duration_s[rows], minlength=len(known))
    without = np.setdiff1d(np.arange(len(duration_s)), rows)
    sums = [(value, clips[code], seconds[code]) for value, code in known.items()]
    for value, n, duration in (*sums, (None, len(without), duration_s[without].sum())):
        if n:
            there = counted.setdefault(value, [0, 0.0])
            there[0] += int(n)
            there[1] += float(duration)


def _pairs(array: pa.Array, known: dict[str | int, int], *, loose: bool) -> tuple[np.ndarray, np.ndarray]:
    """(row, code of the value) of every item; ``known`` gets the codes of new values, absent ones are left out."""
    rows = np.arange(len(array))
    if pa.types.is_list(array.type):
        rows, array = np.repeat(rows, numbers(array.value_lengths().fill_null(0))), array.flatten()
    array = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    present = numbers(array.indices.fill_null(-1))
    codes = np.full(len(array.dictionary) + 1, -1)
    for at, value in enumerate(array.dictionary.to_pylist()):
        name = plain_words(value) if loose and value is not None else value
        if name not in (None, ""):
            codes[at] = known.setdefault(name, len(known))
    found = codes[present]
    return rows[found >= 0], found[found >= 0]
