"""Arms that are solved together: their joints, their tools, and how far these are from where they should be.

**Convention:** an error is what would take the tool to its target, seen from the root: metres over radians. For a
``pose`` the angle is that of the whole rotation, for an axis (``x``, ``y`` or ``z`` of the tool frame) the angle
between the tool's and the target's, whatever the turn about it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from hoiset.builder.retarget.kinematics import Kinematics, chain, whole
from hoiset.builder.retarget.records import HANDS
from hoiset.builder.retarget.robot import Arm, Robot
from hoiset.builder.retarget.serial import Chains
from hoiset.errors import RobotError

Task = Literal["pose", "x", "y", "z"]


@dataclass(frozen=True)
class Reach:
    """One or more chains over a common set of joints.

    Attributes:
        chains: Kinematics of each arm.
        columns: For each arm, the place of its joints in ``q``.
        tasks: What of a target each arm follows.
        T_root_base: (A, 4, 4) where the chains begin, with the joints in front of them at home.
        sides: The hand of each arm, 0 left, 1 right.
        dofs: (dof,) place of the joints of ``q`` among ``Robot.dofs``.
        lower: (dof,) least positions, rad or m.
        upper: (dof,) greatest positions, rad or m.
        velocity: (dof,) greatest speeds, rad/s or m/s; infinite where unstated.
        home: (dof,) positions at rest.
        places: (dof,) place of each joint in its arm's chain.
        senses: (dof,) 1 or -1, so that the mirror image of a movement has the same sign in the other arm; 0 for joints
            that arms share.
    """

    chains: tuple[Kinematics, ...]
    columns: tuple[Int[np.ndarray, " J"], ...]
    tasks: tuple[Task, ...]
    T_root_base: Float[np.ndarray, "A 4 4"]
    sides: tuple[int, ...]
    dofs: Int[np.ndarray, " dof"]
    lower: Float[np.ndarray, " dof"]
    upper: Float[np.ndarray, " dof"]
    velocity: Float[np.ndarray, " dof"]
    home: Float[np.ndarray, " dof"]
    places: Int[np.ndarray, " dof"]
    senses: Float[np.ndarray, " dof"]

    def near_home(self, seed: int, n: int, spread: float) -> Float[np.ndarray, "n dof"]:
        """Positions at random around home, inside the limits, the same in every call and alike for mirrored arms.

        ``spread`` is the standard deviation as a share of each joint's range.
        """
        draw = np.random.default_rng(seed).normal(0.0, spread, (n, int(self.places.max()) + 1))
        moved = self.home + draw[:, self.places] * self.senses * (self.upper - self.lower)
        return np.asarray(np.clip(moved, self.lower, self.upper))

    def tools_and_jacobian(
        self, q: Float[np.ndarray, "*B dof"]
    ) -> tuple[Float[np.ndarray, "*B A 4 4"], Float[np.ndarray, "*B A 6 dof"]]:
        """``T_root_tool`` and geometric Jacobians (m over rad, root frame) of all arms."""
        rows = np.asarray(q, np.float64).reshape(-1, q.shape[-1])
        found = self.serial.tools(np.ascontiguousarray(rows.T))
        T = np.zeros((len(rows), len(self.chains), 4, 4))
        T[..., :3, :3] = found.rotation.transpose(3, 0, 2, 1)
        T[..., :3, 3] = found.position.transpose(2, 0, 1)
        T[..., 3, 3] = 1.0
        J = np.ascontiguousarray(found.slope.transpose(3, 0, 1, 2))
        return T.reshape(*q.shape[:-1], *T.shape[1:]), J.reshape(*q.shape[:-1], *J.shape[1:])

    def tools(self, q: Float[np.ndarray, "*B dof"]) -> Float[np.ndarray, "*B A 4 4"]:
        """``T_root_tool`` of all arms."""
        q = np.asarray(q, np.float64)
        poses = [
            base @ kinematics.tool(q[..., columns])
            for kinematics, columns, base in zip(self.chains, self.columns, self.T_root_base, strict=True)
        ]
        return np.stack(poses, -3)

    def errors(
        self, T: Float[np.ndarray, "*B A 4 4"], targets: Float[np.ndarray, "*B A 4 4"]
    ) -> Float[np.ndarray, "*B A 6"]:
        """What takes the tools to their targets, m over rad; NaN where there is no target."""
        e = np.empty((*T.shape[:-2], 6))
        e[..., :3] = targets[..., :3, 3] - T[..., :3, 3]
        for arm, task in enumerate(self.tasks):
            R, R_target = T[..., arm, :3, :3], targets[..., arm, :3, :3]
            if task == "pose":
                e[..., arm, 3:] = rotation_vector(R_target @ R.swapaxes(-1, -2))
            else:
                axis = "xyz".index(task)
                e[..., arm, 3:] = turn_between(R[..., axis], R_target[..., axis])
        return e

    def slopes(
        self, T: Float[np.ndarray, "*B A 4 4"], J: Float[np.ndarray, "*B A 6 dof"]
    ) -> Float[np.ndarray, "*B A 6 dof"]:
        """Minus the slopes of :meth:`errors` by ``q`` near a target; an axis does not feel the turn about it."""
        if all(task == "pose" for task in self.tasks):
            return J
        J = J.copy()
        for arm, task in enumerate(self.tasks):
            if task != "pose":
                a = T[..., arm, :3, "xyz".index(task), None]
                turn = J[..., arm, 3:, :]
                J[..., arm, 3:, :] = turn - a * (a * turn).sum(-2, keepdims=True)
        return J

    @cached_property
    def serial(self) -> Chains:
        """The chains' tools in the root frame and how joints move them, fast and with positions last."""
        return Chains(self.chains, self.T_root_base, self.columns, len(self.dofs))


