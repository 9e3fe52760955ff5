"""The manifest: every file of a version with its digest, and what the version was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

import hoiset
from hoiset.errors import DatasetError
from hoiset.shards.atomic import write_atomic
from hoiset.shards.codec import canonical_json
from hoiset.shards.index import index_path
from hoiset.shards.schema import SCHEMA_VERSION
from hoiset.shards.writer import ShardRecord

FIGURES = ("overview.png", "quality.png", "yield.png", "hands.png", "sheet.jpg")
"""The card's pictures."""


def manifest_path(version: str) -> str:
    """Path of the manifest relative to the dataset's root."""
    return f"manifest/{version}.json"


def write_manifest(
    root: Path,
    version: str,
    shards: Iterable[ShardRecord],
    *,
    recipe: Mapping[str, Any],
    backends: Iterable[Mapping[str, Any]] = (),
    selection: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``manifest/<version>.json``; call it after the index and the figures are there.

    The card is not listed: versions share it. Equal arguments and files give equal bytes.

    Args:
        root: Dataset root.
        version: Name of the version (the recipe's).
        shards: All shards of the version; consumed lazily.
        recipe: The recipe as plain JSON types; ``recipe["verify"]["reprojection_share"]`` bounds ``hoiset verify``.
        backends: One mapping a backend: ``name``, ``version``, ``weights`` (digest or ``""``), and what else is known.
        selection: For clips chosen from another dataset: the ``query``, the ``manifest_sha256`` of what it was asked
            of and the number of ``clips`` there; ``of`` says the same of that dataset, where it was chosen too.

    Raises:
        DatasetError: The index is not there, or the disk refuses.
    """
    root = Path(root)
    others = [index_path(version), *sorted(figure_paths(root, version))]
    files = [
        *sorted(({"path": s.path, "bytes": s.bytes, "sha256": s.sha256, "samples": len(s.keys), "layer": s.layer,
                  "partition": s.partition} for s in shards), key=itemgetter("path")),
        *({"path": p, **digest(root / p), "samples": None, "layer": None, "partition": None} for p in others),
    ]  # fmt: skip
    manifest: dict[str, Any] = {
        "version": version,
        "schema": SCHEMA_VERSION,
        "hoiset": hoiset.__version__,
        "recipe": recipe,
        "backends": sorted((dict(b) for b in backends), key=lambda b: str(b.get("name", ""))),
        **({"selection": dict(selection)} if selection is not None else {}),
        "files": files,
    }
    path = root / manifest_path(version)
    write_atomic(path, canonical_json(manifest, indent=1))
    return path


def figure_path(version: str, name: str) -> str:
    """Path of a picture of the card, one of :data:`FIGURES`, relative to the root."""
    return f"figures/{version}-{name}"


def figure_paths(root: Path, version: str) -> list[str]:
    """The pictures of a version that are there, relative to the root, in the order of the card."""
    return [path for path in (figure_path(version, name) for name in FIGURES) if (root / path).exists()]


def data_digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of what a version holds: the paths and digests of its shards, whatever was drawn or said of them."""
    shards = [[entry["path"], entry["sha256"]] for entry in manifest["files"] if entry["layer"] is not None]
    return hashlib.sha256(canonical_json(sorted(shards))).hexdigest()


def digest(path: Path) -> dict[str, Any]:
    """``bytes`` and ``sha256`` of a file.

    Raises:
        DatasetError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            return {"bytes": file.tell(), "sha256": sha256}
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror or error}; build the version again") from error


def read_manifest(root: Path, version: str) -> dict[str, Any]:
    """Read a manifest.

    Raises:
        DatasetError: No such version (the message lists what is there), or not such a file.
    """
    path = Path(root) / manifest_path(version)
    there = list_manifests(root)
    if version not in there:
        raise DatasetError(
            f"{root} has no version {version!r} with a manifest; versions there: {', '.join(there) or 'none'}"
        )
    try:
        manifest = json.loads(path.read_bytes())
        known = isinstance(manifest["files"], list) and isinstance(manifest["recipe"], dict)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DatasetError(f"{path} is not a manifest ({error!r}); build the version again") from error
    if not known or manifest.get("schema") != SCHEMA_VERSION:
        raise DatasetError(
            f"{path}: found schema {manifest.get('schema')!r}, expected {SCHEMA_VERSION!r}; use the hoiset that made it"
        )
    return manifest


def list_manifests(root: Path) -> list[str]:
    """Versions that have a manifest in ``root``."""
    return sorted(p.stem for p in (Path(root) / "manifest").glob("*.json"))
