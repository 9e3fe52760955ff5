"""``hoiset export``: a choice of clips in the formats of others."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from hoiset import console
from hoiset.cli_eval import steps
from hoiset.cli_filter import wrong_calls
from hoiset.cli_options import AsJson, Version, version_of
from hoiset.shards.schema import PARTITIONS

app = typer.Typer(help="Clips in the formats of others.", no_args_is_help=True)


@app.callback()
def export() -> None:
    """Clips in the formats of others."""


@app.command()
def lerobot(
    place: Annotated[
        str, typer.Argument(metavar="PATH", help="Dataset: a directory, OWNER/NAME, s3://...", show_default=False)
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New or empty directory.", show_default=False)],
    version: Version = None,
    where: Annotated[str, typer.Option("--where", help="Only clips that match this query.")] = "",
    split: Annotated[
        str | None, typer.Option("--split", help=f"Only one of {', '.join(PARTITIONS)}; all by default.")
    ] = None,
    fps: Annotated[
        int | None, typer.Option("--fps", min=1, help="Frames a second; the most common rate by default.")
    ] = None,
    actions: Annotated[
        str, typer.Option("--actions", help="absolute: the next frame's poses; delta: the motion to them.")
    ] = "absolute",
    video: Annotated[bool, typer.Option("--video/--no-video", help="Whether to write pictures.")] = True,
    size: Annotated[
        str | None, typer.Option("--size", metavar="HEIGHTxWIDTH", help="Of the pictures; the clips' own by default.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=0, help="Worker processes; one a core by default.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Write a LeRobot v3.0 dataset, one episode a clip (docs/lerobot.md)."""
    from hoiset.loaders.exports.lerobot import export_lerobot
    from hoiset.loaders.exports.lerobot.export import default_workers

    if actions not in ("absolute", "delta"):
        raise typer.BadParameter(f"found {actions!r}, expected absolute or delta", param_hint="--actions")
    name = version_of(Path(place), version) if Path(place).is_dir() else version or "v2"
    options: dict[str, Any] = {"where": where.strip() or None, "split": split, "fps": fps, "actions": actions}
    options |= {"video": video, "size": _size(size), "workers": default_workers() if workers is None else workers}
    with wrong_calls(), console.build_progress() as progress:
        done = export_lerobot(place, out, name, **options, progress=steps(progress))
    if json:
        console.print_json(asdict(done))
        return
    told = f"{done.episodes} episodes, {done.frames} frames, {done.tasks} tasks at {done.fps} Hz"
    if video:
        told += f"; {done.copied} videos copied, {done.episodes - done.copied} encoded"
    console.print_line(f"{told} -> {out}")


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if found is None or int(found[1]) % 2 or int(found[2]) % 2 or "0" in (found[1], found[2]):
        raise typer.BadParameter(f"found {text!r}, expected even numbers such as 224x224", param_hint="--size")
    return int(found[1]), int(found[2])
