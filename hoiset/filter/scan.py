"""The clip index as a file: what matches is found a row group at a time, and nothing else is read."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import RawIOBase
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hoiset.errors import DatasetError, FilterError
from hoiset.filter.buffers import empty_table, positions
from hoiset.filter.masks import columns_of, mask
from hoiset.filter.pruning import Range, may_match
from hoiset.filter.query import Query, Where, parse
from hoiset.shards.index import encoded_columns, index_file, is_index
from hoiset.shards.robots import robots_of_columns

MAX_THREADS = 8


@dataclass(frozen=True)
class Found:
    """The matching rows of one row group.

    Attributes:
        group: Number of the row group.
        rows: Positions in it, ascending.
        table: The columns that were asked for, of these rows.
    """

    group: int
    rows: np.ndarray
    table: pa.Table


class ClipIndex:
    """An index file that is read in parts.

    Args:
        path: The file.
        source: Opens it anew where it is not a local file; ``path`` is then only its name.

    Raises:
        DatasetError: Not an index, or one of another version of hoiset.

    Attributes:
        schema: Of the file.
    """

    def __init__(self, path: Path | str, source: Callable[[], RawIOBase] | None = None) -> None:
        self.path = path
        self._source = source
        try:
            self._metadata = pq.read_metadata(source() if source else path)
        except (pa.ArrowInvalid, OSError) as error:
            raise DatasetError(f"{path} is not a readable index ({error}); build it again") from error
        self.schema: pa.Schema = self._metadata.schema.to_arrow_schema()
        if not is_index(self.schema):
            raise DatasetError(f"{path}: found other columns than this version of hoiset writes; build it again")
        self._leaves = {self._metadata.schema.column(i).path: i for i in range(self._metadata.num_columns)}
        self._local = threading.local()

    @staticmethod
    def open(path: str | Path, version: str = "v2") -> ClipIndex:
        """The index of a version of a dataset directory, or an index file itself.

        Raises:
            DatasetError: No such dataset or version (the message lists what is there), or not such a file.
        """
        return ClipIndex(Path(path) if Path(path).is_file() else index_file(Path(path), version))

    @property
    def columns(self) -> list[str]:
        """Names of its columns."""
        return list(self.schema.names)

    @property
    def n_rows(self) -> int:
        """Clips in the index."""
        return int(self._metadata.num_rows)

    def find(
        self, query: Query, columns: Sequence[str] = (), *, encoded: bool = False, threads: int | None = None
    ) -> Iterator[Found]:
        """The matching rows in the order of the index; a few row groups are in memory at once.

        Args:
            query: What must match.
            columns: To be in the tables.
            encoded: Whether texts may come as dictionaries.
            threads: Row groups read at once; one a core by default.

        Raises:
            DatasetError: The file is damaged.
            FilterError: The query is about a robot that the version does not have.
        """
        self._check_robots(query)
        threads = threads or min(os.cpu_count() or 1, MAX_THREADS)
        groups = iter(self._groups(query))
        waiting: deque[Future[Found]] = deque()
        pool = ThreadPoolExecutor(threads, "index")
        try:
            for _ in range(2 * threads):
                self._submit(pool, waiting, groups, query, columns, encoded)
            while waiting:
                found = waiting.popleft().result()
                self._submit(pool, waiting, groups, query, columns, encoded)
                if len(found.rows):
                    yield found
        except (pa.ArrowInvalid, OSError) as error:
            raise DatasetError(f"{self.path} is damaged ({error}); build it again") from error
        finally:
            pool.shutdown(cancel_futures=True)

    def select(self, query: Query, columns: Sequence[str] | None = None) -> pa.Table:
        """All matching rows, with all columns or only these."""
        wanted = list(self.schema.names if columns is None else columns)
        empty = empty_table(pa.schema([self.schema.field(name) for name in wanted]))
        return pa.concat_tables([empty, *(found.table for found in self.find(query, wanted))])

    def values(self, column: str) -> set[str]:
        """The different texts of a column."""
        tables = (found.table for found in self.find(parse(), [column], encoded=True))
        return {text for table in tables for text in pc.unique(table[column]).to_pylist()}

    def _check_robots(self, query: Query) -> None:
        strange = [name for name in columns_of(query.node) if name not in self.schema.names]
        if strange:
            there = ", ".join(robots_of_columns(self.schema.names)) or "none"
            raise FilterError(
                f"{self.path} has no robot {', '.join(robots_of_columns(strange))}; robots there: {there} "
                "(`hoiset build --robots` makes them)"
            )

    def _submit(
        self,
        pool: ThreadPoolExecutor,
        waiting: deque[Future[Found]],
        groups: Iterator[int],
        query: Query,
        columns: Sequence[str],
        encoded: bool,
    ) -> None:
        group = next(groups, None)
        if group is not None:
            waiting.append(pool.submit(self._find_in, group, query, columns, encoded))

    def _groups(self, query: Query) -> list[int]:
        """Row groups that may hold a match, by the least and greatest values in the file's footer."""
        numbers = range(self._metadata.num_row_groups)
        return [n for n in numbers if may_match(query.node, partial(self._range, self._metadata.row_group(n)))]

    def _range(self, group: pq.RowGroupMetaData, column: str) -> Range:
        statistics = group.column(self._leaves[column]).statistics
        if statistics is None or not statistics.has_min_max:
            return None
        return statistics.min, statistics.max

    def _find_in(self, group: int, query: Query, columns: Sequence[str], encoded: bool) -> Found:
        n_rows = self._metadata.row_group(group).num_rows
        rows = np.flatnonzero(mask(query.node, _LazyColumns(self, group), n_rows))
        return Found(group, rows, self.read(group, rows, columns, encoded=encoded))

    def read(self, group: int, rows: np.ndarray, columns: Sequence[str], *, encoded: bool = False) -> pa.Table:
        """Columns of some rows of a row group."""
        if not (len(rows) and columns):
            return empty_table(pa.schema([self.schema.field(name) for name in columns]))
        table = self._file(encoded).read_row_group(group, columns=list(columns), use_threads=False)
        return table if len(rows) == table.num_rows else table.take(positions(rows))

    def _file(self, encoded: bool) -> pq.ParquetFile:
        """One reader a thread: two threads must not share one. What has no dictionaries may be most of the file."""
        files: dict[bool, pq.ParquetFile] = self._local.__dict__.setdefault("files", {})
        if encoded not in files:
            dictionaries = list(encoded_columns()) if encoded else None
            files[encoded] = pq.ParquetFile(
                self._source() if self._source else self.path,
                metadata=self._metadata,
                memory_map=encoded and self._source is None,
                read_dictionary=dictionaries,
            )
        return files[encoded]

    def first(self, n: int = 1) -> pa.Table:
        """The first rows, with all columns."""
        for found in self.find(parse(), (), threads=1):
            return self.read(found.group, found.rows[:n], self.schema.names)
        return empty_table(self.schema)


