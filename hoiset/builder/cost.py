"""What a whole corpus would cost, from what a part of it took: arithmetic, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from hoiset.builder.engine.state import BuildState
from hoiset.errors import DatasetError

ACTION100M_VIDEOS = 1_200_000
ACTION100M_SEGMENTS = 147_000_000


@dataclass(frozen=True)
class Rates:
    """What one segment and one clip take and give.

    Attributes:
        segments: Segments that were judged, on which the rates rest; 0 for rates that nobody measured.
        clips: Clips that were made or failed, on which the rates of pass 2 rest.
        screen_s: Seconds of a worker to judge a segment.
        screen_stage_s: Stage -> its part of them.
        clips_per_segment: Spans that pass 1 lets through, a segment.
        reconstruct_s: Seconds of a worker to make a clip.
        reconstruct_stage_s: Stage -> its part of them.
        made_per_clip: Share of the clips that become samples.
        screen_bytes: Bytes of footage that pass 1 reads, a segment.
        clip_bytes: Bytes of footage that pass 2 reads anew, a clip; 0 where it reads the same files.
        sample_bytes: Bytes of a finished sample in all layers.
        origin: Where the numbers come from, for people.
    """

    segments: int = 0
    clips: int = 0
    screen_s: float = 0.0
    screen_stage_s: Mapping[str, float] = field(default_factory=dict)
    clips_per_segment: float = 0.0
    reconstruct_s: float = 0.0
    reconstruct_stage_s: Mapping[str, float] = field(default_factory=dict)
    made_per_clip: float = 1.0
    screen_bytes: float = 0.0
    clip_bytes: float = 0.0
    sample_bytes: float = 0.0
    origin: str = ""


@dataclass(frozen=True)
class Prices:
    """What things cost, in whatever currency; ``None`` leaves a thing out of the sum.

    Attributes:
        core_hour: One core for an hour.
        gpu_hour: One GPU for an hour.
        download_gb: Fetching 1e9 bytes.
        storage_gb_month: Keeping 1e9 bytes for a month.
    """

    core_hour: float | None = None
    gpu_hour: float | None = None
    download_gb: float | None = None
    storage_gb_month: float | None = None


@dataclass(frozen=True)
class Corpus:
    """What is to be built.

    Attributes:
        segments: Segments that pass 1 will judge.
        cores_per_worker: Cores that a worker keeps busy.
        gpus_per_worker: GPUs that a worker of pass 2 holds; 0 where everything runs on cores.
        months: How long the dataset is kept, for its price.
    """

    segments: int
    cores_per_worker: float = 2.0
    gpus_per_worker: float = 0.0
    months: float = 1.0


@dataclass(frozen=True)
class Cost:
    """The price of a corpus.

    Attributes:
        corpus: What is to be built.
        rates: What it was reckoned from.
        clips: Spans that would pass pass 1.
        samples: Clips that would be made.
        screen_core_h: Core-hours of pass 1.
        reconstruct_core_h: Core-hours of pass 2.
        gpu_h: GPU-hours of pass 2.
        core_h_by_stage: ``screen/<stage>`` and ``reconstruct/<stage>`` -> core-hours; what is missing is in no stage.
        download_bytes: Footage to fetch for both passes.
        storage_bytes: The finished dataset.
        price: Thing -> price, of those that have one.
        total: Their sum, ``None`` without any price.
        assumptions: What the numbers rest on, a line each.
    """

    corpus: Corpus
    rates: Rates
    clips: float
    samples: float
    screen_core_h: float
    reconstruct_core_h: float
    gpu_h: float
    core_h_by_stage: dict[str, float]
    download_bytes: float
    storage_bytes: float
    price: dict[str, float]
    total: float | None
    assumptions: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def cost_of(rates: Rates, corpus: Corpus, prices: Prices | None = None) -> Cost:
    """Reckon what a corpus costs.

    Args:
        rates: From :func:`measured_rates`, or known otherwise.
        corpus: What is to be built.
        prices: Of a core-hour and so on; nothing is priced by default.
    """
    prices = prices or Prices()
    clips = corpus.segments * rates.clips_per_segment
    samples = clips * rates.made_per_clip
    core_h = corpus.cores_per_worker / 3600.0
    by_stage = {f"screen/{name}": corpus.segments * s * core_h for name, s in rates.screen_stage_s.items()}
    by_stage |= {f"reconstruct/{name}": clips * s * core_h for name, s in rates.reconstruct_stage_s.items()}
    screen_core_h = corpus.segments * rates.screen_s * core_h
    reconstruct_core_h = clips * rates.reconstruct_s * core_h
    gpu_h = clips * rates.reconstruct_s * corpus.gpus_per_worker / 3600.0
    download = corpus.segments * rates.screen_bytes + clips * rates.clip_bytes
    storage = samples * rates.sample_bytes
    amounts = {
        "cores": (prices.core_hour, screen_core_h + reconstruct_core_h),
        "gpus": (prices.gpu_hour, gpu_h),
        "download": (prices.download_gb, download / 1e9),
        "storage": (prices.storage_gb_month, storage / 1e9 * corpus.months),
    }
    price = {name: one * amount for name, (one, amount) in amounts.items() if one is not None}
    return Cost(
        corpus=corpus,
        rates=rates,
        clips=clips,
        samples=samples,
        screen_core_h=screen_core_h,
        reconstruct_core_h=reconstruct_core_h,
        gpu_h=gpu_h,
        core_h_by_stage=by_stage,
        download_bytes=download,
        storage_bytes=storage,
        price=price,
        total=sum(price.values()) if price else None,
        assumptions=_assumptions(rates, corpus),
    )


def _assumptions(rates: Rates, corpus: Corpus) -> tuple[str, ...]:
    found = [
        f"{corpus.segments} segments to judge",
        f"rates: {rates.origin or 'given'} ({rates.segments} segments, {rates.clips} clips)",
        f"a worker keeps {corpus.cores_per_worker:g} cores busy all the time"
        + (f" and holds {corpus.gpus_per_worker:g} GPUs in pass 2" if corpus.gpus_per_worker else ""),
        f"{100 * rates.clips_per_segment:.3g} spans pass per 100 segments, {100 * rates.made_per_clip:.3g} % of them "
        "become samples",
        "the rest of the corpus is like what was measured, and every fetched byte arrives at the first attempt",
    ]
    if rates.clip_bytes:
        found.append("pass 2 fetches its footage again in full quality")
    if rates.segments and rates.segments < 1000:
        found.append(f"{rates.segments} segments are few: expect the rates to move")
    if not rates.clips:
        found.append("pass 2 was not measured: its hours and the storage are missing")
    return tuple(found)


def measured_rates(out: str | Path) -> Rates:
    """Rates of a finished or unfinished build directory.

    Raises:
        DatasetError: No build has been there, or it has judged nothing yet.
    """
    state = BuildState.at(out)
    name = state.recipe()["name"]
    screen, reconstruct = state.timings("screen"), state.timings("reconstruct")
    segments = passed = size = 0
    seen: set[str] = set()
    for record in state.log("screen"):
        segments += 1
        passed += sum(row["gate"] == "ok" for row in record["candidates"])
        if record["sha256"] not in seen:  # segments of one file share its bytes
            seen = {record["sha256"]}
            size += record["bytes"]
    if not segments or not screen.tasks:
        raise DatasetError(f"{out} has judged no segment yet; expected a build or a screen that has run for a while")
    rates = Rates(
        segments=segments,
        screen_s=screen.task_s / screen.tasks,
        screen_stage_s={stage: s / screen.tasks for stage, s in screen.stage_s.items()},
        clips_per_segment=passed / segments,
        screen_bytes=size / segments,
        origin=f"measured in {out} (recipe {name!r})",
    )
    made = clips = stored = 0
    for unit in state.names("units"):
        unit_record = state.read("units", unit) or {"clips": [], "shards": []}
        clips += len(unit_record["clips"])
        made += sum(row["status"] == "ok" for row in unit_record["clips"])
        stored += sum(shard["bytes"] for shard in unit_record["shards"])
    if not reconstruct.tasks or not clips:
        return rates
    return replace(
        rates,
        clips=clips,
        reconstruct_s=reconstruct.task_s / reconstruct.tasks,
        reconstruct_stage_s={stage: s / reconstruct.tasks for stage, s in reconstruct.stage_s.items()},
        made_per_clip=made / clips,
        sample_bytes=stored / made if made else 0.0,
    )
