"""A sampler for the map-style dataset: the same order, ranks and states as of the stream."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hoiset.loaders.order import Order, Progress, Ranks, State, Uneven
from hoiset.loaders.resuming import Shuffled, at_least_one, resumed, state_of


class ClipSampler:
    """Indices of clips, or of windows, for ``DataLoader(clips, sampler=...)``.

    To resume in the middle of an epoch, tell what the training has consumed::

        sampler = ClipSampler(clips, seed=1)
        for batch in DataLoader(clips, batch_size=8, sampler=sampler, num_workers=4, collate_fn=hoiset.collate):
            step(batch)
            sampler.consumed(len(batch["key"]))
            state = sampler.state_dict()

    Args:
        clips: A :class:`ClipDataset` or :class:`WindowDataset`.
        seed: Of the order.
        shuffle: Whether to shuffle.
        group_shards: See :class:`hoiset.loaders.order.Order`; by default all items are shuffled alike.
        uneven: As in :class:`hoiset.loaders.StreamingClips`.
        rank: This process, as there.
        world: How many there are.

    Raises:
        DatasetError: No such rank, or ``group_shards`` below 1.
    """

    def __init__(
        self,
        clips: Shuffled,
        *,
        seed: int = 0,
        shuffle: bool = True,
        group_shards: int | None = None,
        uneven: Uneven = "repeat",
        rank: int | None = None,
        world: int | None = None,
    ) -> None:
        self._clips = clips
        self._order = Order(clips.shard_numbers, seed, shuffle, at_least_one("group_shards", group_shards))
        self._ranks = Ranks.found(rank, world, uneven)
        self._epoch = 0
        self._progress = Progress(len(clips), self._ranks)

    def __len__(self) -> int:
        """Clips that this rank has left in this epoch, those that were loaded and not consumed among them."""
        return self._progress.n_steps

    def __iter__(self) -> Iterator[int]:
        positions, order = self._progress.positions(), self._order.rows(self._epoch)
        return iter((order[positions % max(len(order), 1)] if len(order) else np.zeros(0, np.int64)).tolist())

    @property
    def epoch(self) -> int:
        """The epoch that is under way."""
        return self._epoch

    def consumed(self, count: int) -> None:
        """Tell that so many more clips have been used, in the order of the indices; after the last a new epoch begins.

        Raises:
            DatasetError: More than are left.
        """
        self._progress.consume_next(count)
        if self._progress.is_complete:
            self._begin(self._epoch + 1)

    def set_epoch(self, epoch: int) -> None:
        """Choose an epoch; the one that is under way goes on."""
        if epoch != self._epoch:
            self._begin(epoch)

    def state_dict(self) -> State:
        """What resumes here, on any number of ranks; the same on all ranks that are equally far."""
        return state_of(self._order, self._clips, self._epoch, self._progress)

    def load_state_dict(self, state: State) -> None:
        """Go on where a state was made; its seed and epoch are taken over.

        Raises:
            DatasetError: A state of other clips or of another way to order them.
        """
        self._order, self._epoch, self._progress = resumed(state, self._order, self._clips, self._ranks)

    def _begin(self, epoch: int) -> None:
        self._epoch, self._progress = epoch, Progress(len(self._clips), self._ranks)
