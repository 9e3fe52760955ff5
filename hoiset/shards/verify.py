"""Re-reads a whole dataset and says everything that is wrong with it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hoiset.errors import DatasetError, SchemaError
from hoiset.shards import codec
from hoiset.shards.agreement import (
    index_problems,
    key_problems,
    layer_problems,
    partition_problems,
    removed_problems,
    robot_problems,
)
from hoiset.shards.checks import content_problems
from hoiset.shards.findings import Entry, Found, Problem, beside
from hoiset.shards.index import index_path, index_row
from hoiset.shards.manifest import read_manifest
from hoiset.shards.ranges import inside
from hoiset.shards.reader import TarMember
from hoiset.shards.removed import REMOVED_FILE
from hoiset.shards.robots import robot_row
from hoiset.shards.schema import members, robots_among
from hoiset.shards.storage import Storage
from hoiset.shards.ustar import ShardFile, read_each
from hoiset.shards.validate import mismatches

DEFAULT_REPROJECTION_SHARE = 0.25
BYTES_PER_PROCESS = 64 << 20
"""Starting a process takes longer than verifying fewer bytes than this."""


@dataclass(frozen=True)
class VerifyReport:
    """What a verification found.

    Attributes:
        versions: Versions that were verified.
        problems: All problems, by file and key.
        n_files: Files hashed.
        n_samples: Samples read, each counted once over its layers.
        n_frames: Frames of those samples.
        n_bytes: Bytes hashed.
    """

    versions: tuple[str, ...]
    problems: tuple[Problem, ...]
    n_files: int = 0
    n_samples: int = 0
    n_frames: int = 0
    n_bytes: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify_dataset(root: str | Path, version: str | None = None, *, processes: int | None = None) -> VerifyReport:
    """Verify a dataset directory against its manifests.

    Checked are: sizes and digests of all files; the structure of every tar; every member's type, shape, values and
    marks (:mod:`hoiset.shards.validate`); frame counts against the mp4; meshes against ``clip.json``; reprojection of
    the joints (:func:`hoiset.shards.checks.reprojection_problem`, bound ``verify.reprojection_share`` of the manifest's
    recipe); that the index says of every clip what its shard says; that keys are unique, layers hold the same keys in
    the same order, that no source video is in two partitions, and that none is there that was removed.

    Args:
        root: Dataset root, or the address of one; its files are then fetched one at a time, and removed again.
        version: Only this version; all by default.
        processes: Files read at once; by default one a core, and fewer for little data.

    Returns:
        A report. Damage is reported, never raised.

    Raises:
        DatasetError: ``root`` holds no such version.
    """
    storage = Storage.at(root)
    if storage.local is None:
        with tempfile.TemporaryDirectory(prefix="hoiset-") as scratch:
            names = (*storage.names("manifest", ".json"), *storage.names("index", ".parquet"))
            for name in (*names, *([REMOVED_FILE] if storage.size(REMOVED_FILE) is not None else [])):
                storage.get(name, Path(scratch) / name)
            return _verify(Path(scratch), storage, version, 1)
    return _verify(storage.local, storage, version, processes)


def _verify(root: Path, storage: Storage, version: str | None, processes: int | None) -> VerifyReport:
    versions = [version] if version is not None else sorted(p.stem for p in (root / "manifest").glob("*.json"))
    if not versions:
        raise DatasetError(f"{storage.url} has no manifest/*.json; expected a directory that `hoiset build` finished")
    reports = [_verify_version(root, storage, name, processes) for name in versions]
    return VerifyReport(
        tuple(versions),
        tuple(sorted((p for r in reports for p in r.problems), key=lambda p: (p.file, p.key, p.what))),
        *(sum(getattr(r, n) for r in reports) for n in ("n_files", "n_samples", "n_frames", "n_bytes")),
    )


def _verify_version(root: Path, storage: Storage, version: str, processes: int | None) -> VerifyReport:
    seen = examine(root, storage, version, processes)
    core = [f for e, f in seen.files if e.layer == "core"]
    return VerifyReport(
        (version,),
        seen.problems,
        len(seen.files),
        sum(len(f.spans) for f in core),
        sum(n for f in core for n in f.lengths.values()),
        sum(e.bytes for e, _ in seen.files),
    )


@dataclass(frozen=True)
class Examination:
    """A version as it was found.

    Attributes:
        manifest: Its manifest.
        files: Every file of the manifest, and what reading it gave.
        problems: Everything that is wrong, in no particular order.
    """

    manifest: dict[str, Any]
    files: tuple[tuple[Entry, Found], ...]
    problems: tuple[Problem, ...]


def examine(root: Path, storage: Storage, version: str, processes: int | None = None) -> Examination:
    """Read everything of a version.

    Args:
        root: Local folder with the manifest and the index.
        storage: Where the other files are.
        version: Name of the version.
        processes: See :func:`verify_dataset`.

    Raises:
        DatasetError: No such version, or a manifest that cannot be read.
    """
    manifest = read_manifest(root, version)
    share = reprojection_share(manifest)
    entries = [Entry.of(e) for e in manifest["files"]]
    problems = [Problem(f"manifest/{version}.json", "", "lists a file twice")] * (
        len({e.path for e in entries}) < len(entries)
    )
    found = _verify_files(root, storage, entries, share, processes)
    problems += [p for f in found for p in f.problems]
    by_path = {e.path: (e, f) for e, f in zip(entries, found, strict=True)}
    shards = {path: (e, f) for path, (e, f) in by_path.items() if e.layer}
    problems += _stray_files(storage, version, by_path)
    problems += layer_problems(shards)
    problems += robot_problems(shards)
    problems += key_problems(shards)
    problems += partition_problems(shards)
    problems += removed_problems(root, shards)
    if index_path(version) not in by_path:
        problems.append(Problem(index_path(version), "", "not in the manifest"))
    problems += index_problems(root, version, shards)
    return Examination(manifest, tuple(zip(entries, found, strict=True)), tuple(problems))


def reprojection_share(manifest: Mapping[str, Any]) -> float:
    """The bound that the manifest's recipe sets; raises DatasetError where it is none."""
    verify = manifest["recipe"].get("verify") or {}
    share = verify.get("reprojection_share", DEFAULT_REPROJECTION_SHARE)
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not share > 0:
        raise DatasetError(f"manifest: found verify.reprojection_share {share!r}, expected a positive number")
    return float(share)


