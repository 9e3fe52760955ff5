"""Deterministic USTAR shards: equal samples give equal bytes, and a shard is whole or not there."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from hoiset.errors import SchemaError
from hoiset.shards import codec
from hoiset.shards.atomic import atomic_file, writing
from hoiset.shards.index import index_row
from hoiset.shards.robots import check_same_robots, robot_row
from hoiset.shards.schema import DEFAULT_LAYERS, Sample, members, robots_among
from hoiset.shards.validate import validate_sample

_ROW = "row.json"

Span = tuple[int, int]
"""Offset of a member's data in its shard and its size, both in bytes."""


@dataclass(frozen=True)
class ShardRecord:
    """What there is to know of a finished shard.

    Attributes:
        path: Relative to the dataset's root, POSIX.
        layer: Layer of the schema.
        partition: ``train``, ``validation`` or ``test``.
        bytes: Size of the file.
        sha256: Hex digest of the file.
        keys: Sample keys in the order of the file.
        spans: key -> member name -> (offset of the data, size).
    """

    path: str
    layer: str
    partition: str
    bytes: int
    sha256: str
    keys: tuple[str, ...]
    spans: Mapping[str, Mapping[str, Span]]

    def to_json(self) -> dict[str, Any]:
        """Plain dict for a unit's record."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ShardRecord:
        """Inverse of :meth:`to_json`, also after a round trip through JSON."""
        spans = {k: {m: (int(o), int(n)) for m, (o, n) in v.items()} for k, v in data["spans"].items()}
        return ShardRecord(**{**data, "keys": tuple(data["keys"]), "spans": spans})


def shard_path(version: str, layer: str, partition: str, number: int) -> str:
    """Path of a shard relative to the dataset's root: ``data/<version>/<layer>/<partition>-00000.tar``."""
    return f"data/{version}/{layer}/{partition}-{number:05d}.tar"


class _Tar:
    """Appends members to an open file and keeps their spans."""

    def __init__(self, file: BinaryIO, path: Path, layer: str) -> None:
        self.layer = layer
        self.spans: dict[str, dict[str, Span]] = {}
        self.size = 0
        self._file = file
        self._path = path
        self._hash = hashlib.sha256()

    def _put(self, data: bytes) -> None:
        with writing(self._path):
            self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def add(self, key: str, encoded: Mapping[str, bytes]) -> None:
        spans: dict[str, Span] = {}
        for name in sorted(encoded):
            info = tarfile.TarInfo(f"{key}.{name}")  # mtime, uid and gid are 0 and the mode is 0644 by default
            info.size = len(encoded[name])
            self._put(info.tobuf(tarfile.USTAR_FORMAT))
            spans[name] = (self.size, info.size)
            self._put(encoded[name])
            self._put(bytes(-info.size % tarfile.BLOCKSIZE))
        self.spans[key] = spans

    def finish(self, path: str, partition: str) -> ShardRecord:
        end = self.size + 2 * tarfile.BLOCKSIZE
        self._put(bytes(2 * tarfile.BLOCKSIZE + -end % tarfile.RECORDSIZE))
        return ShardRecord(
            path, self.layer, partition, self.size, self._hash.hexdigest(), tuple(self.spans), self.spans
        )


