"""What a robot is: links, joints, arms, fingers, a home pose and simple shapes.

**Convention:** a joint's frame stands at ``origin`` in its parent link; at position 0 the child link's frame is the
joint's frame. A revolute joint turns the child about ``axis``, a prismatic joint shifts it along ``axis``, both given
in the joint's frame. Metres, radians, quaternions wxyz.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Float

from hoiset.builder.retarget.robot_checks import check_robot
from hoiset.errors import RobotError
from hoiset.geometry import make_T

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]
Side = Literal["left", "right"]
FingerName = Literal["thumb", "index", "middle", "ring", "little"]
JointKind = Literal["fixed", "revolute", "prismatic"]

ROBOTS = resources.files("hoiset.builder.retarget.robots")
"""Where the package's own robots lie."""


@dataclass(frozen=True)
class Pose:
    """A frame in another.

    Attributes:
        xyz: Origin, m.
        quat: Rotation, unit quaternion wxyz.
    """

    xyz: Vector = (0.0, 0.0, 0.0)
    quat: Quaternion = (1.0, 0.0, 0.0, 0.0)

    @property
    def matrix(self) -> Float[np.ndarray, "4 4"]:
        """The same as a transform."""
        w, x, y, z = self.quat
        R = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )
        return make_T(R, np.array(self.xyz))


@dataclass(frozen=True)
class Mimic:
    """A joint that follows another: position = multiplier * position of ``joint`` + offset."""

    joint: str
    multiplier: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class Joint:
    """What holds a link to its parent.

    Attributes:
        name: Unique in the robot.
        kind: ``fixed``, ``revolute`` or ``prismatic``.
        parent: Link that it stands on.
        child: Link that it carries; every link but the root is the child of exactly one joint.
        origin: The joint's frame in the parent link.
        axis: Unit vector in the joint's frame.
        lower: Least position, rad or m.
        upper: Greatest position, rad or m.
        velocity: Greatest speed, rad/s or m/s; infinite where the source states none.
        mimic: The joint that this one follows; it has then no degree of freedom of its own.
    """

    name: str
    kind: JointKind
    parent: str
    child: str
    origin: Pose = field(default_factory=Pose)
    axis: Vector = (0.0, 0.0, 1.0)
    lower: float = 0.0
    upper: float = 0.0
    velocity: float = math.inf
    mimic: Mimic | None = None


@dataclass(frozen=True)
class Arm:
    """A chain from a base link to the frame that a human wrist is mapped to.

    Attributes:
        name: Unique among the robot's arms.
        side: The hand that it follows.
        base: Link that the chain begins at; joints between the root and it are not the arm's.
        link: Last link of the chain.
        tool: ``T_link_wrist``: origin where a wrist would be (for a gripper 0.10 m behind its grasp point), y towards
            the fingertips, z out of the palm (for a gripper: along the way that its jaws close), x = y cross z.
        axis: Axis of the tool that follows the wrist's beside its position where the arm has too few joints (under
            six) for a whole pose; the turn about it is then free.
    """

    name: str
    side: Side
    base: str
    link: str
    tool: Pose = field(default_factory=Pose)
    axis: Literal["x", "y", "z"] = "z"


@dataclass(frozen=True)
class Finger:
    """A chain from the palm to a fingertip.

    Attributes:
        name: ``thumb``, ``index``, ``middle``, ``ring`` or ``little``.
        side: The hand that it is on.
        base: Palm link.
        link: Last link of the finger.
        tool: ``T_link_tip``.
        anchor: Finger from whose knuckle the human fingertip's way is taken and laid at the robot's; by default its
            own. A robot's thumb seldom stands where a human's does, and reaches more when it follows another knuckle.
        stretch: How many times longer that way is for the robot; ``None`` for the ratio of the fingers' lengths.
    """

    name: FingerName
    side: Side
    base: str
    link: str
    tool: Pose = field(default_factory=Pose)
    anchor: FingerName | None = None
    stretch: float | None = None


@dataclass(frozen=True)
class Gripper:
    """A joint that opens and closes jaws.

    Attributes:
        side: The hand that it is on.
        joint: Its name.
        openings: Positions of the joint, rad or m, and the distance of the jaws' tips there, m; both ascending.
    """

    side: Side
    joint: str
    openings: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Shape:
    """A simple body on a link, to be drawn and to collide.

    Attributes:
        link: Link that it is fixed to.
        kind: ``box``, ``sphere``, ``capsule`` or ``cylinder``; the last two lie along their z.
        size: Half extents (box), radius (sphere), or radius and half length without the caps, m.
        pose: Its frame in the link.
        rgba: Colour, 0..1.
        collides: Whether it takes part in contacts.
    """

    link: str
    kind: Literal["box", "sphere", "capsule", "cylinder"]
    size: tuple[float, ...]
    pose: Pose = field(default_factory=Pose)
    rgba: Quaternion = (0.7, 0.7, 0.7, 1.0)
    collides: bool = True


