"""The file of a robot: TOML, checked field by field.

A frame is ``xyz`` (m) with ``rpy`` (URDF: Rz(yaw) Ry(pitch) Rx(roll), rad) or ``quat`` (wxyz). A capsule or cylinder
may be given by the two ends of its axis (``ends``) and its ``radius``.
"""

from __future__ import annotations

import math
import tomllib
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from hoiset.builder.params import Params
from hoiset.builder.retarget.robot import (
    Arm,
    Finger,
    FingerName,
    Gripper,
    Joint,
    JointKind,
    Mimic,
    Pose,
    Quaternion,
    Robot,
    Shape,
    Side,
    Vector,
)
from hoiset.errors import RobotError


class _Frame(Params):
    xyz: Vector = (0.0, 0.0, 0.0)
    rpy: Vector | None = None
    quat: Quaternion | None = None

    @model_validator(mode="after")
    def _check_frame(self) -> _Frame:
        if self.rpy is not None and self.quat is not None:
            raise ValueError("found both rpy and quat, expected one of them")
        if self.quat is not None and not math.isclose(math.hypot(*self.quat), 1.0, abs_tol=1e-6):
            raise ValueError(f"found quat {self.quat}, expected a unit quaternion")
        if not all(map(math.isfinite, (*self.xyz, *(self.rpy or ()), *(self.quat or ())))):
            raise ValueError("found a frame that is not finite, expected numbers")
        return self

    def pose(self) -> Pose:
        if self.quat is not None:
            norm = math.hypot(*self.quat)
            w, x, y, z = (value / norm for value in self.quat)
            return Pose(self.xyz, (w, x, y, z))
        return Pose(self.xyz, quat_of_rpy(self.rpy or (0.0, 0.0, 0.0)))


class _Mimic(Params):
    joint: str
    multiplier: float = 1.0
    offset: float = 0.0


class _Joint(_Frame):
    name: str
    type: JointKind
    parent: str
    child: str
    axis: Vector = (0.0, 0.0, 1.0)
    limits: tuple[float, float] | None = None
    velocity: float = math.inf
    mimic: _Mimic | None = None

    @model_validator(mode="after")
    def _check_limits(self) -> _Joint:
        if (self.limits is None) != (self.type == "fixed"):
            raise ValueError(f"found limits {self.limits} of a {self.type} joint, expected two unless it is fixed")
        return self


class _Arm(Params):
    name: str
    side: Side
    base: str
    link: str
    tool: _Frame = Field(default_factory=_Frame)
    axis: Literal["x", "y", "z"] = "z"


class _Finger(Params):
    name: FingerName
    side: Side
    base: str
    link: str
    tool: _Frame = Field(default_factory=_Frame)
    anchor: FingerName | None = None
    stretch: float | None = Field(None, gt=0)


class _Gripper(Params):
    side: Side
    joint: str
    openings: tuple[tuple[float, float], ...]


class _Shape(_Frame):
    link: str
    kind: Literal["box", "sphere", "capsule", "cylinder"]
    size: tuple[float, ...] | None = None
    ends: tuple[Vector, Vector] | None = None
    radius: float | None = None
    rgba: Quaternion = (0.7, 0.7, 0.7, 1.0)
    collides: bool = True

    @model_validator(mode="after")
    def _check_size(self) -> _Shape:
        by_ends = self.ends is not None and self.radius is not None
        if by_ends == (self.size is not None) or (by_ends and self.kind not in ("capsule", "cylinder")):
            raise ValueError("expected size, or for a capsule or cylinder instead of it ends and radius")
        return self

    def shape(self) -> Shape:
        if self.ends is None or self.radius is None:
            return Shape(self.link, self.kind, self.size or (), self.pose(), self.rgba, self.collides)
        pose, half_length = _between(*self.ends)
        return Shape(self.link, self.kind, (self.radius, half_length), pose, self.rgba, self.collides)


