from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hoiset.builder.engine.ray_executor import RayExecutor
from hoiset.errors import BackendUnavailable, DatasetError
from tests.builder.engine.cluster import one_node
from tests.builder.engine.test_local import actor, unavailable

pytest.importorskip("ray", reason="pip install 'hoiset[ray]'")


@pytest.fixture(scope="module")
def executor() -> Iterator[RayExecutor]:
    with one_node(), RayExecutor.open(cpus=1, workers=2) as executor:
        yield executor


def test_results_come_in_order_and_an_exception_or_a_crash_costs_its_task(
    executor: RayExecutor, tmp_path: Path
) -> None:
    taken = 0

    def tasks() -> Iterator[Any]:
        nonlocal taken
        first = [("sleep", 0.3), ("clip", "none seen"), ("bug", "k"), ("die", 0), ("die_once", str(tmp_path / "flag"))]
        for task in [*first, ("threads", 0), *(("square", i) for i in range(12))]:
            taken += 1
            yield task

    outcomes = []
    for outcome in executor.run(actor, tasks()):
        outcomes.append(outcome)
        assert taken <= len(outcomes) + 2 * executor.workers
    assert [o.reason for o in outcomes[:5]] == ["ok", "no_hands", "exception", "worker_crashed", "ok"]
    assert [o.value for o in outcomes[4:6]] == ["second life", (2, "1")]
    assert [o.value for o in outcomes[6:]] == [i * i for i in range(12)]
    assert "KeyError" in outcomes[2].detail


@pytest.mark.slow
def test_a_full_disk_or_a_missing_model_stops_everything(executor: RayExecutor) -> None:
    outcomes = executor.run(actor, [("square", 2), ("disk", 0), ("square", 3)])
    assert next(outcomes).value == 4
    with pytest.raises(DatasetError, match="No space left"):
        next(outcomes)
    with pytest.raises(BackendUnavailable, match="get it with"):
        list(executor.run(unavailable, [("square", 2)]))


@pytest.mark.slow
def test_what_no_node_can_hold_is_said(executor: RayExecutor) -> None:
    greedy = RayExecutor(1, cpus=1, gpus=3, patience_s=0.0)
    with pytest.raises(BackendUnavailable, match="1 CPUs and 3 GPUs"):
        list(greedy.run(actor, [("square", 2)]))
