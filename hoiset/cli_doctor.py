"""``hoiset doctor``: what this machine has."""

from __future__ import annotations

from typing import Annotated

import typer

from hoiset import console
from hoiset.cli_options import AsJson


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
