"""Robots on the command line: which a build retargets to, and ``hoiset robot-video``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hoiset import console
from hoiset.cli_options import Root, Version, require_build, version_of
from hoiset.errors import RobotError

RobotNames = Annotated[
    str,
    typer.Option("--robots", help="Retarget to these robots: g1,fr3,robonaut2,xlerobot,leap; see docs/retargeting.md."),
]
RobotFiles = Annotated[
    list[Path] | None,
    typer.Option("--robot-mjcf", help="Retarget to a robot of your own, MJCF or .toml; may be given again."),
]


RobotVideos = Annotated[
    bool, typer.Option("--robot-video", help="Keep a video of every robot beside its clip, as a layer of its own.")
]


def with_robots(recipe: Any, names: str, files: list[Path] | None, *, video: bool = False) -> Any:
    """The recipe with these robots beside its own; one that does not exist is a wrong call."""
    if not names and not files and not video:
        return recipe
    from hoiset.builder.recipe import parse_recipe
    from hoiset.builder.retarget.choice import expand
    from hoiset.errors import RecipeError

    try:
        wanted = expand([name.strip() for name in names.split(",") if name.strip()])
    except RobotError as error:
        raise typer.BadParameter(str(error), param_hint="--robots") from error
    values = recipe.to_json()
    own = values.get("retarget") or {}
    models = [*own.get("models", ()), *({"path": str(path)} for path in files or ())]
    robots = sorted({*own.get("robots", ()), *wanted})
    try:
        asked = {**own, "robots": robots, "models": models, "video": video or own.get("video", False)}
        return parse_recipe({**values, "retarget": asked}, recipe.name)
    except RecipeError as error:
        raise typer.BadParameter(str(error), param_hint="--robots, --robot-mjcf") from error


def robot_video(
    root: Root,
    key: Annotated[str, typer.Argument(help="Of the clip.", show_default=False)],
    robot: Annotated[str, typer.Option("--robot", help="One of the version's robots.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", help="File to write: .mp4 for the whole clip, .png or .jpg for six of its frames.")
    ] = Path("robot_sim.mp4"),
    version: Version = None,
    robot_mjcf: Annotated[
        Path | None, typer.Option("--robot-mjcf", help="The robot's file, where it is one of your own.")
    ] = None,
) -> None:
    """Draw a clip's robot, hands and objects beside the clip's own frames."""
    if out.suffix not in (".mp4", ".png", ".jpg"):
        raise typer.BadParameter(f"found {out.name!r}, expected .mp4, .png or .jpg", param_hint="--out")
    require_build()
    from hoiset.view.robot_video import write_robot_video

    write_robot_video(root, version_of(root, version), key, robot, out, robot_mjcf)
    console.print_line(f"{key}, {robot} -> {out}")