def arms_of(robot: Robot) -> tuple[Arm, ...]:
    """One arm a side: where a side has several, the one that begins nearest to the root, so with the waist."""
    best: dict[str, Arm] = {}
    for arm in robot.arms:
        known = best.get(arm.side)
        if known is None or len(robot.path(arm.base, arm.link)) > len(robot.path(known.base, known.link)):
            best[arm.side] = arm
    return tuple(best[side] for side in HANDS if side in best and chain(robot, best[side]).dofs)


def reaches(robot: Robot) -> tuple[Reach, ...]:
    """The robot's arms, those that share joints together; none for a robot without moving arms."""
    groups: list[list[Arm]] = []
    for arm in arms_of(robot):
        names = _names(robot, arm)
        joined = [group for group in groups if any(names & _names(robot, other) for other in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([other for group in joined for other in group] + [arm])
    return tuple(_reach(robot, tuple(group)) for group in groups)


def joined(robot: Robot, sides: Collection[int]) -> Reach:
    """The arms of these sides (0 left, 1 right) as one, whether or not they share joints."""
    return _reach(robot, tuple(arm for arm in arms_of(robot) if HANDS.index(arm.side) in sides))


def single(kinematics: Kinematics, task: Task = "pose") -> Reach:
    """A chain alone, seen from its base."""
    if task not in ("pose", "x", "y", "z"):
        raise RobotError(f"found task {task!r}, expected pose, x, y or z")
    n = np.arange(len(kinematics.dofs))
    limits = (kinematics.lower, kinematics.upper, kinematics.velocity, kinematics.home)
    return Reach((kinematics,), (n,), (task,), np.eye(4)[None], (0,), n, *limits, n, np.ones(len(n)))


def rotation_vector(R: Float[np.ndarray, "*B 3 3"]) -> Float[np.ndarray, "*B 3"]:
    """Axis times angle, rad, 0..pi, of rotations."""
    w = np.stack([R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]], -1) / 2
    sin, cos = np.sqrt((w * w).sum(-1)), (R[..., 0, 0] + R[..., 1, 1] + R[..., 2, 2] - 1) / 2
    angle = np.arctan2(sin, cos)
    out = w * (angle / np.maximum(sin, 1e-12))[..., None]
    if (half := (sin < 1e-6) & (cos < 0)).any():
        S = (R[half] + np.eye(3)) / 2
        column = np.take_along_axis(S, S.diagonal(0, -2, -1).argmax(-1)[:, None, None], -1)[..., 0]
        out[half] = np.pi * column / np.linalg.norm(column, axis=-1, keepdims=True)
    return np.asarray(out)


def turn_between(a: Float[np.ndarray, "*B 3"], b: Float[np.ndarray, "*B 3"]) -> Float[np.ndarray, "*B 3"]:
    """Shortest rotation vector, rad, that takes one unit vector to another."""
    w = np.cross(a, b)
    sin, cos = np.sqrt((w * w).sum(-1)), (a * b).sum(-1)
    out = w * (np.arctan2(sin, cos) / np.maximum(sin, 1e-12))[..., None]
    if (half := (sin < 1e-6) & (cos < 0)).any():
        side = np.cross(a[half], np.eye(3)[np.abs(a[half]).argmin(-1)])
        out[half] = np.pi * side / np.linalg.norm(side, axis=-1, keepdims=True)
    return np.asarray(out)


def _names(robot: Robot, arm: Arm) -> set[str]:
    return {joint.name for joint in chain(robot, arm).dofs}


def _reach(robot: Robot, arms: tuple[Arm, ...]) -> Reach:
    chains = tuple(chain(robot, arm) for arm in arms)
    used = {joint.name for kinematics in chains for joint in kinematics.dofs}
    dofs = np.array([place for place, joint in enumerate(robot.dofs) if joint.name in used])
    names = [robot.dofs[place].name for place in dofs]
    columns = tuple(np.array([names.index(joint.name) for joint in kinematics.dofs]) for kinematics in chains)
    rest = whole(robot)
    T_root_link = dict(zip(rest.links, rest.forward(rest.home), strict=True))
    places, senses = np.zeros(len(dofs), np.int64), np.zeros(len(dofs))
    for arm, kinematics, mine in zip(arms, chains, columns, strict=True):
        turns = T_root_link[arm.base][:3, :3] @ kinematics.jacobian(kinematics.home)[3:]
        alone = np.array([sum(joint in other.dofs for other in chains) == 1 for joint in kinematics.dofs])
        places[mine], senses[mine] = np.arange(len(mine)), alone * _senses(robot, arm, turns)
    return Reach(
        chains=chains,
        columns=columns,
        tasks=tuple(task_of(arm, kinematics) for arm, kinematics in zip(arms, chains, strict=True)),
        T_root_base=np.stack([T_root_link[arm.base] for arm in arms]),
        sides=tuple(HANDS.index(arm.side) for arm in arms),
        dofs=dofs,
        lower=rest.lower[dofs],
        upper=rest.upper[dofs],
        velocity=rest.velocity[dofs],
        home=rest.home[dofs],
        places=places,
        senses=senses,
    )


def _senses(robot: Robot, arm: Arm, turns: Float[np.ndarray, "3 J"]) -> Float[np.ndarray, " J"]:
    """1 or -1 by the direction of each joint's axis, that of a right arm seen in the mirror."""
    up, forward = np.array(robot.up), np.array(robot.forward)
    if arm.side == "right":
        aside = np.cross(up, forward)
        turns = 2 * aside[:, None] * (aside @ turns) - turns
    along = np.array([0.9, 0.5, 0.3]) @ np.stack([forward, np.cross(up, forward), up]) @ turns
    return np.where(along < 0, -1.0, 1.0)


def task_of(arm: Arm, kinematics: Kinematics) -> Task:
    """What of a wrist an arm can follow: all of it with six joints or more, otherwise the axis that its file names."""
    return "pose" if len(kinematics.dofs) >= 6 else arm.axis
