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

_Run = tuple[str, int, int]  # shard, offset, size
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

    def read(
        self, reader: ShardReader, rows: Sequence[int], members: Sequence[str] | None = None
    ) -> list[dict[str, memoryview]]:
        """Bytes of members of some clips, asked for all at once; those that stand together are read together.

        Args:
            reader: Of the dataset.
            rows: Of the clips.
            members: Only these; all by default.

        Returns:
            For every clip, member name -> bytes.

        Raises:
            DatasetError: A shard is missing or damaged.
        """
        plans = [self._plan(row, self.members if members is None else members) for row in rows]
        found = iter(reader.read_many([run for plan in plans for run, _ in plan]))
        out = []
        for plan in plans:
            parts: dict[str, memoryview] = {}
            for (_, first, _), inside in plan:
                data = memoryview(next(found))
                parts.update({name: data[start - first : stop - first] for name, start, stop in inside})
            out.append(parts)
        return out

    def _plan(self, row: int, members: Sequence[str]) -> list[tuple[_Run, list[tuple[str, int, int]]]]:
        """Ranges to read of a clip, each with the members in it."""
        columns = [self.members.index(m) for m in members]
        shard, offset, size = (a[row].tolist() for a in (self.shard, self.offset, self.size))
        out: list[tuple[_Run, list[tuple[str, int, int]]]] = []
        for c in sorted(columns, key=lambda c: (shard[c], offset[c])):
            path, start, stop = self.shards[shard[c]], offset[c], offset[c] + size[c]
            (last, first, length), inside = out[-1] if out else (("", 0, 0), [])
            if last == path and start - first - length <= GAP_BYTES:
                out[-1] = (path, first, max(stop - first, length)), [*inside, (self.members[c], start, stop)]
            else:
                out.append(((path, start, size[c]), [(self.members[c], start, stop)]))
        return out


def last_times(table: pa.Table) -> Float[np.ndarray, "N"]:
    """Time of each clip's last frame, s, from the index: its duration less one frame's."""
    fps = table["fps"].to_numpy()
    return table["duration_s"].to_numpy() - np.where(fps > 0, 1.0 / np.where(fps > 0, fps, 1.0), 0.0)