@dataclass(frozen=True)
class Robot:
    """A tree of links.

    Attributes:
        name: Name for files and arrays.
        title: Name for people.
        root: The link that everything hangs on.
        up: Unit vector of the root frame that points away from gravity.
        forward: Unit vector of the root frame that the robot faces.
        joints: From the root outwards: a joint's parent is the root or the child of an earlier joint.
        arms: Chains that follow wrists.
        fingers: Chains that follow fingertips.
        grippers: Joints that follow how far a hand is open.
        home: Positions of :attr:`dofs` at rest, rad or m.
        shapes: Simple bodies.
        exclude: Pairs of links whose contacts do not count, because their shapes overlap where the real ones do not.
        drive: Greatest speed of the base over the floor, m/s and rad/s; ``None`` where it stands fast.
        source: Where the numbers come from.
        licence: Their licence.
        caution: What is doubtful in them.
    """

    name: str
    title: str
    root: str
    joints: tuple[Joint, ...]
    arms: tuple[Arm, ...] = ()
    fingers: tuple[Finger, ...] = ()
    grippers: tuple[Gripper, ...] = ()
    home: tuple[float, ...] = ()
    shapes: tuple[Shape, ...] = ()
    exclude: tuple[tuple[str, str], ...] = ()
    up: Vector = (0.0, 0.0, 1.0)
    forward: Vector = (1.0, 0.0, 0.0)
    drive: tuple[float, float] | None = None
    source: str = ""
    licence: str = ""
    caution: str = ""

    def __post_init__(self) -> None:
        check_robot(self)

    @cached_property
    def links(self) -> tuple[str, ...]:
        """Root first, then the children in the order of the joints."""
        return (self.root, *(joint.child for joint in self.joints))

    @cached_property
    def moving(self) -> tuple[Joint, ...]:
        """Joints that are not fixed, with those that follow others."""
        return tuple(joint for joint in self.joints if joint.kind != "fixed")

    @cached_property
    def dofs(self) -> tuple[Joint, ...]:
        """Joints that have a position of their own; ``q`` (..., dof) is in this order."""
        return tuple(joint for joint in self.moving if joint.mimic is None)

    @cached_property
    def joint_of(self) -> dict[str, Joint]:
        """The joint that carries a link, by the link's name."""
        return {joint.child: joint for joint in self.joints}

    def path(self, base: str, link: str) -> tuple[Joint, ...]:
        """Joints from one link outwards to another.

        Raises:
            RobotError: ``link`` does not hang on ``base``.
        """
        joints: list[Joint] = []
        at = link
        while at != base:
            if at not in self.joint_of:
                raise RobotError(
                    f"{self.name}: found no way from {base!r} outwards to {link!r}; see the joints' parents"
                )
            joints.append(self.joint_of[at])
            at = joints[-1].parent
        return tuple(reversed(joints))

    def arm(self, name: str) -> Arm:
        """An arm by its name.

        Raises:
            RobotError: There is none of that name.
        """
        return _named(self.name, "arm", self.arms, name)

    def finger(self, side: Side, name: str) -> Finger:
        """A finger by its hand and name.

        Raises:
            RobotError: There is none of that name on that hand.
        """
        fingers = [finger for finger in self.fingers if finger.side == side]
        return _named(f"{self.name}, {side} hand", "finger", fingers, name)


Chain = TypeVar("Chain", Arm, Finger)


def list_robots() -> tuple[str, ...]:
    """Names of the robots that the package brings."""
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in ROBOTS.iterdir() if entry.name.endswith(".toml")))


def load_robot(name_or_path: str | Path) -> Robot:
    """A robot by its name, or from a file: ``.toml`` laid out as the package's own, or MJCF (``.xml``).

    Raises:
        RobotError: No such robot, or its file is malformed.
        MissingDependency: An MJCF file without mujoco.
    """
    from hoiset.builder.retarget.robot_file import read_robot

    name = str(name_or_path)
    if name in list_robots():
        return read_robot(ROBOTS.joinpath(f"{name}.toml").read_text("utf-8"), f"{name}.toml")
    path = Path(name_or_path)
    if path.suffix not in (".toml", ".xml") or not path.is_file():
        known = ", ".join(list_robots())
        raise RobotError(f"found no robot {name!r}, expected one of {known}, or the path of a .toml or MJCF .xml file")
    if path.suffix == ".xml":
        from hoiset.builder.retarget.mjcf import read_mjcf

        return read_mjcf(path)
    try:
        return read_robot(path.read_text("utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise RobotError(f"{path}: cannot be read ({error})") from error


def _named(of: str, what: str, items: Sequence[Chain], name: str) -> Chain:
    for item in items:
        if item.name == name:
            return item
    known = ", ".join(item.name for item in items) or "none"
    raise RobotError(f"{of}: found no {what} {name!r}, expected one of: {known}")
