"""The commands: which there are, and how they end."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

import typer

from hoiset import (
    cli_build,
    cli_cost,
    cli_dataset,
    cli_doctor,
    cli_eval,
    cli_export,
    cli_filter,
    cli_plan,
    cli_push,
    cli_replay,
    cli_robots,
    cli_studio,
    cli_train,
    cli_upkeep,
    console,
)
from hoiset.errors import HoisetError

app = typer.Typer(
    help="Raw manipulation video in, a versioned and filterable 4D hand-object-interaction dataset out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_COMMANDS: dict[str, Callable[..., None]] = {
    "build": cli_build.build,
    "screen": cli_build.screen,
    "plan": cli_plan.plan,
    "studio": cli_studio.studio,
    "status": cli_build.status,
    "cost": cli_cost.cost,
    "verify": cli_dataset.verify,
    "repair": cli_upkeep.repair,
    "remove": cli_upkeep.remove,
    "diff": cli_upkeep.diff,
    "merge": cli_upkeep.merge,
    "migrate": cli_upkeep.migrate,
    "push": cli_push.push,
    "eval": cli_eval.eval_,
    "replay": cli_replay.replay,
    "filter": cli_filter.filter_,
    "info": cli_dataset.info,
    "train-root": cli_train.train_root,
    "doctor": cli_doctor.doctor,
    "view": cli_dataset.view,
    "robot-video": cli_robots.robot_video,
}
"""In the order in which ``--help`` lists them."""

for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)
app.add_typer(cli_export.app, name="export")


def main() -> None:
    """Entry point: exit code 0, 1 for a problem of data or build, 2 for a wrong call."""
    try:
        app(prog_name="hoiset")
    except HoisetError as error:
        if os.environ.get("HOISET_DEBUG") == "1":
            traceback.print_exc()
        console.print_error(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        console.print_error("stopped; the same command goes on where it was")
        sys.exit(130)


if __name__ == "__main__":
    main()
