from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.errors import DatasetError
from hoiset.loaders.order import Order, Progress, Ranks, Uneven
from hoiset.loaders.streaming import Worker, worker_share


def shards(n: int, per_shard: int = 3) -> np.ndarray:
    return np.arange(n) // per_shard


@given(st.integers(0, 60), st.integers(0, 2**40), st.integers(0, 5), st.sampled_from([None, 1, 2, 7]))
@settings(deadline=None)
def test_an_epoch_is_a_permutation_and_a_pure_function(n: int, seed: int, epoch: int, group: int | None) -> None:
    rows = Order(shards(n), seed, True, group).rows(epoch)
    assert sorted(rows.tolist()) == list(range(n))
    np.testing.assert_array_equal(rows, Order(shards(n), seed, True, group).rows(epoch))


def test_epochs_and_seeds_differ_and_the_order_is_the_same_on_every_machine() -> None:
    orders = [Order(shards(50), seed).rows(epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4
    assert Order(shards(8), 7).rows(3).tolist() == [2, 4, 7, 3, 5, 1, 0, 6]
    assert Order(shards(8, 2), 7, True, 2).rows(3).tolist() == [4, 7, 5, 6, 2, 3, 1, 0]
    assert Order(shards(5), 7, shuffle=False).rows(3).tolist() == list(range(5))


def test_what_is_read_together_lies_in_a_few_shards() -> None:
    labels = shards(60, 5)
    rows = Order(labels, 1, True, 2).rows(0)
    for start in range(0, 60, 10):
        assert len(set(labels[rows[start : start + 10]])) == 2
    within = labels[rows[:10]]
    assert np.count_nonzero(np.diff(within)) > 1, "clips of a group are shuffled, not only shards"


class Run:
    """Ranks by workers that train in step; a batch counts when it is consumed, not when it is loaded."""

    def __init__(self, n: int, world: int, workers: int, batch: int, uneven: Uneven, done: list[list[int]]) -> None:
        self.ranks = [Progress(n, Ranks(rank, world, uneven), done) for rank in range(world)]
        self.queues = []
        for progress in self.ranks:
            shares = [worker_share(progress.positions(), batch, Worker(w, workers)) for w in range(workers)]
            batches = [[s[i : i + batch] for i in range(0, len(s), batch)] for s in shares]
            longest = max(map(len, batches))
            self.queues.append([b[i] for i in range(longest) for b in batches if i < len(b)])

    def steps(self, count: int) -> list[int]:
        seen = []
        for progress, queue in zip(self.ranks, self.queues, strict=True):
            for batch in queue[:count]:
                progress.consume(batch)
                seen += batch.tolist()
            del queue[:count]
        return seen

    def state(self) -> list[list[int]]:
        states = [progress.done() for progress in self.ranks]
        assert all(state == states[0] for state in states), "every rank knows what all have consumed"
        return states[0]


@given(st.data(), st.integers(1, 60), st.sampled_from(["repeat", "drop"]))
@settings(deadline=None, max_examples=150)
def test_killed_and_resumed_elsewhere_every_clip_comes_exactly_once(
    data: st.DataObject, n: int, uneven: Uneven
) -> None:
    done: list[list[int]] = []
    seen: list[int] = []
    for kills in range(data.draw(st.integers(0, 3)), -1, -1):
        world, workers = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4))
        run = Run(n, world, workers, data.draw(st.integers(1, 5)), uneven, done)
        assert len({progress.n_steps for progress in run.ranks}) == 1, "ranks are equally long"
        seen += run.steps(data.draw(st.integers(0, 12)) if kills else 10**6)
        if kills:
            done = run.state()
    real = [position for position in seen if position < n]
    assert len(set(real)) == len(real), "no clip comes twice"
    assert len(seen) - len(real) < 3 if uneven == "repeat" else len(seen) == len(real)
    assert n - len(real) == 0 if uneven == "repeat" else n - len(real) < world
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("resumed", [(2, 3), (1, 1), (3, 2), (2, 5)])
def test_two_ranks_by_three_workers(resumed: tuple[int, int]) -> None:
    for stop in range(7):
        first = Run(48, 2, 3, 4, "repeat", [])
        seen = first.steps(stop)
        second = Run(48, *resumed, 4, "repeat", first.state())
        seen += second.steps(10**6)
        assert sorted(position for position in seen if position < 48) == list(range(48))
        assert first.state() == ([[0, 8 * stop]] if stop else []), "batches come in the order of the positions"


def test_batches_are_the_same_for_any_number_of_workers() -> None:
    queues = [Run(37, 2, workers, 4, "repeat", []).queues for workers in (1, 2, 3, 5)]
    plain = [[[b.tolist() for b in rank] for rank in queue] for queue in queues]
    assert all(queue == plain[0] for queue in plain)


def test_positions_of_others_are_refused() -> None:
    progress = Progress(10, Ranks(0, 2), [[0, 2]])
    progress.consume(np.array([2, 4, 4]))
    assert progress.done() == [[0, 6]]
    for wrong in (3, 0, -1, 10, 99):
        with pytest.raises(DatasetError, match=f"position {wrong}, expected one of those that came to rank 0"):
            progress.consume(np.array([wrong]))
    with pytest.raises(DatasetError, match="at most"):
        Progress(10, Ranks(0, 2)).consume_next(6)


def test_ranks_come_from_arguments_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert Ranks.found(None, None, "drop") == Ranks(0, 1, "drop")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert Ranks.found(None, None, "repeat") == Ranks(1, 4)
    assert Ranks.found(0, 2, "repeat") == Ranks(0, 2)
    monkeypatch.setenv("RANK", "x")
    with pytest.raises(DatasetError, match="RANK='x'"):
        Ranks.found(None, None, "repeat")
    for rank, world, uneven in ((2, 2, "repeat"), (-1, 2, "repeat"), (0, 0, "repeat"), (0, 1, "pad")):
        with pytest.raises(DatasetError):
            Ranks(rank, world, uneven)
    with pytest.raises(DatasetError, match="both or neither"):
        Ranks.found(1, None, "repeat")
