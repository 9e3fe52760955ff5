"""Where the members of every clip stand, as arrays: what a worker needs of the index, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int

from hoiset.errors import DatasetError
from hoiset.shards.reader import ShardReader

GAP_BYTES = 1 << 16
"""Members of one clip that stand nearer than this are read in one range."""


@dataclass(frozen=True)
class Spans:
    """Bytes of some members of N clips: 20 bytes a member and clip.

    Attributes:
        members: Names of the M members.
        shards: Paths of shards, relative to the dataset.
        shard: (N, M) int32 index into ``shards``.
        offset: (N, M) int64.
        size: (N, M) int64.
    """

    members: tuple[str, ...]
    shards: tuple[str, ...]
    shard: Int[np.ndarray, "N M"]
    offset: Int[np.ndarray, "N M"]
    size: Int[np.ndarray, "N M"]

    @classmethod
    def of(cls, table: pa.Table, members: Sequence[str]) -> Spans:
        """Take them out of index rows.

        Raises:
            DatasetError: A member that some row does not have; the message lists those of the first row.
        """
        n = table.num_rows
        if not n or not members:
            empty = np.zeros((n, len(members)), np.int64)
            return cls(tuple(members), (), empty.astype(np.int32), empty, empty)
        column = table["members"].combine_chunks()
        spans, rows = pc.list_flatten(column), pc.list_parent_indices(column).to_numpy()
        names = pc.struct_field(spans, "member")
        paths = pc.struct_field(spans, "shard").dictionary_encode()
        shard, offset, size = (
            a.to_numpy() for a in (paths.indices, pc.struct_field(spans, "offset"), pc.struct_field(spans, "size"))
        )
        columns = []
        for member in members:
            found = np.flatnonzero(pc.equal(names, member).to_numpy(zero_copy_only=False))
            if len(found) != n or (rows[found] != np.arange(n)).any():
                there = sorted({s["member"] for s in column[0].as_py()})
                raise DatasetError(f"no member {member!r} in the clips chosen; members there: {', '.join(there)}")
            columns.append(found)
        at = np.stack(columns, 1)
        return cls(
            tuple(members),
            tuple(paths.dictionary.to_pylist()),
            shard[at].astype(np.int32),
            offset[at].astype(np.int64),
            size[at].astype(np.int64),
        )

    def read(self, reader: ShardReader, row: int, members: Sequence[str] | None = None) -> dict[str, memoryview]:
        """Bytes of members of one clip; those that stand together are read together.

        Args:
            reader: Of the dataset.
            row: Of the clip.
            members: Only these; all by default.

        Raises:
            DatasetError: A shard is missing or damaged.
        """
        columns = [self.members.index(m) for m in members] if members is not None else list(range(len(self.members)))
        shard, offset, size = (a[row].tolist() for a in (self.shard, self.offset, self.size))
        columns.sort(key=lambda c: (shard[c], offset[c]))
        ranges, together = list[tuple[str, int, int]](), list[list[int]]()
        for c in columns:
            start, stop = offset[c], offset[c] + size[c]
            path = self.shards[shard[c]]
            if ranges and ranges[-1][0] == path and start - sum(ranges[-1][1:]) <= GAP_BYTES:
                first = ranges[-1][1]
                ranges[-1] = (path, first, max(stop, sum(ranges[-1][1:])) - first)
                together[-1].append(c)
            else:
                ranges.append((path, start, size[c]))
                together.append([c])
        out: dict[str, memoryview] = {}
        for (_, first, _), data, group in zip(ranges, reader.read_many(ranges), together, strict=True):
            for c in group:
                out[self.members[c]] = memoryview(data)[offset[c] - first : offset[c] - first + size[c]]
        return out


def last_times(table: pa.Table) -> Float[np.ndarray, "N"]:
    """Time of each clip's last frame, s, from the index: its duration less one frame's."""
    fps = table["fps"].to_numpy()
    return table["duration_s"].to_numpy() - np.where(fps > 0, 1.0 / np.where(fps > 0, fps, 1.0), 0.0)
