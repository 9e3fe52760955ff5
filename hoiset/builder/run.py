"""Builds a version of a dataset from a source: screen, plan, reconstruct, finish."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from hoiset.builder.engine.executor import Executor
from hoiset.builder.engine.options import EngineOptions
from hoiset.builder.engine.state import BuildState
from hoiset.builder.ledger import Ledger
from hoiset.builder.passes import Progress, Step, build_units, judge_videos, judgements
from hoiset.builder.plan import Plan
from hoiset.builder.recipe import Recipe, load_recipe, parse_recipe
from hoiset.builder.records import SourceVideo
from hoiset.builder.screen.keepsakes import KeepsakeBox
from hoiset.builder.screen.report import Throughput, write_report
from hoiset.builder.screen.rethreshold import Redecided, rethreshold
from hoiset.builder.sources import open_source
from hoiset.builder.stages import Stages, handler_factory
from hoiset.builder.tables import STATUS_SCHEMA, write_candidates
from hoiset.cards.finish import finish_version
from hoiset.errors import DatasetError, RecipeError
from hoiset.shards.removed import REMOVED_FILE, read_removed
from hoiset.shards.tables import write_rows
from hoiset.shards.writer import ShardRecord

CANDIDATES_FILE = "screen/candidates.parquet"
SCREEN_REPORT_FILE = "screen/report.html"
REDECIDED_FOLDER = "screen/rethreshold"
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
    engine: EngineOptions | None = None,
) -> BuildReport:
    """Pass 1 alone: judge every video and write ``screen/candidates.parquet``; a later build goes on from there.

    Args and errors as :func:`build`.
    """
    job = _Job.open(split, source, out, limit, progress, stages, cache=True, engine=engine)
    with job.hold(), Ledger.open() as ledger, job.engine.open(workers) as executor:
        return job.report(job.screen(ledger, executor), {}, {})


def redecide(split: str | Path | Recipe, out: str | Path) -> Redecided:
    """Decide again what pass 1 measured, by the thresholds of another recipe, without touching a video.

    The table and the report of these decisions go to ``screen/rethreshold``; what was built stays as it is, and a build
    of the other recipe screens for itself.

    Args:
        split: Name of a recipe, path of a ``.toml`` file, or a recipe: its ``screen`` counts.
        out: Output directory of a :func:`screen` or :func:`build`.

    Raises:
        RecipeError: Unknown or malformed recipe, or a parameter differs that cannot be changed in hindsight.
        DatasetError: Nothing was screened there.
    """
    recipe, state = split if isinstance(split, Recipe) else load_recipe(split), BuildState.at(out)
    old = parse_recipe(state.recipe(), str(out))
    target = state.out / REDECIDED_FOLDER
    with state.borrow(CANDIDATES_FILE):
        found = rethreshold(state.out / CANDIDATES_FILE, target / "candidates.parquet", old.screen, recipe.screen)
        write_report(target, recipe.screen, title=f"{recipe.name}: pass 1, decided again")
    return found


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
    engine: EngineOptions | None = None,
) -> BuildReport:
    """Build a version, or go on where a build of the same recipe was stopped.

    The finished directory depends on recipe, videos and weights alone: not on the number of workers, nor on how often
    the build was killed. A video or clip that fails costs nothing else and has its reason in
    ``screen/candidates.parquet`` or ``status.parquet``.

    Args:
        split: Name of a recipe, path of a ``.toml`` file, or a recipe.
        source: Directory of videos (or one video); not needed where the recipe makes its own.
        out: Output directory: new, empty, or of an earlier build of this recipe; a path or ``s3://bucket/folder``.
        workers: Worker processes; 0 computes in this one, ``None`` takes what the machine has room for.
        limit: Only the first so many videos of the source.
        progress: Called with every step.
        stages: What to run instead of the package's own passes.
        cache: Whether to keep the stages' results, so that a changed recipe re-runs only what depends on the change;
            a directory keeps them there, for several builds of the same videos. Only on a disk.
        engine: What runs the passes, and how; processes of this machine by default.

    Raises:
        RecipeError: Unknown or malformed recipe, no source given, or ``out`` belongs to another recipe.
        SourceError: The source cannot be listed.
        DatasetError: ``out`` cannot be written to (run again to go on), or no clip could be made at all.
        BackendUnavailable: A model cannot be started.
    """
    job = _Job.open(split, source, out, limit, progress, stages, cache=cache, engine=engine)
    with job.hold(), Ledger.open() as ledger:
        plan = Plan(ledger, job.recipe.partitions.model_dump(), job.recipe.clips_per_shard)
        with job.engine.open(workers) as executor:
            screened = job.screen(ledger, executor, plan)
            plan.cut()
            job.reconstruct(plan, executor)
        return job.finish(plan, screened)


@dataclass(frozen=True)
class _Screened:
    """What pass 1 found."""

    videos: int
    gates: dict[str, int]


@dataclass(frozen=True)
class _Job:
    """One run with everything resolved."""

    recipe: Recipe
    videos: Iterator[SourceVideo]
    again: Callable[[], Iterator[SourceVideo]]
    state: BuildState
    engine: EngineOptions
    progress: Progress
    stages: Stages
    cache: Path | None

    @staticmethod
    def open(
        split: str | Path | Recipe,
        source: str | Path | None,
        out: str | Path,
        limit: int | None,
        progress: Progress | None,
        stages: Stages | None,
        *,
        cache: bool | Path,
        engine: EngineOptions | None,
    ) -> _Job:
        recipe = split if isinstance(split, Recipe) else load_recipe(split)
        options = engine or EngineOptions()
        state = BuildState.at(out, options.flush_s)
        return _Job(
            recipe,
            _videos(recipe, source, limit),
            partial(_videos, recipe, source, limit),
            state,
            options,
            progress or _silent,
            stages or Stages(),
            cache.absolute() if isinstance(cache, Path) else state.cache if cache else None,
        )

    def hold(self) -> AbstractContextManager[None]:
        return self.state.hold(self.recipe.to_json(), self.recipe.digest)

    def screen(self, ledger: Ledger, executor: Executor, plan: Plan | None = None) -> _Screened:
        """Pass 1, its table, and the clips of the plan."""
        factory = handler_factory(self.recipe, self.stages, self.cache)
        if self.state.storage.size(REMOVED_FILE) is not None:
            self.state.bring_back(REMOVED_FILE)
        removed = read_removed(self.state.out)
        judge_videos(self.videos, self.recipe, self.state, ledger, executor, factory, self.progress, removed)
        gates: Counter[str] = Counter()
        measures: set[str] = set()
        with ledger.bulk():
            for judged in judgements(ledger):
                gates.update(c.gate for c in judged.candidates)
                measures.update(name for c in judged.candidates for name in c.measured)
                if plan is not None:
                    plan.add(judged.seq, judged.uid, judged.candidates, judged.sha256)
        write_candidates(self.state.out / CANDIDATES_FILE, judgements(ledger), sorted(measures))
        took = self.state.timings("screen")
        write_report(
            (self.state.out / CANDIDATES_FILE).parent,
            self.recipe.screen,
            self.again(),
            Throughput(took.tasks, took.task_s, took.wall_s, took.stage_s),
            keepsakes=KeepsakeBox(self.state.storage),
            title=f"{self.recipe.name}: pass 1",
        )
        return _Screened(ledger.count_videos(), dict(sorted(gates.items())))

    def reconstruct(self, plan: Plan, executor: Executor) -> None:
        """Pass 2."""
        staging = None if executor.shares_memory else self.state.new_staging()
        factory = handler_factory(self.recipe, self.stages, self.cache, staging)
        build_units(plan, self.recipe, self.state, executor, factory, self.progress, staging)

    def finish(self, plan: Plan, screened: _Screened) -> BuildReport:
        """Tables, index, manifest and card, from the units' records."""
        out, name = self.state.out, self.recipe.name
        _sweep(self.state, name, plan)
        statuses: Counter[str] = Counter()
        clips: Counter[str] = Counter()

        def rows() -> Iterator[dict[str, Any]]:
            for row in (row for record in plan.records() for row in record["clips"]):
                statuses[row["status"]] += 1
                clips[row["partition"]] += row["status"] == "ok"
                yield row

        write_rows(out / STATUS_FILE, rows(), STATUS_SCHEMA)
        report = self.report(screened, statuses, +clips)
        if not statuses["ok"]:
            raise DatasetError(_nothing_made(report))
        finish_version(
            out,
            name,
            shards=(ShardRecord.from_json(shard) for record in plan.records() for shard in record["shards"]),
            rows=plan.index_rows(),
            recipe=self.recipe.to_json(),
            backends={b["name"]: b for record in plan.records() for b in record["backends"]}.values(),
            ordered=True,
            bring=self.state.bring_back,
        )
        return report

    def report(self, screened: _Screened, statuses: Mapping[str, int], clips: Mapping[str, int]) -> BuildReport:
        return BuildReport(
            root=self.state.url,
            version=self.recipe.name,
            videos=screened.videos,
            gates=screened.gates,
            statuses=dict(sorted(statuses.items())),
            clips=dict(clips),
        )


