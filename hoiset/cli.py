"""The commands: argument parsing and printing, nothing else."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from hoiset import cli_cost, cli_eval, cli_plan, console
from hoiset.cli_fetch import CookiesFile, VideoCache, stages_that_fetch
from hoiset.errors import HoisetError, MissingDependency, RecipeError

app = typer.Typer(
    help="Raw manipulation video in, a versioned and filterable 4D hand-object-interaction dataset out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Root = Annotated[Path, typer.Argument(help="Dataset directory.", show_default=False)]
Place = Annotated[str, typer.Argument(help="Dataset directory, or s3://bucket/folder.", show_default=False)]
Split = Annotated[str, typer.Option("--split", help="Name of a recipe, or the path of a .toml file.")]
SourceDir = Annotated[
    str | None,
    typer.Option("--source", help="Directory of videos, table of addresses, or hf://... address; not for all recipes."),
]
Out = Annotated[
    str, typer.Option("--out", help="Output directory or s3://bucket/folder: new, empty, or of a build to go on with.")
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=0, help="Worker processes; as the machine has room by default.")
]
Engine = Annotated[str, typer.Option("--engine", help="local: processes of this machine; ray: actors of a cluster.")]
Address = Annotated[
    str, typer.Option("--address", help="Existing Ray cluster (auto, host:6379); one is started here by default.")
]
WorkerCpus = Annotated[float, typer.Option("--worker-cpus", min=0, help="Logical cores that a Ray actor asks for.")]
WorkerGpus = Annotated[float, typer.Option("--worker-gpus", min=0, help="GPUs that a Ray actor asks for.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many videos.")]
Version = Annotated[str | None, typer.Option("--version", help="Version in the directory; the only one by default.")]
Feeds = Annotated[
    str | None,
    typer.Option("--oracle", help="Stages to feed from ground truth: camera,landmarks,palm_depth,hands,masks,depth."),
]
Noise = Annotated[str, typer.Option("--noise", help="Added to what is fed: joint_m=0.005,depth_share=0.02, ...")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]


@app.command()
def build(
    split: Split,
    source: SourceDir = None,
    out: Out = "out",
    workers: Workers = None,
    engine: Engine = "local",
    address: Address = "",
    worker_cpus: WorkerCpus = 2.0,
    worker_gpus: WorkerGpus = 0.0,
    limit: Limit = None,
    cache: Annotated[bool, typer.Option(help="Keep the results of stages for later builds.")] = True,
    oracle: Feeds = None,
    truth: Annotated[
        Path | None, typer.Option(help="Where --oracle feeds from: what `hoiset studio` wrote, or a dataset.")
    ] = None,
    noise: Noise = "",
    cookies: CookiesFile = None,
    video_cache: VideoCache = None,
    json: AsJson = False,
) -> None:
    """Build a dataset, or go on with a build that was stopped."""
    _require_build()
    from hoiset.builder.run import build as run

    recipe = _recipe(split, source)
    if truth is not None and oracle is None:
        raise typer.BadParameter("is what --oracle feeds from; give that too", param_hint="--truth")
    if (fed := cli_eval.oracle_params(oracle, truth, noise)) is not None:
        recipe = recipe.model_copy(update={"oracle": fed})
    options = _engine(engine, address, worker_cpus, worker_gpus)
    with console.build_progress() as progress:
        report = run(
            recipe,
            source,
            out,
            workers=workers,
            limit=limit,
            progress=progress,
            stages=stages_that_fetch(cookies, video_cache),
            cache=cache,
            engine=options,
        )
    _print_report(report, json)
    if not json:
        console.print_line(f"verify it with: hoiset verify {out}")


@app.command()
def screen(
    split: Split,
    source: SourceDir = None,
    out: Out = "out",
    workers: Workers = None,
    engine: Engine = "local",
    address: Address = "",
    worker_cpus: WorkerCpus = 2.0,
    worker_gpus: WorkerGpus = 0.0,
    limit: Limit = None,
    cookies: CookiesFile = None,
    video_cache: VideoCache = None,
    rethreshold: Annotated[
        bool, typer.Option("--rethreshold", help="Decide again what --out has measured; no video is read.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Pass 1 alone: which spans have a static camera and hands at work."""
    _require_build()
    from hoiset.builder.run import CANDIDATES_FILE, SCREEN_REPORT_FILE
    from hoiset.builder.run import screen as run

    if rethreshold:
        _redecide(split, out, json)
        return
    recipe = _recipe(split, source)
    options = _engine(engine, address, worker_cpus, worker_gpus)
    with console.build_progress() as progress:
        stages = stages_that_fetch(cookies, video_cache)
        report = run(
            recipe, source, out, workers=workers, limit=limit, progress=progress, stages=stages, engine=options
        )
    _print_report(report, json)
    if not json:
        console.print_line(f"every span and what was measured: {out}/{CANDIDATES_FILE}")
        console.print_line(f"the same to look at: {out}/{SCREEN_REPORT_FILE}")


