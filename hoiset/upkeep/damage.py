"""Which clips of a dataset are whole, which are lost and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from hoiset.errors import DatasetError, HoisetError, SchemaError
from hoiset.shards import codec
from hoiset.shards.checks import content_problems
from hoiset.shards.findings import Entry, Found, Problem
from hoiset.shards.index import index_row, read_index
from hoiset.shards.ranges import inside
from hoiset.shards.reader import ShardReader
from hoiset.shards.robots import robot_row
from hoiset.shards.schema import layers, members, robots_among
from hoiset.shards.storage import Storage
from hoiset.shards.ustar import BLOCK, read_header
from hoiset.shards.validate import mismatches
from hoiset.shards.verify import Examination, examine, reprojection_share
from hoiset.shards.writer import ShardRecord

Spans = Mapping[str, Mapping[str, tuple[int, int]]]
"""Layer -> member -> offset and size."""


@dataclass(frozen=True)
class Clip:
    """A clip that is whole.

    Attributes:
        row: Its index row, all but ``members``.
        spans: Where its members stand in the shards of its unit.
        unproven: Whether a shard that holds it has another digest than the manifest says: every check passes, and
            still a value may have changed.
    """

    row: Mapping[str, Any]
    spans: Spans
    unproven: bool = False


@dataclass
class Unit:
    """The shards of one name, one a layer, and their clips.

    Attributes:
        partition: Theirs.
        number: That in their names.
        shards: Layer -> the manifest's entry, and what reading it gave.
        problems: What is wrong with any of the shards.
        clips: Key -> a clip that is whole, in the order of the shards.
        lost: Key -> why it is not.
    """

    partition: str
    number: int
    shards: dict[str, tuple[Entry, Found]]
    problems: list[Problem] = field(default_factory=list)
    clips: dict[str, Clip] = field(default_factory=dict)
    lost: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it needs to be written again."""
        return not self.problems and not self.lost

    def records(self) -> Iterator[ShardRecord]:
        """Of the shards as they are."""
        for layer, (entry, found) in self.shards.items():
            keys = tuple(found.spans)
            yield ShardRecord(entry.path, layer, self.partition, entry.bytes, entry.sha256, keys, found.spans)


@dataclass(frozen=True)
class Damage:
    """A version, unit by unit.

    Attributes:
        manifest: Its manifest.
        units: All of them, by partition and number.
        problems: Everything that ``hoiset verify`` says.
        strays: Files in the version's folder that the manifest does not list.
        rowless: Keys that stand in the index and in no shard of the manifest.
    """

    manifest: dict[str, Any]
    units: tuple[Unit, ...]
    problems: tuple[Problem, ...]
    strays: tuple[str, ...]
    rowless: tuple[str, ...]


def survey(root: Path, version: str, *, strict: bool = False, processes: int | None = None) -> Damage:
    """Read everything and tell whole clips from lost ones.

    A clip is whole when every member of every layer is there and passes the checks of ``hoiset verify``. Where the
    structure of a shard is broken, its clips are looked for where the index says.

    Args:
        root: Dataset directory.
        version: Name of the version.
        strict: Whether clips that are unproven are lost, too.
        processes: See :func:`hoiset.shards.verify.verify_dataset`.

    Raises:
        DatasetError: No manifest, one that cannot be read, or a layer of which no shard is there.
    """
    seen = examine(root, Storage.at(root), version, processes)
    indexed = _indexed(root, version)
    units = _units(seen)
    _check_layers(root, units)
    of_file = {entry.path: unit for unit in units for entry, _ in unit.shards.values()}
    for problem in seen.problems:
        if problem.file in of_file:
            of_file[problem.file].problems.append(problem)
    share = reprojection_share(seen.manifest)
    in_shard: dict[str, list[str]] = {}
    for key, of_key in indexed.items():
        for path in of_key:
            in_shard.setdefault(path, []).append(key)
    with ShardReader(root) as reader:
        for unit in units:
            keys = dict.fromkeys(key for _, found in unit.shards.values() for key in found.spans)
            keys |= dict.fromkeys(key for e, _ in unit.shards.values() for key in in_shard.get(e.path, ()))
            _sort(unit, keys, reader, indexed, share, strict)
    listed = {entry.path for entry, _ in seen.files}
    known = {key for unit in units for key in (*unit.clips, *unit.lost)}
    strays = tuple(name for name in Storage.at(root).names(f"data/{version}") if name not in listed)
    return Damage(seen.manifest, tuple(units), seen.problems, strays, tuple(sorted(indexed.keys() - known)))


def _indexed(root: Path, version: str) -> dict[str, dict[str, dict[str, tuple[int, int]]]]:
    """Key -> shard -> member -> offset and size, as far as the index can be read."""
    try:
        table = read_index(root, version, ["key", "members"])
        table.validate(full=True)
    except (HoisetError, pa.ArrowInvalid):
        return {}
    out: dict[str, dict[str, dict[str, tuple[int, int]]]] = {}
    for row in table.to_pylist():
        of_key = out.setdefault(row["key"], {})
        for span in row["members"]:
            of_key.setdefault(span["shard"], {})[span["member"]] = (span["offset"], span["size"])
    return out


