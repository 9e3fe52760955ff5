"""How long work took and how much of it there was, in files of their own: no dataset's bytes depend on a clock."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

_SAVE_S = 2.0


@dataclass(frozen=True)
class Timings:
    """What a phase of a build took so far, earlier runs included.

    Attributes:
        done: Videos or clips that are finished.
        total: Of them.
        failed: Those that did not pass or were not made.
        tasks: Those that were worked on; the others were taken over from earlier runs.
        task_s: Seconds in workers, of all tasks together.
        stage_s: Stage -> its part of them; what is missing to ``task_s`` is in no stage.
        wall_s: Seconds by the clock, of all runs together.
        unavailable: Reason -> videos that could not be fetched in the newest run and will be asked for again.
    """

    done: int = 0
    total: int = 0
    failed: int = 0
    tasks: int = 0
    task_s: float = 0.0
    stage_s: Mapping[str, float] = field(default_factory=dict)
    wall_s: float = 0.0
    unavailable: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any] | None) -> Timings:
        """Inverse of :meth:`to_json`; nothing yet where there is none."""
        known = {name: data[name] for name in Timings.__dataclass_fields__ if name in data} if data else {}
        return Timings(**known)

    @property
    def per_minute(self) -> float | None:
        """Tasks a minute by the clock."""
        return 60.0 * self.tasks / self.wall_s if self.tasks and self.wall_s > 0 else None


class Meter:
    """Adds up the timings of a phase and saves them every now and then.

    Args:
        before: Of earlier runs.
        total: Videos or clips.
        done: Those that earlier runs finished.
        failed: Of these.
        save: Stores timings.
    """

    def __init__(self, before: Timings, total: int, done: int, failed: int, save: Callable[[Timings], None]) -> None:
        self._before, self._save = before, save
        self._total, self._done, self._failed = total, done, failed
        self._tasks, self._task_s = before.tasks, before.task_s
        self._stage_s: Counter[str] = Counter(before.stage_s)
        self._unavailable: Counter[str] = Counter()
        self._started_at = self._saved_at = time.monotonic()

    def add(self, seconds: float, stage_s: Mapping[str, float], *, failed: bool, again: str = "") -> None:
        """Take a finished task.

        Args:
            seconds: In its worker.
            stage_s: Stage -> its part of them.
            failed: Whether it did not pass or was not made.
            again: Why the video could not be fetched, where the next run asks again.
        """
        self._done += 1
        self._failed += failed
        self._tasks += 1
        self._task_s += seconds
        self._stage_s.update(stage_s)
        if again:
            self._unavailable[again] += 1
        if time.monotonic() - self._saved_at >= _SAVE_S:
            self.save()

    def save(self) -> None:
        """Store what there is."""
        self._save(self.timings())
        self._saved_at = time.monotonic()

    def timings(self) -> Timings:
        """Up to now."""
        return Timings(
            done=self._done,
            total=self._total,
            failed=self._failed,
            tasks=self._tasks,
            task_s=self._task_s,
            stage_s=dict(sorted(self._stage_s.items())),
            wall_s=self._before.wall_s + time.monotonic() - self._started_at,
            unavailable=dict(sorted(self._unavailable.items())),
        )
