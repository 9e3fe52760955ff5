"""What the loaders under measurement share: the job, its clips, and how its batches are counted.

Imported by scripts in environments of their own, so it needs nothing but numpy and psutil.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

N_STEPS = 16
"""Frames of a window."""
KEYS = ("hand_joints", "hand_wrist", "object_pose", "object_state")
BATCH = {"windows": 8, "frames": 8, "low_dim": 64, "clips": 8}
"""Windows, or clips, of a batch."""
WORKERS = 2
WARM_BATCHES = 6
MORE = ", four a clip"
"""Ends the name of a job of a stream without random access that takes four windows out of each clip, not one."""
STREAMED = ("windows", f"windows{MORE}", "low_dim", f"low_dim{MORE}")
"""Jobs of windows of a stream."""
SHUFFLED = {"windows": 32, "low_dim": 1000}
"""Windows that such a stream holds back to mix them."""


@dataclass(frozen=True)
class Spec:
    """The clips.

    Attributes:
        n_clips: How many.
        n_frames: Of each.
        fps: Of all.
        height: Of the pictures, px.
        width: Of the pictures, px.
        size: Height and width of the windows' pictures, px.
    """

    n_clips: int
    n_frames: int
    fps: int
    height: int
    width: int
    size: int

    def save(self, folder: Path) -> None:
        """Write it where the loaders find it."""
        (folder / "spec.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> Spec:
        """Read what :meth:`save` wrote."""
        return cls(**json.loads((folder / "spec.json").read_text()))


class RandomStarts:
    """A sampler without end: numbers of windows, clip by clip at every frame, that end in their clip."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng(0)
        while True:
            clip = rng.integers(0, self._spec.n_clips)
            yield int(clip * self._spec.n_frames + rng.integers(0, self._spec.n_frames - N_STEPS + 1))


class InOrder:
    """A sampler without end: all clips in order, again and again."""

    def __init__(self, spec: Spec) -> None:
        self._n = spec.n_clips

    def __iter__(self) -> Iterator[int]:
        while True:
            yield from range(self._n)


def window_starts(spec: Spec, rng: np.random.Generator, job: str) -> list[int]:
    """Where the windows that a stream takes out of a clip begin, frames."""
    return sorted(rng.integers(0, spec.n_frames - N_STEPS + 1, 4 if job.endswith(MORE) else 1).tolist())


def kind_of(job: str) -> str:
    """``windows``, ``frames``, ``low_dim`` or ``clips``."""
    return job.split(",")[0]


def stacked(items: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch of arrays, which travel out of a worker faster than as tensors while they are small."""
    return {name: np.stack([item[name] for item in items]) for name in items[0]}


def measure(make: Callable[[], Iterable[Any]], seconds: float, batch: int) -> dict[str, float]:
    """Rates, time to the first batch since this process was made, and unshared memory of a worker.

    ``per_s`` is of the time that passes; ``per_core_s`` of the processors' time that all processes took for it, which
    other load on the machine hardly changes.
    """
    batches = iter(make())
    next(batches)
    first_s = time.time() - psutil.Process().create_time()
    for _ in range(WARM_BATCHES):
        next(batches)
    start, cores, count, taken = time.perf_counter(), _core_seconds(), 0, 0.0
    while taken < seconds:
        next(batches)
        count += batch
        taken = time.perf_counter() - start
    core_s = _core_seconds() - cores
    workers = [child.memory_full_info().uss for child in psutil.Process().children(recursive=True)]
    del batches
    rates = {"per_s": count / taken, "per_core_s": count / core_s}
    return rates | {"first_s": first_s, "worker_mb": max(workers, default=0) / 1e6}


def _core_seconds() -> float:
    """Processors' time of this process and its workers."""
    me = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (me, *me.children(recursive=True)))


def run(jobs: dict[str, Callable[[], Iterable[Any]]]) -> None:
    """Measure jobs, the one of the first batch first; ``SCRIPT FOLDER SECONDS``. The last line printed is JSON."""
    seconds = float(sys.argv[2])
    found = {name: measure(make, seconds, BATCH[kind_of(name)]) for name, make in jobs.items()}
    print(json.dumps(found), flush=True)
