"""How a build is run: nothing in here changes what it makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from hoiset.builder.engine.executor import Executor
from hoiset.builder.engine.local import LocalExecutor, default_workers
from hoiset.builder.engine.log import FLUSH_S


@dataclass(frozen=True)
class EngineOptions:
    """What runs the passes.

    Attributes:
        kind: ``local`` for processes of this machine, ``ray`` for actors of a cluster.
        address: Of an existing Ray cluster; empty starts one on this machine.
        cpus: Logical cores that a Ray actor asks for.
        gpus: GPUs that a Ray actor asks for; a part of one is allowed.
        flush_s: Longest time that a finished video's record waits to be written while others come, s.
    """

    kind: Literal["local", "ray"] = "local"
    address: str = ""
    cpus: float = 2.0
    gpus: float = 0.0
    flush_s: float = FLUSH_S

    @contextmanager
    def open(self, workers: int | None) -> Iterator[Executor]:
        """What to run tasks in.

        Args:
            workers: Worker processes; 0 computes in this one (``local`` alone), ``None`` takes what there is room for.

        Raises:
            MissingDependency: Ray is not installed.
            BackendUnavailable: There is no cluster at the address.
        """
        if self.kind == "local":
            yield LocalExecutor(default_workers() if workers is None else workers)
            return
        from hoiset.builder.engine.ray_executor import RayExecutor

        with RayExecutor.open(self.address, workers, cpus=self.cpus, gpus=self.gpus) as executor:
            yield executor
