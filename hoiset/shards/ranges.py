"""Byte ranges of a dataset's files, wherever they lie."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from hoiset.errors import DatasetError

MAX_SPAN_BYTES = 1 << 33
"""What USTAR can hold; a larger size in an index is damage."""
MAX_GAP_BYTES = 1 << 14
"""What is read from a local file for nothing rather than read twice."""
MAX_JOINED_BYTES = 1 << 18
"""A span that is longer is read by itself: taking it out of a longer read would copy it."""


class Span(NamedTuple):
    """A byte range of a file.

    Attributes:
        name: Of the file, relative to the dataset's root, POSIX.
        offset: First byte.
        size: Bytes.
    """

    name: str
    offset: int
    size: int

    @property
    def stop(self) -> int:
        """Byte behind the last."""
        return self.offset + self.size


class Ranges(Protocol):
    """Reads ranges of named files.

    It can be pickled and forked into workers: whatever it holds open it opens again in each process.

    Attributes:
        address: Where the dataset lies, fit to be printed.
    """

    address: str

    def read(self, spans: Sequence[Span]) -> list[bytes]:
        """Bytes of each span, in their order.

        Raises:
            DatasetError: A file is missing or shorter than a span says; the message names file and range.
        """

    def size(self, name: str) -> int | None:
        """Size of a file in bytes, or ``None`` where there is none."""

    def names(self, folder: str, suffix: str = "") -> list[str]:
        """Files under a folder whose names end so; none where the place cannot list its files."""

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those of the files that are known not to be there; a place that cannot list its files knows of none."""

    def close(self) -> None:
        """Give back what is open; reading opens it again."""


class LocalRanges:
    """Ranges of files in a directory: one ``pread`` for those that lie close together.

    Args:
        root: The directory.
        max_open: Files that are open at once.
    """

    def __init__(self, root: Path, *, max_open: int = 64) -> None:
        self.root, self.address = Path(root), str(root)
        self._max_open = max_open
        self._files: dict[str, FileIO] = {}
        self._process: int | None = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": {}, "_process": None}

    def read(self, spans: Sequence[Span]) -> list[bytes]:
        """See :meth:`Ranges.read`."""
        for span in spans:
            checked(span)
        return [data for first, last in _neighbours(spans) for data in self._read(spans[first:last])]

    def size(self, name: str) -> int | None:
        """See :meth:`Ranges.size`."""
        path = inside(self.root, name)
        return path.stat().st_size if path.is_file() else None

    def names(self, folder: str, suffix: str = "") -> list[str]:
        """See :meth:`Ranges.names`."""
        found = (p for p in (self.root / folder).rglob(f"*{suffix}") if p.is_file())
        return sorted(p.relative_to(self.root).as_posix() for p in found)

    def missing(self, names: Iterable[str]) -> list[str]:
        """See :meth:`Ranges.missing`."""
        return [name for name in names if not inside(self.root, name).exists()]

    def close(self) -> None:
        """See :meth:`Ranges.close`."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _read(self, run: Sequence[Span]) -> list[bytes]:
        file, start = self._open(run[0].name).fileno(), run[0].offset
        data = os.pread(file, run[-1].stop - start, start)
        parts = [data[span.offset - start : span.stop - start] for span in run] if len(run) > 1 else [data]
        for span, part in zip(run, parts, strict=True):
            if len(part) != span.size:
                truncated(span, len(part))
        return parts

    def _open(self, name: str) -> FileIO:
        if self._process != os.getpid():  # a forked child must not share the parent's table of files
            self._files, self._process = {}, os.getpid()
        if name not in self._files:
            if len(self._files) >= self._max_open:
                self._files.pop(next(iter(self._files))).close()
            path = inside(self.root, name)
            try:
                self._files[name] = path.open("rb", buffering=0)
            except OSError as error:
                raise DatasetError(f"cannot open {path}: {error.strerror}; is its layer downloaded?") from error
        return self._files[name]


def _neighbours(spans: Sequence[Span]) -> Iterator[tuple[int, int]]:
    """Runs of spans (first, behind the last) that ascend in one file with little between them."""
    first = 0
    for place in range(1, len(spans) + 1):
        if place < len(spans):
            before, span = spans[place - 1], spans[place]
            gap = span.offset - before.stop
            if (
                span.name == before.name
                and 0 <= gap <= MAX_GAP_BYTES
                and max(before.size, span.size) <= MAX_JOINED_BYTES
            ):
                continue
        yield first, place
        first = place


def checked(span: Span) -> Span:
    """The span, if a file can have it; raises DatasetError."""
    if span.offset < 0 or not 0 <= span.size <= MAX_SPAN_BYTES:
        raise DatasetError(
            f"{span.name}: found offset {span.offset} and size {span.size} in the index; run `hoiset verify`"
        )
    return span


def truncated(span: Span, found: int) -> bytes:
    """Raise the error of a file that ends too early."""
    raise DatasetError(
        f"{span.name}: found {found} bytes at {span.offset}, expected {span.size}; the shard is truncated, "
        "run `hoiset verify`"
    )


def inside(root: Path, relative: str) -> Path:
    """``root / relative``, refused when it is absolute or leaves the root.

    Symlinks inside the root are followed: the Hub's cache is made of them.

    Raises:
        DatasetError: The path leads out of the dataset.
    """
    path = Path(relative)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise DatasetError(f"found the path {relative!r}, expected one inside the dataset; do not trust this dataset")
    return Path(root) / path


def coalesce(extents: Iterable[tuple[int, int]], gap: int, most: int) -> list[tuple[int, int]]:
    """Ranges of one file as fewer, longer ones.

    Args:
        extents: (first byte, byte behind the last), in any order; they may overlap.
        gap: Bytes that are read for nothing rather than ask once more.
        most: Bytes of one range at most; what is longer is cut, so that parts of it travel side by side.

    Returns:
        Disjoint ranges, ascending, that cover all extents.
    """
    merged: list[list[int]] = []
    for start, stop in sorted(extent for extent in extents if extent[0] < extent[1]):
        if merged and start - merged[-1][1] <= gap:
            merged[-1][1] = max(merged[-1][1], stop)
        else:
            merged.append([start, stop])
    return [(at, min(at + most, stop)) for start, stop in merged for at in range(start, stop, most)]


def cut(pieces: Sequence[tuple[int, bytes]], start: int, stop: int) -> bytes:
    """Bytes from ``start`` to ``stop`` of pieces (first byte, data) that are ascending and cover them."""
    if start == stop:
        return b""
    at = bisect_right(pieces, start, key=lambda piece: piece[0]) - 1
    parts = []
    while at < len(pieces) and pieces[at][0] < stop:
        first, data = pieces[at]
        parts.append(
            data if first >= start and first + len(data) <= stop else data[max(start - first, 0) : stop - first]
        )
        at += 1
    return parts[0] if len(parts) == 1 else b"".join(parts)
