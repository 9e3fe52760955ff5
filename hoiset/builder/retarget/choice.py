"""Which robots a recipe names, and where each comes from."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from hoiset.builder.engine.cache import digest_file, digest_json
from hoiset.builder.params import Params
from hoiset.builder.retarget.robot import Robot, list_robots, load_robot
from hoiset.errors import MissingDependency, RobotError
from hoiset.shards.schema import ROBOT_PATTERN, robot_members

ALIASES = {"fr3": ("fr3_dual",), "leap": ("leap_left", "leap_right")}
"""Short names, as they may be given instead."""
_DESCRIPTION = re.compile(r"[a-z0-9_]+_description")


class RobotModel(Params):
    """A robot of the user's own.

    Attributes:
        path: Of its file, MJCF (``.xml``) or ``.toml``.
        name: Of its members; by default the file's, in lower case.
        sha256: Of the file, so that another one is another recipe; taken from it where it is not given.
    """

    path: str
    name: str = Field(default="", pattern=f"^({ROBOT_PATTERN})?$")
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _say_which(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("path"), str):
            return values
        path = Path(values["path"])
        named = values.get("name") or re.sub(r"[^a-z0-9_]+", "_", path.stem.lower())
        if values.get("sha256"):
            return {**values, "name": named}
        try:
            return {**values, "name": named, "sha256": digest_file(path)}
        except OSError as error:
            raise ValueError(f"found no robot at {path} ({error.strerror}), expected its file") from error


@dataclass(frozen=True)
class ChosenRobot:
    """A robot and what it was made from.

    Attributes:
        robot: Under the name that its members have.
        model: What the numbers come from, in words.
        digest: sha256 of all of its numbers, and of its file where it is the user's own.
    """

    robot: Robot
    model: str
    digest: str


def expand(names: Sequence[str]) -> tuple[str, ...]:
    """Robots by their full names, each once, sorted.

    Args:
        names: Of :func:`hoiset.builder.retarget.list_robots`, of :data:`ALIASES`, or of ``robot_descriptions``.

    Raises:
        RobotError: No such robot.
    """
    found = {full for name in names for full in ALIASES.get(name, (name,))}
    for name in sorted(found):
        if name not in list_robots() and not _DESCRIPTION.fullmatch(name):
            known = ", ".join((*list_robots(), *ALIASES))
            raise RobotError(
                f"found no robot {name!r}, expected some of {known}, or the name of a module of robot_descriptions "
                "such as g1_mj_description; --robot-mjcf takes a file of your own"
            )
    return tuple(sorted(found))


def open_robot(name: str) -> ChosenRobot:
    """A robot by its full name.

    Raises:
        RobotError: No such robot, or ``robot_descriptions`` has it without the sites that mark its wrists.
        MissingDependency: A robot of ``robot_descriptions`` without that package.
    """
    robot = load_robot(name) if name in list_robots() else load_robot(_described(name))
    return _chosen(replace(robot, name=name), "")


def open_model(model: RobotModel) -> ChosenRobot:
    """A robot of the user's own.

    Raises:
        RobotError: Its file is missing, malformed, or another than when the recipe was made.
    """
    path = Path(model.path)
    try:
        found = digest_file(path)
    except OSError as error:
        raise RobotError(f"found no robot at {path} ({error.strerror}), expected {model.name!r}") from error
    if found != model.sha256:
        raise RobotError(f"{path}: found sha256 {found}, expected {model.sha256} as in the recipe; is it another file?")
    return _chosen(replace(load_robot(path), name=model.name), found)


def _chosen(robot: Robot, file_digest: str) -> ChosenRobot:
    try:
        robot_members(robot.name)
    except ValueError as error:
        raise RobotError(str(error)) from error
    return ChosenRobot(robot, robot.source, digest_json([repr(asdict(robot)), file_digest]))


def _described(name: str) -> str:
    """Path of the MJCF file of a module of ``robot_descriptions``, which fetches it when it is first asked for."""
    try:
        module = importlib.import_module(f"robot_descriptions.{name}")
    except ModuleNotFoundError as error:
        if error.name == "robot_descriptions":
            raise MissingDependency(
                f"{name!r} is a robot of robot_descriptions, which is not installed: pip install 'hoiset[robots]'"
            ) from error
        raise RobotError(f"robot_descriptions has no {name!r}; its README lists what it has") from error
    path = getattr(module, "MJCF_PATH", None)
    if path is None:
        raise RobotError(f"robot_descriptions has {name!r} as URDF only, expected MJCF: a name with _mj_description")
    return str(path)
