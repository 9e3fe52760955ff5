"""Shards as the writer makes them, read once from front to back: every member, and the digest of the file.

Python's ``tarfile`` understands any tar and takes longer over a header than the digest over the member; this reads the
one kind that :mod:`hoiset.shards.writer` writes and calls everything else damage.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from hoiset.errors import DatasetError
from hoiset.shards.reader import TarMember, grouped

BLOCK = 512
_CHUNK = 1 << 20
_NAME, _SIZE, _CHECKSUM, _KIND, _MAGIC, _PREFIX = (
    slice(0, 100), slice(124, 136), slice(148, 156), slice(156, 157), slice(257, 265), slice(345, 500)
)  # fmt: skip


@dataclass(frozen=True)
class FileDigest:
    """What ``sha256sum`` and ``stat`` would say."""

    bytes: int
    sha256: str


class ShardFile:
    """One sequential read of a shard.

    Example::

        with ShardFile(path) as shard:
            for member in shard.members():
                ...
            shard.digest()

    Raises:
        DatasetError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hash = hashlib.sha256()
        self._at = 0
        try:
            self._file = path.open("rb", buffering=_CHUNK)
            self._bytes = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise self._unreadable(error) from error

    def __enter__(self) -> ShardFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def members(self) -> Iterator[TarMember]:
        """All files in order, each read when it is asked for.

        Raises:
            DatasetError: A header is damaged, the file ends early, or something but zeros follows its end.
        """
        while (header := self._take(BLOCK)) != bytes(BLOCK):
            if len(header) != BLOCK:
                raise DatasetError(f"{self._path}: found its end at {self._at}, expected two blocks of zeros before it")
            name, size = self._header(header)
            key, _, member = name.partition(".")
            offset = self._at
            data = self._take(min(size, max(self._bytes - self._at, 0)))
            if len(data) != size:
                raise DatasetError(f"{self._path}: found {len(data)} bytes of {name}, expected {size}")
            if self._take(-size % BLOCK).strip(b"\0"):
                raise DatasetError(f"{self._path}: found bytes after the end of {name}, expected zeros")
            yield TarMember(key, member, offset, data)
        tail = 0
        while chunk := self._take(_CHUNK):
            tail += len(chunk)
            if chunk.count(0) != len(chunk):
                raise DatasetError(f"{self._path}: found bytes after the end of the tar, expected zeros")
        if tail < BLOCK:
            raise DatasetError(f"{self._path}: found one block of zeros at its end, expected at least two")

    def samples(self) -> Iterator[tuple[str, dict[str, TarMember]]]:
        """The samples, see :func:`hoiset.shards.reader.grouped`; raises DatasetError as :meth:`members` too."""
        return grouped(self.members(), self._path)

    def digest(self) -> FileDigest:
        """Digest of the whole file; reads what is left of it.

        Raises:
            DatasetError: The disk refuses.
        """
        while self._take(_CHUNK):
            pass
        return FileDigest(self._at, self._hash.hexdigest())

    def _take(self, size: int) -> bytes:
        """The next bytes, fewer at the end of the file."""
        try:
            data = self._file.read(size)
        except OSError as error:
            raise self._unreadable(error) from error
        self._hash.update(data)
        self._at += len(data)
        return data

    def _header(self, header: bytes) -> tuple[str, int]:
        found = read_header(header)
        if found is None:
            name = header[_NAME].rstrip(b"\0")
            raise DatasetError(
                f"{self._path}: found a header of {name!r} at {self._at - BLOCK}, expected only plain files named "
                "<key>.<member>"
            )
        return found

    def _unreadable(self, error: OSError) -> DatasetError:
        return DatasetError(f"cannot read {self._path}: {error.strerror or error}; build the version again")


def read_header(header: bytes) -> tuple[str, int] | None:
    """Name and size of a file of a shard; ``None`` for a header that is damaged or of anything else.

    Args:
        header: Its :data:`BLOCK` bytes.
    """
    checksum = sum(header) - sum(header[_CHECKSUM]) + 8 * ord(" ")
    try:
        size, declared = (int(header[field].rstrip(b" \0"), 8) for field in (_SIZE, _CHECKSUM))
        name = header[_NAME].rstrip(b"\0").decode("ascii")
    except ValueError:
        return None
    key, _, member = name.partition(".")
    plain = header[_KIND] == b"0" and header[_MAGIC] == b"ustar\x0000" and not header[_PREFIX].strip(b"\0")
    if declared != checksum or size < 0 or not plain or not key or not member or "/" in name:
        return None
    return name, size


def read_each(path: Path, member: str) -> Iterator[tuple[str, bytes]]:
    """Key and data of one member of every sample, passing over all others; ends where the file is damaged.

    Raises:
        DatasetError: It cannot be opened.
    """
    try:
        with path.open("rb", buffering=0) as file:
            while found := read_header(file.read(BLOCK)):
                name, size = found
                if name.partition(".")[2] == member:
                    yield name.partition(".")[0], file.read(min(size, os.fstat(file.fileno()).st_size))
                    file.seek(-file.tell() % BLOCK, os.SEEK_CUR)
                else:
                    file.seek(size + -size % BLOCK, os.SEEK_CUR)
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror or error}; build the version again") from error
