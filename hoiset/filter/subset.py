"""The clips that match, as something of one's own: a list of keys, an index, or a dataset of the copied samples."""

from __future__ import annotations

import heapq
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from itertools import count, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hoiset.errors import DatasetError
from hoiset.filter.query import Query, parse
from hoiset.filter.scan import ClipIndex
from hoiset.shards.atomic import atomic_file, write_atomic, writing
from hoiset.shards.codec import canonical_json
from hoiset.shards.copying import copied_sample
from hoiset.shards.index import GROUP_ROWS, index_options
from hoiset.shards.manifest import digest, manifest_path, read_manifest
from hoiset.shards.reader import ShardReader
from hoiset.shards.removed import read_removed, write_removed
from hoiset.shards.schema import PARTITIONS, layers
from hoiset.shards.staging import check_apart, new_directory
from hoiset.shards.writer import ShardRecord, UnitWriter

_UNITS = ".units"
"""Folder of the records of finished shards, among them: ``hoiset verify`` passes no dataset that still has it."""


def write_keys(index: ClipIndex, query: Query, out: Path) -> int:
    """Write the keys of the matching clips, one a line, in order; returns how many."""
    written = 0
    with atomic_file(out) as file, writing(out):
        for found in index.find(query, ["key"]):
            file.writelines(f"{key}\n".encode() for key in found.table["key"].to_pylist())
            written += len(found.rows)
    return written


def write_selected_index(index: ClipIndex, query: Query, out: Path) -> int:
    """Write an index of the matching clips, whose members stay where they are; returns how many."""
    written = 0
    with atomic_file(out) as file, pq.ParquetWriter(file, index.schema, **index_options(index.schema)) as writer:
        tables = (found.table for found in index.find(query, index.columns))
        for group in _groups(tables, index.schema):
            with writing(out):
                writer.write_table(group, row_group_size=GROUP_ROWS)
            written += group.num_rows
        if not written:
            writer.write_table(index.schema.empty_table())
    return written


def _groups(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows in tables of a row group each."""
    waiting = schema.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, table])
        while waiting.num_rows >= GROUP_ROWS:
            yield waiting.slice(0, GROUP_ROWS)
            waiting = waiting.slice(GROUP_ROWS)
    if waiting.num_rows:
        yield waiting


def write_dataset(root: Path, version: str, query: Query, out: Path) -> int:
    """Make a dataset of the matching clips: the bytes of their members as they are, in shards, with index and card.

    It is made beside ``out``, in ``.<name>.partial``, and renamed when it is whole: after a kill there is no ``out``,
    and the next attempt begins anew. One sample is in memory at a time. Clips stay in their partition; the manifest
    names the query and the digest of the manifest of what it was asked of. The list of removed videos goes with them.

    Args:
        root: Dataset directory.
        version: In it, and of the new dataset.
        query: Which clips.
        out: New or empty directory, outside ``root``.

    Returns:
        How many clips.

    Raises:
        MissingDependency: matplotlib is not installed, which draws the card's figures.
        DatasetError: ``out`` is no such directory, no clip matches, or a shard is missing or damaged.
    """
    from hoiset.cards.finish import finish_version
    from hoiset.plotting import plain_style

    plain_style()
    root, out = root.resolve(), out.resolve()
    check_apart(root, out)
    manifest, index = read_manifest(root, version), ClipIndex.open(root, version)
    matching = sum(len(found.rows) for found in index.find(query))
    if not matching:
        raise DatasetError(f"no clip of {root} matches {query.text}; nothing was written")
    with new_directory(out) as staging:
        write_removed(staging, read_removed(root))
        size = max((file["samples"] or 1 for file in manifest["files"] if file["layer"] == "core"), default=1)
        copied = sum(_copy(root, version, index, query, partition, size, staging) for partition in PARTITIONS)
        if copied != matching:
            raise DatasetError(f"{root}: found clips in other partitions than {', '.join(PARTITIONS)}; build it again")
        finish_version(
            staging,
            version,
            shards=(
                ShardRecord.from_json(s)
                for p in PARTITIONS
                for unit in _units(staging, version, p)
                for s in unit["shards"]
            ),
            rows=heapq.merge(*(_rows(staging, version, p) for p in PARTITIONS), key=itemgetter("key")),
            recipe=manifest["recipe"],
            backends=manifest["backends"],
            selection=_selection(root, version, query, manifest, index.n_rows),
            ordered=True,
        )
        shutil.rmtree(staging / "data" / version / _UNITS)
    return matching


def _copy(root: Path, version: str, index: ClipIndex, query: Query, partition: str, size: int, staging: Path) -> int:
    """Copy the matching clips of a partition into shards of ``size`` clips; returns how many there were."""
    tables = (found.table for found in index.find(query & parse(partition=partition), index.columns))
    rows = (row for table in tables for row in table.to_pylist())
    copied, removed = 0, read_removed(root)
    with ShardReader(root) as reader:
        for number in count():
            unit_rows = list(islice(rows, size))
            if not unit_rows:
                return copied
            there = tuple(dict.fromkeys(span["layer"] for span in unit_rows[0]["members"]))
            _check_layers(there)
            if any(row["uid"] in removed for row in unit_rows):
                raise DatasetError(
                    f"{root} holds clips of a video that was removed from it; run `hoiset repair {root}`"
                )
            with UnitWriter(staging, version, partition, number, there) as unit:
                for row in unit_rows:
                    unit.add_encoded(copied_sample(reader, row))
            record = {"shards": [shard.to_json() for shard in unit.records], "rows": list(unit.rows)}
            write_atomic(_unit_path(staging, version, partition, number), canonical_json(record))
            copied += len(unit_rows)
    raise AssertionError  # count() does not end


def _check_layers(there: tuple[str, ...]) -> None:
    strange = [layer for layer in there if layer not in layers()]
    if strange:
        raise DatasetError(f"found the layers {strange} in the index, expected some of {', '.join(layers())}")


def _unit_path(staging: Path, version: str, partition: str, number: int) -> Path:
    return staging / "data" / version / _UNITS / f"{partition}-{number:05d}.json"


def _units(staging: Path, version: str, partition: str) -> Iterator[dict[str, Any]]:
    for number in count():
        path = _unit_path(staging, version, partition, number)
        if not path.exists():
            return
        yield json.loads(path.read_bytes())


def _rows(staging: Path, version: str, partition: str) -> Iterator[dict[str, Any]]:
    return (row for unit in _units(staging, version, partition) for row in unit["rows"])


def _selection(root: Path, version: str, query: Query, manifest: Mapping[str, Any], n_rows: int) -> dict[str, Any]:
    """Where the clips come from, for the manifest; of a selection of a selection, also where those came from."""
    found = {"query": query.text, "manifest_sha256": digest(root / manifest_path(version))["sha256"], "clips": n_rows}
    return {**found, **({"of": manifest["selection"]} if "selection" in manifest else {})}
