"""Files that are either whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hoiset.errors import DatasetError


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path``; on success it is fsynced and renamed to ``path``, else removed.

    The temporary name is fixed, so what a killed process left behind is overwritten by the next attempt.

    Args:
        path: Final name; parent directories are made.

    Yields:
        The temporary file, open for writing. Write through :func:`writing` where the error should name ``path``.

    Raises:
        DatasetError: The file cannot be made or finished (no space, no permission, ...).
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = temporary.open("wb")
    try:
        try:
            yield file
            with writing(path):
                file.flush()
                os.fsync(file.fileno())
        finally:
            with writing(path):
                file.close()
        with writing(path):
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    with writing(path):
        sync_directory(path.parent)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into a DatasetError that names the file."""
    try:
        yield
    except OSError as error:
        raise DatasetError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another output directory"
        ) from error


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` through :func:`atomic_file`."""
    with atomic_file(path) as file, writing(path):
        file.write(data)


def sync_directory(directory: Path) -> None:
    """Make renames in ``directory`` durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
