"""A directory that changes as one: as it was, or as it is to be, whenever somebody looks or the machine stops."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hoiset.errors import DatasetError
from hoiset.shards.atomic import sync_directory, writing

BUILD_LOCK = ".hoiset/lock"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def changed_directory(root: Path) -> Iterator[Path]:
    """A second directory with the same files, which takes the place of ``root`` when the block ends well.

    The files are hard links, so that it takes no room: replace or remove them, never write into them. It is made in
    ``.<name>.partial`` beside ``root``; what a killed attempt left of it is removed by the next one.

    Args:
        root: An existing directory, not the root of a file system.

    Raises:
        DatasetError: A build is writing to ``root``, or the file system refuses, or can neither link files nor exchange
            two directories in one step.
    """
    root = root.resolve()
    staging = root.with_name(f".{root.name}.partial")
    with _no_build(root):
        with writing(staging):
            shutil.rmtree(staging, ignore_errors=True)
            shutil.copytree(root, staging, symlinks=True, copy_function=_link)
        try:
            yield staging
            with writing(root):
                exchange(staging, root)
                sync_directory(root.parent)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _no_build(root: Path) -> Iterator[None]:
    """Hold the lock of the builds into a directory, where there was one."""
    path = root / BUILD_LOCK
    if not path.exists():
        yield
        return
    with writing(path):
        lock = path.open("r+")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DatasetError(f"a build is writing to {root}; wait for it") from error
        yield


def _link(source: str, target: str) -> None:
    os.link(source, target, follow_symlinks=False)


def exchange(a: Path, b: Path) -> None:
    """Let two directories change names in one step (``renameat2`` of Linux).

    Raises:
        DatasetError: This system or file system cannot do it.
        OSError: Any other reason.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not sys.platform.startswith("linux") or not hasattr(libc, "renameat2"):
        raise DatasetError("this system cannot exchange two directories in one step; do this on Linux")
    if libc.renameat2(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE) != 0:
        code = ctypes.get_errno()
        if code in (errno.EINVAL, errno.ENOSYS):
            raise DatasetError(f"the file system of {b} cannot exchange two directories; copy the dataset to a disk")
        raise OSError(code, os.strerror(code), str(b))
