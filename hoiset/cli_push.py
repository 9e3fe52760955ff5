"""The command that pushes a version to the Hub: ``hoiset push``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from hoiset import console
from hoiset.cli_options import AsJson


def push(
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Dataset of the Hub.", show_default=False)],
    split: Annotated[str, typer.Option("--split", help="Version to push, by the name of its recipe.")],
    root: Annotated[Path, typer.Option("--from", help="Dataset directory.")] = Path("out"),
    layers: Annotated[
        str | None,
        typer.Option("--layers", help="Only these, such as core or core,video; all by default.", show_default=False),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Make the repository public where it has to be made; private by default.")
    ] = False,
    tag: Annotated[
        str | None, typer.Option("--tag", help="Name of the tag; the next of v2.0.0, v2.1.0, ... by default.")
    ] = None,
    allow_redistribution: Annotated[
        str,
        typer.Option(
            "--allow-redistribution",
            metavar="REASON",
            help="Pass on footage that no known licence permits to; the reason is recorded for everybody to read.",
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    json: AsJson = False,
) -> None:
    """Push a version to the Hugging Face Hub, or go on where a push was stopped."""
    from hoiset.publish.push import push as push_version

    names = None if layers is None else [name.strip() for name in layers.split(",")]
    with console.push_progress() as progress:
        done = push_version(
            repo,
            split,
            root,
            layers=names,
            public=public,
            tag=tag,
            allow_redistribution=allow_redistribution,
            dry_run=dry_run,
            progress=progress,
        )
    if json:
        console.print_json({**asdict(done), "bytes_to_send": done.bytes_of("new", "changed")})
        return
    moved = [change for change in done.changes if change.action != "same"]
    if moved:
        console.print_table(("file", "what", "bytes"), [(c.path, c.action, c.bytes) for c in moved])
    console.print_line(_summary(done))
    for note in done.notes:
        console.print_line(f"note: {note}")


def _summary(done: Any) -> str:
    counts = {action: sum(c.action == action for c in done.changes) for action in ("new", "changed", "removed", "same")}
    told = ", ".join(f"{n} {action}" for action, n in counts.items() if n)
    size = f"{done.bytes_of('new', 'changed') / 1e6:.1f} MB"
    access = "private" if done.private else "public"
    tag = f"{'new ' if done.tagged else ''}tag {done.tag}"
    if done.dry_run:
        where = f"{done.repo} (new, {access})" if done.created else f"{done.repo} ({access})"
        return f"{done.version} to {where}: {told}; {size} to send, {tag}; dry run, nothing was sent"
    if not done.tagged and not any(c.action != "same" for c in done.changes):
        return f"{done.url} ({access}) has {done.version} already, as {tag}; nothing was sent"
    return f"{done.url} ({access}): {told}; {size} sent, {tag}"
