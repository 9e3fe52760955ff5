"""States of an epoch: made from what is under way, and taken up again."""

from __future__ import annotations

import hashlib
from typing import Protocol

import numpy as np
from jaxtyping import Int

from hoiset.errors import DatasetError
from hoiset.loaders.order import Order, Progress, Ranks, State


class Shuffled(Protocol):
    """A map-style dataset whose items can be ordered: of clips, or of windows of clips."""

    def __len__(self) -> int:
        """Items."""

    @property
    def keys(self) -> list[str]:
        """Keys of the clips."""

    @property
    def shard_numbers(self) -> Int[np.ndarray, "N"]:
        """Number of the shard that each item stands in."""


def at_least_one(name: str, value: int | None) -> int | None:
    """The value; raises DatasetError where it is below 1."""
    if value is not None and value < 1:
        raise DatasetError(f"found {name}={value}, expected at least 1")
    return value


def state_of(order: Order, clips: Shuffled, epoch: int, progress: Progress) -> State:
    """The state of an epoch that is under way."""
    done = progress.done()
    return {
        "seed": order.seed,
        "epoch": epoch,
        "consumed": sum(stop - start for start, stop in done),
        "done": done,
        "clips": len(clips),
        "selection": _selection(order, clips),
    }


def resumed(state: State, order: Order, clips: Shuffled, ranks: Ranks) -> tuple[Order, int, Progress]:
    """Order, epoch and progress that a state says.

    Raises:
        DatasetError: A state of other clips, or of another way to order them; or no state at all.
    """
    try:
        found = state["clips"], state["selection"]
        seed, epoch, done = int(state["seed"]), int(state["epoch"]), state["done"]
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"found something that is not the state of an epoch ({error!r})") from error
    if found != (len(clips), _selection(order, clips)):
        raise DatasetError(
            f"found the state of {found[0]} items, expected one of these {len(clips)}: the same dataset, filters, "
            "shuffle and group_shards"
        )
    again = Order(order.shards, seed, order.shuffle, order.group_shards)
    return again, epoch, Progress(len(clips), ranks, done)


def _selection(order: Order, clips: Shuffled) -> str:
    digest = hashlib.sha256(f"{order.shuffle} {order.group_shards} {len(clips)}\n".encode())
    digest.update("\n".join(clips.keys).encode())
    return digest.hexdigest()[:16]
