"""Takes source videos out of a dataset for good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hoiset.errors import DatasetError
from hoiset.shards.atomic import atomic_file, writing
from hoiset.shards.index import list_versions, read_index
from hoiset.shards.manifest import digest, list_manifests, read_manifest
from hoiset.shards.ranges import inside
from hoiset.shards.removed import Removed, read_removed, write_removed
from hoiset.shards.writer import ShardRecord
from hoiset.upkeep.builds import Build, rewritten, standing
from hoiset.upkeep.swap import changed_directory

TABLES = ("screen/candidates.parquet", "status.parquet")
"""What a build writes beside its shards, with one row or more a video."""
REPORTS = ("screen/report.html", "screen/report.json")
"""What shows single videos of a source; made again by the next build."""


@dataclass(frozen=True)
class Removal:
    """What a removal did, or would do.

    Attributes:
        uids: Source videos, sorted.
        clips: Version -> keys of their clips.
        rewritten: Shards that were written again without them.
        removed: Files that are gone.
        needed: Whether any of it was there, or any tombstone is new.
    """

    uids: tuple[str, ...]
    clips: dict[str, tuple[str, ...]]
    rewritten: tuple[str, ...]
    removed: tuple[str, ...]
    needed: bool


def remove_videos(
    root: Path, names: Sequence[str], *, reason: str = "", ahead: bool = False, dry_run: bool = False
) -> Removal:
    """Take all clips of source videos out of all versions of a dataset, and keep them out.

    Of the shards that hold such a clip, those of all layers are written again without it, the others' bytes stay;
    index, figures, manifest and card of every version follow, and the tables of its build. ``removed.json`` gets a
    tombstone (:mod:`hoiset.shards.removed`), which builds, merges, selections and repairs go by. The dataset is
    replaced in one step: after a kill it is as before or as after.

    Args:
        root: Dataset directory.
        names: Ids of source videos as the index has them; a clip's key stands for the video that it is of.
        reason: One line that everybody may read, or ``""``.
        ahead: Also take ids of which there is no clip, so that later builds make none.
        dry_run: Only say what would be done.

    Raises:
        DatasetError: A name is neither an id nor a key here, a shard is missing or damaged, a version cannot be read, a
            build is writing, or the file system refuses.
        MissingDependency: matplotlib is not installed, which draws the card's figures.
    """
    root = Path(root).resolve()
    builds = _builds(root)
    before = read_removed(root)
    uids = _resolved(root, builds, names, before, ahead)
    removed = Removed.of(uids, reason) | before
    plan = [_plan(build, removed) for build in builds.values()]
    keys = {
        version: tuple(sorted(row["key"] for row in build.rows if row["uid"] in removed))
        for version, build in builds.items()
    }
    reports = [name for name in REPORTS if (root / name).exists() and _named(root, removed)]
    done = Removal(
        tuple(sorted(uids)),
        {version: of_version for version, of_version in keys.items() if of_version},
        tuple(sorted(path for part in plan for path in part.rewritten)),
        tuple(sorted([*reports, *(path for part in plan for path in part.gone)])),
        removed != before or any(keys.values()),
    )
    if done.needed and not dry_run:
        _check_whole(root, builds, [*done.rewritten, *(path for part in plan for path in part.gone)])
        with changed_directory(root) as staging:
            _write(staging, builds, removed, done)
    return done


@dataclass(frozen=True)
class _Plan:
    rewritten: tuple[str, ...]
    gone: tuple[str, ...]


def _builds(root: Path) -> dict[str, Build]:
    """Every version, the one that the card speaks of last."""
    versions = list_manifests(root)
    odd = sorted(set(list_versions(root)) ^ set(versions))
    if odd or not versions:
        what = f"{', '.join(odd)} without an index or a manifest" if odd else "no version with a manifest"
        raise DatasetError(f"{root}: found {what}; expected whole versions, run `hoiset repair {root}` or build again")
    last = _of_card(root, versions)
    in_order = sorted(versions, key=lambda version: (version == last, version))
    return {v: Build(root, read_manifest(root, v), read_index(root, v).to_pylist()) for v in in_order}


def _of_card(root: Path, versions: Sequence[str]) -> str:
    from hoiset.cards.front_matter import read_front_matter

    configs = read_front_matter(root / "README.md").get("configs") or ()
    default = next((str(c.get("config_name")) for c in configs if isinstance(c, dict) and c.get("default")), "")
    return default if default in versions else versions[-1]


def _resolved(root: Path, builds: dict[str, Build], names: Sequence[str], before: Removed, ahead: bool) -> set[str]:
    uids = {row["uid"] for build in builds.values() for row in build.rows}
    of_key = {row["key"]: row["uid"] for build in builds.values() for row in build.rows}
    found = {
        name: name if name in uids or name in before else of_key.get(name, name if ahead else None) for name in names
    }
    unknown = sorted(name for name, uid in found.items() if uid is None)
    if unknown:
        some = ", ".join(repr(uid) for uid in sorted(uids)[:3])
        raise DatasetError(
            f"{root} has no clip of {', '.join(map(repr, unknown))}; its videos are such as {some or 'none'}. Use "
            "--ahead to keep a video out of later builds that has no clip here"
        )
    return {uid for uid in found.values() if uid is not None}


def _plan(build: Build, removed: Removed) -> _Plan:
    again: list[str] = []
    gone: list[str] = []
    for unit in build.units.values():
        kept = [row for row in unit if row["uid"] not in removed]
        if len(kept) < len(unit):
            (again if kept else gone).extend(record.path for record in standing(build, unit))
    return _Plan(tuple(again), tuple(gone))


def _check_whole(root: Path, builds: dict[str, Build], paths: Sequence[str]) -> None:
    """What is copied must be what the manifest says."""
    entries = {entry["path"]: entry for build in builds.values() for entry in build.manifest["files"]}
    for path in paths:
        if not inside(root, path).exists():
            raise DatasetError(f"{root} has no {path}, which holds a clip of these videos; fetch that layer first")
        if digest(inside(root, path))["sha256"] != entries[path]["sha256"]:
            raise DatasetError(f"{root}/{path} is not what its manifest says; run `hoiset repair {root}` first")


def _write(staging: Path, builds: dict[str, Build], removed: Removed, done: Removal) -> None:
    from hoiset.cards.finish import finish_version, write_faces

    write_removed(staging, removed)
    for name in TABLES:
        _purge(staging / name, removed)
    for path in done.removed:
        (staging / path).unlink(missing_ok=True)
    for version, build in builds.items():
        if version not in done.clips:
            continue
        shards: list[ShardRecord] = []
        rows: list[dict[str, Any]] = []
        for (partition, name), unit in build.units.items():
            kept = [row for row in unit if row["uid"] not in removed]
            if len(kept) == len(unit):
                shards += standing(build, unit)
                rows += unit
            elif kept:
                number = int(name.rpartition("-")[2].removesuffix(".tar"))
                records, taken = rewritten(build, kept, staging, version, partition, number)
                shards += records
                rows += taken
        finish_version(
            staging,
            version,
            shards=shards,
            rows=rows,
            recipe=build.manifest["recipe"],
            backends=build.manifest["backends"],
            selection=build.manifest.get("selection"),
        )
    write_faces(staging, list(builds)[-1])


def _named(root: Path, removed: Removed) -> bool:
    """Whether pass 1 has a removed video on record."""
    return any(uid in removed for uid in _uids(root / TABLES[0]))


def _uids(path: Path) -> Iterator[str]:
    if path.exists():
        yield from (uid or "" for uid in pc.unique(_table(path, ["uid"])["uid"]).to_pylist())


def _table(path: Path, columns: list[str] | None = None) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(f"cannot read {path} ({error}); move it away") from error


def _purge(path: Path, removed: Removed) -> None:
    """Leave out the rows of removed videos."""
    there = [uid for uid in _uids(path) if uid in removed]
    if there:
        table = _table(path)
        table = table.filter(pc.invert(pc.is_in(table["uid"], pa.array(there, table.schema.field("uid").type))))
        with atomic_file(path) as file, writing(path):
            pq.write_table(table, file)