@dataclass(frozen=True)
class EncodedSample:
    """A valid sample as the bytes of its members: what crosses from the process that made it to the one that writes.

    Attributes:
        key: Of the sample.
        layers: Layer -> member -> bytes.
        row: Its index row, all but ``members``.
    """

    key: str
    layers: Mapping[str, Mapping[str, bytes]]
    row: Mapping[str, Any]

    @staticmethod
    def of(sample: Sample, layer_names: tuple[str, ...], partition: str) -> EncodedSample:
        """Validate and encode a sample; raises SchemaError when it is not valid."""
        validate_sample(sample, layer_names)
        encoded = {layer: _encoded(sample, layer) for layer in layer_names}
        row = index_row(sample, partition) | (robot_row(sample) if "robots" in layer_names else {})
        return EncodedSample(str(sample["clip.json"]["key"]), encoded, row)

    def to_bytes(self) -> bytes:
        """One file, for a storage between two machines."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(zipfile.ZipInfo(_ROW), codec.canonical_json(self.row))
            for layer, encoded in self.layers.items():
                for name, data in encoded.items():
                    archive.writestr(zipfile.ZipInfo(f"{layer}/{name}"), data)
        return buffer.getvalue()

    @staticmethod
    def from_bytes(data: bytes) -> EncodedSample:
        """Inverse of :meth:`to_bytes`; raises SchemaError for damaged bytes."""
        layers: dict[str, dict[str, bytes]] = {}
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                row = json.loads(archive.read(_ROW))
                for name in archive.namelist():
                    if name != _ROW:
                        layer, _, member = name.partition("/")
                        layers.setdefault(layer, {})[member] = archive.read(name)
                return EncodedSample(row["key"], layers, row)
        except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
            raise SchemaError(f"found a damaged encoded sample ({error}); build its unit again") from error


class UnitWriter:
    """Writes the shards of one unit, one per layer, from one stream of samples; never holds more than one sample.

    The shards appear under their final names when the ``with`` block ends well; after an exception in it none does. A
    unit to which no sample was added leaves no file and no record.

    Example::

        with UnitWriter(root, "v2", "train", 0) as unit:
            for sample in samples:
                unit.add(sample)
        unit.records, unit.rows

    Attributes:
        records: One :class:`ShardRecord` a layer, once the block has ended.
        rows: One index row a sample (plain JSON types), once the block has ended.
    """

    def __init__(
        self, root: Path, version: str, partition: str, number: int, layer_names: tuple[str, ...] | None = None
    ) -> None:
        self.records: tuple[ShardRecord, ...] = ()
        self.rows: tuple[dict[str, Any], ...] = ()
        self.partition = partition
        self._root = Path(root)
        self._paths = {layer: shard_path(version, layer, partition, number) for layer in layer_names or DEFAULT_LAYERS}
        self._rows: dict[str, dict[str, Any]] = {}
        self._tars: dict[str, _Tar] = {}
        self._stack = ExitStack()

    def __enter__(self) -> UnitWriter:
        return self

    def add(self, sample: Sample) -> None:
        """Append one sample to every layer of the unit; its key is ``clip.json``'s.

        Raises:
            SchemaError: The sample is not valid or its key is already in the unit; nothing was written then.
            DatasetError: The disk refuses.
        """
        self.add_encoded(EncodedSample.of(sample, tuple(self._paths), self.partition))

    def add_encoded(self, sample: EncodedSample) -> None:
        """Append one sample that was encoded elsewhere, with the layers and the partition of this unit.

        Raises:
            SchemaError: It has other layers or robots, or its key is already in the unit; nothing was written then.
            DatasetError: The disk refuses.
        """
        key = sample.key
        if key in self._rows:
            raise SchemaError(f"clip.json: found the key {key!r} twice in one unit, expected unique keys")
        if set(sample.layers) != set(self._paths):
            raise SchemaError(f"{key}: found layers {sorted(sample.layers)}, expected {sorted(self._paths)}")
        if not self._tars:
            self._open()
        for tar in self._tars.values():
            for first, spans in islice(tar.spans.items(), 1):
                check_same_robots(key, sample.layers[tar.layer], first, spans)
        for layer, tar in self._tars.items():
            tar.add(key, sample.layers[layer])
        self._rows[key] = dict(sample.row)

    def _open(self) -> None:
        for layer, path in self._paths.items():
            file = self._stack.enter_context(atomic_file(self._root / path))
            self._tars[layer] = _Tar(file, self._root / path, layer)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            records = tuple(tar.finish(self._paths[layer], self.partition) for layer, tar in self._tars.items())
        self.records = records
        self.rows = tuple(
            {**row, "members": [s for r in records for s in _member_rows(r, key)]} for key, row in self._rows.items()
        )


def _encoded(sample: Sample, layer: str) -> dict[str, bytes]:
    return {m.name: codec.encode(m, sample[m.name]) for m in members(layer, robots_among(sample))}


def _member_rows(record: ShardRecord, key: str) -> list[dict[str, Any]]:
    return [
        {"layer": record.layer, "member": name, "shard": record.path, "offset": offset, "size": size}
        for name, (offset, size) in record.spans[key].items()
    ]


def write_shard(
    root: Path, path: str, samples: Iterable[tuple[str, Sample]], layer: str, partition: str
) -> ShardRecord:
    """Write one shard of one layer.

    Args:
        root: Dataset root.
        path: Of the shard, relative to ``root``.
        samples: (key, sample) pairs; only the members of ``layer`` are looked at. Consumed lazily.
        layer: Layer of the schema.
        partition: Recorded in the result.

    Raises:
        SchemaError: A sample is not valid, or a key comes twice; no file is left.
        DatasetError: The disk refuses.
    """
    with atomic_file(Path(root) / path) as file:
        tar = _Tar(file, Path(root) / path, layer)
        for key, sample in samples:
            validate_sample(sample, (layer,), key=key)
            if key in tar.spans:
                raise SchemaError(f"{path}: found the key {key!r} twice, expected unique keys")
            tar.add(key, _encoded(sample, layer))
        return tar.finish(path, partition)