def _redecide(split: str, out: str, json: bool) -> None:
    from hoiset.builder.run import REDECIDED_FOLDER, redecide

    found = redecide(_recipe(split, source="."), out)
    if json:
        console.print_json(found.to_json())
        return
    console.print_counts("before", found.before)
    console.print_counts("after", found.after)
    console.print_line(f"{found.changed} spans decided otherwise; {found.unknown} must be screened again to be decided")
    console.print_line(f"spans and report: {out}/{REDECIDED_FOLDER}")


@app.command()
def plan(
    split: Split,
    source: SourceDir = None,
    limit: Limit = None,
    rates: cli_plan.Rates = None,
    of_videos: cli_plan.OfVideos = None,
    json: AsJson = False,
) -> None:
    """Count what would be screened, what each rule drops, and what it would cost, before anything is fetched."""
    _require_build()
    from hoiset.builder.survey import survey

    recipe = _recipe(split, source)
    with console.build_progress() as progress:
        found = survey(recipe, source, limit, cli_plan.steps(progress))
    cost = None if rates is None else cli_plan.cost_of_survey(found, rates, of_videos)
    if json:
        console.print_json({**found.to_json(), "cost": None if cost is None else cost.to_json()})
        return
    cli_plan.print_survey(found)
    if cost is not None:
        cli_cost.print_cost(cost)


@app.command()
def studio(
    out: Annotated[Path, typer.Option("--out", help="Output directory: new, empty, or of a stopped run.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first video; the others follow.")] = 0,
    clips: Annotated[int, typer.Option(min=1, help="How many videos.")] = 50,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes that render.")] = 2,
    json: AsJson = False,
) -> None:
    """Render videos of hands at work with their exact ground truth, to measure a build against."""
    _require_build()
    from hoiset.builder.studio.corpus import make_corpus

    with console.build_progress() as progress:
        report = make_corpus(out, seed=seed, n_clips=clips, workers=workers, progress=progress)
    if json:
        console.print_json(report.to_json())
        return
    console.print_line(f"{report.videos} videos, {report.frames} frames, {report.duration_s:.1f} s -> {out}/videos")
    console.print_counts("kinds", report.kinds)
    console.print_line(f"truth of {report.samples} of them: {out}/truth; what pass 1 should keep: {out}/screening.csv")


def _print_report(report: Any, json: bool) -> None:
    if json:
        console.print_json(report.to_json())
        return
    console.print_line(f"{report.version}: {report.videos} videos -> {report.root}")
    console.print_counts("pass 1", report.gates)
    if report.statuses:
        console.print_counts("pass 2", report.statuses)
        console.print_counts("clips", report.clips)


@app.command()
def status(out: Place, json: AsJson = False) -> None:
    """How far a build is, and what stopped the clips that were not made."""
    from hoiset.builder.status import read_status

    found = read_status(out)
    if json:
        console.print_json(found.to_json())
        return
    state = "finished" if found.finished else "not finished; the same `hoiset build` goes on with it"
    console.print_line(f"{found.version}: {state}")
    console.print_line(f"pass 1: {found.screened} videos judged")
    console.print_line(f"pass 2: {found.units_done} of {found.units} units done, {found.clips} clips planned")
    if found.statuses:
        console.print_counts("clips", found.statuses)
    for phase, timings in found.timings.items():
        console.print_timings(phase, timings)
    if found.failures:
        console.print_table(("key", "status", "detail"), ([f["key"], f["status"], f["detail"]] for f in found.failures))


app.command()(cli_cost.cost)


@app.command()
def verify(root: Place, version: Version = None, json: AsJson = False) -> None:
    """Read everything again and say what is wrong; exit code 1 if anything is."""
    from hoiset.shards.verify import verify_dataset

    report = verify_dataset(root, version)
    problems = [{"file": p.file, "key": p.key, "what": p.what} for p in report.problems]
    if json:
        counts = {name: getattr(report, name) for name in ("n_files", "n_samples", "n_frames", "n_bytes")}
        console.print_json({"ok": report.ok, "versions": list(report.versions), **counts, "problems": problems})
    else:
        for problem in report.problems:
            console.print_line(str(problem))
        found = f"{report.n_samples} clips, {report.n_frames} frames, {report.n_files} files, {report.n_bytes} bytes"
        console.print_line(
            f"{', '.join(report.versions)}: {found}: {'ok' if report.ok else f'{len(problems)} problems'}"
        )
    if not report.ok:
        raise typer.Exit(1)


