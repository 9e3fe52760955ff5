"""Between Arrow and numpy by their buffers.

pyarrow's own conversions import pandas where it is installed, which takes longer than a query.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int


def strings(values: Iterable[str]) -> pa.StringArray:
    """An array of texts."""
    encoded = [value.encode() for value in values]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))


def positions(rows: Int[np.ndarray, "N"]) -> pa.Int64Array:
    """An array of row numbers, for ``take``."""
    return pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows, np.int64))])


def bools(array: pa.BooleanArray) -> Bool[np.ndarray, "N"]:
    """Booleans of one's own; null is false."""
    known = pc.and_kleene(array, array.is_valid()) if array.null_count else array
    end = known.offset + len(known)
    packed = np.frombuffer(known.buffers()[1] or b"", np.uint8)[: (end + 7) // 8]
    return np.unpackbits(packed, count=end, bitorder="little")[known.offset :].view(bool)


def numbers(array: pa.Array) -> np.ndarray:
    """Numbers, with NaN for null; a view of the array where none is null."""
    kind = np.dtype(array.type.to_pandas_dtype())
    data = np.frombuffer(array.buffers()[1] or b"", kind)[array.offset : array.offset + len(array)]
    return np.where(bools(array.is_valid()), data, np.nan) if array.null_count else data


def empty_table(schema: pa.Schema) -> pa.Table:
    """A table without rows."""
    return pa.Table.from_batches([], schema)
