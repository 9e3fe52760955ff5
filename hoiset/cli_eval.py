"""What the commands share that measure a build against ground truth: what is fed, and what is printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from hoiset import console
from hoiset.errors import RecipeError


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