@app.command("eval")
def eval_(
    build: Annotated[Path, typer.Argument(metavar="BUILD", help="Dataset to measure.", show_default=False)],
    truth: Annotated[
        Path, typer.Argument(help="Directory that `hoiset studio` wrote, or a dataset.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Also write eval.json, eval_clips.parquet and figures here, and --oracle's build."),
    ] = None,
    oracle: Feeds = None,
    noise: Noise = "",
    split: Annotated[str | None, typer.Option("--split", help="Version in BUILD; the only one by default.")] = None,
    screening: Annotated[
        Path | None, typer.Option(help="What pass 1 should do; TRUTH/screening.csv by default.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the resampling that the intervals come from.")] = 0,
    json: AsJson = False,
) -> None:
    """Measure a dataset against ground truth: screening, hands, objects, interaction, calibration.

    With --oracle the dataset is built again from its recipe and TRUTH's videos, with ground truth fed to some stages,
    and that build is measured. It goes to BUILD.oracle-..., or to build/ in --out.
    """
    _require_build()
    from hoiset.eval.evaluate import evaluate
    from hoiset.eval.report import write_report

    if (fed := cli_eval.oracle_params(oracle, truth, noise)) is not None:
        build, split = cli_eval.rebuild(build, _version(build, split, "--split"), fed, out), None
    with console.build_progress() as progress:
        found = evaluate(build, truth, screening=screening, seed=seed, split=split, progress=cli_eval.steps(progress))
    files = write_report(found, out) if out is not None else []
    if json:
        parts = ("pooled", "screening", "calibration", "meta")
        console.print_json({name: value for name, value in found.to_json().items() if name in parts})
        return
    cli_eval.print_evaluation(found)
    for path in files:
        console.print_line(str(path))


_NOT_FILTERS = ("root", "version", "json")
_SHOWN = ("key", "partition", "verb", "nouns", "labels", "grasps", "duration_s", "quality")