def _verify_files(
    root: Path, storage: Storage, entries: list[Entry], share: float, processes: int | None
) -> list[Found]:
    """One :class:`Found` an entry; core shards are read together with the video shard beside them."""
    paths = {e.path for e in entries}
    work = [(root, e, beside(e, paths), share) for e in entries]
    useful = 1 + sum(e.bytes for e in entries) // BYTES_PER_PROCESS
    processes = min(processes or min(_cores(), useful), len(entries))
    if storage.local is None:
        return [_verify_fetched(storage, *w) for w in work]
    if processes <= 1:
        return [_verify_file(*w) for w in work]
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    largest_first = sorted(range(len(work)), key=lambda i: -work[i][1].bytes)
    try:
        with ProcessPoolExecutor(processes, mp_context=context) as pool:
            done = pool.map(_verify_file, *zip(*(work[i] for i in largest_first), strict=True))
            by_place = dict(zip(largest_first, done, strict=True))
            return [by_place[i] for i in range(len(work))]
    except BrokenProcessPool as error:
        raise DatasetError(f"a verifying process died ({error}); try again with fewer processes") from error


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _verify_fetched(storage: Storage, root: Path, entry: Entry, core: str | None, share: float) -> Found:
    """Verify a file of another storage: fetched for as long as that takes, with the core shard beside it."""
    fetched = []
    try:
        for name in (entry.path, core):
            if name is not None and not inside(root, name).exists():
                storage.get(name, root / name)
                fetched.append(root / name)
        return _verify_file(root, entry, core, share)
    except DatasetError as error:
        return Found([Problem(entry.path, "", str(error))])
    finally:
        for path in fetched:
            path.unlink()


def _verify_file(root: Path, entry: Entry, core: str | None, share: float) -> Found:
    """Read a file once: what its digest is and, of a shard, what is in it."""
    found = Found()
    try:
        with ShardFile(inside(root, entry.path)) as file:
            if entry.layer is not None:
                try:
                    _read_shard(file, entry, _lengths(root, core), share, found)
                except DatasetError as error:
                    found.problems.append(Problem(entry.path, "", str(error)))
            actual = file.digest()
    except DatasetError as error:
        found.problems.append(Problem(entry.path, "", str(error)))
        return found
    for name in ("bytes", "sha256"):
        if getattr(actual, name) != getattr(entry, name):
            what = f"found {name} {getattr(actual, name)}, the manifest says {getattr(entry, name)}"
            found.problems.append(Problem(entry.path, "", what))
    return found


def _read_shard(file: ShardFile, entry: Entry, lengths: Mapping[str, int], share: float, found: Found) -> None:
    """Check every sample of a shard."""
    for key, group in file.samples():
        if key in found.spans:
            found.problems.append(Problem(entry.path, key, "found the key twice"))
        found.spans[key] = {name: (item.offset, len(item.data)) for name, item in group.items()}
        try:
            sample = _decode(group, str(entry.layer))
        except (SchemaError, ValueError) as error:
            found.problems.append(Problem(entry.path, key, str(error)))
            continue
        wrong = [str(m) for m in mismatches(sample, (str(entry.layer),), key=key)]
        if not wrong:
            wrong = list(content_problems(sample, str(entry.layer), share, lengths.get(key)))
        found.problems += [Problem(entry.path, key, what) for what in wrong]
        if not wrong and entry.layer == "core":
            found.rows[key] = index_row(sample, str(entry.partition))
            found.lengths[key] = len(sample["time.npy"])
        if not wrong and entry.layer == "robots":
            found.robots[key] = robot_row(sample)
    if entry.samples != len(found.spans):
        what = f"found {len(found.spans)} samples, the manifest says {entry.samples}"
        found.problems.append(Problem(entry.path, "", what))


def _lengths(root: Path, core: str | None) -> dict[str, int]:
    """T of the clips of a core shard, as far as they can be read: its own check reports the others."""
    lengths: dict[str, int] = {}
    if core is not None:
        with suppress(DatasetError):
            for key, data in read_each(inside(root, core), "time.npy"):
                with suppress(SchemaError, TypeError):
                    lengths[key] = len(codec.decode_npy(data, "time.npy"))
    return lengths


def _decode(group: Mapping[str, TarMember], layer: str) -> dict[str, Any]:
    known = {m.name: m for m in members(layer, robots_among(group))}
    strange = sorted(set(group) - set(known))
    if strange:
        raise SchemaError(f"found members {', '.join(strange)}, which the {layer} layer does not have")
    return {name: codec.decode(known[name], item.data) for name, item in group.items()}


def _stray_files(storage: Storage, version: str, listed: Mapping[str, Any]) -> Iterator[Problem]:
    for name in storage.names(f"data/{version}"):
        if name not in listed:
            yield Problem(name, "", "not in the manifest; remove it or build again")
