"""Batches of clips of different lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hoiset.errors import DatasetError
from hoiset.loaders.names import item_name
from hoiset.shards.schema import ROBOT, ROBOT_SCHEMA, SCHEMA

OWN_BLOCK_BYTES = 1 << 20
"""A tensor of a batch that takes less has no block of shared memory of its own."""
_ALIGNMENT = 64
_FRAMED = {item_name(m.name) for m in SCHEMA if m.name.endswith((".mp4", ".mkv")) or (m.shape and m.shape[0] == "T")}
_FRAMED_OF_ROBOTS = tuple(item_name(m.name).removeprefix(ROBOT) for m in ROBOT_SCHEMA)


def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Batch clips, padded over T, or windows, which are of one length; a ``collate_fn`` for `DataLoader`.

    Args:
        items: At least one item of :class:`hoiset.loaders.ClipDataset` or of :class:`hoiset.loaders.WindowDataset`, all
            with the same keys and one format.

    Returns:
        Of windows, per key: arrays are stacked to (B, n, ...), as are their ``_is_pad`` and ``_mask``; numbers become
        (B,); words a list of B.

        Of clips, per key: members with a frame axis are stacked to (B, T_max, ...), padded with what absence looks like
        (NaN in floats, 0 in codes, scores and pixels); everything else is a list of B values. And ``mask`` (B, T_max)
        bool, true where a frame is real, if any member has a frame axis.

    Raises:
        DatasetError: No items, other keys in one item than in another, frames of different sizes, or members of
            different lengths in one clip.
    """
    if not items:
        raise DatasetError("found no items to collate, expected at least one")
    if any(item.keys() != items[0].keys() for item in items):
        raise DatasetError("found items with different keys, expected items of one dataset")
    if any(name.endswith("_is_pad") for name in items[0]):
        return _windows(items)
    framed = [name for name in items[0] if _is_framed(name) and hasattr(items[0][name], "shape")]
    lengths = [{len(item[name]) for name in framed} for item in items]
    for item, found in zip(items, lengths, strict=True):
        if len(found) > 1:
            raise DatasetError(f"{item.get('key')}: found members of {sorted(found)} frames, expected one length")
    batch: dict[str, Any] = {name: [item[name] for item in items] for name in items[0]}
    if not framed:
        return batch
    n_frames = [found.pop() for found in lengths]
    for name in framed:
        batch[name] = _stack(batch[name], max(n_frames), 0 if name == "hand_score" else np.nan, name)
    mask = np.arange(max(n_frames))[None] < np.array(n_frames)[:, None]
    batch["mask"] = mask if isinstance(batch[framed[0]], np.ndarray) else _to_torch(mask)
    return batch


def _is_framed(name: str) -> bool:
    """Whether the member of an item name has a frame axis."""
    return name in _FRAMED or name.endswith(_FRAMED_OF_ROBOTS)


def _windows(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {name: [item[name] for item in items] for name in items[0]}
    numpy = any(isinstance(value, np.ndarray) for value in items[0].values())
    for name, values in columns.items():
        shapes = sorted({tuple(v.shape) for v in values if hasattr(v, "shape")})
        if len(shapes) > 1:
            raise DatasetError(f"{name}: found windows of shapes {shapes}, expected one; give resize=(h, w)")
    arrays = {name: values for name, values in columns.items() if not isinstance(values[0], str)}
    if numpy:
        return columns | {name: np.stack(values) for name, values in arrays.items()}
    return columns | _stack_tensors(arrays)


def _stack_tensors(columns: dict[str, list[Any]]) -> dict[str, Any]:
    """Tensors of tensors or numbers; in a worker, in shared memory.

    Handing over a block of shared memory takes longer than filling a small one, so the small tensors share one.
    """
    import torch
    from torch.utils.data import default_collate, get_worker_info

    sizes = {n: len(v) * (v[0].nbytes if isinstance(v[0], torch.Tensor) else 8) for n, v in columns.items()}
    small = [name for name in columns if sizes[name] < OWN_BLOCK_BYTES]
    if get_worker_info() is None or len(small) < 2:
        return {name: default_collate(values) for name, values in columns.items()}
    out = {name: default_collate(values) for name, values in columns.items() if name not in small}
    room = {name: -(-sizes[name] // _ALIGNMENT) * _ALIGNMENT for name in small}
    block = torch.empty(sum(room.values()), dtype=torch.uint8).share_memory_()
    at = 0
    for name in small:
        values, part = columns[name], block[at : at + sizes[name]]
        if isinstance(values[0], torch.Tensor):
            shape = (len(values), *values[0].shape)
            out[name] = torch.stack(values, out=part.view(values[0].dtype).view(shape))
        else:
            kind = torch.float64 if isinstance(values[0], float) else torch.int64
            out[name] = part.view(kind).copy_(torch.tensor(values, dtype=kind))
        at += room[name]
    return {name: out[name] for name in columns}


def _stack(values: list[Any], length: int, pad: float, name: str) -> Any:
    if len({tuple(v.shape[1:]) for v in values}) > 1:
        shapes = sorted({tuple(v.shape[1:]) for v in values})
        raise DatasetError(f"{name}: found frames of shapes {shapes}, expected one; resize or batch by size")
    arrays = [np.asarray(v) for v in values]
    fill = pad if arrays[0].dtype.kind == "f" else 0
    out = np.full((len(arrays), length, *arrays[0].shape[1:]), fill, arrays[0].dtype)
    for row, array in zip(out, arrays, strict=True):
        row[: len(array)] = array
    return out if isinstance(values[0], np.ndarray) else _to_torch(out)


def _to_torch(array: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(array)
