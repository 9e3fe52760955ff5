"""Drops what is damaged, keeps what is whole, and says exactly what was lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hoiset.errors import DatasetError
from hoiset.shards.atomic import write_atomic
from hoiset.shards.codec import canonical_json
from hoiset.shards.manifest import digest, manifest_path
from hoiset.shards.reader import ShardReader
from hoiset.shards.writer import EncodedSample, ShardRecord, UnitWriter
from hoiset.upkeep.damage import Clip, Damage, Unit, survey
from hoiset.upkeep.swap import changed_directory


@dataclass(frozen=True)
class Repair:
    """What a repair did, or would do.

    Attributes:
        version: Name of the version.
        manifest_sha256: Of the manifest before.
        kept: How many clips are in it afterwards.
        lost: One mapping a lost clip: ``key``, ``partition`` and ``reasons``.
        unproven: Keys of clips that pass every check and stood in a shard whose digest was not the manifest's.
        rewritten: Shards that were written again.
        removed: Files that are gone: shards of which nothing was left, and files that the manifest did not list.
        problems: What ``hoiset verify`` said before.
    """

    version: str
    manifest_sha256: str
    kept: int
    lost: tuple[Mapping[str, Any], ...]
    unproven: tuple[str, ...]
    rewritten: tuple[str, ...]
    removed: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def needed(self) -> bool:
        """Whether anything was wrong."""
        return bool(self.problems)


def record_path(version: str) -> str:
    """Path, relative to the root, of the list of all repairs of a version."""
    return f"repaired/{version}.json"


def repair_dataset(
    root: Path, version: str, *, strict: bool = False, dry_run: bool = False, processes: int | None = None
) -> Repair:
    """Make a version pass ``hoiset verify`` again by leaving out what is damaged.

    All layers of a damaged clip go together. Units in which nothing is wrong are not touched; of the others the whole
    clips are written again, byte for byte; index, figures, manifest and card follow. What was done is appended to
    ``repaired/<version>.json``. The dataset is replaced in one step: after a kill it is as before or as after.

    Args:
        root: Dataset directory.
        version: Name of the version.
        strict: Also leave out clips that pass every check but stand in a shard whose digest is not the manifest's:
            there is no digest of a clip alone, so that a changed value may go unnoticed.
        dry_run: Only say what would be done.
        processes: See :func:`hoiset.shards.verify.verify_dataset`.

    Raises:
        DatasetError: There is no manifest to go by, nothing whole would be left, a whole layer is missing, or the file
            system refuses.
        MissingDependency: matplotlib is not installed, which draws the card's figures.
    """
    root = Path(root).resolve()
    damage = survey(root, version, strict=strict, processes=processes)
    done = _plan(root, version, damage)
    if not done.needed or dry_run:
        return done
    if not done.kept:
        raise DatasetError(f"{root}: no clip of {version} is whole, nothing would be left; fetch or build it again")
    _read_record(root, version)
    with changed_directory(root) as staging:
        _write(root, staging, version, damage, done)
    return done


def _plan(root: Path, version: str, damage: Damage) -> Repair:
    lost = [
        {"key": key, "partition": unit.partition, "reasons": reasons}
        for unit in damage.units
        for key, reasons in unit.lost.items()
    ]
    lost += [{"key": key, "partition": "", "reasons": ["a row of the index without a shard"]} for key in damage.rowless]
    changed = [unit for unit in damage.units if not unit.is_whole]
    return Repair(
        version,
        digest(root / manifest_path(version))["sha256"],
        sum(len(unit.clips) for unit in damage.units),
        tuple(sorted(lost, key=lambda entry: entry["key"])),
        tuple(sorted(key for unit in changed for key, clip in unit.clips.items() if clip.unproven)),
        tuple(sorted(path for unit in changed if unit.clips for path in _paths(unit))),
        tuple(sorted([*damage.strays, *(path for unit in changed if not unit.clips for path in _paths(unit))])),
        tuple(sorted(str(problem) for problem in damage.problems)),
    )


def _paths(unit: Unit) -> list[str]:
    return [entry.path for entry, _ in unit.shards.values()]


def _write(root: Path, staging: Path, version: str, damage: Damage, done: Repair) -> None:
    from hoiset.cards.finish import finish_version

    shards: list[ShardRecord] = []
    rows: list[dict[str, Any]] = []
    for path in done.removed:
        (staging / path).unlink(missing_ok=True)
    with ShardReader(root) as reader:
        for unit in damage.units:
            if unit.is_whole:
                shards += unit.records()
                rows += [_row(unit, clip) for clip in unit.clips.values()]
            elif unit.clips:
                with UnitWriter(staging, version, unit.partition, unit.number, tuple(unit.shards)) as writer:
                    for key, clip in unit.clips.items():
                        writer.add_encoded(EncodedSample(key, _bytes(reader, unit, clip), clip.row))
                shards += writer.records
                rows += writer.rows
    manifest = damage.manifest
    finish_version(
        staging,
        version,
        shards=shards,
        rows=rows,
        recipe=manifest["recipe"],
        backends=manifest["backends"],
        selection=manifest.get("selection"),
    )
    record = [*_read_record(root, version), asdict(done)]
    write_atomic(staging / record_path(version), canonical_json(record, indent=1))


def _row(unit: Unit, clip: Clip) -> dict[str, Any]:
    spans = [
        {"layer": layer, "member": member, "shard": unit.shards[layer][0].path, "offset": offset, "size": size}
        for layer, of_layer in clip.spans.items()
        for member, (offset, size) in sorted(of_layer.items())
    ]
    return {**clip.row, "members": spans}


def _bytes(reader: ShardReader, unit: Unit, clip: Clip) -> dict[str, dict[str, bytes]]:
    return {
        layer: {name: reader.read(unit.shards[layer][0].path, *span) for name, span in of_layer.items()}
        for layer, of_layer in clip.spans.items()
    }


def _read_record(root: Path, version: str) -> list[Any]:
    path = root / record_path(version)
    if not path.exists():
        return []
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is not a record of repairs ({error}); move it away") from error
    if not isinstance(record, list):
        raise DatasetError(f"{path}: found {type(record).__name__}, expected a list of repairs; move it away")
    return record
