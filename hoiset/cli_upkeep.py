"""The commands that look after finished datasets: ``hoiset repair``, ``remove``, ``diff``, ``merge``, ``migrate``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
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
    from hoiset.upkeep.repair import record_path, repair_dataset

    name = _manifest_of(root, version)
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


def remove(
    root: Root,
    uids: Annotated[
        list[str], typer.Argument(metavar="UID ...", help="Ids of source videos as the index has them, or clips' keys.")
    ],
    reason: Annotated[str, typer.Option(help="One line that everybody may read, in removed.json.")] = "",
    ahead: Annotated[
        bool, typer.Option("--ahead", help="Also take ids of which there is no clip, so that later builds make none.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    json: AsJson = False,
) -> None:
    """Take all clips of source videos out of a dataset, and keep later builds from bringing them back."""
    from hoiset.shards.removed import REMOVED_FILE
    from hoiset.upkeep.remove import remove_videos

    done = remove_videos(root, uids, reason=reason, ahead=ahead, dry_run=dry_run)
    if json:
        console.print_json({**asdict(done), "dry_run": dry_run})
        return
    for version, keys in done.clips.items():
        for key in keys:
            console.print_line(f"{version}: {key}")
    n_clips = sum(map(len, done.clips.values()))
    videos = f"{len(done.uids)} video{'' if len(done.uids) == 1 else 's'}"
    if not done.needed:
        console.print_line(f"{videos}: removed before, nothing was done")
        return
    counts = f"{n_clips} clip{'' if n_clips == 1 else 's'} of {videos}"
    files = f"{len(done.rewritten)} shards written again, {len(done.removed)} files removed"
    where = "nothing was changed" if dry_run else f"kept out from now on by {REMOVED_FILE}"
    console.print_line(f"{counts}; {files}; {where}")
    if (root / ".hoiset").is_dir() and not dry_run:
        console.print_line(
            f"{root}/.hoiset may still hold results of stages; delete its cache/ to be rid of these, too"
        )


def diff(
    what: Annotated[
        list[str], typer.Argument(metavar="A B | PATH V1 V2", help="Two datasets, or one and two of its versions.")
    ],
    version: Version = None,
    json: AsJson = False,
) -> None:
    """Which clips were added, removed and changed, and by what; exit code 1 if any."""
    from hoiset.upkeep.diff import diff_datasets

    if len(what) == 3 and version is None:
        (a, version_a), (b, version_b) = (Path(what[0]), what[1]), (Path(what[0]), what[2])
    elif len(what) == 2:
        (a, version_a), (b, version_b) = ((Path(root), version_of(Path(root), version)) for root in what)
    else:
        raise typer.BadParameter("give two datasets, or a dataset and two of its versions")
    found = diff_datasets(a, version_a, b, version_b)
    if json:
        console.print_json({"equal": found.is_empty, **asdict(found), "counts": found.counts()})
    else:
        for change in found.changed:
            by = f" (stages: {', '.join(change.stages)})" if change.stages else ""
            console.print_line(f"changed {change.key}: {', '.join(change.members)}{by}")
        for name, keys in (("added", found.added), ("removed", found.removed)):
            for key in keys:
                console.print_line(f"{name} {key}")
        if found.recipe:
            console.print_line(f"recipes differ in {', '.join(found.recipe)}")
        totals = {"equal": found.n_equal, "added": len(found.added), "removed": len(found.removed)}
        totals["changed"] = len(found.changed)
        rows = [
            *totals.items(),
            *((f"changed {n}", k) for of_kind in found.counts().values() for n, k in of_kind.items()),
        ]
        console.print_table(("what", "clips"), rows)
    if not found.is_empty:
        raise typer.Exit(1)


def merge(
    roots: Annotated[list[Path], typer.Argument(metavar="A B ...", help="Datasets of one recipe.")],
    to: Annotated[Path, typer.Option("--to", help="New or empty directory.")],
    version: Version = None,
    json: AsJson = False,
) -> None:
    """One dataset of several that machines built with the same recipe."""
    from hoiset.upkeep.merge import merge_datasets

    if len(roots) < 2:
        raise typer.BadParameter("give two datasets or more", param_hint="A B ...")
    name = version_of(roots[0], version)
    done = merge_datasets(roots, name, to)
    if json:
        console.print_json(asdict(done))
        return
    shards = f"{done.copied} shards copied, {done.rewritten} written again"
    console.print_line(f"{name}: {done.clips} clips ({len(done.taken_once)} in several), {shards} -> {to}")


def migrate(root: Root, version: Version = None) -> None:
    """Bring a dataset to the schema of this hoiset."""
    from hoiset.upkeep.migrate import migrate_dataset

    name = _manifest_of(root, version)
    passed = migrate_dataset(root, name)
    if len(passed) == 1:
        console.print_line(f"{name}: is already of schema {passed[0]}, nothing was done")
    else:
        console.print_line(f"{name}: schema {' -> '.join(passed)}")


def _manifest_of(root: Path, version: str | None) -> str:
    """The version asked for, or the only one with a manifest: its index may be what is damaged."""
    from hoiset.shards.manifest import list_manifests

    there = list_manifests(root)
    return there[0] if version is None and len(there) == 1 else version_of(root, version)
