"""``hoiset replay``: its options, and what it prints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from hoiset import console
from hoiset.cli_filter import wrong_calls
from hoiset.cli_options import AsJson, Root, Version, require_build, version_of


def replay(
    root: Root,
    version: Version = None,
    where: Annotated[str, typer.Option("--where", help="Only clips that match this query.")] = "",
    key: Annotated[list[str] | None, typer.Option("--key", help="Only this clip; may be repeated.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Table to write, one row an object.")] = Path("replay.parquet"),
    seed: Annotated[int, typer.Option(min=0, help="Of the search and the draws.")] = 0,
    down: Annotated[
        str, typer.Option(help="X,Y,Z in the camera frame, taken as down where gravity is unknown and cannot be found.")
    ] = "",
    open_loop: Annotated[bool, typer.Option("--open-loop", help="Do not search for a correction.")] = False,
    draw: Annotated[Path | None, typer.Option("--draw", help="Also write a strip of frames an object here.")] = None,
    json: AsJson = False,
) -> None:
    """Let a gripper repeat what hands do to objects, in a physics simulation, and say how near it comes."""
    if out.suffix != ".parquet":
        raise typer.BadParameter(f"found {out.name!r}, expected a .parquet file", param_hint="--out")
    require_build()
    if draw is not None:
        os.environ.setdefault("MUJOCO_GL", "egl")
    from hoiset.builder.retarget.replay.reading import read_clips
    from hoiset.builder.retarget.replay.records import ReplayParams, ReplayRecord
    from hoiset.builder.retarget.replay.replay import replay_object
    from hoiset.builder.retarget.replay.table import HEADERS, row_of, summary, write_table
    from hoiset.filter import ClipIndex, parse

    params = ReplayParams(seed=seed, assume_gravity=_direction(down), rounds=0 if open_loop else ReplayParams.rounds)
    with wrong_calls():
        query = parse(where if where.strip() else None)
    rows = ClipIndex.open(root, version_of(root, version)).select(query, ["key", "members"]).to_pylist()
    if missing := sorted(set(key or ()) - {row["key"] for row in rows}):
        raise typer.BadParameter(f"found no clip {', '.join(missing)} that matches", param_hint="--key")
    rows = [row for row in rows if not key or row["key"] in key]
    records: list[ReplayRecord] = []
    for clip in read_clips(root, rows):
        for index in range(len(clip.meshes)):
            record, trace = replay_object(clip, index, params)
            records.append(record)
            if draw is not None and trace is not None:
                _draw(trace, draw / f"{clip.key}_{index}.png")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_table(records, out)
    if json:
        console.print_json_rows(row_of(record) for record in records)
        return
    console.print_table(HEADERS, summary(records))
    console.print_line(f"{len(records)} objects of {len(rows)} clips -> {out}")


def _direction(text: str) -> tuple[float, float, float] | None:
    if not text:
        return None
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"found {text!r}, expected three numbers such as 0,1,0", param_hint="--down") from None
    if not 1e-6 < x * x + y * y + z * z < 1e6:
        raise typer.BadParameter(f"found {text!r}, expected a direction", param_hint="--down")
    return x, y, z


def _draw(trace: Any, path: Path) -> None:
    import cv2

    from hoiset.builder.retarget.replay.draw import draw_replay

    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), draw_replay(trace)[..., ::-1]):
        raise OSError(f"cannot write {path}")
