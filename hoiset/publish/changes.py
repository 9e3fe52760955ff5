"""What a push would change: the files that are to be there against those that are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from hoiset.errors import DatasetError
from hoiset.publish.repository import RemoteFile
from hoiset.shards.index import index_path
from hoiset.shards.manifest import digest, manifest_path

Action = Literal["new", "changed", "same", "removed"]
CARD = "README.md"
LICENCES = "LICENSES"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class LocalFile:
    """A file that is to be in the repository.

    Attributes:
        path: There, POSIX.
        source: Where it lies on this machine.
        bytes: Its size.
        sha256: Hex digest.
    """

    path: str
    source: Path
    bytes: int
    sha256: str

    @staticmethod
    def at(path: str, source: Path) -> LocalFile:
        """A file whose digest nobody knows yet; raises DatasetError where it cannot be read."""
        return LocalFile(path, source, **digest(source))

    @cached_property
    def blob(self) -> str:
        """What git calls it; raises DatasetError where the file cannot be read."""
        sha1 = hashlib.sha1(b"blob %d\0" % self.bytes, usedforsecurity=False)
        try:
            with self.source.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    sha1.update(chunk)
        except OSError as error:
            raise DatasetError(f"cannot read {self.source}: {error.strerror or error}; push again") from error
        return sha1.hexdigest()

    def equals(self, remote: RemoteFile) -> bool:
        """Whether the repository's file has the same bytes."""
        if self.bytes != remote.bytes:
            return False
        return self.sha256 == remote.sha256 if remote.sha256 else self.blob == remote.blob


@dataclass(frozen=True)
class Change:
    """What becomes of a file of the repository.

    Attributes:
        path: Of the file.
        action: ``new``, ``changed``, ``same`` or ``removed``.
        bytes: Its size: as it is to be, or as it was where it is removed.
    """

    path: str
    action: Action
    bytes: int


def changes(wanted: Iterable[LocalFile], there: Mapping[str, RemoteFile], version: str) -> tuple[Change, ...]:
    """What becomes of every file of a version, ordered by path.

    Args:
        wanted: All files that are to be there.
        there: Those that are, by path.
        version: Only its own files are removed; those of others and those that nobody knows stay.
    """
    out, kept = list[Change](), set[str]()
    for file in wanted:
        kept.add(file.path)
        remote = there.get(file.path)
        action: Action = "new" if remote is None else "same" if file.equals(remote) else "changed"
        out.append(Change(file.path, action, file.bytes))
    stale = (file for path, file in there.items() if path not in kept and owns(version, path, there))
    out += (Change(file.path, "removed", file.bytes) for file in stale)
    return tuple(sorted(out, key=lambda change: change.path))


def owns(version: str, path: str, there: Iterable[str]) -> bool:
    """Whether a file of the repository is the version's own.

    Args:
        version: Name of the version.
        path: Of the file.
        there: All paths, to tell the figures of ``v2`` from those of a version ``v2-x``.
    """
    if path in (index_path(version), manifest_path(version), notice_path(version), *record_paths(version)):
        return True
    if path.startswith("figures/"):
        others = (Path(p).stem for p in there if p.startswith("manifest/") and p.endswith(".json"))
        longer = (f"figures/{name}-" for name in others if name.startswith(f"{version}-"))
        return path.startswith(f"figures/{version}-") and not path.startswith(tuple(longer))
    return path.startswith(f"data/{version}/")


def notice_path(version: str) -> str:
    """Path of the notice of what the licences of a version's sources ask for."""
    return f"{LICENCES}/NOTICE-{version}.md"


def record_paths(version: str) -> tuple[str, ...]:
    """Paths of what else a dataset may tell of a version: its repairs, and how well it was measured to be."""
    return f"repaired/{version}.json", f"eval/{version}.json"
