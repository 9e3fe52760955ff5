"""``hoiset build``, ``screen`` and ``status``: making a dataset, and how far that is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hoiset import console
from hoiset.cli_eval import oracle_params
from hoiset.cli_fetch import CookiesFile, VideoCache, stages_that_fetch
from hoiset.cli_options import (
    Address,
    AsJson,
    Engine,
    Feeds,
    Limit,
    Noise,
    Out,
    Place,
    SourceDir,
    Split,
    WorkerCpus,
    WorkerGpus,
    Workers,
    engine_options,
    load_recipe,
    require_build,
)
from hoiset.cli_robots import RobotFiles, RobotNames, RobotVideos, with_robots


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
    robots: RobotNames = "",
    robot_mjcf: RobotFiles = None,
    robot_video: RobotVideos = False,
    cookies: CookiesFile = None,
    video_cache: VideoCache = None,
    json: AsJson = False,
) -> None:
    """Build a dataset, or go on with a build that was stopped."""
    require_build()
    from hoiset.builder.run import build as run

    recipe = load_recipe(split, source)
    if truth is not None and oracle is None:
        raise typer.BadParameter("is what --oracle feeds from; give that too", param_hint="--truth")
    if (fed := oracle_params(oracle, truth, noise)) is not None:
        recipe = recipe.model_copy(update={"oracle": fed})
    recipe = with_robots(recipe, robots, robot_mjcf, video=robot_video)
    options = engine_options(engine, address, worker_cpus, worker_gpus)
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
    require_build()
    from hoiset.builder.run import CANDIDATES_FILE, SCREEN_REPORT_FILE
    from hoiset.builder.run import screen as run

    if rethreshold:
        _redecide(split, out, json)
        return
    recipe = load_recipe(split, source)
    options = engine_options(engine, address, worker_cpus, worker_gpus)
    with console.build_progress() as progress:
        stages = stages_that_fetch(cookies, video_cache)
        report = run(
            recipe, source, out, workers=workers, limit=limit, progress=progress, stages=stages, engine=options
        )
    _print_report(report, json)
    if not json:
        console.print_line(f"every span and what was measured: {out}/{CANDIDATES_FILE}")
        console.print_line(f"the same to look at: {out}/{SCREEN_REPORT_FILE}")


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


def _redecide(split: str, out: str, json: bool) -> None:
    from hoiset.builder.run import REDECIDED_FOLDER, redecide

    found = redecide(load_recipe(split, source="."), out)
    if json:
        console.print_json(found.to_json())
        return
    console.print_counts("before", found.before)
    console.print_counts("after", found.after)
    console.print_line(f"{found.changed} spans decided otherwise; {found.unknown} must be screened again to be decided")
    console.print_line(f"spans and report: {out}/{REDECIDED_FOLDER}")


def _print_report(report: Any, json: bool) -> None:
    if json:
        console.print_json(report.to_json())
        return
    console.print_line(f"{report.version}: {report.videos} videos -> {report.root}")
    console.print_counts("pass 1", report.gates)
    if report.statuses:
        console.print_counts("pass 2", report.statuses)
        console.print_counts("clips", report.clips)
