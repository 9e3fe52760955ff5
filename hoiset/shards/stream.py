"""A file of a dataset as a stream that reads only what it is asked for."""

from __future__ import annotations

import io
from typing import Any

from hoiset.errors import DatasetError
from hoiset.shards.ranges import Ranges, Span


class RangeStream(io.RawIOBase):
    """A read-only, seekable stream over one file.

    Args:
        ranges: The dataset's files.
        name: The file.

    Raises:
        DatasetError: No such file, or one whose size the server does not tell.
    """

    def __init__(self, ranges: Ranges, name: str) -> None:
        size = ranges.size(name)
        if size is None:
            raise DatasetError(f"{ranges.address}/{name}: there is no such file, or the server does not tell its size")
        self._ranges, self._name, self._size, self._at = ranges, name, size, 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Position, bytes from the start."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; no bytes travel."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes, up to the end."""
        left = max(self._size - self._at, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        if not wanted:
            return b""
        (data,) = self._ranges.read([Span(self._name, self._at, wanted)])
        self._at += wanted
        return data

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
