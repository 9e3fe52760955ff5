"""What makes a robot whole: a tree of links, finite limits, chains that exist, a home inside the limits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hoiset.errors import RobotError

if TYPE_CHECKING:
    from hoiset.builder.retarget.robot import Arm, Finger, Gripper, Joint, Robot, Shape


def check_robot(robot: Robot) -> None:
    """Raise RobotError, naming what was found and expected, where a robot's parts do not fit."""
    _check_tree(robot)
    _check_chains(robot)
    _check_home(robot)


def _check_tree(robot: Robot) -> None:
    links, names = {robot.root}, set[str]()
    own = {joint.name for joint in robot.joints if joint.kind != "fixed" and joint.mimic is None}
    for joint in robot.joints:
        where = f"{robot.name}: joint {joint.name!r}"
        if joint.name in names:
            raise RobotError(f"{where}: found twice, expected names of joints to differ")
        if joint.parent not in links:
            raise RobotError(
                f"{where}: found parent {joint.parent!r}, expected the root {robot.root!r} or an earlier joint's child"
            )
        if joint.child in links:
            raise RobotError(f"{where}: found child {joint.child!r} again, expected one joint to carry a link")
        if joint.kind != "fixed":
            _check_motion(where, joint)
        if joint.mimic is not None and joint.mimic.joint not in own:
            raise RobotError(
                f"{where}: found that it follows {joint.mimic.joint!r}, expected a joint that moves by itself"
            )
        links.add(joint.child)
        names.add(joint.name)
    for what, vector in (("up", robot.up), ("forward", robot.forward)):
        if not math.isclose(math.hypot(*vector), 1.0, abs_tol=1e-9):
            raise RobotError(f"{robot.name}: found {what} {vector}, expected a unit vector")
    if robot.drive is not None and not all(speed > 0 and math.isfinite(speed) for speed in robot.drive):
        raise RobotError(f"{robot.name}: found drive {robot.drive}, expected two speeds above 0, m/s and rad/s")
    for shape in robot.shapes:
        _check_shape(robot.name, shape, links)
    for pair in robot.exclude:
        if not links.issuperset(pair):
            raise RobotError(f"{robot.name}: found exclude {pair}, expected two of its links")


def _check_motion(where: str, joint: Joint) -> None:
    if not math.isclose(math.hypot(*joint.axis), 1.0, abs_tol=1e-9):
        raise RobotError(f"{where}: found axis {joint.axis}, expected a unit vector")
    if not (math.isfinite(joint.lower) and math.isfinite(joint.upper) and joint.lower < joint.upper):
        raise RobotError(f"{where}: found limits [{joint.lower}, {joint.upper}], expected two finite ones, lower first")
    if not joint.velocity > 0:
        raise RobotError(f"{where}: found velocity {joint.velocity}, expected more than 0")


def _check_shape(name: str, shape: Shape, links: set[str]) -> None:
    n_sizes = {"sphere": 1, "capsule": 2, "cylinder": 2, "box": 3}[shape.kind]
    if shape.link not in links:
        raise RobotError(f"{name}: found a {shape.kind} on {shape.link!r}, expected one of its links")
    if len(shape.size) != n_sizes or not all(size > 0 and math.isfinite(size) for size in shape.size):
        raise RobotError(
            f"{name}: found size {shape.size} of a {shape.kind} on {shape.link!r}, expected {n_sizes} above 0, m"
        )


def _check_chains(robot: Robot) -> None:
    if len({arm.name for arm in robot.arms}) < len(robot.arms):
        raise RobotError(f"{robot.name}: found two arms of one name, expected their names to differ")
    if len({(finger.side, finger.name) for finger in robot.fingers}) < len(robot.fingers):
        raise RobotError(f"{robot.name}: found a finger twice on one hand, expected each once")
    chains: tuple[Arm | Finger, ...] = (*robot.arms, *robot.fingers)
    for chain in chains:
        for link in (chain.base, chain.link):
            if link not in robot.links:
                raise RobotError(f"{robot.name}: found link {link!r} of {chain.name!r}, expected one of its links")
        robot.path(chain.base, chain.link)
    for finger in robot.fingers:
        if finger.anchor and not any(o.name == finger.anchor and o.side == finger.side for o in robot.fingers):
            raise RobotError(
                f"{robot.name}: found anchor {finger.anchor!r} of the {finger.side} {finger.name}, expected a finger "
                "of that hand"
            )
    for gripper in robot.grippers:
        _check_gripper(robot, gripper)


def _check_gripper(robot: Robot, gripper: Gripper) -> None:
    where = f"{robot.name}: gripper {gripper.joint!r}"
    joint = next((joint for joint in robot.dofs if joint.name == gripper.joint), None)
    if joint is None:
        raise RobotError(f"{where}: found no such joint, expected one that moves by itself")
    table = np.array(gripper.openings, np.float64)
    if table.ndim != 2 or table.shape[1:] != (2,) or len(table) < 2 or (np.diff(table, axis=0) <= 0).any():
        raise RobotError(f"{where}: found openings {gripper.openings}, expected pairs of which both ascend")
    if table[0, 0] < joint.lower or table[-1, 0] > joint.upper or table[0, 1] < 0:
        raise RobotError(
            f"{where}: found openings {gripper.openings}, expected positions in [{joint.lower}, {joint.upper}] and "
            "distances of 0 or more"
        )


def _check_home(robot: Robot) -> None:
    if len(robot.home) != len(robot.dofs):
        raise RobotError(f"{robot.name}: found a home of {len(robot.home)} positions, expected {len(robot.dofs)}")
    for joint, position in zip(robot.dofs, robot.home, strict=True):
        if not joint.lower <= position <= joint.upper:
            raise RobotError(
                f"{robot.name}: found home {position} of joint {joint.name!r}, expected [{joint.lower}, {joint.upper}]"
            )