def _units(seen: Examination) -> list[Unit]:
    units: dict[str, Unit] = {}
    for entry, found in sorted(seen.files, key=lambda pair: pair[0].path):
        if entry.layer is None:
            continue
        name = Path(entry.path).stem
        partition, _, number = name.rpartition("-")
        if not number.isdecimal() or partition != entry.partition or entry.layer not in layers():
            raise DatasetError(f"found {entry.path} in the manifest, expected data/<version>/<layer>/<partition>-00000")
        units.setdefault(name, Unit(partition, int(number), {})).shards[entry.layer] = (entry, found)
    for unit in units.values():
        unit.shards = {layer: unit.shards[layer] for layer in layers() if layer in unit.shards}
    return list(units.values())


def _check_layers(root: Path, units: list[Unit]) -> None:
    for layer in layers():
        paths = [unit.shards[layer][0].path for unit in units if layer in unit.shards]
        if paths and not any(inside(root, path).exists() for path in paths):
            raise DatasetError(
                f"{root} has no shard of the {layer} layer, so that no clip is whole; fetch that layer first"
            )


def _sort(
    unit: Unit, keys: Iterable[str], reader: ShardReader, indexed: Mapping[str, Any], share: float, strict: bool
) -> None:
    """Fill the clips and the lost keys of a unit."""
    broken = {problem.file for problem in unit.problems if not problem.key}
    reasons: dict[str, list[str]] = {}
    for problem in unit.problems:
        if problem.key:
            reasons.setdefault(problem.key, []).append(f"{problem.file}: {problem.what}")
    order = {key: i for i, key in enumerate(unit.shards["core"][1].spans)} if "core" in unit.shards else {}
    for key in sorted(keys, key=lambda key: (order.get(key, len(order)), key)):
        if key in reasons:
            unit.lost[key] = reasons[key]
            continue
        unproven = any(entry.path in broken for entry, _ in unit.shards.values())
        try:
            clip = _recovered(unit, key, reader, indexed.get(key, {}), share) if unproven else _sound(unit, key)
        except HoisetError as error:
            unit.lost[key] = [str(error)]
            continue
        if clip.unproven and strict:
            unit.lost[key] = ["a shard of it has another digest than the manifest says"]
        else:
            unit.clips[key] = clip


def _sound(unit: Unit, key: str) -> Clip:
    """A clip of shards that are as the manifest says."""
    missing = [entry.path for entry, found in unit.shards.values() if key not in found.spans]
    row = unit.shards["core"][1].rows.get(key) if "core" in unit.shards else None
    if missing or row is None:
        raise DatasetError(f"not in {', '.join(missing or ['any core shard'])}")
    if "robots" in unit.shards:
        row = row | unit.shards["robots"][1].robots.get(key, {})
    return Clip(row, {layer: found.spans[key] for layer, (_, found) in unit.shards.items()})


def _recovered(unit: Unit, key: str, reader: ShardReader, indexed: Mapping[str, Any], share: float) -> Clip:
    """A clip of shards of which one is not as the manifest says: read where the shard, or else the index, has it."""
    spans: dict[str, dict[str, tuple[int, int]]] = {}
    n_frames: int | None = None
    row: dict[str, Any] | None = None
    robots: dict[str, Any] = {}
    for layer, (entry, found) in unit.shards.items():
        at = found.spans.get(key) or indexed.get(entry.path)
        if at is None:
            raise DatasetError(f"{entry.path}: neither the shard nor the index says where it stands")
        sample = {}
        wanted = members(layer, robots_among(at))
        for member in wanted:
            if member.name not in at:
                raise DatasetError(f"{entry.path}: no {member.name}")
            sample[member.name] = codec.decode(member, _checked(reader, entry.path, key, member.name, at[member.name]))
        wrong = [str(m) for m in mismatches(sample, (layer,), key=key)]
        wrong = wrong or list(content_problems(sample, layer, share, n_frames))
        if wrong:
            raise SchemaError(f"{entry.path}: {'; '.join(wrong)}")
        spans[layer] = {member.name: at[member.name] for member in wanted}
        if layer == "core":
            n_frames, row = len(sample["time.npy"]), index_row(sample, unit.partition)
        robots |= robot_row(sample)
    if row is None:
        raise DatasetError("not in any core shard")
    return Clip(row | robots, spans, unproven=True)


def _checked(reader: ShardReader, shard: str, key: str, member: str, span: tuple[int, int]) -> bytes:
    """Bytes of a member whose header says that they are."""
    offset, size = span
    header = reader.read(shard, offset - BLOCK, BLOCK)
    if read_header(header) != (f"{key}.{member}", size):
        raise DatasetError(f"{shard}: found no header of {key}.{member} before byte {offset}")
    return reader.read(shard, offset, size)
