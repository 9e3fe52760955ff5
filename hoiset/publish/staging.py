"""The files of a version as they go to the Hub: of the chosen layers only, and with what their licences ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hoiset.cards.croissant import CROISSANT_FILE
from hoiset.errors import DatasetError, PushError
from hoiset.publish.changes import CARD, LICENCES, LocalFile, notice_path, record_paths
from hoiset.publish.terms import Obligation, notice, obligations
from hoiset.shards.atomic import write_atomic, writing
from hoiset.shards.codec import canonical_json
from hoiset.shards.findings import Entry
from hoiset.shards.index import index_path, read_index, write_index
from hoiset.shards.manifest import digest, manifest_path, read_manifest
from hoiset.shards.ranges import inside
from hoiset.shards.removed import REMOVED_FILE, Removed, read_removed, write_removed
from hoiset.shards.robots import robot_columns, robots_of_columns
from hoiset.shards.schema import layers as all_layers

_MADE = (CARD, CROISSANT_FILE, REMOVED_FILE, "index", "manifest", LICENCES)
_ROWS_AT_ONCE = 4096
_SHOWN = 10


@dataclass(frozen=True)
class Override:
    """Why footage is passed on although no known licence permits it.

    Attributes:
        reason: In one line, as whoever pushes gives it.
        refused: What would have been refused: layer, licence, clips and videos.
    """

    reason: str
    refused: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Staged:
    """What is to be in the repository, all but what versions share: card and tombstones.

    Attributes:
        root: The dataset's directory.
        folder: Has what goes and is not sent from there, and shows the rest, for the card to be written from.
        version: Name of the version.
        layers: That go.
        files: What goes.
        obliged: What licences ask for.
        override: See :class:`Override`.
    """

    root: Path
    folder: Path
    version: str
    layers: tuple[str, ...]
    files: tuple[LocalFile, ...]
    obliged: tuple[Obligation, ...]
    override: Override | None


def chosen_layers(root: Path, version: str, layers: Sequence[str] | None) -> tuple[str, ...]:
    """The layers to push, in the order of the schema: those asked for, or all that are there.

    Raises:
        PushError: A layer is not there, or the core layer is not among them, on which all others rest.
        DatasetError: No such version, or a manifest that cannot be read.
    """
    listed = {str(entry["layer"]) for entry in read_manifest(root, version)["files"] if entry.get("layer")}
    there = tuple(layer for layer in all_layers() if layer in listed)
    wanted = there if layers is None else tuple(layer for layer in there if layer in layers)
    strange = sorted(set(layers or ()) - set(there))
    if strange:
        raise PushError(f"{root} has no layer {', '.join(strange)}; layers there: {', '.join(there)}")
    if "core" not in wanted:
        raise PushError(f"found the layers {', '.join(wanted) or 'none'}, expected core among them: clips rest on it")
    return wanted


def stage(root: Path, version: str, layers: tuple[str, ...], folder: Path, override: Override | None) -> Staged:
    """Make the files that are to go.

    Shards, figures and licence texts are sent from where they lie. Index and manifest go as they are, too, unless
    layers stay behind or there is something to add: then they are made anew in ``folder``, so that they say what is in
    the repository. Equal datasets and arguments give equal bytes.

    Args:
        root: Dataset root, verified.
        version: Name of the version.
        layers: That go.
        folder: An empty directory.
        override: See :class:`Override`.

    Raises:
        DatasetError: A file cannot be read or written.
    """
    manifest = read_manifest(root, version)
    entries = [Entry.of(entry) for entry in manifest["files"]]
    kept = [entry for entry in entries if entry.layer is None or entry.layer in layers]
    whole = len(kept) == len(entries)
    _mirror(root, folder)
    _stage_index(root, version, None if whole else layers, folder)
    obliged = obligations(manifest["recipe"], read_index(folder, version, ["licence"]), layers)
    texts = _licence_texts(root)
    if obliged or override:
        text = notice(version, obliged, [Path(t.path).name for t in texts], override.reason if override else "")
        write_atomic(folder / notice_path(version), text.encode())
        texts.append(LocalFile.at(notice_path(version), folder / notice_path(version)))
    if not whole or texts or override:
        manifest = _amended(manifest, kept, folder, texts, override)
        write_atomic(folder / manifest_path(version), canonical_json(manifest, indent=1))
    else:
        write_atomic(folder / manifest_path(version), (root / manifest_path(version)).read_bytes())
    made = (LocalFile.at(path, folder / path) for path in (index_path(version), manifest_path(version)))
    as_they_are = (
        LocalFile(e.path, inside(root, e.path), e.bytes, e.sha256) for e in kept if e.path != index_path(version)
    )
    others = (LocalFile.at(path, root / path) for path in record_paths(version) if (root / path).is_file())
    return Staged(root, folder, version, layers, tuple(chain(as_they_are, made, texts, others)), obliged, override)


def stage_removed(staged: Staged, there: Path | None) -> LocalFile | None:
    """Join the tombstones of the dataset with those of the repository, so that none is lost, into the staged folder.

    Args:
        staged: What is to be in the repository.
        there: The repository's own, if it has any.

    Returns:
        The file, where there is any.

    Raises:
        DatasetError: The dataset's list cannot be read.
        PushError: The repository's cannot be read, or the version has clips of a video that was removed there for good.
    """
    path = staged.folder / REMOVED_FILE
    try:
        theirs = Removed.parse(None if there is None else there.read_bytes(), f"{REMOVED_FILE} of the repository")
    except DatasetError as error:
        raise PushError(str(error)) from None
    uids = read_index(staged.folder, staged.version, ["uid"])["uid"].unique().to_pylist() if theirs else []
    back = sorted(uid for uid in uids if uid in theirs)
    if back:
        raise PushError(
            f"found {len(back)} videos that were removed from the repository for good: {', '.join(back[:_SHOWN])}; "
            f"take them out here, too: `hoiset remove {staged.root} UID...`"
        )
    joined = theirs | read_removed(staged.root)
    path.unlink(missing_ok=True)
    write_removed(staged.folder, joined)
    return LocalFile.at(REMOVED_FILE, path) if path.exists() else None


def _mirror(root: Path, folder: Path) -> None:
    """Let the folder show what lies beside a version's own files, for its card to be made from."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path in root.iterdir():
            if path.name not in _MADE and not path.name.startswith("."):
                (folder / path.name).symlink_to(path.resolve())


