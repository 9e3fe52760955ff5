"""Runs tasks in actors of a Ray cluster, with the contract of the local pool.

What crosses the border are tasks and answers of a few kilobytes: samples go through a folder that all nodes share, not
through the object store. Every actor is one process with its own models. One that dies takes its task's life with it
only where the machine under it is still there: a lost node is nobody's fault.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hoiset.builder.engine.executor import Handler, HandlerFactory, Pool
from hoiset.builder.engine.local import OPENCV_THREADS, THREAD_VARIABLES, default_workers
from hoiset.builder.engine.outcome import Outcome, failure, run_guarded
from hoiset.errors import BackendUnavailable, HoisetError, MissingDependency

_OBJECT_STORE_BYTES = 100 << 20
_MAX_DEATHS = 10
_STILLBORN = 3
_POLL_S = 5.0
_NODE_GRACE_S = 5.0
_CLOSE_S = 5.0


@dataclass(frozen=True)
class RayExecutor:
    """Actors of a cluster to which this process is connected.

    Attributes:
        workers: Actors at most; fewer run while the cluster has no room for them.
        cpus: Logical cores that an actor asks for.
        gpus: GPUs that an actor asks for; a part of one is allowed.
        patience_s: How long to wait for a first actor before giving up, s.
    """

    workers: int
    cpus: float = 2.0
    gpus: float = 0.0
    patience_s: float = 600.0

    shares_memory = False

    @staticmethod
    @contextmanager
    def open(
        address: str = "", workers: int | None = None, *, cpus: float = 2.0, gpus: float = 0.0
    ) -> Iterator[RayExecutor]:
        """Connect to a cluster, or start one on this machine for as long as the block runs.

        Args:
            address: Of an existing cluster: ``auto``, ``host:6379`` or ``ray://host:10001``; empty starts one, unless
                this process is connected already.
            workers: Actors at most; as many as the cluster has room for by default.
            cpus: Of each actor.
            gpus: Of each actor.

        Raises:
            MissingDependency: Ray is not installed.
            BackendUnavailable: No cluster at the address, or one that could not hold a single actor.
        """
        ray = _ray()
        ours = not ray.is_initialized()
        if ours:
            _connect(ray, address, workers, cpus, gpus)
        try:
            yield RayExecutor(workers or _room(ray.cluster_resources(), cpus, gpus), cpus, gpus)
        finally:
            if ours:
                ray.shutdown()

    def run(self, make: HandlerFactory, tasks: Iterable[Any]) -> Generator[Outcome, None, None]:
        """See :meth:`hoiset.builder.engine.executor.Executor.run`."""
        return _ActorPool(make, self).run(tasks)


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingDependency(f"--engine ray needs ray ({error}); get it with: pip install 'hoiset[ray]'") from error
    return ray


def _connect(ray: Any, address: str, workers: int | None, cpus: float, gpus: float) -> None:
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address:
            ray.init(address=address, **quiet)
        else:
            count = workers or default_workers()
            ray.init(
                num_cpus=max(1, int(-(-count * cpus // 1))),
                num_gpus=int(-(-count * gpus // 1)),
                object_store_memory=_OBJECT_STORE_BYTES,
                include_dashboard=False,
                **quiet,
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = f"no Ray cluster at {address!r}" if address else "Ray does not start"
        raise BackendUnavailable(f"{where} ({error}); start one with: ray start --head") from error


def _room(there: dict[str, float], cpus: float, gpus: float) -> int:
    """Actors that fit into a cluster, at least one: more nodes may come."""
    asked = {"CPU": cpus, "GPU": gpus}
    room = [there.get(name, 0.0) // amount for name, amount in asked.items() if amount > 0]
    return max(1, int(min(room, default=1)))


def _why(error: Exception) -> str:
    """What killed an actor, without the addresses and process numbers that differ from run to run."""
    return ", last for want of memory" if "memory" in str(error).lower() else ""


class _Server:
    """Life of an actor: open the handler with the first task, then answer."""

    def __init__(self, make: HandlerFactory) -> None:
        import cv2

        cv2.setNumThreads(OPENCV_THREADS)
        self._make = make
        self._handler: Handler | None = None
        self._stack = contextlib.ExitStack()

    def node(self) -> str:
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def serve(self, task: Any) -> Outcome:
        if self._handler is None:
            try:
                self._handler = self._stack.enter_context(self._make())
            except (HoisetError, OSError) as error:
                return failure(error, fatal=True)
        return run_guarded(self._handler, task)

    def close(self) -> None:
        self._stack.close()


@dataclass(eq=False)
class _Actor:
    handle: Any
    waits_for: Any  # what it will answer: first its node's id, then outcomes; None while idle
    node: str = ""
    index: int = -1  # of the task that it has


class _ActorPool(Pool):
    def __init__(self, make: HandlerFactory, options: RayExecutor) -> None:
        super().__init__(make, options.workers)
        self._ray, self._options = _ray(), options
        self._class = self._ray.remote(
            num_cpus=options.cpus,
            num_gpus=options.gpus,
            max_restarts=0,
            runtime_env={"env_vars": dict(THREAD_VARIABLES)},
        )(_Server)
        self._made = self._ray.put(make)
        self._actors: list[_Actor] = []
        self._deaths: dict[int, list[str]] = {}
        self._stillborn = 0
        self._alive_at = time.monotonic()

    def _hand_out(self) -> None:
        idle = [actor for actor in self._actors if actor.waits_for is None]
        while self._waiting and idle:
            actor = idle.pop()
            actor.index = self._waiting.popleft()
            actor.waits_for = actor.handle.serve.remote(self._tasks[actor.index])
        coming = sum(not actor.node for actor in self._actors)
        for _ in range(min(len(self._waiting) - coming, self._size - len(self._actors))):
            handle = self._class.remote(self._made)
            self._actors.append(_Actor(handle, handle.node.remote()))

    def _collect(self) -> Iterator[tuple[int, Outcome]]:
        awaited = {actor.waits_for: actor for actor in self._actors if actor.waits_for is not None}
        ready, _ = self._ray.wait(list(awaited), num_returns=1, timeout=_POLL_S)
        if not ready:
            self._lose_patience()
        for ref in ready:
            yield from self._answer(awaited[ref], ref)

    def _answer(self, actor: _Actor, ref: Any) -> Iterator[tuple[int, Outcome]]:
        exceptions = self._ray.exceptions
        try:
            answer = self._ray.get(ref)
        except exceptions.RayActorError as error:
            yield from self._bury(actor, error)
            return
        except exceptions.RayError as error:  # such as an answer that cannot be sent
            answer = failure(error)
        self._alive_at = time.monotonic()
        actor.waits_for = None
        if not actor.node:
            actor.node, self._stillborn = answer, 0
            return
        index, actor.index = actor.index, -1
        self._deaths.pop(index, None)
        yield index, answer

    def _bury(self, actor: _Actor, error: Exception) -> Iterator[tuple[int, Outcome]]:
        """Give the task of a dead actor to another one, or up."""
        self._actors.remove(actor)
        with contextlib.suppress(Exception):
            self._ray.kill(actor.handle)  # one that is only out of reach must not go on
        if not actor.node:
            self._stillborn += not self._node_died(error)
            if self._stillborn >= _STILLBORN:
                raise BackendUnavailable(
                    f"{self._stillborn} Ray actors in a row died before they began: {error}; the nodes need the same "
                    "hoiset and the same Python as here"
                )
            return
        index = actor.index
        if index < 0:
            return
        deaths = self._deaths.setdefault(index, [])
        deaths.append("" if self._node_died(error) else actor.node)
        if self._guilty(deaths):
            yield index, Outcome(reason="worker_crashed", detail=f"the worker process died twice{_why(error)}")
            del self._deaths[index]
        else:
            self._waiting.appendleft(index)

    def _node_died(self, error: Exception) -> bool:
        """Whether Ray says that the actor was lost with its node, or that it cannot be reached."""
        return isinstance(error, self._ray.exceptions.ActorUnavailableError) or "node has died" in str(error)

    def _guilty(self, deaths: list[str]) -> bool:
        """Whether a task killed its workers: they died while their nodes lived.

        A node's death may be known a little later than that of its processes, so the nodes are asked again for a while
        before a task is given up.
        """
        if len(deaths) >= _MAX_DEATHS:
            return True
        until = time.monotonic() + _NODE_GRACE_S
        while True:
            alive = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
            if sum(node in alive for node in deaths) < self._all_lives:
                return False
            if time.monotonic() > until:
                return True
            time.sleep(0.5)

    def _lose_patience(self) -> None:
        """Complain when there is no actor at all and none has come for long."""
        if any(actor.node for actor in self._actors):
            self._alive_at = time.monotonic()
        elif time.monotonic() - self._alive_at > self._options.patience_s:
            asked = f"{self._options.cpus:g} CPUs and {self._options.gpus:g} GPUs"
            raise BackendUnavailable(
                f"no Ray actor could start within {self._options.patience_s:g} s: each asks for {asked} on one node, "
                f"found {self._ray.cluster_resources()}; ask for less, or add nodes"
            )

    def _stop(self) -> None:
        idle = [actor for actor in self._actors if actor.waits_for is None]
        with contextlib.suppress(Exception):  # what does not close is killed
            closing = [actor.handle.close.remote() for actor in idle]
            if closing:
                self._ray.wait(closing, num_returns=len(closing), timeout=_CLOSE_S)
        for actor in self._actors:
            with contextlib.suppress(Exception):
                self._ray.kill(actor.handle)
        self._actors.clear()
