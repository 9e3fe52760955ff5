"""The two passes over a source, each resumable: what is on record is not done again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any

import hoiset
from hoiset.builder.engine.cache import digest_json
from hoiset.builder.engine.local import HandlerFactory, run_ordered
from hoiset.builder.engine.outcome import Outcome
from hoiset.builder.engine.state import BuildState
from hoiset.builder.plan import Plan, Unit
from hoiset.builder.recipe import Recipe
from hoiset.builder.records import Candidate, Clip, SourceVideo
from hoiset.errors import SchemaError
from hoiset.shards.writer import UnitWriter


@dataclass(frozen=True)
class Step:
    """How far a pass has come.

    Attributes:
        phase: ``screen`` or ``reconstruct``.
        done: Videos or clips, those of earlier runs included.
        total: Of them.
        failed: Those that did not pass or were not made.
    """

    phase: str
    done: int
    total: int
    failed: int


Progress = Callable[[Step], None]


@dataclass(frozen=True)
class Judgement:
    """A video, the digest of its file and what pass 1 says of it."""

    video: SourceVideo
    sha256: str
    candidates: tuple[Candidate, ...]


def judge_videos(
    videos: Sequence[SourceVideo],
    recipe: Recipe,
    state: BuildState,
    factory: HandlerFactory,
    workers: int,
    progress: Progress,
) -> list[Judgement]:
    """Pass 1 over all videos.

    Returns:
        One judgement a video, in their order. A video whose screening raised or crashed has one candidate with gate
        ``error``; a crash is tried again by the next run, since the machine may have been short of memory.

    Raises:
        HoisetError: No model, no disk space.
    """
    names = [_screen_name(video, recipe) for video in videos]
    records = [state.read("screen", name) for name in names]
    todo = [i for i, record in enumerate(records) if record is None]
    failed = sum(not _any_passed(record) for record in records if record is not None)
    progress(Step("screen", len(videos) - len(todo), len(videos), failed))
    with closing(run_ordered(factory, (videos[i] for i in todo), workers)) as outcomes:
        for done, (i, outcome) in enumerate(zip(todo, outcomes, strict=True), start=len(videos) - len(todo) + 1):
            record = _screen_record(videos[i], outcome)
            if outcome.reason != "worker_crashed":
                state.write("screen", names[i], record)
            records[i] = record
            failed += not _any_passed(record)
            progress(Step("screen", done, len(videos), failed))
    return [_judgement(video, record) for video, record in zip(videos, records, strict=True) if record is not None]


def _screen_name(video: SourceVideo, recipe: Recipe) -> str:
    """Digest of what pass 1 depends on; size and time of the file stand for its bytes, which are too many to read."""
    try:
        stat = video.path.stat()
        file = [stat.st_size, stat.st_mtime_ns]
    except OSError:
        file = []
    spec = [video.uid, str(video.path), video.start_s, video.end_s, video.problem, file]
    return digest_json([hoiset.__version__, recipe.screen.model_dump(mode="json"), recipe.profile, spec])


def _screen_record(video: SourceVideo, outcome: Outcome) -> dict[str, Any]:
    if outcome.ok:
        candidates, sha256 = outcome.value.candidates, outcome.value.sha256
    else:
        start_s = video.start_s or 0.0
        detail = f"{outcome.reason}: {outcome.detail}"
        candidates, sha256 = (Candidate(video.uid, 0, start_s, video.end_s or start_s, "error", detail),), ""
    rows = [asdict(replace(c, measured=_finite(c.measured))) for c in candidates]
    return {"uid": video.uid, "sha256": sha256, "candidates": rows}


def _finite(measured: dict[str, float]) -> dict[str, Any]:
    return {name: float(value) if math.isfinite(value) else None for name, value in measured.items()}


def _any_passed(record: dict[str, Any]) -> bool:
    return any(row["gate"] == "ok" for row in record["candidates"])


def _judgement(video: SourceVideo, record: dict[str, Any]) -> Judgement:
    candidates = []
    for row in record["candidates"]:
        measured = {name: math.nan if value is None else value for name, value in row["measured"].items()}
        candidates.append(Candidate(**{**row, "measured": measured}))
    return Judgement(video, record["sha256"], tuple(candidates))


def build_units(
    plan: Plan,
    digests: dict[str, str],
    recipe: Recipe,
    state: BuildState,
    factory: HandlerFactory,
    workers: int,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Pass 2 over all units.

    Args:
        plan: What to build.
        digests: Source video's uid -> sha256 of its file.
        recipe: Of the build.
        state: Of the output directory.
        factory: For the worker processes.
        workers: How many.
        progress: Called after every clip.

    Returns:
        The units' records, in the order of the plan.

    Raises:
        HoisetError: No model, no disk space; finished units stay finished.
    """
    names = {unit.name: _unit_digest(unit, digests, recipe) for unit in plan.units}
    records = {unit.name: _finished(state, unit, names[unit.name]) for unit in plan.units}
    todo = [unit for unit in plan.units if records[unit.name] is None]
    rows = [row for record in records.values() if record is not None for row in record["clips"]]
    done, failed = len(rows), sum(row["status"] != "ok" for row in rows)
    progress(Step("reconstruct", done, len(plan.clips), failed))

    def count(status: str) -> None:
        nonlocal done, failed
        done, failed = done + 1, failed + (status != "ok")
        progress(Step("reconstruct", done, len(plan.clips), failed))

    clips = (clip for unit in todo for clip in unit.clips)
    with closing(run_ordered(factory, clips, workers)) as outcomes:
        for unit in todo:
            record = {**_build_unit(unit, outcomes, recipe, state, count), "digest": names[unit.name]}
            state.write("units", unit.name, record)
            records[unit.name] = record
    return [record for record in records.values() if record is not None]