class _LazyColumns(Mapping[str, pa.Array]):
    """Columns of a row group, each read when it is looked at."""

    def __init__(self, index: ClipIndex, group: int) -> None:
        self._index, self._group = index, group
        self._there: dict[str, pa.Array] = {}

    def __getitem__(self, name: str) -> pa.Array:
        if name not in self._there:
            file = self._index._file(True)
            column = file.read_row_group(self._group, columns=[name], use_threads=False)[name]
            self._there[name] = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        return self._there[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._index.columns)

    def __len__(self) -> int:
        return len(self._index.columns)


def select_index(
    path: str | Path,
    where: Where = None,
    *,
    version: str = "v2",
    columns: Sequence[str] | None = None,
    **keywords: object,
) -> pa.Table:
    """The matching rows of a dataset's index, without reading the others.

    Args:
        path: Dataset directory, or an index file.
        where: See :func:`hoiset.filter.parse`.
        version: Of the directory.
        columns: Only these; all by default.
        **keywords: See :func:`hoiset.filter.select`.

    Returns:
        The rows in the order of the index, that of the keys.

    Raises:
        DatasetError: No such dataset or version, or a damaged index.
        FilterError: The query cannot be read (QueryError), or no such keyword or value.
    """
    return ClipIndex.open(path, version).select(parse(where, **keywords), columns)
