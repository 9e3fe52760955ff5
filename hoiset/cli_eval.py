"""``hoiset eval``: its options, what it prints, and what it shares with ``hoiset build``: ground truth that is fed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hoiset import console
from hoiset.cli_options import AsJson, Feeds, Noise, require_build, version_of
from hoiset.errors import RecipeError


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
    card: Annotated[
        Path | None,
        typer.Option(help="Dataset of the same recipe (may be BUILD) whose card is to tell the figures."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the resampling that the intervals come from.")] = 0,
    json: AsJson = False,
) -> None:
    """Measure a dataset against ground truth: screening, hands, objects, interaction, calibration.

    With --oracle the dataset is built again from its recipe and TRUTH's videos, with ground truth fed to some stages,
    and that build is measured. It goes to BUILD.oracle-..., or to build/ in --out.
    """
    require_build()
    from hoiset.eval.evaluate import evaluate
    from hoiset.eval.report import write_report

    if card is not None and oracle is not None:
        raise typer.BadParameter("tells what models make of video alone; give no --oracle", param_hint="--card")
    if (fed := oracle_params(oracle, truth, noise)) is not None:
        build, split = rebuild(build, version_of(build, split, "--split"), fed, out), None
    with console.build_progress() as progress:
        found = evaluate(build, truth, screening=screening, seed=seed, split=split, progress=steps(progress))
    files = write_report(found, out) if out is not None else []
    if card is not None:
        files.append(_to_card(found.to_json(), card, build))
    if json:
        parts = ("pooled", "screening", "calibration", "meta")
        console.print_json({name: value for name, value in found.to_json().items() if name in parts})
        return
    print_evaluation(found)
    for path in files:
        console.print_line(str(path))


def _to_card(report: dict[str, Any], card: Path, build: Path) -> Path:
    """Keep the figures beside a card and write it again; returns where they are."""
    from hoiset.cards.fidelity import write_fidelity
    from hoiset.cards.finish import write_faces

    version = version_of(card, None)
    path = write_fidelity(card, version, report, build, report["meta"]["build"]["version"])
    write_faces(card, version)
    return path


def oracle_params(feed: str | None, truth: Path | None, noise: str) -> Any:
    """What is to be fed, or ``None``; half of an order is a wrong call."""
    if feed is None:
        if noise:
            raise typer.BadParameter("is added to what --oracle feeds; give that too", param_hint="--noise")
        return None
    if truth is None:
        raise typer.BadParameter("needs --truth, a dataset to feed from", param_hint="--oracle")
    from hoiset.builder.fed import parse_oracle
    from hoiset.eval.reading import truth_root

    try:
        return parse_oracle(feed, truth_root(truth), noise)
    except RecipeError as error:
        raise typer.BadParameter(str(error), param_hint="--oracle") from error


def rebuild(build: Path, version: str, fed: Any, out: Path | None) -> Path:
    """Build again with ground truth fed, beside the build or in ``out``; returns where."""
    from hoiset.builder.fed import fed_name, rebuild_fed

    target = fed_name(build, fed) if out is None else out / "build"
    with console.build_progress() as progress:
        rebuild_fed(build, version, fed, target, progress=progress)
    return target


def steps(progress: Any) -> Any:
    """Steps of an evaluation for :func:`hoiset.console.build_progress`."""
    from types import SimpleNamespace

    return lambda done, total: progress(SimpleNamespace(phase="clips", done=done, total=total, failed=0, stage_s={}))


def print_evaluation(found: Any) -> None:
    """All of an evaluation's tables."""
    from hoiset.eval import report

    truth, build = found.meta["truth"], found.meta["build"]
    console.print_line(f"{build['version']}: {build['samples']} samples against {truth['clips']} true clips")
    for group, rows in report.tables(found):
        console.print_line(f"\n{group}")
        console.print_table(report.HEADERS, rows)
    if found.screening.get("gates"):
        console.print_line("\ngates of pass 1 (videos)")
        console.print_table(
            ("gate", "precision", "recall", "expected", "found"), report.screening_rows(found.screening)
        )
    console.print_line("\ncalibration: is the clips' own quality score worth filtering on?")
    console.print_table(report.CALIBRATION_HEADERS, report.calibration_rows(found.calibration))
    lost = [row for row in found.clips if row["status"] != "ok"]
    if lost:
        console.print_line("\ntrue clips without a sample")
        console.print_table(("clip", "why"), ((row["key"], row["status"]) for row in lost))
