"""Reads samples: chosen members by byte range, or a whole tar from front to back."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

from hoiset.errors import DatasetError
from hoiset.shards import codec
from hoiset.shards.schema import SCHEMA

MAX_MEMBER_BYTES = 1 << 33
"""What USTAR can hold; a larger size in an index is damage."""


@dataclass(frozen=True)
class TarMember:
    """One file of a tar, with its data.

    Attributes:
        key: Part of the name before the first dot.
        member: Part after it.
        offset: Of the data in the tar.
        data: The data.
    """

    key: str
    member: str
    offset: int
    data: bytes


class ShardReader:
    """Reads members by (shard, offset, size) with one ``pread`` each.

    Files are opened on first use in each process, at most ``max_open`` at once, so a reader can be pickled and forked
    into workers. Paths are relative to the root and may not leave it.
    """

    def __init__(self, root: Path, *, max_open: int = 64) -> None:
        self.root = Path(root)
        self._max_open = max_open
        self._files: dict[str, FileIO] = {}
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "_max_open": self._max_open, "_files": {}, "_process": None}

    def __enter__(self) -> ShardReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all files; the reader may be used again."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def read(self, shard: str, offset: int, size: int) -> bytes:
        """Bytes of one member.

        Raises:
            DatasetError: The shard is missing, lies outside the root, or is shorter than the index says.
        """
        if offset < 0 or not (0 <= size <= MAX_MEMBER_BYTES):
            raise DatasetError(f"{shard}: found offset {offset} and size {size} in the index; run `hoiset verify`")
        data = os.pread(self._open(shard).fileno(), size, offset)
        if len(data) != size:
            raise DatasetError(
                f"{shard}: found {len(data)} bytes at {offset}, expected {size}; the shard is truncated, "
                "run `hoiset verify`"
            )
        return data

    def _open(self, shard: str) -> FileIO:
        if self._process != os.getpid():  # a forked child must not share the parent's table of files
            self._files, self._process = {}, os.getpid()
        if shard not in self._files:
            if len(self._files) >= self._max_open:
                self._files.pop(next(iter(self._files))).close()
            path = inside(self.root, shard)
            try:
                self._files[shard] = path.open("rb", buffering=0)
            except OSError as error:
                raise DatasetError(f"cannot open {path}: {error.strerror}; is its layer downloaded?") from error
        return self._files[shard]


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


def read_sample(
    reader: ShardReader, spans: Iterable[Mapping[str, Any]], names: Iterable[str] | None = None
) -> dict[str, Any]:
    """Read and decode members of one sample.

    Args:
        reader: Of the dataset.
        spans: The ``members`` of its index row.
        names: Only these members; all in ``spans`` by default.

    Returns:
        Member name -> ndarray, dict or bytes. Arrays are read-only views of the bytes read.

    Raises:
        DatasetError: A member is not in ``spans``, or cannot be read.
        SchemaError: A member cannot be decoded.
    """
    there = {span["member"]: span for span in spans}
    wanted = list(there) if names is None else list(names)
    missing = [name for name in wanted if name not in there]
    if missing:
        raise DatasetError(f"no member {', '.join(missing)} in the index; members there: {', '.join(sorted(there))}")
    kinds = {m.name: m for m in SCHEMA}
    out: dict[str, Any] = {}
    for name in wanted:
        data = reader.read(there[name]["shard"], there[name]["offset"], there[name]["size"])
        out[name] = codec.decode(kinds[name], data) if name in kinds else data
    return out


def iter_tar(path: Path) -> Iterator[TarMember]:
    """All files of a shard in order.

    Raises:
        DatasetError: The file is not a tar, ends early, or holds anything but plain files named ``<key>.<member>``.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            for info in tar:
                key, _, member = info.name.partition(".")
                if not info.isreg() or not key or not member or "/" in info.name:
                    raise DatasetError(f"{path}: found {info.name!r}, expected only files named <key>.<member>")
                file = tar.extractfile(info)
                data = file.read() if file is not None else b""
                if len(data) != info.size:
                    raise DatasetError(f"{path}: found {len(data)} bytes of {info.name}, expected {info.size}")
                yield TarMember(key, member, info.offset_data, data)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DatasetError(f"cannot read {path}: {error}; build the version again") from error


def iter_samples(path: Path) -> Iterator[tuple[str, dict[str, TarMember]]]:
    """Consecutive files of one key, as WebDataset groups them.

    Raises:
        DatasetError: As :func:`iter_tar`, or a member comes twice in a sample.
    """
    key, group = "", dict[str, TarMember]()
    for item in iter_tar(path):
        if item.key != key and group:
            yield key, group
            group = {}
        key = item.key
        if item.member in group:
            raise DatasetError(f"{path}: found {key}.{item.member} twice, expected unique members")
        group[item.member] = item
    if group:
        yield key, group
