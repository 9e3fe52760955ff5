"""Parquet files of any length, written from a stream of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hoiset.shards.atomic import atomic_file, writing

ROW_GROUP = 8192
"""Rows that are held in memory; equal rows give equal bytes, whatever they come from."""


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], schema: pa.Schema, **options: Any) -> None:
    """Write a Parquet file whole or not at all.

    Args:
        path: The file; parent directories are made.
        rows: Column -> value in plain types; consumed lazily, :data:`ROW_GROUP` at a time.
        schema: Of the table.
        options: Of :class:`pyarrow.parquet.ParquetWriter`.

    Raises:
        DatasetError: The disk refuses.
    """
    with atomic_file(path) as file:
        writer = pq.ParquetWriter(file, schema, **options)
        try:
            written, stream = False, iter(rows)
            while group := list(islice(stream, ROW_GROUP)):
                with writing(path):
                    writer.write_table(pa.Table.from_pylist([dict(row) for row in group], schema=schema))
                written = True
            if not written:
                writer.write_table(schema.empty_table())
        finally:
            with writing(path):
                writer.close()
