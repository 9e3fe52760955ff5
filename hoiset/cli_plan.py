"""``hoiset plan``: its options, and what it prints."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import typer

from hoiset import console
from hoiset.cli_cost import print_cost
from hoiset.cli_options import AsJson, Limit, SourceDir, Split, load_recipe, require_build

Rates = Annotated[
    Path | None, typer.Option("--rates", help="Build whose measured times and yields say what the plan would cost.")
]
OfVideos = Annotated[
    int | None, typer.Option("--of-videos", min=1, help="Reckon the cost for so many videos like those that were read.")
]


def plan(
    split: Split,
    source: SourceDir = None,
    limit: Limit = None,
    rates: Rates = None,
    of_videos: OfVideos = None,
    json: AsJson = False,
) -> None:
    """Count what would be screened, what each rule drops, and what it would cost, before anything is fetched."""
    require_build()
    from hoiset.builder.survey import survey

    recipe = load_recipe(split, source)
    with console.build_progress() as progress:
        found = survey(recipe, source, limit, steps(progress))
    cost = None if rates is None else cost_of_survey(found, rates, of_videos)
    if json:
        console.print_json({**found.to_json(), "cost": None if cost is None else cost.to_json()})
        return
    print_survey(found)
    if cost is not None:
        print_cost(cost)


def cost_of_survey(found: Any, rates: Path, of_videos: int | None) -> Any:
    """What the chosen segments would cost, or those of so many videos at the same yield.

    Raises:
        DatasetError: The build has measured nothing yet.
    """
    from hoiset.builder.cost import Corpus, cost_of, measured_rates

    scale = of_videos / found.videos if of_videos is not None and found.videos else 1.0
    return cost_of(measured_rates(rates), Corpus(round(found.segments * scale)))


def steps(progress: Any) -> Any:
    """Counts of a survey, whose end nobody knows, for :func:`hoiset.console.build_progress`."""
    return lambda done: progress(SimpleNamespace(phase="plan", done=done, total=None, failed=0, stage_s={}))


def print_survey(found: Any) -> None:
    """The funnel, the totals, and what cannot be used."""
    if found.rules:
        rows = [("all", None, found.segments_found), *((step.rule, step.dropped, step.left) for step in found.rules)]
        console.print_table(("rule", "dropped", "left"), rows)
    hours = _hours(found.segment_hours)
    console.print_line(f"{found.version}: {found.segments} segments{hours} to screen, of {found.source}")
    chosen = f"{found.videos_chosen} of {found.videos} videos{_hours(found.video_chosen_hours)}"
    console.print_line(f"to fetch: {chosen}")
    if found.unusable:
        console.print_line(f"cannot be used: {found.unusable}")
        for problem in found.problems:
            console.print_line(f"  {problem}")
        if found.unusable > len(found.problems):
            console.print_line("  ...")


def _hours(hours: float | None) -> str:
    return "" if hours is None else f" ({hours:.2f} h)"
