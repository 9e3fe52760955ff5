"""Reads samples: chosen members by byte range, or a whole tar from front to back."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from hoiset.errors import DatasetError
from hoiset.shards import codec
from hoiset.shards.ranges import LocalRanges, Ranges, Span
from hoiset.shards.schema import ARRAY_SUFFIXES, SCHEMA

_KINDS = {m.name: m for m in SCHEMA}


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
    """Reads members by (shard, offset, size).

    Files are opened on first use in each process, so a reader can be pickled and forked into workers. Paths are
    relative to the root and may not leave it.

    Args:
        root: The dataset: a directory, or :class:`Ranges` of any place (:func:`hoiset.shards.places.open_place`).
        max_open: Files of a directory that are open at once.
    """

    def __init__(self, root: str | Path | Ranges, *, max_open: int = 64) -> None:
        self.ranges = LocalRanges(Path(root), max_open=max_open) if isinstance(root, (str, Path)) else root

    def __enter__(self) -> ShardReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all files; the reader may be used again."""
        self.ranges.close()

    def read(self, shard: str, offset: int, size: int) -> bytes:
        """Bytes of one member.

        Raises:
            DatasetError: The shard is missing, lies outside the root, or is shorter than the index says.
        """
        return self.ranges.read([Span(shard, offset, size)])[0]

    def read_many(self, spans: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Bytes of many members, (shard, offset, size) each, in their order; of a remote place in few requests.

        Raises:
            DatasetError: As :meth:`read`.
        """
        return self.ranges.read([Span(*span) for span in spans])


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
    parts = reader.read_many([(there[n]["shard"], there[n]["offset"], there[n]["size"]) for n in wanted])
    return {name: decode_member(name, data) for name, data in zip(wanted, parts, strict=True)}


def decode_member(name: str, data: bytes) -> Any:
    """Value of a member from its bytes: ndarray, dict, or the bytes; raises SchemaError."""
    if name in _KINDS:
        return codec.decode(_KINDS[name], data)
    return codec.decode_array(data, name) if name.endswith(ARRAY_SUFFIXES) else data


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
    """The samples of a tar, see :func:`grouped`; raises DatasetError as :func:`iter_tar` too."""
    return grouped(iter_tar(path), path)


def grouped(files: Iterable[TarMember], path: Path | str) -> Iterator[tuple[str, dict[str, TarMember]]]:
    """Consecutive files of one key, as WebDataset groups them.

    Args:
        files: Of a tar, in its order.
        path: Of the tar, for messages.

    Raises:
        DatasetError: A member comes twice in a sample.
    """
    key, group = "", dict[str, TarMember]()
    for item in files:
        if item.key != key and group:
            yield key, group
            group = {}
        key = item.key
        if item.member in group:
            raise DatasetError(f"{path}: found {key}.{item.member} twice, expected unique members")
        group[item.member] = item
    if group:
        yield key, group
