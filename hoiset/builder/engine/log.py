"""Records of many small pieces of work, a few hundred to a file: a million of them are a few thousand objects."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from hoiset.shards.codec import canonical_json
from hoiset.shards.storage import Storage

PART_RECORDS = 256
FLUSH_S = 2.0


class RecordLog:
    """A folder of numbered JSON-lines files, each written whole.

    The file being filled is written again when a record comes and ``flush_s`` have gone by, so that a killed process
    loses the records of so many seconds, and a store that can only replace objects is enough. One process writes.

    Args:
        storage: Where.
        folder: Relative to it.
        part_records: Records in one file.
        flush_s: Longest time that a record waits while others come, in seconds; 0 writes with every record.
    """

    def __init__(
        self, storage: Storage, folder: str, *, part_records: int = PART_RECORDS, flush_s: float = FLUSH_S
    ) -> None:
        self._storage, self._folder = storage, folder
        self._part_records, self._flush_s = part_records, flush_s
        self._lines: list[bytes] = []
        self._number: int | None = None
        self._unwritten = 0
        self._written_at = time.monotonic()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Every record on storage, oldest first; a line that a disk has damaged counts as missing."""
        for name in self._names():
            for line in (self._storage.read(name) or b"").splitlines():
                record = _parse(line)
                if record is not None:
                    yield record

    def __len__(self) -> int:
        """Records on storage."""
        return sum((self._storage.read(name) or b"").count(b"\n") for name in self._names())

    def append(self, record: dict[str, Any]) -> None:
        """Take a record, and write when it is time; raises DatasetError when the storage refuses."""
        self._lines.append(canonical_json(record))
        self._unwritten += 1
        if len(self._lines) >= self._part_records or time.monotonic() - self._written_at >= self._flush_s:
            self.flush()

    def flush(self) -> None:
        """Write what has not been written."""
        if not self._unwritten:
            return
        if self._number is None:
            last = self._names()[-1:]
            self._number = int(last[0][-len("00000000.jsonl") : -len(".jsonl")]) + 1 if last else 0
        self._storage.write(f"{self._folder}/{self._number:08d}.jsonl", b"\n".join(self._lines) + b"\n")
        self._unwritten, self._written_at = 0, time.monotonic()
        if len(self._lines) >= self._part_records:
            self._lines, self._number = [], self._number + 1

    def _names(self) -> list[str]:
        return self._storage.names(self._folder, ".jsonl")


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
