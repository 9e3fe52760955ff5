"""No list grows with the corpus: from the source to the units of a plan, memory stays flat."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hoiset.builder.engine.executor import Here
from hoiset.builder.engine.state import BuildState
from hoiset.builder.ledger import Ledger
from hoiset.builder.passes import judge_videos, judgements
from hoiset.builder.plan import Plan
from hoiset.builder.recipe import Recipe
from hoiset.builder.stages import handler_factory
from hoiset.builder.tables import write_candidates
from tests.builder.corpus import STAGES, measure, videos

RECIPE = Recipe(name="v2")


def screen_and_plan(out: Path, n: int) -> tuple[int, int, int]:
    """Judge n segments and cut them into units: segments that passed, units, peak of Python's memory in bytes."""
    state = BuildState(out)
    factory = handler_factory(RECIPE, STAGES, None)
    tracemalloc.start()
    try:
        with Ledger.open() as ledger:
            judge_videos(videos(n), RECIPE, state, ledger, Here(), factory, lambda _: None)
            plan = Plan(ledger, RECIPE.partitions.model_dump(), RECIPE.clips_per_shard)
            with ledger.bulk():
                for judged in judgements(ledger):
                    plan.add(judged.seq, judged.uid, judged.candidates, judged.sha256)
            plan.cut()
            write_candidates(out / "candidates.parquet", judgements(ledger), [f"measure_{k}" for k in range(10)])
            planned = sum(len(planned.unit.clips) for planned in plan.units())
            assert planned == plan.n_clips
            return planned, plan.n_units, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def check(out: Path, n: int) -> int:
    planned, units, peak = screen_and_plan(out, n)
    passed = sum(measure(video, None, None)[0].passed for video in videos(n))
    assert planned == passed
    assert passed / 64 <= units <= passed / 64 + 3
    table = pq.read_table(out / "candidates.parquet", columns=["uid", "start_s", "gate"])
    assert table.num_rows == n
    assert table["gate"].to_pylist().count("ok") == passed
    rows = list(zip(table["uid"].to_pylist(), table["start_s"].to_pylist(), strict=True))
    assert rows == sorted(rows)
    assert len(list((out / ".hoiset/screen").iterdir())) == -(-n // 256)
    return peak


def test_memory_does_not_grow_with_the_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hoiset.shards.tables.ROW_GROUP", 256)
    small, large = (check(tmp_path / str(n), n) for n in (1000, 5000))
    assert large < 1.3 * small


@pytest.mark.slow
def test_a_hundred_thousand_segments(tmp_path: Path) -> None:
    small, large = (check(tmp_path / str(n), n) for n in (20_000, 100_000))
    assert large < 1.1 * small
    assert large < 64 << 20
