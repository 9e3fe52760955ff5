"""What verifying finds, file by file."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from hoiset.errors import DatasetError


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        file: Relative to the root.
        key: Of the sample, or ``""`` when it concerns the file.
        what: What was found and what was expected.
    """

    file: str
    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}{f' [{self.key}]' if self.key else ''}: {self.what}"


@dataclass
class Found:
    """What reading one file gave.

    Attributes:
        problems: What is wrong in it.
        rows: Key -> index row, all but ``members``, of the sound samples of a core shard.
        spans: Key -> member -> offset and size, of every sample of a shard.
        lengths: Key -> T, as ``rows``.
        robots: Key -> columns of the index, of the sound samples of a shard of robots.
    """

    problems: list[Problem] = field(default_factory=list)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    spans: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    robots: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """A file as the manifest lists it."""

    path: str
    bytes: int
    sha256: str
    samples: int | None
    layer: str | None
    partition: str | None

    @staticmethod
    def of(entry: Mapping[str, Any]) -> Entry:
        """From the manifest; raises DatasetError for an entry that lacks something."""
        try:
            return Entry(
                str(entry["path"]), int(entry["bytes"]), str(entry["sha256"]), entry["samples"], entry["layer"],
                entry["partition"],
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"the manifest lists a file without {error}; build the version again") from error


def beside(entry: Entry, paths: Container[str]) -> str | None:
    """The core shard of the same unit, for a shard of another layer, where it is one of ``paths``."""
    if entry.layer in (None, "core"):
        return None
    parts = entry.path.split("/")
    core = "/".join([*parts[:-2], "core", parts[-1]])
    return core if core in paths else None
