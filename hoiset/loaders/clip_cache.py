"""The low-dimensional members of the clips that were used last, as contiguous arrays."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from hoiset.errors import DatasetError
from hoiset.loaders.names import item_name
from hoiset.loaders.spans import Spans
from hoiset.shards import codec
from hoiset.shards.reader import ShardReader
from hoiset.shards.schema import ARRAY_SUFFIXES, SCHEMA

_MEMBERS = {m.name: m for m in SCHEMA}


@dataclass(frozen=True)
class ClipValues:
    """Some members of one clip.

    Attributes:
        time: (T,) float64, s from the clip's start.
        arrays: Item name -> (T, ...), read-only.
        clip: ``clip.json``; empty where it was not asked for.
        nbytes: What they take.
        present: Item name -> (T, ...) bool, which hands or objects are there; filled when it is first asked for.
    """

    time: Float[np.ndarray, "T"]
    arrays: dict[str, np.ndarray]
    clip: dict[str, Any]
    nbytes: int
    present: dict[str, np.ndarray] = field(default_factory=dict)


class ClipCache:
    """An LRU of clips by bytes, in one process. A pickled one starts empty.

    Attributes:
        spans: Where the members stand; ``time.npy`` is among them.
        max_bytes: Most bytes that are kept; one clip is always kept.
    """

    def __init__(self, spans: Spans, max_bytes: int) -> None:
        self.spans, self.max_bytes = spans, max_bytes
        self._held: OrderedDict[int, ClipValues] = OrderedDict()
        self._bytes = 0

    def __getstate__(self) -> dict[str, Any]:
        return {"spans": self.spans, "max_bytes": self.max_bytes, "_held": OrderedDict(), "_bytes": 0}

    @property
    def nbytes(self) -> int:
        """Bytes that are kept now."""
        return self._bytes

    def get(self, reader: ShardReader, rows: Sequence[int], n_frames: Sequence[int]) -> list[ClipValues]:
        """The members of some clips; those that are not held are read together.

        Raises:
            DatasetError: A shard is missing or damaged, or a member has another number of frames than the index says.
            SchemaError: A member cannot be decoded.
        """
        out = {row: self._held[row] for row in rows if row in self._held}
        frames = dict(zip(rows, n_frames, strict=True))
        missing = [row for row in frames if row not in out]
        for row in out:
            self._held.move_to_end(row)
        for row, found in zip(missing, self.spans.read(reader, missing) if missing else (), strict=True):
            out[row] = self._held[row] = _decode(row, found, frames[row])
            self._bytes += out[row].nbytes
        while self._bytes > self.max_bytes and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1].nbytes
        return [out[row] for row in rows]


def _decode(row: int, found: dict[str, memoryview], n_frames: int) -> ClipValues:
    arrays, clip = dict[str, np.ndarray](), dict[str, Any]()
    for name, data in found.items():
        if name.endswith(ARRAY_SUFFIXES):
            array = codec.decode_array(bytes(data), name)
            if not array.ndim or len(array) != n_frames:
                raise DatasetError(
                    f"{name} of clip {row}: found shape {array.shape}, expected {n_frames} frames; run `hoiset verify`"
                )
            arrays[item_name(name)] = array
        else:
            clip = codec.decode(_MEMBERS[name], bytes(data))
    return ClipValues(
        arrays["time"], arrays, clip, sum(a.nbytes for a in arrays.values()) + len(found.get("clip.json", b""))
    )