def _silent(_: Step) -> None:
    pass


def _videos(recipe: Recipe, source: str | Path | None, limit: int | None) -> Iterator[SourceVideo]:
    """The source's videos; the first is asked for at once, so that a source without any says so before all else."""
    if recipe.source.reads is not None and source is None:
        raise RecipeError(f"recipe {recipe.name!r} reads {recipe.source.reads}, found none; give it with --source")
    videos = iter(open_source(source or "", recipe.source.kind, **recipe.source.arguments()).videos())
    return islice(chain(list(islice(videos, 1)), videos), limit)


def _sweep(state: BuildState, version: str, plan: Plan) -> None:
    """Remove shards and records of units that no longer are in the plan."""
    kept = {shard["path"] for record in plan.records() for shard in record["shards"]}
    for name in set(state.storage.names(f"data/{version}", ".tar")) - kept:
        state.storage.remove(name)
    for name in set(state.names("units")) - {unit["unit"] for unit in plan.outline()}:
        state.remove("units", name)


def _nothing_made(report: BuildReport) -> str:
    if not report.statuses:
        found = f"none of {report.videos} videos passed pass 1: found {_counts(report.gates)}"
        return f"{found}; see {report.root}/{CANDIDATES_FILE}"
    return f"no clip could be made: found {_counts(report.statuses)}; see {report.root}/{STATUS_FILE}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