@app.command("filter")
def filter_(
    root: Root,
    version: Version = None,
    verb: Annotated[list[str] | None, typer.Option(help="Lemma; give it again for any of several.")] = None,
    object: Annotated[list[str] | None, typer.Option(help="Noun of the text or of an object's label.")] = None,
    grasp: Annotated[list[str] | None, typer.Option(help="left, right, both, any or none.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="Object state that occurs: static, moving, ...")] = None,
    action: Annotated[str | None, typer.Option(help="Text that the action sentence contains.")] = None,
    partition: Annotated[list[str] | None, typer.Option(help="train, validation or test.")] = None,
    uid: Annotated[str | None, typer.Option(help="Source video.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the footage.")] = None,
    min_quality: Annotated[float | None, typer.Option(help="Least quality score, 0 to 1.")] = None,
    min_hand_valid: Annotated[float | None, typer.Option(help="Least share of frames with a hand.")] = None,
    min_duration_s: Annotated[float | None, typer.Option(help="Shortest, in seconds.")] = None,
    max_duration_s: Annotated[float | None, typer.Option(help="Longest, in seconds.")] = None,
    min_objects: Annotated[int | None, typer.Option(help="Least number of objects.")] = None,
    min_manipulated: Annotated[int | None, typer.Option(help="Least number of manipulated objects.")] = None,
    json: AsJson = False,
) -> None:
    """Clips by what happens in them; different options must all match."""
    given = {name: value for name, value in locals().items() if name not in _NOT_FILTERS and value not in (None, [])}
    from hoiset.filter import select
    from hoiset.shards.index import read_index

    table = select(read_index(root, _version(root, version)), **given)
    if json:
        console.print_json(table.drop_columns("members").to_pylist())
        return
    console.print_table(_SHOWN, ([row[name] for name in _SHOWN] for row in table.select(list(_SHOWN)).to_pylist()))
    console.print_line(f"{table.num_rows} clips, {sum(table['duration_s'].to_pylist()):.1f} s")


@app.command()
def info(
    root: Annotated[Path | None, typer.Argument(help="Dataset directory.", show_default=False)] = None,
    version: Version = None,
    split: Annotated[str | None, typer.Option("--split", help="Print a recipe instead, with every default.")] = None,
    json: AsJson = False,
) -> None:
    """What is in a dataset, or in a recipe."""
    if (root is None) == (split is None):
        raise typer.BadParameter("give a dataset directory, or --split with a recipe")
    if split is not None:
        _require_build()
        console.print_json(_recipe(split, source="").to_json())
        return
    assert root is not None
    from dataclasses import asdict

    from hoiset.cards.statistics import describe
    from hoiset.shards.index import read_index

    name = _version(root, version)
    described = asdict(describe(root, read_index(root, name)))
    summary = {"version": name, **{k: dict(v) if isinstance(v, list) else v for k, v in described.items()}}
    if json:
        console.print_json(summary)
    else:
        console.print_table(("what", "value"), summary.items())


@app.command()
def doctor(
    start: Annotated[bool, typer.Option(help="Also start the isolated models, which may install them.")] = True,
    json: AsJson = False,
) -> None:
    """Which backends, weights, system libraries and devices are there, and the line that gets what is missing."""
    from hoiset.builder.doctor import examine

    findings = examine(start=start)
    if json:
        console.print_json([finding.to_json() for finding in findings])
    else:
        rows = (
            [f.kind, f.name, "ok" if f.ok else "MISSING" if f.needed else "absent", f.detail, f.get] for f in findings
        )
        console.print_table(("kind", "name", "state", "detail", "get it with"), rows)
    if any(finding.needed and not finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command()
def view(
    root: Root,
    key: Annotated[str, typer.Option(help="Clip to draw; the first by default.", show_default=False)] = "",
    version: Version = None,
    overlay: Annotated[
        Path, typer.Option(help="File to write: .mp4 for the whole clip, .png or .jpg for eight of its frames.")
    ] = Path("overlay.mp4"),
) -> None:
    """Draw what was reconstructed over a clip's frames."""
    if overlay.suffix not in (".mp4", ".png", ".jpg"):
        raise typer.BadParameter(f"found {overlay.name!r}, expected .mp4, .png or .jpg", param_hint="--overlay")
    _require_build()
    from hoiset.shards.index import read_index
    from hoiset.view.overlay import write_overlay

    name = _version(root, version)
    keys = read_index(root, name, ["key"])["key"].to_pylist()
    if key and key not in keys:
        raise typer.BadParameter(f"no clip {key!r}; `hoiset filter {root}` lists them", param_hint="--key")
    write_overlay(root, name, key or keys[0], overlay)
    console.print_line(f"{key or keys[0]} -> {overlay}")


def _engine(kind: str, address: str, cpus: float, gpus: float) -> Any:
    """What runs the passes; options of Ray without it are a wrong call."""
    from hoiset.builder.engine.options import EngineOptions

    if kind not in ("local", "ray"):
        raise typer.BadParameter(f"found {kind!r}, expected local or ray", param_hint="--engine")
    if kind == "local" and (address or (cpus, gpus) != (2.0, 0.0)):
        raise typer.BadParameter("belong to --engine ray", param_hint="--address, --worker-cpus, --worker-gpus")
    return EngineOptions(kind="ray" if kind == "ray" else "local", address=address, cpus=cpus, gpus=gpus)


def _recipe(split: str, source: str | None) -> Any:
    """The recipe; one that does not exist, or lacks its source, is a wrong call."""
    from hoiset.builder.recipe import load_recipe

    try:
        recipe = load_recipe(split)
    except RecipeError as error:
        raise typer.BadParameter(str(error), param_hint="--split") from error
    if source is None and recipe.source.reads is not None:
        raise typer.BadParameter(f"recipe {recipe.name!r} reads {recipe.source.reads}", param_hint="--source")
    return recipe


def _version(root: Path, version: str | None, option: str = "--version") -> str:
    """The version asked for, or the only one that there is."""
    if version is not None:
        return version
    from hoiset.errors import DatasetError
    from hoiset.shards.index import list_versions

    versions = list_versions(root)
    if not versions:
        raise DatasetError(f"{root} has no index/*.parquet; expected a directory that `hoiset build` finished")
    if len(versions) > 1:
        raise typer.BadParameter(f"{root} has versions {', '.join(versions)}; choose one", param_hint=option)
    return versions[0]


def _require_build() -> None:
    try:
        import cv2  # noqa: F401
        import pydantic  # noqa: F401
    except ImportError as error:
        raise MissingDependency(f"this command needs {error.name}: pip install 'hoiset[build]'") from error


def main() -> None:
    """Entry point: exit code 0, 1 for a problem of data or build, 2 for a wrong call."""
    try:
        app(prog_name="hoiset")
    except HoisetError as error:
        if os.environ.get("HOISET_DEBUG") == "1":
            traceback.print_exc()
        console.print_error(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        console.print_error("stopped; the same command goes on where it was")
        sys.exit(130)


if __name__ == "__main__":
    main()
