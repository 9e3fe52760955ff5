"""Ranges of files that lie elsewhere: few requests, side by side, asked again when they fail, kept on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from hoiset.errors import DatasetError
from hoiset.shards import transfer
from hoiset.shards.blocks import BlockCache
from hoiset.shards.ranges import Span, checked, coalesce, cut, inside
from hoiset.shards.redact import printable, redacted
from hoiset.shards.storage import Storage

GAP_BYTES = 1 << 16
"""What is read for nothing rather than ask once more."""
RUN_BYTES = 4 << 20
"""Longest range of one request."""
REQUESTS_AT_ONCE = 16


@dataclass(frozen=True)
class Patience:
    """How often a failed request is made again.

    Attributes:
        attempts: In all.
        first_wait_s: Bound of the first wait; each further one is up to twice as long, at random.
        longest_wait_s: Bound of them all.
    """

    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 20.0


class RemoteRanges:
    """Ranges of files at an address that `fsspec` knows.

    Ranges of one file that lie close together are one request, long ones are several, and requests are made side by
    side. A file's state (its ETag, or what its file system has instead) is asked once and held: one that changes while
    it is read is an error where the server can tell (HTTP, S3), and never mixes with what the cache has of it before.

    Args:
        url: The dataset's address.
        cache: Where blocks are kept; ``None`` to keep none.
        identity: What the cache knows the dataset by; its address by default.
        patience: See :class:`Patience`.

    Attributes:
        address: ``url`` without what is secret in it.

    Raises:
        MissingDependency: The protocol needs a package that is not there.
        DatasetError: Not an address that can be opened.
    """

    def __init__(
        self, url: str, *, cache: BlockCache | None = None, identity: str = "", patience: Patience | None = None
    ) -> None:
        self.address = printable(url)
        self._url, self._cache, self._identity = url, cache, identity or url
        self._patience = patience or Patience()
        self._stats: dict[str, transfer.Stat | None] = {}
        self._listed: set[str] = set()
        self._pool: ThreadPoolExecutor | None = None
        self._process: int | None = os.getpid()
        self._storage: Storage | None = _opened(url)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_storage": None, "_pool": None, "_process": None}

    def read(self, spans: Sequence[Span]) -> list[bytes]:
        """See :meth:`hoiset.shards.ranges.Ranges.read`."""
        wanted: dict[str, list[tuple[int, int]]] = {}
        for span in map(checked, spans):
            wanted.setdefault(self._safe(span.name), []).append((span.offset, span.stop))
        stats = {name: self._there(name) for name in wanted}
        for span in spans:
            size = stats[span.name].size
            if size is not None and span.stop > size:
                found = max(size - span.offset, 0)
                raise DatasetError(
                    f"{self._shown(span.name)}: found {found} bytes at {span.offset}, expected {span.size}; the shard "
                    "is truncated, run `hoiset verify`"
                )
        blocks = {name: self._cached(name, stats[name], extents) for name, extents in wanted.items()}
        runs = [run for name, extents in wanted.items() for run in self._runs(name, stats[name], extents, blocks[name])]
        pieces: dict[str, list[tuple[int, bytes]]] = {name: list(found.items()) for name, found in blocks.items()}
        for run, data in zip(runs, self._fetch(runs, stats), strict=True):
            pieces[run.name].append((run.offset, data))
        for parts in pieces.values():
            parts.sort()
        return [cut(pieces[span.name], span.offset, span.stop) for span in spans]

    def size(self, name: str) -> int | None:
        """See :meth:`hoiset.shards.ranges.Ranges.size`."""
        found = self._stat(self._safe(name))
        return None if found is None else found.size

    def names(self, folder: str, suffix: str = "") -> list[str]:
        """See :meth:`hoiset.shards.ranges.Ranges.names`."""
        if not self._can_list:
            return []
        self._list(folder)
        here = (name for name, found in self._stats.items() if found and name.rpartition("/")[0] == folder)
        return sorted(name for name in here if name.endswith(suffix))

    def missing(self, names: Iterable[str]) -> list[str]:
        """See :meth:`hoiset.shards.ranges.Ranges.missing`."""
        checked_names = [self._safe(name) for name in names]
        return [name for name in checked_names if self._can_list and self._stat(name) is None]

    def close(self) -> None:
        """See :meth:`hoiset.shards.ranges.Ranges.close`."""
        if self._pool is not None and self._process == os.getpid():
            self._pool.shutdown()
        self._forget()

    def _forget(self) -> None:
        self._storage, self._pool, self._process = None, None, os.getpid()

    @property
    def _fs(self) -> Any:
        if self._process != os.getpid():  # threads and connections do not survive a fork
            self._forget()
        if self._storage is None:
            self._storage = _opened(self._url)
        return self._storage.fs

    @property
    def _is_web(self) -> bool:
        return self._url.startswith(("http://", "https://"))

    @property
    def _can_list(self) -> bool:
        return not self._is_web

    def _safe(self, name: str) -> str:
        inside(Path("/"), name)
        return name

    def _shown(self, name: str) -> str:
        return f"{self.address}/{name}"

    def _there(self, name: str) -> transfer.Stat:
        found = self._stat(name)
        if found is None:
            raise DatasetError(f"cannot open {self._shown(name)}: it is not there; is its layer uploaded?")
        return found

    def _stat(self, name: str) -> transfer.Stat | None:
        if name not in self._stats and self._can_list:
            self._list(name.rpartition("/")[0])
        if name not in self._stats:
            listed = self._can_list and name.rpartition("/")[0] in self._listed
            self._stats[name] = None if listed else self._ask(name, lambda: transfer.stat(self._fs, self._path(name)))
        return self._stats[name]

    def _list(self, folder: str) -> None:
        if folder in self._listed:
            return
        found = self._ask(folder, lambda: transfer.list_folder(self._fs, self._path(folder)))
        if found is not None:
            self._stats.update({f"{folder}/{name}": stat for name, stat in found.items()})
            self._listed.add(folder)

    def _path(self, name: str) -> str:
        base, mark, query = self._url.partition("?" if self._is_web else "\0")
        return f"{base.rstrip('/')}/{name}{mark}{query}"

    def _cached(self, name: str, stat: transfer.Stat, extents: list[tuple[int, int]]) -> dict[int, bytes]:
        """Blocks that the extents need and the cache has, by their first byte."""
        if self._cache is None or not stat.can_be_kept:
            return {}
        size = self._cache.block_bytes
        starts = {at for start, stop in extents for at in range(start - start % size, stop, size)}
        found = {at: self._cache.get(self._key(name, stat, at)) for at in starts}
        return {at: block for at, block in found.items() if block is not None}

    def _runs(
        self, name: str, stat: transfer.Stat, extents: list[tuple[int, int]], have: dict[int, bytes]
    ) -> list[Span]:
        """What must be asked for."""
        if self._cache is not None and stat.can_be_kept:
            block, end = self._cache.block_bytes, stat.size or 0
            starts = {at for start, stop in extents for at in range(start - start % block, stop, block)}
            extents = [(at, min(at + block, end)) for at in starts - set(have)]
        runs = coalesce(extents, GAP_BYTES if not have else 0, RUN_BYTES)
        return [Span(name, start, stop - start) for start, stop in runs]

    def _fetch(self, runs: list[Span], stats: dict[str, transfer.Stat]) -> list[bytes]:
        fs = self._fs
        if len(runs) < 2:
            return [self._fetch_one(fs, run, stats[run.name]) for run in runs]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(REQUESTS_AT_ONCE, "ranges")
        return list(self._pool.map(lambda run: self._fetch_one(fs, run, stats[run.name]), runs))

    def _fetch_one(self, fs: Any, run: Span, stat: transfer.Stat) -> bytes:
        what = f"{run.name}, bytes {run.offset} to {run.stop}"
        data: bytes = self._ask(what, lambda: transfer.fetch(fs, self._path(run.name), run, stat))
        if self._cache is not None and stat.can_be_kept:
            size = self._cache.block_bytes
            self._cache.put(
                {self._key(run.name, stat, run.offset + at): data[at : at + size] for at in range(0, len(data), size)}
            )
        return data

    def _key(self, name: str, stat: transfer.Stat, start: int) -> str:
        block = self._cache.block_bytes if self._cache else 0
        return "\0".join((self._identity, name, stat.tag, str(stat.size), str(block), str(start)))

    def _ask(self, what: str, request: Any) -> Any:
        """Make a request until it succeeds or patience ends; errors name what was asked for and hold no secret."""
        patience = self._patience
        again = Retrying(
            stop=stop_after_attempt(patience.attempts),
            wait=wait_random_exponential(patience.first_wait_s, patience.longest_wait_s),
            retry=retry_if_exception(transfer.passes),
            reraise=True,
        )
        try:
            return again(request)
        except DatasetError as error:
            raise DatasetError(f"{self._shown(what)}: {error}") from None
        except Exception as error:  # noqa: BLE001  # clients raise their own
            why = redacted(f"{type(error).__name__}: {error}")
            hint = f"tried {patience.attempts} times" if transfer.passes(error) else "check address and credentials"
            raise DatasetError(f"cannot read {self._shown(what)}: {why}; {hint}") from None


def _opened(url: str) -> Storage:
    try:
        return Storage.at(url)
    except DatasetError as error:
        raise DatasetError(redacted(str(error))) from None
