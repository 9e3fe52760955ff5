"""Builds of one recipe by several machines, as one dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hoiset.errors import DatasetError
from hoiset.shards.atomic import atomic_file, writing
from hoiset.shards.copying import copied_sample
from hoiset.shards.index import read_index
from hoiset.shards.manifest import digest, manifest_path, read_manifest
from hoiset.shards.ranges import inside
from hoiset.shards.reader import ShardReader
from hoiset.shards.schema import layers
from hoiset.shards.staging import check_apart, new_directory
from hoiset.shards.writer import ShardRecord, UnitWriter, shard_path
from hoiset.upkeep.differences import differences, value_at

STATUS_FILE = "status.parquet"
_CHUNK = 1 << 20
_SHOWN = 10


@dataclass(frozen=True)
class Merged:
    """What a merge made.

    Attributes:
        clips: How many are in it.
        taken_once: Keys that several of the builds had, with equal bytes.
        copied: Shards that are copies of one, byte for byte.
        rewritten: Shards that hold the clips of one that others did not have already.
    """

    clips: int
    taken_once: tuple[str, ...]
    copied: int
    rewritten: int


@dataclass(frozen=True)
class _Build:
    root: Path
    manifest: dict[str, Any]
    rows: list[dict[str, Any]]

    @property
    def units(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """(partition, name of the shards) -> their rows, in the order of the core shard."""
        out: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in sorted(self.rows, key=lambda row: (row["partition"], *_place(row))):
            out.setdefault((row["partition"], _place(row)[0]), []).append(row)
        return out


def _place(row: Mapping[str, Any]) -> tuple[str, int]:
    core = min((m["offset"], Path(m["shard"]).name) for m in row["members"] if m["layer"] == "core")
    return core[1], core[0]


def merge_datasets(roots: Sequence[Path], version: str, out: Path) -> Merged:
    """Make one dataset of several that were built with the same recipe.

    Shards are copied byte for byte under new numbers, and written again only where some of their clips are in another
    build already. Index, figures, manifest and card are made anew, statuses are joined. The order of ``roots`` is of no
    consequence. ``out`` appears when it is whole.

    Args:
        roots: Two dataset directories or more.
        version: Of all of them, and of the new one.
        out: New or empty directory, apart from the others.

    Raises:
        DatasetError: The recipes, layers or selections differ (the message says in what), a key has other bytes in
            another build, a source video is in two partitions, a shard is missing or damaged, or ``out`` is no such
            directory.
        MissingDependency: matplotlib is not installed, which draws the card's figures.
    """
    from hoiset.cards.finish import finish_version

    out = out.resolve()
    for root in roots:
        check_apart(root.resolve(), out)
    in_order = sorted(
        (digest(root / manifest_path(version))["sha256"], root, read_manifest(root, version)) for root in set(roots)
    )
    builds = [_Build(root, manifest, read_index(root, version).to_pylist()) for _, root, manifest in in_order]
    _check_alike(builds)
    _check_partitions(builds)
    owner, twice = _owners(builds)
    with new_directory(out) as staging:
        shards: list[ShardRecord] = []
        rows: list[dict[str, Any]] = []
        counts = {"copied": 0, "rewritten": 0}
        numbers: dict[str, int] = {}
        for i, build in enumerate(builds):
            for (partition, _), unit in build.units.items():
                own = [row for row in unit if owner[row["key"]] == i]
                if not own:
                    continue
                number = numbers.get(partition, 0)
                numbers[partition] = number + 1
                take = _copy if len(own) == len(unit) else _rewrite
                records, taken = take(build, own, staging, version, partition, number)
                counts["copied" if take is _copy else "rewritten"] += len(records)
                shards += records
                rows += taken
        finish_version(
            staging,
            version,
            shards=shards,
            rows=rows,
            recipe=builds[0].manifest["recipe"],
            backends=_backends(builds),
            selection=builds[0].manifest.get("selection"),
        )
        _join_statuses([build.root for build in builds], staging / STATUS_FILE)
    return Merged(len(rows), tuple(twice), **counts)


def _check_alike(builds: Sequence[_Build]) -> None:
    first = builds[0]
    for other in builds[1:]:
        for name in ("recipe", "selection"):
            a, b = first.manifest.get(name), other.manifest.get(name)
            odd = [f"{at or name}: {value_at(a, at)!r} and {value_at(b, at)!r}" for at in differences(a, b)]
            if odd:
                raise DatasetError(
                    f"{first.root} and {other.root} have another {name}: {'; '.join(odd[:_SHOWN])}; "
                    "only builds of one recipe can be merged"
                )
        a_layers, b_layers = (_layers(build) for build in (first, other))
        if a_layers != b_layers:
            raise DatasetError(
                f"{first.root} has the layers {a_layers}, {other.root} has {b_layers}, expected the same"
            )


def _layers(build: _Build) -> list[str]:
    there = {entry["layer"] for entry in build.manifest["files"]}
    return [layer for layer in layers() if layer in there]


def _check_partitions(builds: Sequence[_Build]) -> None:
    seen: dict[str, tuple[str, Path]] = {}
    for build in builds:
        for row in build.rows:
            partition, root = seen.setdefault(row["uid"], (row["partition"], build.root))
            if partition != row["partition"]:
                raise DatasetError(
                    f"found the source video {row['uid']!r} in {partition} of {root} and in {row['partition']} of "
                    f"{build.root}, expected one partition"
                )


def _owners(builds: Sequence[_Build]) -> tuple[dict[str, int], list[str]]:
    """Key -> number of the build that it is taken from, and the keys that several have."""
    first: dict[str, tuple[int, dict[str, Any]]] = {}
    twice, other = set[str](), set[str]()
    readers = [ShardReader(build.root) for build in builds]
    for i, build in enumerate(builds):
        for row in build.rows:
            j, known = first.setdefault(row["key"], (i, row))
            if j == i:
                continue
            same = copied_sample(readers[i], row).layers == copied_sample(readers[j], known).layers
            (twice if same else other).add(row["key"])
    for reader in readers:
        reader.close()
    if other:
        keys = ", ".join(sorted(other)[:_SHOWN]) + (f" and {len(other) - _SHOWN} more" if len(other) > _SHOWN else "")
        raise DatasetError(f"found other bytes in another build under the keys {keys}; `hoiset diff` says which")
    return {key: i for key, (i, _) in first.items()}, sorted(twice)


_Taken = tuple[list[ShardRecord], list[dict[str, Any]]]


def _copy(
    build: _Build, rows: list[dict[str, Any]], staging: Path, version: str, partition: str, number: int
) -> _Taken:
    entries = {entry["path"]: entry for entry in build.manifest["files"]}
    renamed: dict[str, str] = {}
    records = []
    for layer in _layers(build):
        spans: dict[str, dict[str, tuple[int, int]]] = {}
        for row in rows:
            of_layer = [m for m in row["members"] if m["layer"] == layer]
            spans[row["key"]] = {m["member"]: (m["offset"], m["size"]) for m in of_layer}
        (old,) = {m["shard"] for row in rows for m in row["members"] if m["layer"] == layer}
        renamed[old] = new = shard_path(version, layer, partition, number)
        size, sha256 = _copy_file(inside(build.root, old), staging / new)
        if old not in entries or (size, sha256) != (entries[old]["bytes"], entries[old]["sha256"]):
            raise DatasetError(f"{build.root}/{old} is not what its manifest says; run `hoiset repair {build.root}`")
        if entries[old]["samples"] != len(rows):
            raise DatasetError(f"{build.root}: the index lacks clips of {old}; run `hoiset repair {build.root}`")
        records.append(ShardRecord(new, layer, partition, size, sha256, tuple(spans), spans))
    moved = [{**row, "members": [{**m, "shard": renamed[m["shard"]]} for m in row["members"]]} for row in rows]
    return records, moved


def _copy_file(source: Path, target: Path) -> tuple[int, str]:
    """Size and digest of what was copied."""
    sha256, size = hashlib.sha256(), 0
    try:
        file = source.open("rb")
    except OSError as error:
        raise DatasetError(f"cannot open {source}: {error.strerror}; is its layer downloaded?") from error
    with file, atomic_file(target) as copy:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            size += len(chunk)
            with writing(target):
                copy.write(chunk)
    return size, sha256.hexdigest()


def _rewrite(
    build: _Build, rows: list[dict[str, Any]], staging: Path, version: str, partition: str, number: int
) -> _Taken:
    unit = UnitWriter(staging, version, partition, number, tuple(_layers(build)))
    with ShardReader(build.root) as reader, unit:
        for row in rows:
            unit.add_encoded(copied_sample(reader, row))
    return list(unit.records), list(unit.rows)


def _backends(builds: Sequence[_Build]) -> list[dict[str, Any]]:
    """Every backend once."""
    out: list[dict[str, Any]] = []
    for build in builds:
        out += [backend for backend in build.manifest["backends"] if backend not in out]
    return sorted(out, key=lambda backend: sorted((str(k), str(v)) for k, v in backend.items()))


def _join_statuses(roots: Sequence[Path], out: Path) -> None:
    """One row a clip and outcome, equal rows once, in an order that depends on nothing but the rows."""
    tables = []
    for root in roots:
        path = root / STATUS_FILE
        if not path.exists():
            continue
        try:
            tables.append(pq.read_table(path))
        except (pa.ArrowInvalid, OSError) as error:
            raise DatasetError(f"cannot read {path} ({error}); move it away") from error
    if not tables:
        return
    try:
        joined = pa.concat_tables(tables)
    except pa.ArrowInvalid as error:
        raise DatasetError(f"the {STATUS_FILE} of the builds have other columns ({error}); move them away") from error
    rows = {repr(sorted(row.items())): row for row in joined.to_pylist()}
    in_order = [row for _, row in sorted(_by_key(rows), key=itemgetter(0))]
    with atomic_file(out) as file, writing(out):
        pq.write_table(pa.Table.from_pylist(in_order, schema=joined.schema), file)


def _by_key(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    for text, row in rows.items():
        yield (str(row.get("key", "")), text), row
