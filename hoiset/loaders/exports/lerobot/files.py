"""Numbered parquet files of bounded size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from hoiset.shards.atomic import writing

CHUNK_FILES = 1000
"""Files of a folder."""


@dataclass(frozen=True)
class FileNumber:
    """Folder and file that rows stand in, each from 0."""

    chunk: int = 0
    file: int = 0

    def following(self) -> FileNumber:
        """The next one."""
        return FileNumber(self.chunk, self.file + 1) if self.file + 1 < CHUNK_FILES else FileNumber(self.chunk + 1, 0)

    def of(self, template: str) -> str:
        """Path of the file, from LeRobot's template."""
        return template.format(chunk_index=self.chunk, file_index=self.file)


class ParquetFiles:
    """Appends tables to files of bounded size, each table to one file; a context manager."""

    def __init__(self, root: Path, template: str, max_bytes: int) -> None:
        """Nothing is written yet; ``max_bytes`` is a bound on a file as long as no table alone is larger."""
        self._root, self._template, self._max_bytes = root, template, max_bytes
        self._number = FileNumber()
        self._sink: pa.NativeFile | None = None
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> ParquetFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def place(self, nbytes: int) -> FileNumber:
        """Where a table of so many bytes will go."""
        if self._sink is not None and self._sink.tell() + nbytes > self._max_bytes:
            self._close()
            self._number = self._number.following()
        return self._number

    def add(self, table: pa.Table) -> FileNumber:
        """Append a table as a row group; raises DatasetError where the disk refuses."""
        number = self.place(table.nbytes)
        path = self._root / number.of(self._template)
        with writing(path):
            if self._writer is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._sink = pa.OSFile(str(path), "wb")
                self._writer = pq.ParquetWriter(self._sink, table.schema, compression="snappy")
            self._writer.write_table(table, row_group_size=max(table.num_rows, 1))
        return number

    def _close(self) -> None:
        if self._writer is not None and self._sink is not None:
            writer, sink = self._writer, self._sink
            self._writer = self._sink = None
            with writing(self._root / self._number.of(self._template)):
                writer.close()
                sink.close()
