"""A build on a cluster of which parts are killed: nothing is lost, nothing is there twice, and the bytes are the same.

Everything is real but the passes, which take a fifth of a second: several Ray nodes, each with its own processes, and
SIGKILL for an actor, a node, or the build itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hoiset.builder.engine.options import EngineOptions
from hoiset.builder.passes import Progress, Step
from hoiset.builder.run import build
from hoiset.shards.verify import verify_dataset
from tests.builder.engine.cluster import add_node, several_nodes
from tests.builder.fakes import RECIPE, STAGES, dataset_bytes, make_source

pytest.importorskip("ray", reason="pip install 'hoiset[ray]'")
pytestmark = pytest.mark.slow

REPO = Path(__file__).parents[2]
WORDS = {
    **{f"clip_{i:02d}": "slow two" if i % 3 == 0 else "slow" for i in range(14)},
    "bad": "clip_error",
    "poison": "crash",
    "none": "no_hands",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with several_nodes(2, 2) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source(tmp_path_factory.mktemp("chaos") / "source", WORDS)


@pytest.fixture(scope="module")
def calm(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an undisturbed build on this machine makes."""
    out = tmp_path_factory.mktemp("calm")
    build(RECIPE, source, out, workers=1, stages=STAGES)
    return dataset_bytes(out)


def run(source: Path, out: Path, workers: int, progress: Progress | None = None) -> Any:
    engine = EngineOptions(kind="ray", cpus=1)
    return build(RECIPE, source, out, workers=workers, stages=STAGES, engine=engine, progress=progress)


def same(out: Path, calm: dict[str, bytes]) -> None:
    """All bytes are equal but for what a crash says of the process that died."""
    found = dataset_bytes(out)
    assert found.keys() == calm.keys()
    assert [name for name in calm if found[name] != calm[name] and name != "status.parquet"] == []
    assert statuses(found) == statuses(calm)
    assert verify_dataset(out).problems == ()


def statuses(found: dict[str, bytes]) -> list[tuple[str, str]]:
    import io

    import pyarrow.parquet as pq

    rows = pq.read_table(io.BytesIO(found["status.parquet"])).to_pylist()
    return [(row["key"], row["status"]) for row in rows]


def actors() -> list[psutil.Process]:
    """Processes of the actors that serve a build."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cmdline()[:1] and process.cmdline()[0].startswith("ray::_Server"):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


@pytest.mark.parametrize("workers", [1, 4])
def test_same_bytes_whatever_the_number_of_actors(
    cluster: Any, source: Path, calm: dict[str, bytes], tmp_path: Path, workers: int
) -> None:
    report = run(source, tmp_path / "out", workers)
    assert report.statuses == {"no_hands": 1, "ok": 19, "worker_crashed": 1}
    same(tmp_path / "out", calm)
    assert list((tmp_path / "out/.hoiset/staging").rglob("*.zip")) == []


def test_killed_actors_cost_nothing(cluster: Any, source: Path, calm: dict[str, bytes], tmp_path: Path) -> None:
    killed = []

    def kill(step: Step) -> None:
        if step.phase == "reconstruct" and step.done in (2, 12):
            victim = actors()[0]
            victim.kill()
            killed.append(victim.pid)

    run(source, tmp_path / "out", 2, kill)
    assert len(set(killed)) == 2
    same(tmp_path / "out", calm)


def test_a_lost_node_costs_nothing(cluster: Any, source: Path, calm: dict[str, bytes], tmp_path: Path) -> None:
    extra = add_node(cluster, 2)
    lost = []

    def kill(step: Step) -> None:
        if step.phase == "reconstruct" and step.done == 3:
            lost.append(extra)
            cluster.remove_node(extra, allow_graceful=False)

    run(source, tmp_path / "out", 6, kill)
    assert lost
    same(tmp_path / "out", calm)


def test_a_killed_build_goes_on(cluster: Any, source: Path, calm: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "tests.builder.fakes", str(source), str(out), "4", cluster.address]
    for units in (1, 4):
        process = subprocess.Popen(command, cwd=REPO)
        while len(list(out.glob(".hoiset/units/*.json"))) < units and process.poll() is None:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    orphans = actors()
    run(source, out, 4)
    same(out, calm)
    _, alive = psutil.wait_procs(orphans, timeout=60)
    assert alive == []


def test_real_clips_have_the_same_bytes_on_a_cluster(cluster: Any, tmp_path: Path) -> None:
    build("demo", out=tmp_path / "local", workers=1, limit=1)
    build("demo", out=tmp_path / "ray", workers=2, limit=1, engine=EngineOptions(kind="ray", cpus=1))
    assert dataset_bytes(tmp_path / "ray") == dataset_bytes(tmp_path / "local")
