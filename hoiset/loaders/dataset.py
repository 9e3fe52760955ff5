"""``load_dataset``: a version, a split, some layers and some filters become a map-style dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hoiset import video
from hoiset.errors import DatasetError, MissingDependency
from hoiset.filter import ClipIndex, Where, parse
from hoiset.loaders.names import item_name
from hoiset.shards.index import read_index
from hoiset.shards.reader import ShardReader, inside, read_sample
from hoiset.shards.schema import PARTITIONS

Format = Literal["torch", "numpy"]


def open_index(path: str | Path, version: str = "v2") -> pa.Table:
    """The clip index of a dataset directory: one row a clip, see :func:`hoiset.shards.index.index_schema`.

    Raises:
        DatasetError: No such dataset or version; the message lists the versions that are there.
    """
    return read_index(Path(path), version)


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
    **filters: Any,
) -> ClipDataset:
    """Open a dataset directory for training.

    Args:
        path: The directory.
        version: Version, the name of the recipe that built it.
        split: ``train``, ``validation`` or ``test``; ``None`` for all.
        layers: Layers to read, joined by key.
        format: ``torch`` for tensors, ``numpy`` for arrays.
        members: Only these, as item names (``hand_joints``) or member names (``hand_joints.npy``); all of the layers
            by default. What is not named is not read.
        decode_video: Whether ``rgb`` is (T, H, W, 3) uint8, or the bytes of the mp4.
        where: Which clips: a query such as ``'verb = "push" and quality.score > 0.5'`` (docs/filter.md), or an
            expression over the index's columns, ``pyarrow.compute.field("fps") > 20``.
        **filters: The same as keywords, see :func:`hoiset.filter.select`: ``verb="push", object="plate",
            grasp="right", min_quality=0.5``. All must match.

    Returns:
        A map-style dataset in the order of the keys; see :class:`ClipDataset`.

    Raises:
        DatasetError: No such dataset, version, split, layer or member; the message lists what is there.
        FilterError: No such filter or value, or a query that cannot be read (QueryError).
        MissingDependency: ``format="torch"`` without torch.
    """
    if format not in ("torch", "numpy"):
        raise DatasetError(f"unknown format {format!r}; expected 'torch' or 'numpy'")
    if format == "torch" and find_spec("torch") is None:
        raise MissingDependency("format='torch' needs torch: pip install 'hoiset[torch]', or use format='numpy'")
    index, query = ClipIndex.open(path, version), parse(where, **filters)
    if split is not None:
        there = [p for p in PARTITIONS if p in index.values("partition")]
        if split not in there:
            raise DatasetError(f"{path} {version} has no split {split!r}; splits there: {', '.join(there) or 'none'}")
        query &= parse(partition=split)
    names = _member_names(index.first(), tuple(layers), members, f"{path} {version}")
    return ClipDataset(Path(path), index.select(query), names, format=format, decode_video=decode_video)


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
        root: Path,
        table: pa.Table,
        members: tuple[str, ...],
        *,
        format: Format = "torch",
        decode_video: bool = True,
    ) -> None:
        self.table = table
        self.members = members
        self._format = format
        self._decode_video = decode_video
        self._reader = ShardReader(root)
        for shard in sorted(self._shards()):
            if not inside(root, shard).exists():
                raise DatasetError(f"{root} has no {shard}; is its layer downloaded?")

    def _shards(self) -> set[str]:
        spans = pc.list_flatten(self.table["members"])
        wanted = spans.filter(pc.is_in(pc.struct_field(spans, "member"), value_set=pa.array(self.members, pa.string())))
        return set(pc.unique(pc.struct_field(wanted, "shard")).to_pylist())

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The item at ``index``; negative counts from the end.

        Raises:
            IndexError: Out of range.
            DatasetError: A shard is missing or damaged.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} of a dataset of {len(self)} clips")
        row = int(index) % len(self)
        sample = read_sample(self._reader, self.table["members"][row].as_py(), self.members)
        return {
            "key": self.table["key"][row].as_py(),
            **{item_name(name): self._present(name, value) for name, value in sample.items()},
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
