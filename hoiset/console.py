"""What the commands print: tables and progress on a terminal, JSON where asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

_PHASES = {"screen": "pass 1: videos", "reconstruct": "pass 2: clips", "plan": "read"}


def print_json(value: Any) -> None:
    """One JSON value on stdout and nothing else; a value that JSON lacks becomes its text."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_json_rows(rows: Iterable[Mapping[str, Any]]) -> None:
    """The same of a list of any length, a row a line; none is kept."""
    start = "["
    for row in rows:
        print(start, json.dumps(row, ensure_ascii=False, default=str), sep="\n", end="")
        start = ","
    print("[]" if start == "[" else "\n]")


def print_line(text: str) -> None:
    """One line on stdout; file names in it are not read as markup."""
    Console(highlight=False, soft_wrap=True).print(Text(text))


def print_error(text: str) -> None:
    """One line on stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text.assemble(("error: ", "bold red"), text))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on stdout; tab-separated lines where stdout is no terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        for row in (headers, *rows):
            print("\t".join(_cell(value) for value in row))
        return
    table = Table(box=None, pad_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    console.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{name or 'unknown'} {_cell(item)}" for name, item in value.items()) or "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(_cell(item) for item in value) or "-"
    return "".join(c if c.isprintable() else "\ufffd" for c in str(value))


def print_counts(title: str, counts: Mapping[str, int]) -> None:
    """``title: 3 ok, 1 no_hands``."""
    print_line(f"{title}: {', '.join(f'{count} {name}' for name, count in counts.items()) or 'none'}")


def print_timings(phase: str, timings: Any) -> None:
    """Rate of a phase, seconds of its stages, and what could not be fetched and will be asked for again."""
    if timings.per_minute:
        mean_s = {"a task": timings.task_s / timings.tasks}
        mean_s |= {name: seconds / timings.tasks for name, seconds in timings.stage_s.items()}
        parts = ", ".join(f"{name} {seconds:.3g} s" for name, seconds in mean_s.items())
        print_line(f"{phase}: {timings.done} of {timings.total}, {timings.per_minute:.1f}/min; {parts}")
    if timings.unavailable:
        print_counts(f"{phase}: not to be had, to be tried again by the next run", timings.unavailable)


@contextmanager
def build_progress() -> Iterator[Callable[[Any], None]]:
    """Bars with counts and rates on stderr for the steps of a build; silent where stderr is no terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[failed]}"),
        TextColumn("{task.fields[stages]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}
        first: dict[str, int] = {}

        def step(step: Any) -> None:
            if step.phase not in tasks:
                name = _PHASES.get(step.phase, step.phase)
                tasks[step.phase] = bars.add_task(name, total=step.total, rate="", failed="", stages="")
                first[step.phase] = step.done
            task = tasks[step.phase]
            elapsed_s = bars.tasks[bars.task_ids.index(task)].elapsed or 0.0
            done_here = step.done - first[step.phase]
            rate = f"{60 * done_here / elapsed_s:.1f}/min" if done_here and elapsed_s > 0 else ""
            failed = f"{step.failed} not passed" if step.failed else ""
            slowest = sorted(step.stage_s.items(), key=lambda item: -item[1])[:3]
            stages = ", ".join(f"{name} {seconds:.2g} s" for name, seconds in slowest)
            bars.update(task, completed=step.done, total=step.total, rate=rate, failed=failed, stages=stages)

        yield step


@contextmanager
def push_progress() -> Iterator[Callable[[Any], None]]:
    """Bars of bytes on stderr for the steps of a push; silent where stderr is no terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def step(step: Any) -> None:
            if step.phase not in tasks:
                tasks[step.phase] = bars.add_task(step.phase, total=step.total or None)
            bars.update(tasks[step.phase], completed=step.done, total=step.total or None)

        yield step
