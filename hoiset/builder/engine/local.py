"""Runs tasks in processes of this machine: results come in order, and a process that dies costs one task."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from hoiset.builder.engine.executor import Handler, HandlerFactory, Here, Pool
from hoiset.builder.engine.outcome import Outcome, failure, run_guarded
from hoiset.errors import HoisetError

# Results must not depend on the machine: dense inverse search and OpenMP sums change with the number of threads.
THREAD_VARIABLES = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
OPENCV_THREADS = 2
_READY = "ready"
_STILLBORN = (
    "a worker process ended with exit code {code} before it began; a script that builds needs "
    '`if __name__ == "__main__":` around the call, as every script that starts processes does'
)
_BYTES_A_WORKER = 3 << 30


def default_workers() -> int:
    """As many processes as two cores and 3 GiB of memory for each allow, at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(cores // 2, memory // _BYTES_A_WORKER))


def run_ordered(make: HandlerFactory, tasks: Iterable[Any], workers: int) -> Generator[Outcome, None, None]:
    """Run tasks and yield their outcomes in the order of the tasks; see :meth:`Executor.run`.

    Args:
        make: Gives the handler.
        tasks: What to run.
        workers: Processes; 0 runs everything in this one (no protection against crashes).
    """
    return LocalExecutor(workers).run(make, tasks)


@dataclass(frozen=True)
class LocalExecutor:
    """Processes of this machine.

    Attributes:
        workers: How many; 0 runs everything in this one (no protection against crashes).
    """

    workers: int

    shares_memory = True

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ValueError(f"found {self.workers} workers, expected 0 or more")

    def run(self, make: HandlerFactory, tasks: Iterable[Any]) -> Generator[Outcome, None, None]:
        """See :meth:`Executor.run`."""
        return Here().run(make, tasks) if self.workers == 0 else _ProcessPool(make, self.workers).run(tasks)


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    index: int = -1  # of the task it has, -1 while idle
    ready: bool = False  # whether it has got as far as our own code


class _ProcessPool(Pool):
    def __init__(self, make: HandlerFactory, size: int) -> None:
        super().__init__(make, size)
        self._workers: list[_Worker] = []

    def _hand_out(self) -> None:
        idle = [worker for worker in self._workers if worker.index < 0]
        while self._waiting and (idle or len(self._workers) < self._size):
            worker = idle.pop() if idle else self._start()
            worker.index = self._waiting.popleft()
            with contextlib.suppress(BrokenPipeError):  # it died while idle, as reading from it will tell
                worker.pipe.send(self._tasks[worker.index])

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(self._make, theirs), name="hoiset-worker")
        kept = {name: os.environ.get(name) for name in THREAD_VARIABLES}
        os.environ.update(THREAD_VARIABLES)  # read by the libraries when the new interpreter loads them
        try:
            process.start()
        finally:
            for name, value in kept.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _collect(self) -> Iterator[tuple[int, Outcome]]:
        """Wait until a worker answers or dies."""
        busy = {worker.pipe: worker for worker in self._workers if worker.index >= 0}
        for pipe in wait(list(busy)):
            worker = busy[pipe]  # type: ignore[index]
            try:
                message = worker.pipe.recv()
            except (EOFError, ConnectionError):
                yield from self._bury(worker)
                continue
            if message == _READY:
                worker.ready = True
            else:
                index, worker.index = worker.index, -1
                yield index, message

    def _bury(self, worker: _Worker) -> Iterator[tuple[int, Outcome]]:
        """Give the task of a dead worker to another one, or up."""
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join()
        index, code = worker.index, worker.process.exitcode
        if not worker.ready:
            yield index, Outcome(reason="build_error", detail=_STILLBORN.format(code=code), fatal=True)
            return
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        yield from self._lose_life(index, how)

    def _stop(self) -> None:
        for worker in self._workers:
            worker.pipe.close()  # an idle worker leaves when its pipe ends
            if worker.index >= 0:
                worker.process.terminate()
        for worker in self._workers:
            worker.process.join(10.0)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers.clear()


def _serve(make: HandlerFactory, pipe: Connection) -> None:
    """Life of a worker process: open the handler with the first task, answer until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the build, which ends its workers
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    import cv2

    cv2.setNumThreads(OPENCV_THREADS)
    with contextlib.suppress(EOFError, ConnectionError), contextlib.ExitStack() as stack:  # the build has gone
        pipe.send(_READY)
        handler: Handler | None = None
        while True:
            task = pipe.recv()
            if handler is None:
                try:
                    handler = stack.enter_context(make())
                except (HoisetError, OSError) as error:
                    pipe.send(failure(error, fatal=True))
                    return
            pipe.send(run_guarded(handler, task))


def _leave_with_parent() -> None:
    """A build that is killed must not leave workers behind that go on computing."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
