"""What runs the tasks of a pass: the contract that every engine keeps."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from hoiset.builder.engine.outcome import Outcome, run_guarded

Handler = Callable[[Any], Any]
"""What a worker process does with a task."""

HandlerFactory = Callable[[], AbstractContextManager[Handler]]
"""Opened once per worker process, for models that are slow to load; importable by name, so that it can be sent."""


class Executor(Protocol):
    """Runs tasks somewhere.

    Attributes:
        shares_memory: Whether large results may come as they are; else they travel as files.
    """

    shares_memory: bool

    def run(self, make: HandlerFactory, tasks: Iterable[Any]) -> Generator[Outcome, None, None]:
        """Run tasks and yield their outcomes in the order of the tasks.

        Args:
            make: Gives the handler; opened when a process gets its first task.
            tasks: Picklable and small; consumed at most ``2 * workers`` ahead of what was yielded, so that few results
                are held.

        Yields:
            One outcome a task. A task during which its process died is tried once more in a new one, then it has
            failed.

        Raises:
            HoisetError: A failure that no other task would escape: no model, no disk space.
        """
        ...


class Here:
    """Runs everything in this process: no protection against crashes."""

    shares_memory = True

    def run(self, make: HandlerFactory, tasks: Iterable[Any]) -> Generator[Outcome, None, None]:
        """See :meth:`Executor.run`."""
        with contextlib.ExitStack() as stack:
            handler: Handler | None = None
            for task in tasks:
                handler = handler or stack.enter_context(make())
                yield _unless_fatal(run_guarded(handler, task))


def _unless_fatal(outcome: Outcome) -> Outcome:
    if outcome.fatal:
        raise outcome.error()
    return outcome


class Pool(ABC):
    """The order of results, the bounded look-ahead and the second life of tasks, whatever the workers are.

    Args:
        make: Gives the handler.
        size: Workers.
        lives: How often a task may see its worker die.
    """

    def __init__(self, make: HandlerFactory, size: int, lives: int = 2) -> None:
        self._make, self._size, self._all_lives = make, size, lives
        self._tasks: dict[int, Any] = {}
        self._lives: dict[int, int] = {}
        self._waiting: deque[int] = deque()

    def run(self, tasks: Iterable[Any]) -> Generator[Outcome, None, None]:
        """See :meth:`Executor.run`."""
        source = enumerate(tasks)
        done: dict[int, Outcome] = {}
        next_out, exhausted = 0, False
        try:
            while True:
                while not exhausted and len(self._tasks) + len(done) < 2 * self._size:
                    index, task = next(source, (-1, None))
                    exhausted = index < 0
                    if not exhausted:
                        self._tasks[index], self._lives[index] = task, self._all_lives
                        self._waiting.append(index)
                self._hand_out()
                while next_out in done:
                    yield _unless_fatal(done.pop(next_out))
                    next_out += 1
                if exhausted and not self._tasks:
                    return
                for index, outcome in self._collect() if self._tasks else ():
                    done[index] = outcome
                    del self._tasks[index], self._lives[index]
        finally:
            self._stop()

    def _lose_life(self, index: int, how: str) -> Iterator[tuple[int, Outcome]]:
        """Give a task whose worker died to another one, or up."""
        self._lives[index] -= 1
        if self._lives[index]:
            self._waiting.appendleft(index)
        else:
            yield index, Outcome(reason="worker_crashed", detail=f"the worker process died twice, last {how}")

    @abstractmethod
    def _hand_out(self) -> None:
        """Give waiting tasks to idle workers, and start workers for them."""

    @abstractmethod
    def _collect(self) -> Iterator[tuple[int, Outcome]]:
        """Wait until a worker answers or dies, and tell what came of it."""

    @abstractmethod
    def _stop(self) -> None:
        """End all workers."""