def _build_unit(
    unit: Unit, outcomes: Iterable[Outcome], recipe: Recipe, state: BuildState, count: Callable[[str], None]
) -> dict[str, Any]:
    """Write one unit's shards from the next outcomes; holds one sample at a time."""
    statuses: list[dict[str, Any]] = []
    backends: dict[str, dict[str, str]] = {}
    with UnitWriter(state.out, recipe.name, unit.partition, unit.number, recipe.layers) as writer:
        # in this order: zip takes from the clips first, and so no outcome too many
        for clip, outcome in zip(unit.clips, outcomes, strict=False):
            status, detail = outcome.reason, outcome.detail
            if outcome.ok:
                try:
                    writer.add(outcome.value.sample)
                    backends |= {b["name"]: b for b in outcome.value.backends}
                except SchemaError as error:
                    status, detail = "schema_error", str(error)
            statuses.append(_status_row(clip, status, detail))
            count(status)
    return {
        "unit": unit.name,
        "shards": [record.to_json() for record in writer.records],
        "rows": list(writer.rows),
        "clips": statuses,
        "backends": list(backends.values()),
    }


def _status_row(clip: Clip, status: str, detail: str) -> dict[str, Any]:
    return {
        "key": clip.key,
        "uid": clip.video.uid,
        "partition": clip.partition,
        "start_s": clip.start_s,
        "end_s": clip.end_s,
        "status": status,
        "detail": detail,
    }


def _unit_digest(unit: Unit, digests: dict[str, str], recipe: Recipe) -> str:
    """Digest of everything that a unit's bytes depend on."""
    clips = []
    for clip in unit.clips:
        said = {name: value for name, value in asdict(clip.video).items() if name != "path"}
        clips.append([clip.key, clip.partition, clip.start_s, clip.end_s, said, digests[clip.video.uid]])
    return digest_json([hoiset.__version__, recipe.digest, unit.name, clips])


def _finished(state: BuildState, unit: Unit, digest: str) -> dict[str, Any] | None:
    """The record of a unit that need not be built again."""
    record = state.read("units", unit.name)
    if record is None or record.get("digest") != digest:
        return None
    for shard in record["shards"]:
        path = state.out / shard["path"]
        if not path.is_file() or path.stat().st_size != shard["bytes"]:
            return None
    return record