class _RobotFile(Params):
    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    title: str
    root: str
    up: Vector = (0.0, 0.0, 1.0)
    forward: Vector = (1.0, 0.0, 0.0)
    drive: tuple[float, float] | None = None
    source: str
    licence: str
    caution: str = ""
    exclude: tuple[tuple[str, str], ...] = ()
    home: dict[str, float] = Field(default_factory=dict)
    joints: tuple[_Joint, ...]
    arms: tuple[_Arm, ...] = ()
    fingers: tuple[_Finger, ...] = ()
    grippers: tuple[_Gripper, ...] = ()
    shapes: tuple[_Shape, ...] = ()


def read_robot(text: str, where: str) -> Robot:
    """A robot from the text of its file; joints that ``home`` does not name rest at 0.

    Args:
        text: TOML.
        where: Name of the file, for messages.

    Raises:
        RobotError: It is no TOML, has wrong fields, or describes no tree.
    """
    try:
        file = _RobotFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise RobotError(f"{where}: found no TOML ({error}); see the package's robots for the layout") from error
    except ValidationError as error:
        raise RobotError(f"{where}: " + "; ".join(map(_complaint, error.errors()))) from error
    joints = tuple(map(_joint, file.joints))
    dofs = [joint.name for joint in joints if joint.kind != "fixed" and joint.mimic is None]
    if strange := sorted(set(file.home) - set(dofs)):
        raise RobotError(f"{where}: found home of {', '.join(strange)}, expected joints that move by themselves")
    return Robot(
        name=file.name,
        title=file.title,
        root=file.root,
        joints=joints,
        arms=tuple(Arm(arm.name, arm.side, arm.base, arm.link, arm.tool.pose(), arm.axis) for arm in file.arms),
        fingers=tuple(
            Finger(tip.name, tip.side, tip.base, tip.link, tip.tool.pose(), tip.anchor, tip.stretch)
            for tip in file.fingers
        ),
        grippers=tuple(Gripper(jaw.side, jaw.joint, jaw.openings) for jaw in file.grippers),
        home=tuple(file.home.get(name, 0.0) for name in dofs),
        shapes=tuple(shape.shape() for shape in file.shapes),
        exclude=file.exclude,
        up=file.up,
        forward=file.forward,
        drive=file.drive,
        source=file.source,
        licence=file.licence,
        caution=file.caution,
    )


def quat_of_rpy(rpy: Vector) -> Quaternion:
    """Quaternion wxyz of URDF's roll, pitch and yaw, rad."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(np.divide(rpy, 2)).tolist(), np.sin(np.divide(rpy, 2)).tolist()
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )


def _joint(row: _Joint) -> Joint:
    lower, upper = row.limits or (0.0, 0.0)
    mimic = Mimic(row.mimic.joint, row.mimic.multiplier, row.mimic.offset) if row.mimic else None
    return Joint(row.name, row.type, row.parent, row.child, row.pose(), row.axis, lower, upper, row.velocity, mimic)


def _between(start: Vector, end: Vector) -> tuple[Pose, float]:
    """The frame in the middle of two points with z along them, and half their distance."""
    a, b = np.array(start), np.array(end)
    length = float(np.linalg.norm(b - a))
    if not length > 0:
        return Pose(start), 0.0
    z = (b - a) / length
    w = 1.0 + z[2]
    quat = np.array([0.0, 1.0, 0.0, 0.0]) if w < 1e-12 else np.array([w, -z[1], z[0], 0.0])
    quat /= np.linalg.norm(quat)
    return Pose(tuple(((a + b) / 2).tolist()), tuple(quat.tolist())), length / 2


def _complaint(error: Any) -> str:
    """One line on one wrong field: where, what was found, what was expected."""
    field = ".".join(str(part) for part in error["loc"]) or "the file"
    if error["type"] == "extra_forbidden":
        return f"{field}: found an unknown field, expected only those of a robot's file; check the spelling"
    if error["type"] == "missing":
        return f"{field}: found nothing, expected a value"
    message = error["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if "found" in message else f"{field}: found {error['input']!r}, {message}"
