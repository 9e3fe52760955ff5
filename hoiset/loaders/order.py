"""Who sees which clip when: a pure function of seed, epoch and position, and what of it has been seen."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import numpy as np
from jaxtyping import Int

from hoiset.errors import DatasetError

Uneven = Literal["repeat", "drop"]
"""What makes all ranks equally long: clips come again, as in torch's DistributedSampler, or are left out."""


@dataclass(frozen=True)
class Order:
    """The order of an epoch.

    Shards are shuffled, and clips are shuffled within each group of ``group_shards`` of them, so that what is read at
    one time lies in a few files; ``None`` shuffles all clips alike. The order depends on nothing but what stands here:
    not on ranks, workers or numpy's version.

    Attributes:
        shards: Number of the shard of each clip, (N,).
        seed: Of all epochs.
        shuffle: Whether clips are shuffled at all.
        group_shards: See above.
    """

    shards: Int[np.ndarray, "N"]
    seed: int = 0
    shuffle: bool = True
    group_shards: int | None = None

    def rows(self, epoch: int) -> Int[np.ndarray, "N"]:
        """The clip at each position of an epoch."""
        n = len(self.shards)
        if not self.shuffle:
            return np.arange(n)
        draws = np.random.PCG64(np.random.SeedSequence([self.seed, epoch]))
        keys = draws.random_raw(n)
        if self.group_shards is None or not n:
            return np.argsort(keys, kind="stable")
        places = np.argsort(np.argsort(draws.random_raw(int(self.shards.max()) + 1), kind="stable"), kind="stable")
        return np.lexsort((keys, places[self.shards] // self.group_shards))


class State(TypedDict):
    """What resumes an epoch, on any number of ranks and workers; plain numbers and texts.

    Attributes:
        seed: Of the order.
        epoch: Epoch.
        consumed: Clips of it that have been consumed, by all ranks together.
        done: Their positions, as ascending (first, behind the last).
        clips: Number of clips.
        selection: Digest of the clips and of the way they are ordered.
    """

    seed: int
    epoch: int
    consumed: int
    done: list[list[int]]
    clips: int
    selection: str


@dataclass(frozen=True)
class Ranks:
    """A process among those that train together.

    Attributes:
        rank: Its number.
        world: How many there are.
        uneven: See :data:`Uneven`.
    """

    rank: int
    world: int
    uneven: Uneven = "repeat"

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world:
            raise DatasetError(f"found rank {self.rank} of {self.world}, expected 0 to {self.world - 1}")
        if self.uneven not in ("repeat", "drop"):
            raise DatasetError(f"found uneven={self.uneven!r}, expected 'repeat' or 'drop'")

    @staticmethod
    def found(rank: int | None, world: int | None, uneven: Uneven) -> Ranks:
        """As given; else those of `torch.distributed`; else ``RANK`` and ``WORLD_SIZE``, as of torchrun; else one.

        Raises:
            DatasetError: Only one of both is given, or the environment holds no numbers.
        """
        if (rank is None) != (world is None):
            raise DatasetError(f"found rank {rank} and world {world}, expected both or neither")
        if rank is not None and world is not None:
            return Ranks(rank, world, uneven)
        distributed: Any = sys.modules.get("torch.distributed")
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            return Ranks(distributed.get_rank(), distributed.get_world_size(), uneven)
        texts = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
        if "WORLD_SIZE" not in os.environ or "RANK" not in os.environ:
            return Ranks(0, 1, uneven)
        try:
            return Ranks(int(texts[0]), int(texts[1]), uneven)
        except ValueError:
            raise DatasetError(f"found RANK={texts[0]!r} and WORLD_SIZE={texts[1]!r}, expected numbers") from None


class Progress:
    """Positions of an epoch that are left, this rank's share of them, and how much of it has been consumed.

    Step t of rank r is the (t * world + r)-th of the positions that are left: ranks that are equally far have consumed
    a prefix of them. So what one rank has consumed tells what all have.

    Args:
        n: Clips.
        ranks: Who this is.
        done: Positions that are not to come again, as in :class:`State`.
    """

    def __init__(self, n: int, ranks: Ranks, done: list[list[int]] | None = None) -> None:
        self._n, self._ranks = n, ranks
        self._was_done = np.zeros(n, bool)
        for start, stop in done or []:
            self._was_done[start:stop] = True
        self._left = np.flatnonzero(~self._was_done)
        ratio = len(self._left) / ranks.world
        self.n_steps = int(np.ceil(ratio) if ranks.uneven == "repeat" else ratio)
        self._steps = np.zeros(self.n_steps, bool)
        self._n_consumed = 0

    def positions(self) -> Int[np.ndarray, "S"]:
        """Position at each step of this rank; ``n + i`` where clip i of the epoch comes again."""
        index = self._ranks.rank + self._ranks.world * np.arange(self.n_steps)
        left = len(self._left)
        return (
            np.where(index < left, self._left[np.minimum(index, left - 1)], self._n + index - left) if left else index
        )

    def consume(self, positions: Int[np.ndarray, "K"]) -> None:
        """Mark positions of this rank; marking one twice is marking it once.

        Raises:
            DatasetError: Not positions that this rank has in this epoch.
        """
        inside = np.searchsorted(self._left, np.minimum(positions, max(self._n - 1, 0)))
        index = np.where(positions < self._n, inside, len(self._left) + positions - self._n)
        steps, rank = np.divmod(index, self._ranks.world)
        wrong = (positions < 0) | (steps >= self.n_steps) | (rank != self._ranks.rank)
        if not wrong.any():
            wrong = self.positions()[steps] != positions
        if wrong.any():
            raise DatasetError(
                f"found position {int(positions[wrong][0])}, expected one of those that came to rank "
                f"{self._ranks.rank} since the last set_epoch or load_state_dict"
            )
        self._steps[steps] = True

    def consume_next(self, count: int) -> None:
        """Mark so many steps after those that are marked; raises DatasetError where there are fewer."""
        if not 0 <= count <= self.n_steps - self._n_consumed:
            raise DatasetError(f"found {count} clips consumed, expected at most {self.n_steps - self._n_consumed}")
        self._steps[self._n_consumed : self._n_consumed + count] = True
        self._n_consumed += count

    @property
    def is_complete(self) -> bool:
        """Whether every step of this rank is consumed."""
        return bool(self._steps.all())

    def done(self) -> list[list[int]]:
        """Positions that are done, those of the other ranks with them, as in :class:`State`."""
        done = self._was_done.copy()
        index = (np.flatnonzero(self._steps)[:, None] * self._ranks.world + np.arange(self._ranks.world)).ravel()
        done[self._left[index[index < len(self._left)]]] = True
        edges = np.flatnonzero(np.diff(done, prepend=False, append=False))
        return edges.reshape(-1, 2).tolist()
