"""Builds a version of a dataset from a source: screen, plan, reconstruct, finish."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hoiset.builder.engine.local import default_workers
from hoiset.builder.engine.state import BuildState
from hoiset.builder.passes import Judgement, Progress, Step, build_units, judge_videos
from hoiset.builder.plan import Plan, make_plan
from hoiset.builder.recipe import Recipe, load_recipe
from hoiset.builder.records import SourceVideo
from hoiset.builder.sources import open_source
from hoiset.builder.stages import Stages, handler_factory
from hoiset.cards.finish import finish_version
from hoiset.errors import DatasetError, RecipeError
from hoiset.shards.atomic import write_atomic
from hoiset.shards.writer import ShardRecord

CANDIDATES_FILE = "screen/candidates.parquet"
STATUS_FILE = "status.parquet"


@dataclass(frozen=True)
class BuildReport:
    """What a run made, earlier runs into the same directory included.

    Attributes:
        root: The output directory.
        version: The recipe's name.
        videos: Entries of the source.
        gates: Gate -> spans that it stopped; ``ok`` for those that passed.
        statuses: Status -> clips; empty after a screen.
        clips: Partition -> clips made.
    """

    root: str
    version: str
    videos: int
    gates: dict[str, int]
    statuses: dict[str, int]
    clips: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def screen(
    split: str | Path | Recipe,
    source: str | Path | None = None,
    out: str | Path = "out",
    *,
    workers: int | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    stages: Stages | None = None,
) -> BuildReport:
    """Pass 1 alone: judge every video and write ``screen/candidates.parquet``; a later build goes on from there.

    Args and errors as :func:`build`.
    """
    job = _Job.open(split, source, out, workers, limit, progress, stages, cache=True)
    with job.state.hold(job.recipe.to_json(), job.recipe.digest):
        return job.report(job.screen(), [])


def build(
    split: str | Path | Recipe,
    source: str | Path | None = None,
    out: str | Path = "out",
    *,
    workers: int | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    stages: Stages | None = None,
    cache: bool | Path = True,
) -> BuildReport:
    """Build a version, or go on where a build of the same recipe was stopped.

    The finished directory depends on recipe, videos and weights alone: not on the number of workers, nor on how often
    the build was killed. A video or clip that fails costs nothing else and has its reason in
    ``screen/candidates.parquet`` or ``status.parquet``.

    Args:
        split: Name of a recipe, path of a ``.toml`` file, or a recipe.
        source: Directory of videos (or one video); not needed where the recipe makes its own.
        out: Output directory: new, empty, or of an earlier build of this recipe.
        workers: Worker processes; 0 computes in this one, ``None`` takes what the machine has room for.
        limit: Only the first so many videos of the source.
        progress: Called with every step.
        stages: What to run instead of the package's own passes.
        cache: Whether to keep the stages' results, so that a changed recipe re-runs only what depends on the change;
            a directory keeps them there, for several builds of the same videos.

    Raises:
        RecipeError: Unknown or malformed recipe, no source given, or ``out`` belongs to another recipe.
        SourceError: The source cannot be listed.
        DatasetError: ``out`` cannot be written to (run again to go on), or no clip could be made at all.
        BackendUnavailable: A model cannot be started.
    """
    job = _Job.open(split, source, out, workers, limit, progress, stages, cache=cache)
    with job.state.hold(job.recipe.to_json(), job.recipe.digest):
        judged = job.screen()
        pairs = [(j.video, candidate) for j in judged for candidate in j.candidates]
        plan = make_plan(pairs, job.recipe.partitions.model_dump(), job.recipe.clips_per_shard)
        job.state.write("plan", "plan", {"units": {u.name: [clip.key for clip in u.clips] for u in plan.units}})
        units = job.reconstruct(plan, {j.video.uid: j.sha256 for j in judged})
        _sweep(job.state, job.recipe.name, units)
        statuses = [row for unit in units for row in unit["clips"]]
        _write_table(job.state.out / STATUS_FILE, statuses, _STATUS_SCHEMA)
        report = job.report(judged, statuses)
        if not any(row["status"] == "ok" for row in statuses):
            raise DatasetError(_nothing_made(report))
        finish_version(
            job.state.out,
            job.recipe.name,
            shards=[ShardRecord.from_json(shard) for unit in units for shard in unit["shards"]],
            rows=[row for unit in units for row in unit["rows"]],
            recipe=job.recipe.to_json(),
            backends={b["name"]: b for unit in units for b in unit["backends"]}.values(),
        )
        return report


_STATUS_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("key", "uid", "partition")]
    + [(name, pa.float64()) for name in ("start_s", "end_s")]
    + [(name, pa.string()) for name in ("status", "detail")]
)


@dataclass(frozen=True)
class _Job:
    """One run with everything resolved."""

    recipe: Recipe
    videos: tuple[SourceVideo, ...]
    state: BuildState
    workers: int
    progress: Progress
    stages: Stages
    cache: Path | None

    @staticmethod
    def open(
        split: str | Path | Recipe,
        source: str | Path | None,
        out: str | Path,
        workers: int | None,
        limit: int | None,
        progress: Progress | None,
        stages: Stages | None,
        *,
        cache: bool | Path,
    ) -> _Job:
        recipe = split if isinstance(split, Recipe) else load_recipe(split)
        state = BuildState(Path(out))
        return _Job(
            recipe,
            _videos(recipe, source, limit),
            state,
            default_workers() if workers is None else workers,
            progress or _silent,
            stages or Stages(),
            cache if isinstance(cache, Path) else state.cache if cache else None,
        )

    def screen(self) -> list[Judgement]:
        factory = handler_factory(self.recipe, self.stages, self.cache)
        judged = judge_videos(self.videos, self.recipe, self.state, factory, self.workers, self.progress)
        _write_candidates(self.state.out / CANDIDATES_FILE, judged)
        return judged

    def reconstruct(self, plan: Plan, digests: dict[str, str]) -> list[dict[str, Any]]:
        factory = handler_factory(self.recipe, self.stages, self.cache)
        return build_units(plan, digests, self.recipe, self.state, factory, self.workers, self.progress)

    def report(self, judged: Sequence[Judgement], statuses: Sequence[dict[str, Any]]) -> BuildReport:
        return BuildReport(
            root=str(self.state.out),
            version=self.recipe.name,
            videos=len(self.videos),
            gates=dict(sorted(Counter(c.gate for j in judged for c in j.candidates).items())),
            statuses=dict(sorted(Counter(row["status"] for row in statuses).items())),
            clips=dict(Counter(row["partition"] for row in statuses if row["status"] == "ok")),
        )


def _silent(_: Step) -> None:
    pass


def _videos(recipe: Recipe, source: str | Path | None, limit: int | None) -> tuple[SourceVideo, ...]:
    if recipe.source.reads is not None and source is None:
        raise RecipeError(f"recipe {recipe.name!r} reads {recipe.source.reads}, found none; give it with --source")
    videos = open_source(source or "", recipe.source.kind, **recipe.source.arguments()).videos()
    return tuple(islice(videos, limit))


def _sweep(state: BuildState, version: str, units: Sequence[dict[str, Any]]) -> None:
    """Remove shards and records of units that no longer are in the plan."""
    kept = {shard["path"] for unit in units for shard in unit["shards"]}
    for path in sorted((state.out / "data" / version).rglob("*.tar")):
        if path.relative_to(state.out).as_posix() not in kept:
            path.unlink()
    for name in set(state.names("units")) - {unit["unit"] for unit in units}:
        state.remove("units", name)


def _write_candidates(path: Path, judged: Sequence[Judgement]) -> None:
    """One row a span, with one column for every value that a gate looked at."""
    candidates = sorted((c for j in judged for c in j.candidates), key=lambda c: (c.uid, c.start_s, c.segment))
    measures = sorted({name for c in candidates for name in c.measured})
    schema = pa.schema(
        [("uid", pa.string()), ("segment", pa.int32()), ("start_s", pa.float64()), ("end_s", pa.float64())]
        + [("gate", pa.string()), ("detail", pa.string())]
        + [(name, pa.float64()) for name in measures]
    )
    rows = [{**{k: v for k, v in asdict(c).items() if k != "measured"}, **c.measured} for c in candidates]
    _write_table(path, rows, schema)


def _write_table(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), buffer)
    write_atomic(path, buffer.getvalue())


def _nothing_made(report: BuildReport) -> str:
    if not report.statuses:
        found = f"none of {report.videos} videos passed pass 1: found {_counts(report.gates)}"
        return f"{found}; see {report.root}/{CANDIDATES_FILE}"
    return f"no clip could be made: found {_counts(report.statuses)}; see {report.root}/{STATUS_FILE}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
