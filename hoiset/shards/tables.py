"""Parquet files of any length, written from a stream of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hoiset.shards.atomic import atomic_file, writing

ROW_GROUP = 8192
"""Rows that are held as Python's objects; equal rows give equal bytes, whatever they come from."""


def write_rows(
    path: Path, rows: Iterable[Mapping[str, Any]], schema: pa.Schema, *, group_rows: int = ROW_GROUP, **options: Any
) -> None:
    """Write a Parquet file whole or not at all.

    Args:
        path: The file; parent directories are made.
        rows: Column -> value in plain types; consumed lazily, :data:`ROW_GROUP` at a time.
        schema: Of the table.
        group_rows: Rows of a row group, a multiple of :data:`ROW_GROUP`; so many are held as Arrow's bytes.
        options: Of :class:`pyarrow.parquet.ParquetWriter`.

    Raises:
        DatasetError: The disk refuses.
    """
    with atomic_file(path) as file:
        writer = pq.ParquetWriter(file, schema, **options)
        try:
            written, stream = False, iter(rows)
            while tables := _tables(stream, schema, group_rows // ROW_GROUP):
                with writing(path):
                    writer.write_table(pa.concat_tables(tables), row_group_size=group_rows)
                written = True
            if not written:
                writer.write_table(schema.empty_table())
        finally:
            with writing(path):
                writer.close()


def _tables(rows: Iterator[Mapping[str, Any]], schema: pa.Schema, most: int) -> list[pa.Table]:
    """The next rows, at most ``most`` tables of them."""
    pages = (list(islice(rows, ROW_GROUP)) for _ in range(most))
    return [pa.Table.from_pylist([dict(row) for row in page], schema=schema) for page in pages if page]
