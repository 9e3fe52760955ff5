"""The commands over a dataset that is there: ``hoiset verify``, ``info`` and ``view``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from hoiset import cli_filter, console
from hoiset.cli_options import AsJson, Place, Root, Version, load_recipe, require_build, version_of


def verify(root: Place, version: Version = None, json: AsJson = False) -> None:
    """Read everything again and say what is wrong; exit code 1 if anything is."""
    from hoiset.shards.verify import verify_dataset

    report = verify_dataset(root, version)
    problems = [{"file": p.file, "key": p.key, "what": p.what} for p in report.problems]
    if json:
        counts = {name: getattr(report, name) for name in ("n_files", "n_samples", "n_frames", "n_bytes")}
        console.print_json({"ok": report.ok, "versions": list(report.versions), **counts, "problems": problems})
    else:
        for problem in report.problems:
            console.print_line(str(problem))
        found = f"{report.n_samples} clips, {report.n_frames} frames, {report.n_files} files, {report.n_bytes} bytes"
        console.print_line(
            f"{', '.join(report.versions)}: {found}: {'ok' if report.ok else f'{len(problems)} problems'}"
        )
    if not report.ok:
        raise typer.Exit(1)


def info(
    root: Annotated[Path | None, typer.Argument(help="Dataset directory.", show_default=False)] = None,
    version: Version = None,
    split: Annotated[str | None, typer.Option("--split", help="Print a recipe instead, with every default.")] = None,
    by: cli_filter.By = None,
    where: cli_filter.Asked = "",
    limit: cli_filter.Rows = None,
    json: AsJson = False,
) -> None:
    """What is in a dataset, how many clips there are of what, or what is in a recipe."""
    if (root is None) == (split is None):
        raise typer.BadParameter("give a dataset directory, or --split with a recipe")
    if split is not None:
        require_build()
        console.print_json(load_recipe(split, source="").to_json())
        return
    assert root is not None
    if by:
        cli_filter.print_facets(root, version_of(root, version), by, where, limit, json=json)
        return
    if where or limit is not None:
        raise typer.BadParameter("belong to --by", param_hint="--where, --limit")
    from dataclasses import asdict

    from hoiset.cards.robots import robot_statistics
    from hoiset.cards.statistics import describe
    from hoiset.shards.index import read_index
    from hoiset.shards.removed import read_removed
    from hoiset.shards.sizes import layer_sizes

    name = version_of(root, version)
    index = read_index(root, name)
    described = asdict(describe(root, index))
    summary = {"version": name, **{k: dict(v) if isinstance(v, list) else v for k, v in described.items()}}
    if robots := robot_statistics(index):
        summary["robots"] = robots
    summary["removed_videos"] = len(read_removed(root))
    sizes = {layer: asdict(size) for layer, size in layer_sizes(index).items()}
    if json:
        console.print_json(summary | {"bytes_a_clip": sizes})
    else:
        console.print_table(("what", "value"), _told(summary, sizes))


def _told(summary: dict[str, Any], sizes: dict[str, dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The rows that a person reads, of what ``--json`` gives as it is."""
    for name, value in summary.items():
        if name == "hours":
            yield "duration", ", ".join(f"{p} {cli_filter.duration(3600.0 * hours)}" for p, hours in value.items())
        elif name == "duration_s" and value is not None:
            yield "duration of a clip", f"{value[0]:.1f} to {value[2]:.1f} s, median {value[1]:.1f} s"
        elif name == "fps" and value is not None:
            yield "frame rate", f"{value[0]:.3g} to {value[1]:.3g} Hz"
        elif name == "robots":
            from hoiset.cards.robots import goes_with_wrist

            for robot, of in value.items():
                if not of["clips"] or goes_with_wrist(of):
                    yield f"robot {robot}", "goes with the wrist" if of["clips"] else "in no clip"
                    continue
                errors = f"{1e3 * of['position_m']:.1f} mm, {math.degrees(of['rotation_rad']):.2f} degrees off"
                yield f"robot {robot}", f"{of['ik_rate']:.1%} of frames reached, {errors}, {of['clips']:.0f} clips"
        elif name == "quality":
            for column, (low, median, high) in value.items():
                yield f"{column}, median", f"{median:.3g} (10th and 90th percentile {low:.3g}, {high:.3g})"
        else:
            yield name.removeprefix("n_").replace("_", " "), value
    for layer, size in sizes.items():
        a_clip = f"{size['median'] / 1e3:.0f} kB a clip, {size['median_per_6_s'] / 1e3:.0f} kB for 6 s (medians)"
        yield f"size of {layer}", f"{a_clip}; {size['largest_share']:.0%} is {size['largest']}"


def view(
    root: Root,
    key: Annotated[str, typer.Option(help="Clip to draw; the first by default.", show_default=False)] = "",
    version: Version = None,
    overlay: Annotated[
        Path, typer.Option(help="File to write: .mp4 for the whole clip, .png or .jpg for eight of its frames.")
    ] = Path("overlay.mp4"),
) -> None:
    """Draw what was reconstructed over a clip's frames."""
    if overlay.suffix not in (".mp4", ".png", ".jpg"):
        raise typer.BadParameter(f"found {overlay.name!r}, expected .mp4, .png or .jpg", param_hint="--overlay")
    require_build()
    from hoiset.shards.index import read_index
    from hoiset.view.overlay import write_overlay

    name = version_of(root, version)
    keys = read_index(root, name, ["key"])["key"].to_pylist()
    if key and key not in keys:
        raise typer.BadParameter(f"no clip {key!r}; `hoiset filter {root}` lists them", param_hint="--key")
    write_overlay(root, name, key or keys[0], overlay)
    console.print_line(f"{key or keys[0]} -> {overlay}")
