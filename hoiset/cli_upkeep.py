"""The commands that look after finished datasets: ``hoiset repair``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from hoiset import console
from hoiset.cli_options import AsJson, Root, Version, version_of


def repair(
    root: Root,
    version: Version = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Also leave out clips that look whole, in shards of another digest.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be lost.")] = False,
    json: AsJson = False,
) -> None:
    """Leave out what is damaged, so that `hoiset verify` passes, and say what was lost."""
    from hoiset.shards.manifest import list_manifests
    from hoiset.upkeep.repair import record_path, repair_dataset

    manifests = list_manifests(root)
    name = manifests[0] if version is None and len(manifests) == 1 else version_of(root, version)
    done = repair_dataset(root, name, strict=strict, dry_run=dry_run)
    if json:
        console.print_json({**asdict(done), "dry_run": dry_run})
        return
    if not done.needed:
        console.print_line(f"{name}: nothing is wrong, nothing was done")
        return
    for problem in done.problems:
        console.print_line(problem)
    for clip in done.lost:
        console.print_line(f"lost {clip['key']}: {'; '.join(clip['reasons'])}")
    for key in done.unproven:
        console.print_line(f"unproven {key}: passes every check, in a shard whose digest was not the manifest's")
    counts = f"{done.kept} clips kept ({len(done.unproven)} unproven), {len(done.lost)} lost"
    shards = f"{len(done.rewritten)} shards written again, {len(done.removed)} files removed"
    where = "nothing was changed" if dry_run else f"see {record_path(name)}"
    console.print_line(f"{name}: {counts}; {shards}; {where}")
