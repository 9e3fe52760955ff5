"""How a build is run: nothing in here changes what it makes."""

from __future__ import annotations

from dataclasses import dataclass

from hoiset.builder.engine.executor import Executor
from hoiset.builder.engine.local import LocalExecutor, default_workers
from hoiset.builder.engine.log import FLUSH_S


@dataclass(frozen=True)
class EngineOptions:
    """What runs the passes.

    Attributes:
        flush_s: Longest time that a finished video's record waits to be written while others come, s.
    """

    flush_s: float = FLUSH_S

    def executor(self, workers: int | None) -> Executor:
        """What to run tasks in.

        Args:
            workers: Worker processes; 0 computes in this one, ``None`` takes what the machine has room for.
        """
        return LocalExecutor(default_workers() if workers is None else workers)
