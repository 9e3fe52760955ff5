"""A build that is killed at any moment, and started again, ends with the bytes of an undisturbed one."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hoiset.builder.run import build
from hoiset.shards.verify import verify_dataset
from tests.builder.fakes import RECIPE, STAGES, dataset_bytes, make_source

WORDS = {**{f"clip_{i:02d}": "two" if i % 3 == 0 else "" for i in range(40)}, "bad": "clip_error", "none": "no_hands"}
REPO = Path(__file__).parents[2]


def run(source: Path, out: Path, workers: int) -> None:
    build(RECIPE, source, out, workers=workers, stages=STAGES)


@pytest.mark.parametrize(("workers", "rounds"), [(0, 4), (2, 1)])
def test_killed_builds_resume_to_the_same_bytes(tmp_path: Path, workers: int, rounds: int) -> None:
    source = make_source(tmp_path / "source", WORDS)
    started = time.monotonic()
    run(source, tmp_path / "calm", 0)
    span_s = time.monotonic() - started + 10.0 * workers
    expected = dataset_bytes(tmp_path / "calm")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    rng = random.Random(workers)
    kills = []
    for number in range(rounds):
        out = tmp_path / f"killed_{number}"
        patience_s = span_s / 4
        while True:
            process = context.Process(target=run, args=(source, out, workers))
            process.start()
            process.join(rng.uniform(0, patience_s))
            if process.exitcode is None:
                process.kill()
                process.join()
                kills.append(sorted(p.name for p in (out / ".hoiset").glob("*")))
                patience_s *= 1.2  # so that it does end
            if process.exitcode == 0:
                break
            assert process.exitcode == -signal.SIGKILL
        assert dataset_bytes(out) == expected
        assert verify_dataset(out).problems == ()
    assert sum("units" in found for found in kills) >= rounds, f"killed only before any clip was made: {kills}"


def test_a_killed_build_leaves_no_worker_behind(tmp_path: Path) -> None:
    import psutil

    source = make_source(tmp_path / "source", {f"clip_{i:03d}": "two" for i in range(150)})
    command = [sys.executable, "-m", "tests.builder.fakes", str(source), str(tmp_path / "out"), "2"]
    process = subprocess.Popen(command, cwd=REPO)
    children: list[psutil.Process] = []
    while len(children) < 2 and process.poll() is None:
        children = [c for c in psutil.Process(process.pid).children() if "spawn_main" in " ".join(c.cmdline())]
        time.sleep(0.02)
    assert len(children) == 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []
