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

from hoiset.builder.engine.options import EngineOptions
from hoiset.builder.engine.state import BuildState
from hoiset.builder.run import build
from hoiset.shards.verify import verify_dataset
from tests.builder.fakes import RECIPE, STAGES, dataset_bytes, make_source

WORDS = {**{f"clip_{i:02d}": "two" if i % 3 == 0 else "" for i in range(20)}, "bad": "clip_error", "none": "no_hands"}
REPO = Path(__file__).parents[2]


def run(source: Path, out: Path, workers: int) -> None:
    build(RECIPE, source, out, workers=workers, stages=STAGES, engine=EngineOptions(flush_s=0))


def records(out: Path, kind: str) -> int:
    if kind == "screen":
        return len(BuildState(out).log("screen"))
    return len(list((out / ".hoiset" / kind).glob("*.json")))


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_builds_resume_to_the_same_bytes(tmp_path: Path, workers: int) -> None:
    source = make_source(tmp_path / "source", WORDS)
    run(source, tmp_path / "calm", 0)
    expected = dataset_bytes(tmp_path / "calm")
    units = records(tmp_path / "calm", "units")
    context = multiprocessing.get_context("forkserver")  # has everything imported, so that many builds cost little
    context.set_forkserver_preload([__name__])
    rng = random.Random(workers)
    out = tmp_path / "killed"
    moments = [("screen", 5), ("screen", 21), *(("units", n) for n in range(0, units + 1, 1 if workers == 0 else 5))]
    for kind, count in moments:
        process = context.Process(target=run, args=(source, out, workers))
        process.start()
        while records(out, kind) < count and process.exitcode is None:
            time.sleep(0.001)
        process.join(rng.uniform(0, 0.1))
        process.kill()
        process.join()
        assert process.exitcode in (-signal.SIGKILL, 0)
    run(source, out, workers)
    found = dataset_bytes(out)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
    assert verify_dataset(out).problems == ()


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
