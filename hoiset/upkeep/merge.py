"""Builds of one recipe by several machines, as one dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import itemgetter, or_
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
from hoiset.shards.removed import Removed, read_removed, write_removed
from hoiset.shards.staging import check_apart, new_directory
from hoiset.shards.writer import ShardRecord, shard_path
from hoiset.upkeep.builds import Build, Taken, rewritten, standing
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
        rewritten: Shards that hold those clips of one that others did not have already and that were not removed.
    """

    clips: int
    taken_once: tuple[str, ...]
    copied: int
    rewritten: int


def merge_datasets(roots: Sequence[Path], version: str, out: Path) -> Merged:
    """Make one dataset of several that were built with the same recipe.

    Shards are copied byte for byte under new numbers, and written again only where some of their clips are in another
    build already, or of a source video that was removed from any of the builds. Index, figures, manifest and card are
    made anew, statuses and lists of removed videos are joined. The order of ``roots`` is of no consequence. ``out``
    appears when it is whole.

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
    builds = [Build(root, manifest, read_index(root, version).to_pylist()) for _, root, manifest in in_order]
    _check_alike(builds)
    _check_partitions(builds)
    removed = reduce(or_, (read_removed(build.root) for build in builds))
    owner, twice = _owners(builds, removed)
    with new_directory(out) as staging:
        write_removed(staging, removed)
        shards: list[ShardRecord] = []
        rows: list[dict[str, Any]] = []
        counts = {"copied": 0, "rewritten": 0}
        numbers: dict[str, int] = {}
        for i, build in enumerate(builds):
            for (partition, _), unit in build.units.items():
                own = [row for row in unit if owner.get(row["key"]) == i]
                if not own:
                    continue
                number = numbers.get(partition, 0)
                numbers[partition] = number + 1
                take = _copy if len(own) == len(unit) else rewritten
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
        _join_statuses([build.root for build in builds], staging / STATUS_FILE, removed)
    return Merged(len(rows), tuple(twice), **counts)


def _check_alike(builds: Sequence[Build]) -> None:
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
        a_layers, b_layers = (build.layers for build in (first, other))
        if a_layers != b_layers:
            raise DatasetError(
                f"{first.root} has the layers {a_layers}, {other.root} has {b_layers}, expected the same"
            )


def _check_partitions(builds: Sequence[Build]) -> None:
    seen: dict[str, tuple[str, Path]] = {}
    for build in builds:
        for row in build.rows:
            partition, root = seen.setdefault(row["uid"], (row["partition"], build.root))
            if partition != row["partition"]:
                raise DatasetError(
                    f"found the source video {row['uid']!r} in {partition} of {root} and in {row['partition']} of "
                    f"{build.root}, expected one partition"
                )


def _owners(builds: Sequence[Build], removed: Removed) -> tuple[dict[str, int], list[str]]:
    """Key -> number of the build that it is taken from, but of removed videos; and the keys that several have."""
    first: dict[str, tuple[int, dict[str, Any]]] = {}
    twice, other = set[str](), set[str]()
    readers = [ShardReader(build.root) for build in builds]
    for i, build in enumerate(builds):
        for row in (row for row in build.rows if row["uid"] not in removed):
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


def _copy(build: Build, rows: list[dict[str, Any]], staging: Path, version: str, partition: str, number: int) -> Taken:
    renamed: dict[str, str] = {}
    records = []
    for old in standing(build, rows):
        renamed[old.path] = new = shard_path(version, old.layer, partition, number)
        if _copy_file(inside(build.root, old.path), staging / new) != (old.bytes, old.sha256):
            raise DatasetError(
                f"{build.root}/{old.path} is not what its manifest says; run `hoiset repair {build.root}`"
            )
        records.append(replace(old, path=new))
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


def _backends(builds: Sequence[Build]) -> list[dict[str, Any]]:
    """Every backend once."""
    out: list[dict[str, Any]] = []
    for build in builds:
        out += [backend for backend in build.manifest["backends"] if backend not in out]
    return sorted(out, key=lambda backend: sorted((str(k), str(v)) for k, v in backend.items()))


def _join_statuses(roots: Sequence[Path], out: Path, removed: Removed) -> None:
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
    rows = {repr(sorted(row.items())): row for row in joined.to_pylist() if row.get("uid") not in removed}
    in_order = [row for _, row in sorted(_by_key(rows), key=itemgetter(0))]
    with atomic_file(out) as file, writing(out):
        pq.write_table(pa.Table.from_pylist(in_order, schema=joined.schema), file)


def _by_key(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    for text, row in rows.items():
        yield (str(row.get("key", "")), text), row
