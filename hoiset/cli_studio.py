"""``hoiset studio``: its options, and what it prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hoiset import console
from hoiset.cli_options import AsJson, require_build


def studio(
    out: Annotated[Path, typer.Option("--out", help="Output directory: new, empty, or of a stopped run.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first video; the others follow.")] = 0,
    clips: Annotated[int, typer.Option(min=1, help="How many videos.")] = 50,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes that render.")] = 2,
    json: AsJson = False,
) -> None:
    """Render videos of hands at work with their exact ground truth, to measure a build against."""
    require_build()
    from hoiset.builder.studio.corpus import make_corpus

    with console.build_progress() as progress:
        report = make_corpus(out, seed=seed, n_clips=clips, workers=workers, progress=progress)
    if json:
        console.print_json(report.to_json())
        return
    console.print_line(f"{report.videos} videos, {report.frames} frames, {report.duration_s:.1f} s -> {out}/videos")
    console.print_counts("kinds", report.kinds)
    console.print_line(f"truth of {report.samples} of them: {out}/truth; what pass 1 should keep: {out}/screening.csv")
