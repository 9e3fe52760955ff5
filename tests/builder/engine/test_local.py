from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hoiset.builder.engine.local import default_workers, run_ordered
from hoiset.errors import BackendUnavailable, ClipError, DatasetError, HoisetError


def act(task: Any) -> Any:
    what, value = task
    if what == "square":
        return value * value
    if what == "sleep":
        time.sleep(value)
        return value
    if what == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "die_once":
        flag = Path(value)
        if not flag.exists():
            flag.touch()
            os._exit(3)
        return "second life"
    if what == "clip":
        raise ClipError("no_hands", value)
    if what == "bug":
        raise KeyError(value)
    if what == "disk":
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "/x")
        except OSError as error:
            raise RuntimeError("wrapped") from error
    if what == "threads":
        import cv2

        return cv2.getNumThreads(), os.environ["OMP_NUM_THREADS"]
    raise AssertionError(what)


@contextlib.contextmanager
def actor() -> Iterator[Callable[[Any], Any]]:
    yield act


@contextlib.contextmanager
def unavailable() -> Iterator[Callable[[Any], Any]]:
    raise BackendUnavailable("no such model; get it with: x")
    yield


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order(workers: int) -> None:
    tasks = [("sleep", 0.2)] + [("square", i) for i in range(20)]
    outcomes = list(run_ordered(actor, tasks, workers))
    assert [o.value for o in outcomes] == [0.2] + [i * i for i in range(20)]


def test_few_tasks_are_taken_ahead() -> None:
    taken = 0

    def tasks() -> Iterator[Any]:
        nonlocal taken
        for i in range(50):
            taken += 1
            yield ("square", i)

    for count, _ in enumerate(run_ordered(actor, tasks(), 1), start=1):
        assert taken <= count + 2


@pytest.mark.parametrize("workers", [0, 2])
def test_an_exception_costs_its_task(workers: int) -> None:
    tasks = [("square", 2), ("clip", "none seen"), ("bug", "k"), ("square", 3)]
    good, clip, bug, last = run_ordered(actor, tasks, workers)
    assert (good.value, last.value) == (4, 9)
    assert (clip.reason, clip.detail) == ("no_hands", "none seen")
    assert bug.reason == "exception"
    assert "KeyError" in bug.detail
    assert "test_local.py" in bug.detail


def test_a_crash_costs_its_task(tmp_path: Path) -> None:
    tasks = [("square", 2), ("die", 0), ("square", 3), ("die_once", str(tmp_path / "flag")), ("square", 4)]
    outcomes = list(run_ordered(actor, tasks, 2))
    assert [o.reason for o in outcomes] == ["ok", "worker_crashed", "ok", "ok", "ok"]
    assert "signal 11" in outcomes[1].detail
    assert outcomes[3].value == "second life"


@pytest.mark.parametrize("workers", [0, 1])
def test_a_full_disk_stops_everything(workers: int) -> None:
    outcomes = run_ordered(actor, [("square", 2), ("disk", 0), ("square", 3)], workers)
    assert next(outcomes).value == 4
    with pytest.raises(DatasetError, match="No space left"):
        next(outcomes)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_missing_model_stops_everything(workers: int) -> None:
    with pytest.raises(BackendUnavailable, match="get it with"):
        list(run_ordered(unavailable, [("square", 2)], workers))


def test_workers_have_a_fixed_number_of_threads() -> None:
    (outcome,) = run_ordered(actor, [("threads", 0)], 1)
    assert outcome.value == (2, "1")


def test_leaving_early_ends_the_workers() -> None:
    outcomes = run_ordered(actor, [("square", 1), ("sleep", 60.0), ("sleep", 60.0)], 2)
    assert next(outcomes).value == 1
    before = time.monotonic()
    outcomes.close()
    assert time.monotonic() - before < 30.0


def test_an_unguarded_script_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from hoiset.builder.engine.local import run_ordered\n"
        "from tests.builder.engine.test_local import actor\n"
        "print(list(run_ordered(actor, [('square', 2)], 1)))\n"
    )
    repo = Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(repo)}, capture_output=True, text=True
    )
    assert result.returncode != 0
    assert '__name__ == "__main__"' in result.stderr


def test_workers_are_counted() -> None:
    assert default_workers() >= 1
    with pytest.raises(ValueError, match="-1 workers"):
        list(run_ordered(actor, [], -1))
    assert issubclass(BackendUnavailable, HoisetError)
