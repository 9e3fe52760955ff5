from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hoiset.builder.cost import Corpus, Prices, Rates, cost_of, measured_rates
from hoiset.builder.engine.state import BuildState
from hoiset.builder.run import build
from hoiset.errors import DatasetError
from tests.builder.fakes import RECIPE, STAGES, make_source

RATES = Rates(
    segments=1000,
    clips=100,
    screen_s=1.8,
    screen_stage_s={"fetch": 0.9},
    clips_per_segment=0.1,
    reconstruct_s=36.0,
    reconstruct_stage_s={"depth": 18.0},
    made_per_clip=0.5,
    screen_bytes=1e6,
    clip_bytes=1e7,
    sample_bytes=2e6,
    origin="by hand",
)


def test_a_corpus_reckoned_by_hand() -> None:
    cost = cost_of(RATES, Corpus(segments=2000, cores_per_worker=2, gpus_per_worker=0.5, months=3))
    assert cost.clips == pytest.approx(200)
    assert cost.samples == pytest.approx(100)
    assert cost.screen_core_h == pytest.approx(2000 * 1.8 * 2 / 3600)
    assert cost.reconstruct_core_h == pytest.approx(200 * 36 * 2 / 3600)
    assert cost.gpu_h == pytest.approx(200 * 36 * 0.5 / 3600)
    assert cost.core_h_by_stage == {"screen/fetch": pytest.approx(1.0), "reconstruct/depth": pytest.approx(2.0)}
    assert cost.download_bytes == pytest.approx(2000 * 1e6 + 200 * 1e7)
    assert cost.storage_bytes == pytest.approx(100 * 2e6)
    assert (cost.price, cost.total) == ({}, None)


def test_only_what_has_a_price_is_priced() -> None:
    cost = cost_of(RATES, Corpus(2000, months=3), Prices(core_hour=0.05, storage_gb_month=0.02))
    assert cost.price == {"cores": pytest.approx((2.0 + 4.0) * 0.05), "storage": pytest.approx(0.2 * 3 * 0.02)}
    assert cost.total == pytest.approx(sum(cost.price.values()))


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        (RATES, "full quality"),
        (replace(RATES, segments=20), "20 segments are few"),
        (replace(RATES, clips=0), "pass 2 was not measured"),
    ],
)
def test_what_it_rests_on_is_said(rates: Rates, said: str) -> None:
    assert any(said in line for line in cost_of(rates, Corpus(10)).assumptions)


def test_rates_of_a_build(tmp_path: Path) -> None:
    words = {"a": "two", "b": "clip_error", "c": "no_hands", "d": ""}
    build(RECIPE, make_source(tmp_path / "source", words), tmp_path / "out", workers=0, stages=STAGES)
    rates = measured_rates(tmp_path / "out")
    assert (rates.segments, rates.clips) == (4, 4)
    assert rates.clips_per_segment == pytest.approx(1.0)
    assert rates.made_per_clip == pytest.approx(0.75)
    assert rates.screen_bytes == pytest.approx(sum(map(len, words.values())) / 4)
    shards = list((tmp_path / "out/data").rglob("*.tar"))
    assert rates.sample_bytes == pytest.approx(sum(p.stat().st_size for p in shards) / 3)
    timings = BuildState(tmp_path / "out").timings("reconstruct")
    assert rates.reconstruct_s == pytest.approx(timings.task_s / 4)
    assert set(rates.reconstruct_stage_s) == {"fake"}


def test_nothing_judged_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="was not made by"):
        measured_rates(tmp_path)
    BuildState(tmp_path).write("", "recipe", {"digest": "", "recipe": {"name": "v2"}})
    with pytest.raises(DatasetError, match="judged no segment yet"):
        measured_rates(tmp_path)


def test_the_command(run_command: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(RECIPE, make_source(tmp_path / "source", {"a": "", "b": ""}), out, workers=0, stages=STAGES)
    code, stdout, _ = run_command("cost", out, "--segments", "1000", "--core-hour", "0.04", "--json")
    found = json.loads(stdout)
    assert code == 0
    assert found["corpus"]["segments"] == 1000
    hours = found["screen_core_h"] + found["reconstruct_core_h"]
    assert found["price"] == {"cores": pytest.approx(0.04 * hours)}
    code, stdout, _ = run_command("cost", out)
    assert "assumed: 147000000 segments" in stdout
