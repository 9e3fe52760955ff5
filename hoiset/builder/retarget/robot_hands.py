"""Robot hands: their fingers' kinematics and measures as seen from the wrist."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from hoiset.builder.retarget.kinematics import Kinematics, chain, whole
from hoiset.builder.retarget.records import HANDS
from hoiset.builder.retarget.robot import Finger, Robot
from hoiset.builder.retarget.serial import Chains
from hoiset.builder.retarget.trajectory import Bounds
from hoiset.errors import RobotError
from hoiset.geometry import invert

FINGERS = ("thumb", "index", "middle", "ring", "little")
SAMPLES = 1300
"""Positions all over a finger's reach, at most."""


@dataclass(frozen=True)
class Hand:
    """The fingers of one hand.

    Attributes:
        side: 0 left, 1 right.
        fingers: Place of each among thumb, index, middle, ring and little.
        chains: Their kinematics.
        columns: For each, the place of its joints in ``q``.
        T_wrist_base: (F, 4, 4) where they begin.
        knuckles: (F, 3) m, where the axes of their first joints pass the tips at home, in the wrist's frame.
        lengths: (F,) m, from there to the tips at their farthest.
        anchors: Place among the fingers of the one whose knuckle each one's way is taken from.
        stretch: (F,) how many times longer the robot's ways are; NaN for the ratio of the fingers' lengths.
        dofs: Place of the joints of ``q`` among ``Robot.dofs``.
        bounds: Limits and home of ``q``.
    """

    side: int
    fingers: tuple[int, ...]
    chains: tuple[Kinematics, ...]
    columns: tuple[Int[np.ndarray, " J"], ...]
    T_wrist_base: Float[np.ndarray, "F 4 4"]
    knuckles: Float[np.ndarray, "F 3"]
    lengths: Float[np.ndarray, " F"]
    anchors: Int[np.ndarray, " F"]
    stretch: Float[np.ndarray, " F"]
    dofs: Int[np.ndarray, " dof"]
    bounds: Bounds

    def tips(self, q: Float[np.ndarray, "*B dof"]) -> Float[np.ndarray, "*B F 3"]:
        """Fingertips in the wrist's frame, m."""
        return self.tips_and_jacobian(q)[0]

    def tips_and_jacobian(
        self, q: Float[np.ndarray, "*B dof"]
    ) -> tuple[Float[np.ndarray, "*B F 3"], Float[np.ndarray, "*B F 3 dof"]]:
        """Fingertips in the wrist's frame, m, and their slopes."""
        n = q.shape[-1]
        found = self.serial.tools(np.ascontiguousarray(q.reshape(-1, n).T), "places")
        tips, J = found.position.transpose(2, 0, 1), found.slope.transpose(3, 0, 1, 2)
        return tips.reshape(*q.shape[:-1], *tips.shape[1:]), J.reshape(*q.shape[:-1], *J.shape[1:])

    @cached_property
    def serial(self) -> Chains:
        """The fingers' tips in the wrist's frame and how joints move them, fast and with positions last."""
        return Chains(self.chains, self.T_wrist_base, self.columns, len(self.dofs))

    @cached_property
    def thumb(self) -> int | None:
        """Place of the thumb among the fingers."""
        return self.fingers.index(0) if 0 in self.fingers else None


def hands_of(robot: Robot) -> tuple[Hand, ...]:
    """Hands with fingers that move, left before right."""
    sides = [side for side in HANDS if any(_moving(robot, f) for f in robot.fingers if f.side == side)]
    return tuple(_hand(robot, side) for side in sides)


def grid(lower: Float[np.ndarray, " J"], upper: Float[np.ndarray, " J"]) -> Float[np.ndarray, "N J"]:
    """Positions evenly all over the limits, ends included."""
    levels = int(SAMPLES ** (1 / len(lower)))
    share = np.stack(np.meshgrid(*[np.linspace(0, 1, levels)] * len(lower), indexing="ij"), -1)
    return lower + (upper - lower) * share.reshape(-1, len(lower))


def _moving(robot: Robot, finger: Finger) -> bool:
    return bool(chain(robot, finger).dofs)


def _hand(robot: Robot, side: str) -> Hand:
    fingers = sorted((f for f in robot.fingers if f.side == side and _moving(robot, f)), key=_place)
    arms = [arm for arm in robot.arms if arm.side == side]
    if not arms:
        raise RobotError(
            f"{robot.name}: found fingers on the {side} hand and no {side} arm, expected one for its wrist"
        )
    rest = whole(robot)
    T = dict(zip(rest.links, rest.forward(rest.home), strict=True))
    T_wrist_root = invert(T[arms[0].link] @ arms[0].tool.matrix)
    chains = tuple(chain(robot, finger) for finger in fingers)
    used = {joint.name for kinematics in chains for joint in kinematics.dofs}
    dofs = np.array([place for place, joint in enumerate(robot.dofs) if joint.name in used])
    names = [robot.dofs[place].name for place in dofs]
    knuckles, lengths = [], []
    for finger, kinematics in zip(fingers, chains, strict=True):
        first = next(joint for joint in robot.path(finger.base, finger.link) if joint.kind != "fixed")
        axis = T[first.child][:3, :3] @ np.array(first.axis)
        T_root_base = T[finger.base]
        tip = (T_root_base @ kinematics.tool(kinematics.home))[:3, 3]
        # A joint's frame may stand anywhere along its axis; the knuckle is where the axis passes the tip.
        knuckle = T[first.child][:3, 3] + axis * (axis @ (tip - T[first.child][:3, 3]))
        tips = kinematics.tool(grid(kinematics.lower, kinematics.upper))[:, :3, 3]
        lengths.append(np.linalg.norm(tips @ T_root_base[:3, :3].T + T_root_base[:3, 3] - knuckle, axis=-1).max())
        knuckles.append(T_wrist_root[:3, :3] @ knuckle + T_wrist_root[:3, 3])
    return Hand(
        side=HANDS.index(side),
        fingers=tuple(map(_place, fingers)),
        chains=chains,
        columns=tuple(np.array([names.index(joint.name) for joint in kinematics.dofs]) for kinematics in chains),
        T_wrist_base=np.stack([T_wrist_root @ T[finger.base] for finger in fingers]),
        knuckles=np.stack(knuckles),
        lengths=np.array(lengths),
        anchors=np.array([[f.name for f in fingers].index(finger.anchor or finger.name) for finger in fingers]),
        stretch=np.array([np.nan if finger.stretch is None else finger.stretch for finger in fingers]),
        dofs=dofs,
        bounds=Bounds(rest.lower[dofs], rest.upper[dofs], rest.velocity[dofs], rest.home[dofs]),
    )


def _place(finger: Finger) -> int:
    return FINGERS.index(finger.name)
