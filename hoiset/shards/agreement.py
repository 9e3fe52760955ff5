"""Whether the shards of a version agree with each other and with the index."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from hoiset.errors import DatasetError, HoisetError, SchemaError
from hoiset.shards.findings import Entry, Found, Problem, beside
from hoiset.shards.index import index_path, read_index
from hoiset.shards.removed import REMOVED_FILE, read_removed
from hoiset.shards.robots import check_same_robots

ROWS_AT_ONCE = 4096

Shards = Mapping[str, tuple[Entry, Found]]
"""Path -> the manifest's entry of a shard, and what reading it gave."""


def layer_problems(shards: Shards) -> Iterator[Problem]:
    """Layers that do not hold the keys of the core layer in its order."""
    for path, (entry, found) in shards.items():
        core = beside(entry, shards.keys())
        if entry.layer != "core" and core is None:
            yield Problem(path, "", "no core shard of the same name in the manifest")
        elif core is not None and list(found.spans) != list(shards[core][1].spans):
            yield Problem(path, "", f"found other keys, or another order of keys, than in {core}")


def robot_problems(shards: Shards) -> Iterator[Problem]:
    """Clips of which a layer has other robots than of the first clip: every clip of a version has the same."""
    first: dict[str, tuple[str, Collection[str]]] = {}
    for path, (entry, found) in shards.items():
        for key, spans in found.spans.items():
            try:
                check_same_robots(key, spans, *first.setdefault(str(entry.layer), (key, spans)))
            except SchemaError as error:
                yield Problem(path, key, str(error))


def key_problems(shards: Shards) -> Iterator[Problem]:
    """Keys that stand in two shards of a layer."""
    seen: dict[tuple[str, str], str] = {}
    for path, (entry, found) in shards.items():
        for key in found.spans:
            first = seen.setdefault((str(entry.layer), key), path)
            if first != path:
                yield Problem(path, key, f"found the key also in {first}, expected unique keys")


def partition_problems(shards: Shards) -> Iterator[Problem]:
    """Source videos that are in two partitions."""
    seen: dict[str, tuple[str, str]] = {}
    for path, (entry, found) in shards.items():
        for key, row in found.rows.items():
            first = seen.setdefault(row["uid"], (str(entry.partition), path))
            if first[0] != entry.partition:
                yield Problem(path, key, f"found the source video {row['uid']!r} also in {first[1]}, another partition")


def removed_problems(root: Path, shards: Shards) -> Iterator[Problem]:
    """Clips of source videos that were removed from the dataset."""
    try:
        removed = read_removed(root)
    except DatasetError as error:
        yield Problem(REMOVED_FILE, "", str(error))
        return
    for path, (_, found) in shards.items():
        for key, row in found.rows.items():
            if row["uid"] in removed:
                yield Problem(path, key, "found a clip of a source video that was removed; `hoiset repair` drops it")


def index_problems(root: Path, version: str, shards: Shards) -> Iterator[Problem]:
    """Clips of which the index says something else than the shards."""
    file = index_path(version)
    try:
        table = read_index(root, version)
        table.validate(full=True)  # a flipped byte may leave text that is none
    except (HoisetError, pa.ArrowInvalid) as error:
        yield Problem(file, "", str(error))
        return
    holders: dict[str, list[tuple[Entry, Found]]] = {}
    for entry, found in shards.values():
        for key in found.spans:
            holders.setdefault(key, []).append((entry, found))
    seen = set[str]()
    for row in _in_batches(table):
        key = row["key"]
        if key in seen:
            yield Problem(file, key, "found the key twice")
        elif key not in holders:
            yield Problem(file, key, "a row without a sample")
        else:
            yield from _row_problems(file, row, holders[key])
        seen.add(key)
    for key in sorted(holders.keys() - seen):
        yield Problem(file, key, "no row of this sample")


def _in_batches(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows of a table, of which few are Python's objects at once."""
    for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE):
        yield from batch.to_pylist()


def _row_problems(file: str, row: Mapping[str, Any], holders: list[tuple[Entry, Found]]) -> Iterator[Problem]:
    key = row["key"]
    spans: set[tuple[Any, ...]] = set()
    expected: dict[str, Any] = {}
    for entry, found in holders:
        spans.update((entry.layer, name, entry.path, *span) for name, span in found.spans[key].items())
        expected |= found.rows.get(key, {}) | found.robots.get(key, {})
    if {tuple(m[n] for n in ("layer", "member", "shard", "offset", "size")) for m in row["members"]} != spans:
        yield Problem(file, key, "found other shards, offsets or sizes of its members than in the shards")
    wrong = [name for name, value in expected.items() if name not in row or row[name] != value]
    if wrong:
        yield Problem(file, key, f"found other values than in the shard in {', '.join(wrong)}")
