"""How many clips, and hours, there are of every value of a field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hoiset.errors import FilterError
from hoiset.filter.buffers import numbers, positions
from hoiset.filter.fields import Kind, Wrong, field_named, fields
from hoiset.filter.query import Query
from hoiset.filter.scan import ClipIndex
from hoiset.filter.words import plain_words
from hoiset.shards.index import index_schema


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
    schema = index_schema()  # robots' columns are measured
    columns = field_named(name).columns
    return all(c in schema.names and not pa.types.is_floating(schema.field(c).type) for c in columns)


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
    tally = _Tally(loose=field.kind in (Kind.VERB, Kind.LEMMA, Kind.OBJECTS))
    for found in index.find(query, ["duration_s", *field.columns], encoded=True):
        duration_s = np.nan_to_num(numbers(_one(found.table["duration_s"])))
        tally.add([_one(found.table[column]) for column in field.columns], duration_s)
    return sorted(tally.facets(), key=lambda f: (-f.clips, f.value is None, str(f.value)))


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


class _Tally:
    """Clips and seconds of every value so far; the first is of clips without one."""

    def __init__(self, *, loose: bool) -> None:
        self._loose = loose
        self._values: list[str | int | None] = [None]
        self._codes: dict[str | int | None, int] = {None: 0, "": 0}
        self._clips, self._seconds = np.zeros(1, np.int64), np.zeros(1)
        self._total = 0

    def add(self, arrays: list[pa.Array], duration_s: np.ndarray) -> None:
        """Count a part of the index; an item that a row has twice, or in two columns, counts once."""
        n_rows = len(duration_s)
        rows, codes = (np.concatenate(parts) for parts in zip(*map(self._items, arrays), strict=True))
        if any(pa.types.is_list(array.type) for array in arrays):
            once = numbers(pc.unique(positions(rows + n_rows * codes)))
            rows, codes = once[once >= n_rows] % n_rows, once[once >= n_rows] // n_rows
            without = np.ones(n_rows, bool)
            without[rows] = False
            rows, codes = np.append(rows, np.flatnonzero(without)), np.append(codes, np.zeros(without.sum(), int))
        new = (0, len(self._values) - len(self._clips))
        self._clips = np.pad(self._clips, new) + np.bincount(codes, minlength=len(self._values))
        self._seconds = np.pad(self._seconds, new) + np.bincount(codes, duration_s[rows], len(self._values))
        self._total += n_rows

    def _items(self, array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Row and code of every item."""
        rows = np.arange(len(array))
        if pa.types.is_list(array.type):
            rows, array = np.repeat(rows, numbers(array.value_lengths().fill_null(0))), array.flatten()
        array = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
        codes = np.array([self._code(value) for value in array.dictionary.to_pylist()] + [0])
        return rows, codes[numbers(array.indices.fill_null(len(array.dictionary)))]

    def _code(self, value: str | int | None) -> int:
        if value not in self._codes:
            plain = plain_words(value) if self._loose and isinstance(value, str) else value
            if plain not in self._codes:
                self._codes[plain] = len(self._values)
                self._values.append(plain)
            self._codes[value] = self._codes[plain]
        return self._codes[value]

    def facets(self) -> list[Facet]:
        """All values that a clip has."""
        counted = zip(self._values, self._clips.tolist(), self._seconds.tolist(), strict=True)
        return [Facet(v, clips, clips / self._total, seconds / 3600) for v, clips, seconds in counted if clips]
