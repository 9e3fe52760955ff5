"""What ``hoiset plan`` prints."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hoiset import console


def steps(progress: Any) -> Any:
    """Counts of a survey, whose end nobody knows, for :func:`hoiset.console.build_progress`."""
    return lambda done: progress(SimpleNamespace(phase="plan", done=done, total=None, failed=0))


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
