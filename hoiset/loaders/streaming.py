"""Clips in a stream: shuffled, shared out among ranks and workers, read ahead, and resumed where they were left."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from hoiset.errors import DatasetError
from hoiset.loaders.dataset import ClipDataset
from hoiset.loaders.order import Order, Progress, Ranks, State, Uneven
from hoiset.loaders.resuming import at_least_one, resumed, state_of

if TYPE_CHECKING or find_spec("torch") is not None:  # DataLoader takes for a stream only what is one by its class
    from torch.utils.data import IterableDataset
else:

    class IterableDataset:
        """What there is of torch's without it."""

        def __class_getitem__(cls, _: Any) -> type:
            return cls


AHEAD_BYTES = 32 << 20
"""Encoded bytes that are read at once, ahead of their use; at least one clip."""
GROUP_SHARDS = 32


@dataclass(frozen=True)
class Worker:
    """A worker of a `DataLoader`: its number, and how many there are."""

    number: int
    count: int


class StreamingClips(IterableDataset[dict[str, Any]]):
    """The clips of a map-style dataset as a stream, for `DataLoader` or for a loop.

    An item is one of :class:`hoiset.loaders.ClipDataset`, and has its ``position`` in the epoch. The order is that of
    :class:`hoiset.loaders.order.Order`. Every rank gets as many clips as every other, step t of rank r being position
    t * world + r; a rank's workers take ``batch_size`` steps each in turn, so that with a `DataLoader` of that batch
    size and a fixed order the batches are the same for any number of workers.

    To resume in the middle of an epoch, tell what the training has consumed, and keep what :meth:`state_dict` gives::

        for batch in DataLoader(clips, batch_size=8, num_workers=4, collate_fn=hoiset.collate):
            step(batch)
            clips.consumed(batch["position"])
            state = clips.state_dict()

    The state may be loaded on another number of ranks and workers, provided that all ranks had made the same number of
    steps. Clips that were loaded but not consumed come again, the others do not.

    Args:
        clips: The dataset.
        seed: Of the order.
        shuffle: Whether to shuffle.
        group_shards: See :class:`hoiset.loaders.order.Order`.
        batch_size: See above.
        uneven: ``repeat``, as `DistributedSampler` does unless told otherwise: the first clips of the epoch come again
            so that all ranks have as many; ``drop``: the last ones, fewer than there are ranks, are left out.
        rank: This process; by default as `torch.distributed`, ``RANK`` and ``WORLD_SIZE`` say when this is made.
        world: How many there are.

    Raises:
        DatasetError: No such rank, or sizes below 1.
    """

    def __init__(
        self,
        clips: ClipDataset,
        *,
        seed: int = 0,
        shuffle: bool = True,
        group_shards: int | None = GROUP_SHARDS,
        batch_size: int = 1,
        uneven: Uneven = "repeat",
        rank: int | None = None,
        world: int | None = None,
    ) -> None:
        self.clips = clips
        self._order = Order(clips.shard_numbers, seed, shuffle, at_least_one("group_shards", group_shards))
        self._ranks = Ranks.found(rank, world, uneven)
        self._batch_size = at_least_one("batch_size", batch_size) or 1
        self._epoch, self._loads = 0, 0
        self._progress = Progress(len(clips), self._ranks)
        self._shared = _shared_numbers()

    def __len__(self) -> int:
        """Clips that this rank has left in this epoch, those that were loaded and not consumed among them."""
        return self._progress.n_steps

    @property
    def epoch(self) -> int:
        """The epoch that is under way."""
        return self._epoch

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The items of this rank and, in a worker of a `DataLoader`, of this worker.

        Raises:
            DatasetError: A state was loaded after the workers had started.
        """
        worker = this_worker()
        if worker is not None:
            self._catch_up()
        positions = worker_share(self._progress.positions(), self._batch_size, worker or Worker(0, 1))
        order = self._order.rows(self._epoch)
        rows = order[positions % len(order)] if len(order) else positions
        yield from self._items(positions.tolist(), rows.tolist())

    def consumed(self, positions: Any) -> None:
        """Tell that items have been used; when all have, the next epoch begins.

        Args:
            positions: ``position`` of one item, or of a batch.

        Raises:
            DatasetError: Positions that did not come to this rank.
        """
        self._progress.consume(np.asarray(positions, np.int64).reshape(-1))
        if self._progress.is_complete:
            self._begin(self._epoch + 1)

    def set_epoch(self, epoch: int) -> None:
        """Choose an epoch; the one that is under way goes on."""
        if epoch != self._epoch:
            self._begin(epoch)

    def state_dict(self) -> State:
        """What resumes here, see :class:`hoiset.loaders.order.State`; the same on all ranks that are equally far.

        Raises:
            DatasetError: Asked in a worker, which does not know what is consumed.
        """
        if this_worker() is not None:
            raise DatasetError("found a worker that asks for the state, expected the process that consumes the batches")
        return state_of(self._order, self.clips, self._epoch, self._progress)

    def load_state_dict(self, state: State) -> None:
        """Go on where a state was made; its seed and epoch are taken over.

        Raises:
            DatasetError: A state of other clips or of another way to order them.
        """
        self._order, self._epoch, self._progress = resumed(state, self._order, self.clips, self._ranks)
        self._loads += 1
        self._share()

    def _begin(self, epoch: int) -> None:
        self._epoch, self._progress = epoch, Progress(len(self.clips), self._ranks)
        self._share()

    def _share(self) -> None:
        if self._shared is not None:
            self._shared[0], self._shared[1] = self._epoch, self._loads

    def _catch_up(self) -> None:
        """A worker that persists has a copy of the time at which it started."""
        if self._shared is None:
            return
        epoch, loads = self._shared.tolist()
        if loads != self._loads:
            raise DatasetError(
                "found a state loaded after the workers had started, expected it before; make a new loader"
            )
        if epoch != self._epoch:
            self._epoch, self._progress = epoch, Progress(len(self.clips), self._ranks)

    def _items(self, positions: Sequence[int], rows: Sequence[int]) -> Iterator[dict[str, Any]]:
        with ThreadPoolExecutor(1, "ahead") as ahead:
            batches = iter(self._read_at_once(rows))
            coming = next(batches, None)
            waiting = ahead.submit(self.clips.fetch, rows[slice(*coming)]) if coming else None
            while coming and waiting:
                (start, stop), found = coming, waiting.result()
                coming = next(batches, None)
                waiting = ahead.submit(self.clips.fetch, rows[slice(*coming)]) if coming else None
                for i in range(start, stop):
                    parts, found[i - start] = found[i - start], []
                    yield {**self.clips.item(rows[i], parts), "position": positions[i]}

    def _read_at_once(self, rows: Sequence[int]) -> list[tuple[int, int]]:
        """(first, behind the last) of rows that are read together."""
        ends = np.cumsum(self.clips.spans.size[rows].sum(1)) if len(rows) else np.zeros(0)
        out, start = list[tuple[int, int]](), 0
        while start < len(rows):
            base = ends[start - 1] if start else 0
            stop = max(int(np.searchsorted(ends, base + AHEAD_BYTES, "right")), start + 1)
            out.append((start, stop))
            start = stop
        return out


def worker_share(positions: Int[np.ndarray, "S"], batch_size: int, worker: Worker) -> Int[np.ndarray, "K"]:
    """What of a rank's positions a worker takes: every ``count``-th batch."""
    return positions[np.arange(len(positions)) // batch_size % worker.count == worker.number]


def this_worker() -> Worker | None:
    """The worker of a `DataLoader` that runs this, if any."""
    data: Any = sys.modules.get("torch.utils.data")
    info = data.get_worker_info() if data is not None else None
    return None if info is None else Worker(info.id, info.num_workers)


def _shared_numbers() -> Any:
    """Two numbers that all workers of a `DataLoader` see, or ``None`` without torch."""
    if find_spec("torch") is None:
        return None
    import torch

    return torch.zeros(2, dtype=torch.int64).share_memory_()
