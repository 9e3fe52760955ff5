"""Reads rows of Action100M from wherever they lie, a few at a time and only the columns that are needed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from huggingface_hub.errors import HTTPError  # of its HTTP client, whichever that is

from hoiset.builder.sources.folder import printable_uid
from hoiset.errors import SourceError

ROWS_AT_ONCE = 8
_BUFFER_BYTES = 1 << 20
_GROUP_BYTES = 16 << 20
_LARGEST_JSON_BYTES = 64 << 20
_NEEDED = (
    "video_uid",
    "nodes.node_id",
    "nodes.parent_id",
    "nodes.start",
    "nodes.end",
    "nodes.gpt.action.brief",
    "nodes.gpt.action.detailed",
    "nodes.gpt.action.actor",
    "nodes.gpt.summary.brief",
)
_WANTED = ("metadata.duration",)
_UNREACHABLE = (OSError, HTTPError)
_LIST_LEVELS = frozenset({"list", "element", "item", "array", "bag", "array_element"})


@dataclass(frozen=True)
class Row:
    """One video as it was published, nothing checked.

    Attributes:
        where: File and number of the row, the first is 1.
        uid: ``video_uid``.
        duration_s: ``metadata.duration``.
        nodes: The tree.
        problem: Why there is nothing of it, or ``""``.
    """

    where: str
    uid: Any = None
    duration_s: Any = None
    nodes: Any = None
    problem: str = ""


@dataclass(frozen=True)
class Table:
    """One file of rows.

    Attributes:
        name: Path in the directory that was opened, printable.
        path: Path in its file system.
        fs: The file system.
    """

    name: str
    path: str
    fs: AbstractFileSystem


def find_tables(address: str | Path) -> list[Table]:
    """The ``.parquet`` and ``.json`` files at an address, by name; those that begin with a dot are left alone.

    Args:
        address: A directory or one file: a path, or what fsspec reads, as ``hf://datasets/owner/name[@revision][/path]``.

    Raises:
        SourceError: Nothing there, or it cannot be reached.
    """
    text = str(address)
    try:
        fs, root = url_to_fs(text)
        info = fs.info(root)
        found = [root] if info["type"] == "file" else sorted(fs.find(root))
    except FileNotFoundError as error:
        raise SourceError(
            f"nothing at {text}; expected a directory or file of Action100M, or hf://datasets/owner/name"
        ) from error
    except (*_UNREACHABLE, ValueError, ImportError, NotImplementedError) as error:
        raise SourceError(f"{text} cannot be listed: {_one_line(error)}") from error
    base = root.rstrip("/") + "/"
    names = [path.removeprefix(base) if path != root else path.rpartition("/")[2] for path in found]
    tables = [
        Table(printable_uid(name), path, fs)
        for name, path in zip(names, found, strict=True)
        if name.endswith((".parquet", ".json")) and not _is_hidden(name)
    ]
    if not tables:
        raise SourceError(f"no .parquet or .json files at {text}; expected those of Action100M")
    return tables


def read_rows(table: Table) -> Iterator[Row]:
    """The rows of a file in their order; memory stays flat however large the file and its row groups are.

    Raises:
        SourceError: The file cannot be read, or its columns are not those of Action100M.
    """
    try:
        yield from _json_rows(table) if table.name.endswith(".json") else _parquet_rows(table)
    except (*_UNREACHABLE, pa.ArrowException) as error:
        raise SourceError(
            f"{table.path} cannot be read: {_one_line(error)}; mend, remove or fetch it again and run again"
        ) from error


def _parquet_rows(table: Table) -> Iterator[Row]:
    # without a cache of fsspec's: arrow asks for what it needs, and reading ahead would fetch the other columns too
    with table.fs.open(table.path, "rb", cache_type="none") as stream:
        metadata = pq.read_metadata(stream)
        columns = _columns(metadata, table)
        # a row group's columns are fetched at once where they are small, and page by page where they are not
        small = _largest_group_bytes(metadata, frozenset(columns)) <= _GROUP_BYTES
        file = pq.ParquetFile(stream, metadata=metadata, pre_buffer=small, buffer_size=0 if small else _BUFFER_BYTES)
        number = 0
        for group in range(metadata.num_row_groups):
            for batch in file.iter_batches(ROWS_AT_ONCE, [group], columns, use_threads=False):
                for row in batch.to_pylist():
                    number += 1
                    yield _row(f"{table.name}, row {number}", row)


def _largest_group_bytes(metadata: pq.FileMetaData, columns: frozenset[str]) -> int:
    """Most bytes that the columns take in any row group."""
    sizes = [0]
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        chunks = [group.column(i) for i in range(group.num_columns)]
        sizes.append(sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema in columns))
    return max(sizes)


def _columns(metadata: pq.FileMetaData, table: Table) -> list[str]:
    """Paths of the leaf columns to read, however the writer named the levels of its lists."""
    paths = [metadata.schema.column(i).path for i in range(len(metadata.schema))]
    named = {".".join(part for part in path.split(".") if part not in _LIST_LEVELS): path for path in paths}
    missing = [name for name in _NEEDED if name not in named]
    if missing:
        raise SourceError(
            f"{table.path} is not of Action100M: no column {', '.join(missing)}; found {', '.join(sorted(named)[:20])}"
        )
    return [named[name] for name in (*_NEEDED, *_WANTED) if name in named]


def _json_rows(table: Table) -> Iterator[Row]:
    """Rows of a JSON file: one video, each of whose keys may hold a list with one element a row."""
    where = f"{table.name}, row 1"
    size = table.fs.size(table.path) or 0
    if size > _LARGEST_JSON_BYTES:
        yield Row(where, problem=f"{size} bytes of JSON, expected at most {_LARGEST_JSON_BYTES}; use parquet")
        return
    try:
        value = json.loads(table.fs.cat_file(table.path))
    except (ValueError, RecursionError) as error:
        yield Row(where, problem=f"not JSON: {_one_line(error)}")
        return
    if not isinstance(value, Mapping) or "video_uid" not in value or "nodes" not in value:
        yield Row(where, problem="no object with `video_uid` and `nodes`")
        return
    uids = value["video_uid"]
    if not isinstance(uids, list):
        yield _row(where, value)
        return
    for i in range(len(uids)):
        yield _row(f"{table.name}, row {i + 1}", {name: _at(column, i) for name, column in value.items()})


def _at(column: Any, row: int) -> Any:
    return column[row] if isinstance(column, list) and row < len(column) else None


def _row(where: str, row: Mapping[str, Any]) -> Row:
    metadata, nodes = row.get("metadata"), row.get("nodes")
    duration_s = metadata.get("duration") if isinstance(metadata, Mapping) else None
    return Row(where, row.get("video_uid"), duration_s, nodes if isinstance(nodes, Sequence) else None)


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
