"""Fetched videos on the local disk: bounded, shared by all processes of a machine, and never taken from under one."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hoiset.builder.acquire.facts import Facts
from hoiset.builder.acquire.locks import FileLock, holding
from hoiset.builder.engine.cache import digest_file
from hoiset.shards.atomic import write_atomic
from hoiset.shards.codec import canonical_json

_REMEMBERED_FILES = 64
_NOTE_S = 86400.0


@dataclass(frozen=True)
class Fetched:
    """A file of the cache."""

    path: Path
    facts: Facts


class VideoCache:
    """Files under keys.

    ``videos/`` holds the files, ``facts/`` what is known of them (kept when a file goes), ``parts/`` what has arrived
    of others, ``locks/`` one lock for each: shared while a file is in use, exclusive while it comes or goes.

    Args:
        root: Folder of the cache; made when first written to.
        max_bytes: Bound of files and parts; exceeded only by what is in use at the time.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._root, self._max_bytes = root, max_bytes
        self._verified: deque[tuple[str, int, int, int]] = deque(maxlen=_REMEMBERED_FILES)

    @property
    def hosts(self) -> Path:
        """Folder for :class:`hoiset.builder.acquire.hosts.HostGate`."""
        return self._root / "hosts"

    @contextmanager
    def hold(self, key: str, fetch: Callable[[Path], Fetched]) -> Iterator[Fetched]:
        """Keep a file in place while the block runs, fetching it first where it is not there.

        Args:
            key: Of the file: letters and digits.
            fetch: Fetches into the folder it is given, where it may find what an earlier attempt left; at any time only
                one process runs it for a key.
        """
        with FileLock(self._lock(key)) as lock:
            lock.acquire(shared=True)
            found = self._intact(key)
            while found is None:
                lock.release()
                lock.acquire()
                if self._intact(key) is None:
                    self._fetch(key, fetch, lock)
                lock.share()
                found = self._intact(key)
            os.utime(found.path, ns=(time.time_ns(), found.path.stat().st_mtime_ns))
            yield found

    def facts(self, key: str) -> Facts | None:
        """What is known of a file, whether or not it still is there."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return Facts(**json.loads((self._root / "facts" / key[:2] / f"{key}.json").read_bytes()))
        return None

    def note(self, key: str, what: dict[str, Any]) -> None:
        """Keep a small record under a key for a day; older ones beside it go."""
        folder = self._root / "notes" / key[:2]
        for path in _listed(folder):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - _NOTE_S:
                    path.unlink()
        write_atomic(folder / f"{key}.json", canonical_json(what))

    def noted(self, key: str) -> dict[str, Any] | None:
        """The record of :meth:`note`."""
        with contextlib.suppress(OSError, ValueError):
            record = json.loads((self._root / "notes" / key[:2] / f"{key}.json").read_bytes())
            return record if isinstance(record, dict) else None
        return None

    def make_room(self, n_bytes: int) -> None:
        """Remove what was not used for longest until so many bytes fit; what is in use stays."""
        with holding(self._root / "room.lock"):
            entries = sorted(self._entries())
            total = sum(size for _, size, _ in entries)
            for _, size, key in entries:
                if total + n_bytes <= self._max_bytes:
                    return
                if self._remove(key):
                    total -= size

    def _fetch(self, key: str, fetch: Callable[[Path], Fetched], lock: FileLock) -> None:
        parts = self._root / "parts" / key
        parts.mkdir(parents=True, exist_ok=True)
        try:
            fetched = fetch(parts)
        except BaseException:
            if not any(parts.iterdir()):
                parts.rmdir()
                lock.remove()
            raise
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._root / "facts" / key[:2] / f"{key}.json", canonical_json(asdict(fetched.facts)))
        fetched.path.replace(path)
        shutil.rmtree(parts)
        self._remember(path, fetched.facts)
        self.make_room(0)

    def _intact(self, key: str) -> Fetched | None:
        """The file, hashed once by each process that uses it; ``None`` where it is missing or damaged."""
        path, facts = self._path(key), self.facts(key)
        if facts is None or not path.is_file() or path.stat().st_size != facts.size:
            return None
        if self._stamp(path, facts) not in self._verified:
            if digest_file(path) != facts.sha256:
                return None
            self._remember(path, facts)
        return Fetched(path, facts)

    def _remember(self, path: Path, facts: Facts) -> None:
        self._verified.append(self._stamp(path, facts))

    def _stamp(self, path: Path, facts: Facts) -> tuple[str, int, int, int]:
        stat = path.stat()
        return (facts.sha256, stat.st_ino, stat.st_size, stat.st_mtime_ns)

    def _entries(self) -> Iterator[tuple[int, int, str]]:
        """Last use (ns), bytes and key of everything that takes room."""
        for path in _listed(self._root / "videos"):
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                yield stat.st_atime_ns, stat.st_size, path.name
        for folder in _listed(self._root / "parts"):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                stats = [path.stat() for path in folder.iterdir()]
                yield max((s.st_mtime_ns for s in stats), default=0), sum(s.st_size for s in stats), folder.name

    def _remove(self, key: str) -> bool:
        """Remove file and parts of a key, unless it is in use."""
        with FileLock(self._lock(key)) as lock:
            if not lock.acquire(wait=False):
                return False
            self._path(key).unlink(missing_ok=True)
            shutil.rmtree(self._root / "parts" / key, ignore_errors=True)
            lock.remove()
            return True

    def _path(self, key: str) -> Path:
        return self._root / "videos" / key

    def _lock(self, key: str) -> Path:
        return self._root / "locks" / f"{key}.lock"


def _listed(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