def _stage_index(root: Path, version: str, layers: tuple[str, ...] | None, folder: Path) -> None:
    path = folder / index_path(version)
    if layers is not None:
        write_index(folder, version, _rows(root / index_path(version), layers), ordered=True)
        return
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to((root / index_path(version)).resolve())


def _rows(path: Path, layers: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The rows of an index without the members of other layers, and without robots' columns where those stay behind."""
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE):
                of_robots = [] if "robots" in layers else robot_columns(robots_of_columns(batch.schema.names))
                for row in batch.drop_columns(list(of_robots)).to_pylist():
                    yield {**row, "members": [m for m in row["members"] if m["layer"] in layers]}
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(f"{path} is not a readable index ({error}); build it again") from error


def _licence_texts(root: Path) -> list[LocalFile]:
    """Texts of licences that lie with the dataset."""
    there = sorted(p for p in (root / LICENCES).glob("*") if p.is_file() and not p.name.startswith((".", "NOTICE-")))
    return [LocalFile.at(f"{LICENCES}/{path.name}", path) for path in there]


def _amended(
    manifest: Mapping[str, Any],
    kept: Sequence[Entry],
    folder: Path,
    texts: Sequence[LocalFile],
    override: Override | None,
) -> dict[str, Any]:
    """The manifest of what goes."""
    index = index_path(str(manifest["version"]))
    paths = {entry.path for entry in kept}
    files = [
        {**entry, **digest(folder / index)} if entry["path"] == index else entry
        for entry in manifest["files"]
        if entry["path"] in paths
    ]
    files += [
        {"path": t.path, "bytes": t.bytes, "sha256": t.sha256, "samples": None, "layer": None, "partition": None}
        for t in texts
    ]
    there = [layer for layer in all_layers() if any(e["layer"] == layer for e in manifest["files"])]
    left = [layer for layer in there if all(entry.layer != layer for entry in kept)]
    redistribution = {"reason": override.reason, "refused": [dict(r) for r in override.refused]} if override else None
    return {
        **manifest,
        "files": files,
        **({"left_behind": left} if left else {}),
        **({"redistribution": redistribution} if redistribution else {}),
    }
