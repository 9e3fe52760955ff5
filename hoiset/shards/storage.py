"""A folder that holds a dataset, on a disk or in an object store; its files are whole or not there."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from hoiset.errors import DatasetError, MissingDependency
from hoiset.shards.atomic import atomic_file, write_atomic, writing

_EXTRAS = {"s3": "s3", "http": "http", "https": "http"}
_REFUSED = ("PreconditionFailed", "ConditionalRequestConflict", "At least one of the pre-conditions", "NoSuchKey")


@dataclass(frozen=True)
class Storage:
    """A folder and what may be done in it; names in it are relative, POSIX.

    On a disk a file is written to a temporary name, fsynced and renamed; in an object store it is one object, which the
    store shows when it is complete.

    Attributes:
        url: Path of a local folder, or an address such as ``s3://bucket/folder``, without a slash at its end.
        local: The folder where it is a local one, else ``None``.
    """

    url: str
    local: Path | None
    _fs: Any = field(default=None, repr=False, compare=False)

    @staticmethod
    def at(root: str | Path) -> Storage:
        """Open a folder, which need not exist.

        Args:
            root: A path, or an address of any protocol that ``fsspec`` knows.

        Raises:
            MissingDependency: The protocol needs a package that is not there.
            DatasetError: Not an address that can be opened.
        """
        text = str(root)
        if "://" not in text or isinstance(root, Path):
            return Storage(text, Path(root))
        import fsspec

        protocol = text.partition("://")[0]
        try:
            fs, path = fsspec.core.url_to_fs(text, **({"use_listings_cache": False} if protocol == "s3" else {}))
        except ImportError as error:
            extra = _EXTRAS.get(protocol, protocol)
            raise MissingDependency(
                f"{protocol}:// needs {error}; get it with: pip install 'hoiset[{extra}]'"
            ) from error
        except ValueError as error:
            raise DatasetError(
                f"cannot open {text}: {error}; expected a path or an address like s3://bucket/x"
            ) from error
        if protocol in ("file", "local"):
            return Storage(path, Path(path))
        return Storage(text.rstrip("/"), None, fs)

    @property
    def fs(self) -> Any:
        """The file system of an address; ``None`` for a local folder."""
        return self._fs

    def path(self, name: str) -> str:
        """Address of a file in the folder."""
        return f"{self.url}/{name}"

    def read(self, name: str) -> bytes | None:
        """Bytes of a file, or ``None`` where it is not there or a disk has lost it.

        Raises:
            DatasetError: An object store does not answer: that must not look like a file that is not there.
        """
        if self.local is not None:
            with contextlib.suppress(OSError):
                return (self.local / name).read_bytes()
            return None
        with self._asking(name):
            try:
                data: bytes = self._fs.cat_file(self.path(name))
                return data
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Write a file whole; raises DatasetError when the storage refuses."""
        if self.local is not None:
            write_atomic(self.local / name, data)
            return
        with self._asking(name):
            self._fs.pipe_file(self.path(name), data)

    def put(self, source: Path, name: str) -> None:
        """Copy a local file into the folder; raises DatasetError when the storage refuses."""
        if self.local is None:
            with self._asking(name):
                self._fs.put_file(str(source), self.path(name))
            return
        with atomic_file(self.local / name) as file, writing(self.local / name), source.open("rb") as opened:
            shutil.copyfileobj(opened, file)

    def get(self, name: str, target: Path) -> None:
        """Copy a file of the folder to a local path.

        Raises:
            DatasetError: It is not there, or cannot be read or written.
        """
        with self._asking(name):
            target.parent.mkdir(parents=True, exist_ok=True)
            if self.local is not None:
                shutil.copyfile(self.local / name, target)
            else:
                self._fs.get_file(self.path(name), str(target))

    def size(self, name: str) -> int | None:
        """Size of a file in bytes, or ``None`` where there is none."""
        if self.local is not None:
            path = self.local / name
            return path.stat().st_size if path.is_file() else None
        with self._asking(name):
            try:
                return int(self._fs.info(self.path(name))["size"])
            except FileNotFoundError:
                return None

    def names(self, folder: str, suffix: str = "") -> list[str]:
        """All files under a folder whose names end so, relative to the root, sorted; none where there is no folder."""
        if self.local is not None:
            found = (p for p in (self.local / folder).rglob(f"*{suffix}") if not p.is_dir())
            return sorted(p.relative_to(self.local).as_posix() for p in found)
        with self._asking(folder):
            try:
                paths = self._fs.find(self.path(folder))
            except FileNotFoundError:
                return []
        start = len(self._fs._strip_protocol(self.url)) + 1
        return sorted(path[start:] for path in paths if path.endswith(suffix))

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        if self.local is not None:
            (self.local / name).unlink(missing_ok=True)
            return
        with self._asking(name), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self.path(name))

    def create(self, name: str, data: bytes) -> str | None:
        """Write an object of a store unless it exists: its tag, or ``None`` where it exists."""
        return self._conditional(name, data, IfNoneMatch="*")

    def replace(self, name: str, data: bytes, tag: str) -> str | None:
        """Write an object of a store that still has a tag: its new tag, or ``None`` where somebody else was there."""
        return self._conditional(name, data, IfMatch=tag)

    def stamp(self, name: str) -> tuple[datetime, str] | None:
        """When an object of a store was last written, and its tag; ``None`` where there is none."""
        with self._asking(name):
            try:
                found = self._fs.info(self.path(name))
                return found["LastModified"], str(found["ETag"])
            except FileNotFoundError:
                return None

    def _conditional(self, name: str, data: bytes, **condition: str) -> str | None:
        if self._fs is None or not hasattr(self._fs, "call_s3"):
            raise DatasetError(f"{self.url}: builds can be kept apart on disks and in S3 only; choose one of these")
        bucket, key, _ = self._fs.split_path(self.path(name))
        with self._asking(name):
            try:
                answer = self._fs.call_s3("put_object", Bucket=bucket, Key=key, Body=data, **condition)
                return str(answer["ETag"])
            except FileExistsError:
                return None
            except FileNotFoundError as error:
                if "IfMatch" in condition:
                    return None
                raise DatasetError(f"cannot write {self.path(name)}: no such bucket; make it first") from error
            except OSError as error:
                if any(sign in f"{error} {error.__cause__}" for sign in _REFUSED):
                    return None
                raise

    @contextmanager
    def _asking(self, name: str) -> Iterator[None]:
        """Turn what a disk, a network or a store's client raises into an error that names the file."""
        try:
            yield
        except DatasetError:
            raise
        except FileNotFoundError as error:
            raise DatasetError(f"{self.path(name)} is not there; build the version again") from error
        except Exception as error:  # clients raise their own
            what = f"{type(error).__name__}: {error}"
            raise DatasetError(
                f"cannot reach {self.path(name)}: {what}; check the address and the credentials"
            ) from error
