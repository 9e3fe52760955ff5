"""The two passes over a source, each resumable: what is on record is not done again."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import hoiset
from hoiset.builder.engine.cache import digest_json
from hoiset.builder.engine.executor import Executor, HandlerFactory
from hoiset.builder.engine.meter import Meter
from hoiset.builder.engine.outcome import Outcome
from hoiset.builder.engine.state import BuildState
from hoiset.builder.ledger import Ledger
from hoiset.builder.plan import Plan, PlannedUnit, Unit
from hoiset.builder.recipe import Recipe
from hoiset.builder.records import Candidate, Clip, SourceVideo
from hoiset.builder.screen.keepsakes import KeepsakeBox
from hoiset.errors import SchemaError
from hoiset.shards.removed import Removed, uid_digest
from hoiset.shards.storage import Storage
from hoiset.shards.writer import UnitWriter


@dataclass(frozen=True)
class Step:
    """How far a pass has come.

    Attributes:
        phase: ``screen`` or ``reconstruct``.
        done: Videos or clips, those of earlier runs included.
        total: Of them.
        failed: Those that did not pass or were not made.
        stage_s: Stage -> mean seconds of those worked on so far.
    """

    phase: str
    done: int
    total: int
    failed: int
    stage_s: Mapping[str, float] = field(default_factory=dict)


Progress = Callable[[Step], None]


@dataclass(frozen=True)
class Judgement:
    """What pass 1 says of a video.

    Attributes:
        seq: The video's number in the ledger.
        uid: The video's.
        sha256: Of its file.
        bytes: Size of its file.
        candidates: Its spans.
    """

    seq: int
    uid: str
    sha256: str
    bytes: int
    candidates: tuple[Candidate, ...]


def judge_videos(
    videos: Iterable[SourceVideo],
    recipe: Recipe,
    state: BuildState,
    ledger: Ledger,
    executor: Executor,
    factory: HandlerFactory,
    progress: Progress,
    removed: Removed | None = None,
) -> None:
    """Pass 1 over all videos; :func:`judgements` then gives the answers.

    A video whose screening raised or crashed has one candidate with gate ``error``, one that could not be fetched one
    with gate ``unavailable``. A crash, and a failure to fetch that may pass, are tried again by the next run. One that
    was removed from the dataset is neither fetched nor opened: it has one candidate with gate ``removed``.

    Args:
        videos: Consumed once; what is known of them goes into the ledger.
        recipe: Of the build.
        state: Of the output directory.
        ledger: Of this run.
        executor: What the videos are judged in.
        factory: For its processes.
        progress: Called with every video.
        removed: The dataset's tombstones.

    Raises:
        HoisetError: No model, no disk space.
    """
    log, box = state.log("screen"), KeepsakeBox(state.storage)
    ledger.remember(log)
    gone = removed or Removed()
    ledger.add_videos(("" if video.uid in gone else _screen_name(video, recipe), video) for video in videos)
    for seq, _, video in ledger.unjudged() if gone else ():
        if video.uid in gone:
            ledger.judge(seq, _removed_record(video))
    total, done, failed = ledger.count_videos(), 0, 0
    for _, _, record in ledger.judged():
        done, failed = done + 1, failed + (not _any_passed(record))
    meter = state.meter("screen", total, done, failed)
    progress(_step("screen", meter))
    handed_out: deque[tuple[int, str, SourceVideo]] = deque()

    def tasks() -> Iterator[SourceVideo]:
        for item in ledger.unjudged():
            handed_out.append(item)
            yield item[2]

    try:
        with closing(executor.run(factory, tasks())) as outcomes:
            for outcome in outcomes:
                seq, name, video = handed_out.popleft()
                record = {"name": name, **_screen_record(video, outcome)}
                box.add(outcome.value.keepsakes if outcome.ok else ())
                if outcome.reason != "worker_crashed" and not outcome.transient:
                    log.append(record)
                ledger.judge(seq, record)
                again = outcome.reason if outcome.transient else ""
                meter.add(outcome.seconds, _stages(outcome), failed=not _any_passed(record), again=again)
                progress(_step("screen", meter))
    finally:
        log.flush()
        meter.save()


def _step(phase: str, meter: Meter) -> Step:
    so_far = meter.timings()
    mean_s = {name: seconds / so_far.tasks for name, seconds in so_far.stage_s.items()}
    return Step(phase, so_far.done, so_far.total, so_far.failed, mean_s)


def _stages(outcome: Outcome) -> Mapping[str, float]:
    return outcome.value.stage_s if outcome.ok else {}


def judgements(ledger: Ledger) -> Iterator[Judgement]:
    """What pass 1 made of every video of the ledger, ordered by uid, then as in the source."""
    for seq, uid, record in ledger.judged():
        candidates = []
        for row in record["candidates"]:
            measured = {name: math.nan if value is None else value for name, value in row["measured"].items()}
            candidates.append(Candidate(**{**row, "measured": measured}))
        yield Judgement(seq, uid, record["sha256"], record["bytes"], tuple(candidates))


def _screen_name(video: SourceVideo, recipe: Recipe) -> str:
    """Digest of what pass 1 depends on; size and time of the file stand for its bytes, which are too many to read."""
    if video.remote:
        place, file = video.remote, []
    else:
        place, file = str(video.path), _stamp(video.path)
    spec = [video.uid, place, video.start_s, video.end_s, video.problem, file]
    return digest_json([hoiset.__version__, recipe.screen.model_dump(mode="json"), recipe.profile, spec])


def _stamp(path: Path) -> list[int]:
    with suppress(OSError):
        stat = path.stat()
        return [stat.st_size, stat.st_mtime_ns]
    return []


def _screen_record(video: SourceVideo, outcome: Outcome) -> dict[str, Any]:
    if outcome.ok:
        candidates, sha256, size = outcome.value.candidates, outcome.value.sha256, outcome.value.bytes
    else:
        start_s = video.start_s or 0.0
        gate = "unavailable" if outcome.kind == "AcquireError" else "error"
        detail = f"{outcome.reason}: {outcome.detail}"
        candidates = (Candidate(video.uid, 0, start_s, video.end_s or start_s, gate, detail),)
        sha256, size = "", 0
    rows = [{**vars(c), "measured": _finite(c.measured)} for c in candidates]
    return {"uid": video.uid, "sha256": sha256, "bytes": size, "candidates": rows}


def _removed_record(video: SourceVideo) -> dict[str, Any]:
    """Its id stands in the table as in the list of removed videos: as a digest."""
    candidate = Candidate(f"sha256:{uid_digest(video.uid)}", 0, 0.0, 0.0, "removed", "removed from the dataset")
    return {"uid": video.uid, "sha256": "", "bytes": 0, "candidates": [vars(candidate)]}


def _finite(measured: dict[str, float]) -> dict[str, Any]:
    return {name: float(value) if math.isfinite(value) else None for name, value in measured.items()}


def _any_passed(record: dict[str, Any]) -> bool:
    return any(row["gate"] == "ok" for row in record["candidates"])


def build_units(
    plan: Plan,
    recipe: Recipe,
    state: BuildState,
    executor: Executor,
    factory: HandlerFactory,
    progress: Progress,
    staging: Storage | None = None,
) -> None:
    """Pass 2 over all units; :meth:`Plan.records` then gives what became of them.

    Args:
        plan: What to build.
        recipe: Of the build.
        state: Of the output directory.
        executor: What the clips are made in.
        factory: For its processes.
        progress: Called after every clip.
        staging: Where the factory's processes put the samples, if not into their answers.

    Raises:
        HoisetError: No model, no disk space; finished units stay finished.
    """
    total, done, failed = plan.n_clips, 0, 0
    for planned in plan.units():
        digest = _unit_digest(planned, recipe)
        record = _finished(state, planned.unit, digest)
        plan.finish(planned.unit, digest, record)
        rows = record["clips"] if record is not None else []
        done, failed = done + len(rows), failed + sum(row["status"] != "ok" for row in rows)
    state.write("plan", "plan", {"units": list(plan.outline())})
    meter = state.meter("reconstruct", total, done, failed)
    progress(_step("reconstruct", meter))

    def count(outcome: Outcome, status: str) -> None:
        again = outcome.reason if outcome.transient else ""
        meter.add(outcome.seconds, _stages(outcome), failed=status != "ok", again=again)
        progress(_step("reconstruct", meter))

    clips = (clip for planned in plan.units(unfinished=True) for clip in planned.unit.clips)
    try:
        with closing(executor.run(factory, clips)) as outcomes:
            for planned in plan.units(unfinished=True):
                digest = _unit_digest(planned, recipe)
                record = {**_build_unit(planned.unit, outcomes, recipe, state, count, staging), "digest": digest}
                state.write("units", planned.unit.name, record)
                plan.finish(planned.unit, digest, record)
    finally:
        meter.save()


def _build_unit(
    unit: Unit,
    outcomes: Iterable[Outcome],
    recipe: Recipe,
    state: BuildState,
    count: Callable[[Outcome, str], None],
    staging: Storage | None,
) -> dict[str, Any]:
    """Write one unit's shards from the next outcomes; holds one sample at a time."""
    statuses: list[dict[str, Any]] = []
    to_repeat = 0
    backends: dict[str, dict[str, str]] = {}
    with UnitWriter(state.out, recipe.name, unit.partition, unit.number, recipe.layers) as writer:
        # in this order: zip takes from the clips first, and so no outcome too many
        for clip, outcome in zip(unit.clips, outcomes, strict=False):
            status, detail = outcome.reason, outcome.detail
            if outcome.ok:
                try:
                    writer.add_encoded(outcome.value.take(staging))
                    backends |= {b["name"]: b for b in outcome.value.backends}
                except SchemaError as error:
                    status, detail = "schema_error", str(error)
            if outcome.ok and staging is not None and outcome.value.staged:
                staging.remove(outcome.value.staged)
            to_repeat += outcome.transient
            statuses.append(_status_row(clip, status, detail))
            count(outcome, status)
    state.publish_shards(writer.records)
    return {
        "unit": unit.name,
        "shards": [record.to_json() for record in writer.records],
        "rows": list(writer.rows),
        "clips": statuses,
        "backends": list(backends.values()),
        "transient": to_repeat,
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


def _unit_digest(planned: PlannedUnit, recipe: Recipe) -> str:
    """Digest of everything that a unit's bytes depend on."""
    clips = []
    for clip, sha256 in zip(planned.unit.clips, planned.digests, strict=True):
        said = {name: value for name, value in asdict(clip.video).items() if name != "path"}
        clips.append([clip.key, clip.partition, clip.start_s, clip.end_s, said, sha256])
    return digest_json([hoiset.__version__, recipe.digest, planned.unit.name, clips])


def _finished(state: BuildState, unit: Unit, digest: str) -> dict[str, Any] | None:
    """The record of a unit that need not be built again."""
    record = state.read("units", unit.name)
    if record is None or record.get("digest") != digest or record.get("transient"):
        return None
    if any(state.storage.size(shard["path"]) != shard["bytes"] for shard in record["shards"]):
        return None
    return record
