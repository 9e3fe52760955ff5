"""The low-dimensional members of the clips that were used last, as contiguous arrays."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from hoiset.errors import DatasetError
from hoiset.loaders.names import item_name
from hoiset.loaders.spans import Spans
from hoiset.shards import codec
from hoiset.shards.reader import ShardReader
from hoiset.shards.schema import SCHEMA

_MEMBERS = {m.name: m for m in SCHEMA}


@dataclass(frozen=True)
class ClipValues:
    """Some members of one clip.

    Attributes:
        time: (T,) float64, s from the clip's start.
        arrays: Item name -> (T, ...), read-only.
        clip: ``clip.json``; empty where it was not asked for.
        nbytes: What they take.
    """

    time: Float[np.ndarray, "T"]
    arrays: dict[str, np.ndarray]
    clip: dict[str, Any]
    nbytes: int


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

    def get(self, reader: ShardReader, row: int, n_frames: int) -> ClipValues:
        """The members of a clip.

        Raises:
            DatasetError: A shard is missing or damaged, or a member has another number of frames than the index says.
            SchemaError: A member cannot be decoded.
        """
        values = self._held.get(row)
        if values is not None:
            self._held.move_to_end(row)
            return values
        values = self._read(reader, row, n_frames)
        self._held[row] = values
        self._bytes += values.nbytes
        while self._bytes > self.max_bytes and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1].nbytes
        return values

    def _read(self, reader: ShardReader, row: int, n_frames: int) -> ClipValues:
        found = self.spans.read(reader, row)
        arrays, clip = dict[str, np.ndarray](), dict[str, Any]()
        for name, data in found.items():
            if name.endswith(".npy"):
                array = codec.decode_npy(bytes(data), name)
                if not array.ndim or len(array) != n_frames:
                    raise DatasetError(
                        f"{name} of clip {row}: found shape {array.shape}, expected {n_frames} frames; "
                        "run `hoiset verify`"
                    )
                arrays[item_name(name)] = array
            else:
                clip = codec.decode(_MEMBERS[name], bytes(data))
        return ClipValues(arrays["time"], arrays, clip, sum(len(data) for data in found.values()))
