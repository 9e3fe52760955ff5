"""``load_dataset``: a version, a split, some layers and some filters become a map-style dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import pyarrow as pa
from jaxtyping import Int

from hoiset import video
from hoiset.errors import DatasetError, MissingDependency
from hoiset.filter import ClipIndex, Where, parse
from hoiset.loaders.names import item_name
from hoiset.loaders.spans import Spans
from hoiset.shards.blocks import default_cache
from hoiset.shards.index import index_path, read_index
from hoiset.shards.places import open_place
from hoiset.shards.ranges import LocalRanges, Ranges
from hoiset.shards.reader import ShardReader, decode_member
from hoiset.shards.schema import PARTITIONS
from hoiset.shards.stream import RangeStream

if TYPE_CHECKING:
    from hoiset.loaders.streaming import StreamingClips

Format = Literal["torch", "numpy"]


def open_index(path: str | Path, version: str = "v2", *, revision: str | None = None) -> pa.Table:
    """The clip index of a dataset: one row a clip, see :func:`hoiset.shards.index.index_schema`.

    Args:
        path: As :func:`load_dataset`.
        version: Version, the name of the recipe that built it.
        revision: As :func:`load_dataset`.

    Raises:
        DatasetError: No such dataset or version; the message lists the versions that are there.
    """
    place = open_place(path, revision=revision, cache=default_cache())
    if not isinstance(place, LocalRanges):
        return _remote_index(place, version).select(parse())
    return read_index(place.root, version)


@overload
def load_dataset(
    path: str | Path, version: str = ..., split: str | None = ..., *, streaming: Literal[True], **options: Any
) -> StreamingClips: ...
@overload
def load_dataset(
    path: str | Path, version: str = ..., split: str | None = ..., *, streaming: Literal[False] = ..., **options: Any
) -> ClipDataset: ...
def load_dataset(
    path: str | Path,
    version: str = "v2",
    split: str | None = "train",
    *,
    layers: Sequence[str] = ("core",),
    format: Format = "torch",
    members: Sequence[str] | None = None,
    decode_video: bool = True,
    where: Where = None,
    streaming: bool = False,
    revision: str | None = None,
    cache: str | Path | None = None,
    cache_gb: float | None = None,
    **filters: Any,
) -> ClipDataset | StreamingClips:
    """Open a dataset for training, wherever it lies.

    Which clips there are is asked of the index alone; of the shards only the bytes of the chosen members of the
    chosen clips are read.

    Args:
        path: A directory; a dataset of the Hugging Face Hub, ``OWNER/NAME`` or ``hf://datasets/OWNER/NAME[@REVISION]``;
            or an address that `fsspec` knows, ``s3://bucket/folder``, ``https://host/folder``. A directory that exists
            wins over a dataset of the Hub of that name.
        version: Version, the name of the recipe that built it.
        split: ``train``, ``validation`` or ``test``; ``None`` for all.
        layers: Layers to read, joined by key.
        format: ``torch`` for tensors, ``numpy`` for arrays.
        members: Only these, as item names (``hand_joints``) or member names (``hand_joints.npy.gz``); all of the layers
            by default. What is not named is not read.
        decode_video: Whether ``rgb`` is (T, H, W, 3) uint8, or the bytes of the mp4.
        where: Which clips: a query such as ``'verb = "push" and quality.score > 0.5'`` (docs/filter.md), or an
            expression over the index's columns, ``pyarrow.compute.field("fps") > 20``.
        streaming: Whether to give a :class:`hoiset.loaders.StreamingClips` with its defaults, which shuffles, shares
            out among ranks and workers, and reads ahead; ``StreamingClips(clips, ...)`` makes one with others.
        revision: Branch, tag or commit of a dataset of the Hub.
        cache: Directory of the cache of what lies elsewhere, see :func:`hoiset.shards.blocks.default_cache`.
        cache_gb: Its bound in 1e9 bytes; 0 for no cache.
        **filters: The same as keywords, see :func:`hoiset.filter.select`: ``verb="push", object="plate",
            grasp="right", min_quality=0.5``. All must match.

    Returns:
        A map-style dataset in the order of the keys, see :class:`ClipDataset`; or, streaming, an iterable one.

    Raises:
        DatasetError: No such dataset, version, split, layer or member; the message lists what is there.
        FilterError: No such filter or value, or a query that cannot be read (QueryError).
        MissingDependency: ``format="torch"`` without torch, or an address whose protocol needs a package.
    """
    if format not in ("torch", "numpy"):
        raise DatasetError(f"unknown format {format!r}; expected 'torch' or 'numpy'")
    if format == "torch" and find_spec("torch") is None:
        raise MissingDependency("format='torch' needs torch: pip install 'hoiset[torch]', or use format='numpy'")
    query = parse(where, **filters)
    place = open_place(path, revision=revision, cache=default_cache(cache, cache_gb))
    index = ClipIndex.open(place.root, version) if isinstance(place, LocalRanges) else _remote_index(place, version)
    name = f"{place.address} {version}"
    if split is not None:
        there = [p for p in PARTITIONS if p in index.values("partition")]
        if split not in there:
            raise DatasetError(f"{name} has no split {split!r}; splits there: {', '.join(there) or 'none'}")
        query &= parse(partition=split)
    names = _member_names(index.first(), tuple(layers), members, name)
    clips = ClipDataset(place, index.select(query), names, format=format, decode_video=decode_video)
    if not streaming:
        return clips
    from hoiset.loaders.streaming import StreamingClips

    return StreamingClips(clips)


def _remote_index(place: Ranges, version: str) -> ClipIndex:
    """The index of a dataset that lies elsewhere, of which only what is asked of it travels."""
    name = index_path(version)
    if place.size(name) is None:
        there = [Path(file).stem for file in place.names("index", ".parquet")]
        known = ", ".join(there) or "none known"
        raise DatasetError(f"{place.address} has no version {version!r} with an index; versions there: {known}")
    return ClipIndex(f"{place.address}/{name}", lambda: RangeStream(place, name))


def _member_names(
    table: pa.Table, layers: tuple[str, ...], members: Sequence[str] | None, where: str
) -> tuple[str, ...]:
    """Member names to read, in the order of the index."""
    if not table.num_rows:
        return ()
    spans = table["members"][0].as_py()
    there = sorted({s["layer"] for s in spans})
    for layer in layers:
        if layer not in there:
            raise DatasetError(f"{where} has no layer {layer!r}; layers there: {', '.join(there)}")
    names = [s["member"] for s in spans if s["layer"] in layers]
    if members is None:
        return tuple(names)
    by_item = {item_name(n): n for n in names}
    for name in members:
        if name not in by_item and name not in names:
            raise DatasetError(
                f"no member {name!r} in layers {', '.join(layers)}; members there: {', '.join(sorted(by_item))}"
            )
    return tuple(dict.fromkeys(by_item.get(name, name) for name in members))


class ClipDataset:
    """A map-style dataset over the rows of an index.

    An item is a dict: ``key``, and of the chosen members ``clip`` (dict), ``time``, ``hand_joints`` and the other
    arrays (T first, see :mod:`hoiset.shards.schema`), ``objects_glb`` (bytes), ``rgb`` ((T, H, W, 3) uint8),
    ``depth`` and ``masks`` ((T, H, W) uint16 and uint8). Arrays are writable and the caller's own. Absent values are
    NaN. It can be pickled and used from `DataLoader` workers: every process opens its own files.
    :func:`hoiset.loaders.collate` makes batches of items of different lengths.

    Attributes:
        table: The index rows, in the order of the items.
        members: Names of the members that are read.
    """

    def __init__(
        self,
        root: str | Path | Ranges,
        table: pa.Table,
        members: tuple[str, ...],
        *,
        format: Format = "torch",
        decode_video: bool = True,
    ) -> None:
        self.table = table
        self.members = members
        self.spans = Spans.of(table, members)
        self._format = format
        self._decode_video = decode_video
        self._reader = ShardReader(root)
        for shard in self._reader.ranges.missing(self._shards()):
            raise DatasetError(f"{self._reader.ranges.address} has no {shard}; is its layer downloaded?")

    def _shards(self) -> list[str]:
        return [self.spans.shards[number] for number in np.unique(self.spans.shard).tolist()]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The item at ``index``; negative counts from the end.

        Raises:
            IndexError: Out of range.
            DatasetError: A shard is missing or damaged.
        """
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """The items at ``indices``, read together; what `DataLoader` asks for a batch."""
        for index in indices:
            if not -len(self) <= index < len(self):
                raise IndexError(f"index {index} of a dataset of {len(self)} clips")
        rows = [int(index) % len(self) for index in indices]
        return [self.item(row, parts) for row, parts in zip(rows, self.fetch(rows), strict=True)]

    def fetch(self, rows: Sequence[int]) -> list[list[bytes]]:
        """Encoded members of some clips, in the order of :attr:`members`; in as few reads as can be."""
        spans = self.spans
        wanted = [
            (spans.shards[shard], offset, size)
            for row in rows
            for shard, offset, size in zip(
                *(a[row].tolist() for a in (spans.shard, spans.offset, spans.size)), strict=True
            )
        ]
        parts = self._reader.read_many(wanted)
        n = len(self.members)
        return [parts[n * i : n * (i + 1)] for i in range(len(rows))]

    def item(self, row: int, parts: Sequence[bytes]) -> dict[str, Any]:
        """The item of a clip from what :meth:`fetch` gave of it.

        Raises:
            SchemaError: A member cannot be decoded.
        """
        decoded = ((n, decode_member(n, data)) for n, data in zip(self.members, parts, strict=True))
        return {
            "key": self.table["key"][row].as_py(),
            **{item_name(n): self._present(n, value) for n, value in decoded},
        }

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[i] for i in range(len(self)))

    @property
    def reader(self) -> ShardReader:
        """What reads the shards of the dataset."""
        return self._reader

    @property
    def format(self) -> Format:
        """``torch`` or ``numpy``."""
        return self._format

    @property
    def shard_numbers(self) -> Int[np.ndarray, "N"]:
        """Number of the shard of each clip's first member, (N,)."""
        shard = self.spans.shard
        return shard[:, 0].astype(np.int64) if shard.shape[1] else np.zeros(len(self), np.int64)

    @property
    def keys(self) -> list[str]:
        """Keys of the clips, in the order of the items."""
        return list(self.table["key"].to_pylist())

    def _present(self, name: str, value: Any) -> Any:
        if name.endswith(".mp4") and self._decode_video:
            value, _ = video.decode_mp4_bytes(value)
        elif name.endswith(".mkv") and self._decode_video:
            value = video.decode_lossless(value)
        elif isinstance(value, np.ndarray):
            value = value.copy()
        if self._format == "torch" and isinstance(value, np.ndarray):
            import torch

            return torch.from_numpy(value)
        return value
