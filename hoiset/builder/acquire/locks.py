"""Locks between the processes of one machine, which the kernel lets go when a process dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from hoiset.shards.atomic import writing


class FileLock:
    """A shared or exclusive lock; its file may be removed by whoever holds it exclusively.

    Args:
        path: The lock's file; made when missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def acquire(self, *, shared: bool = False, wait: bool = True) -> bool:
        """Take the lock; ``False`` where it is held by another and ``wait`` is ``False``.

        Raises:
            DatasetError: Its file cannot be made.
        """
        how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
        while True:
            with writing(self._path):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(fd, how)
            except BlockingIOError:
                os.close(fd)
                return False
            except BaseException:
                os.close(fd)
                raise
            if self._is_current(fd):
                self._fd = fd
                return True
            os.close(fd)  # removed by its last holder while we waited

    def share(self) -> None:
        """Turn an exclusive lock into a shared one; another may have had it for a moment in between."""
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def remove(self) -> None:
        """Remove the file; only while the lock is held exclusively."""
        self._path.unlink(missing_ok=True)

    def release(self) -> None:
        """Let go."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _is_current(self, fd: int) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(fd), self._path.stat())
        return False

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()


@contextmanager
def holding(path: Path) -> Iterator[FileLock]:
    """Hold a lock exclusively."""
    with FileLock(path) as lock:
        lock.acquire()
        yield lock
