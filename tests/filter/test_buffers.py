from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.filter.buffers import bools, empty_table, numbers, positions, strings


@settings(deadline=None)
@given(st.lists(st.none() | st.booleans(), max_size=40), st.integers(0, 20), st.integers(0, 20))
def test_booleans_of_any_slice(values: list[bool | None], start: int, length: int) -> None:
    found = bools(pa.array(values, pa.bool_()).slice(start, length))
    assert found.tolist() == [bool(v) for v in values[start : start + length]]
    found[:] = True  # it is one's own


@settings(deadline=None)
@given(
    st.lists(st.none() | st.integers(-9, 9), max_size=40),
    st.sampled_from([pa.int32(), pa.float64()]),
    st.integers(0, 20),
)
def test_numbers_of_any_slice(values: list[int | None], kind: pa.DataType, start: int) -> None:
    found = numbers(pa.array(values, kind).slice(start))
    assert [None if math.isnan(x) else x for x in found.tolist()] == values[start:]


@settings(deadline=None)
@given(st.lists(st.text()))
def test_texts_and_positions_are_those_of_arrow(values: list[str]) -> None:
    assert strings(values).equals(pa.array(values, pa.string()))
    rows = np.arange(len(values))[::2]
    assert positions(rows).equals(pa.array(rows, pa.int64()))


def test_a_table_without_rows() -> None:
    schema = pa.schema({"a": pa.list_(pa.string())})
    assert empty_table(schema).equals(schema.empty_table())
