"""Paths of things and of the hands that come for them: superposed minimum-jerk movements.

**Convention:** world frame of :mod:`hoiset.builder.studio.stage`; m, rad, s. Minimum jerk after Flash and Hogan, "The
coordination of arm movements" (J. Neurosci. 1985); superposition after Flash and Henis, "Arm trajectory modifications
during reaching towards visual targets" (J. Cogn. Neurosci. 1991).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation, Slerp

from hoiset.builder.studio.grasp import RELAXED_RAD, Grasp
from hoiset.builder.studio.hand import Hand
from hoiset.builder.studio.outlook import View
from hoiset.builder.studio.skeleton import FOREARM, forearm_rotation
from hoiset.geometry import make_T, transform

APPROACH_M = 0.11
_ZERO = np.zeros(3)


def minimum_jerk(x: Float[np.ndarray, "*B"]) -> Float[np.ndarray, "*B"]:
    """Smooth step from 0 to 1 over x in 0..1, at rest on both ends."""
    x = np.clip(x, 0.0, 1.0)
    return x**3 * (10.0 - 15.0 * x + 6.0 * x**2)


@dataclass(frozen=True)
class Submove:
    """A movement that adds to others.

    Attributes:
        begin_s: When it begins.
        end_s: When it ends.
        shift: (3,) by how much the thing's origin moves.
        turn: (3,) rotation vector about the thing's origin, world axes.
    """

    begin_s: float
    end_s: float
    shift: Float[np.ndarray, "3"] = field(default_factory=lambda: _ZERO)
    turn: Float[np.ndarray, "3"] = field(default_factory=lambda: _ZERO)


@dataclass(frozen=True)
class Circling:
    """A horizontal circling that swells and dies away.

    Attributes:
        begin_s: When it begins.
        end_s: When it ends.
        radius_m: Of the circle.
        turns: How often it goes round; the sign is the direction.
        phase: Where it begins, rad.
    """

    begin_s: float
    end_s: float
    radius_m: float
    turns: float
    phase: float

    def offset(self, time: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T 3"]:
        """(T, 3) displacement."""
        x = np.clip((time - self.begin_s) / (self.end_s - self.begin_s), 0.0, 1.0)
        swell = self.radius_m * minimum_jerk(x / 0.15) * minimum_jerk((1.0 - x) / 0.15)
        angle = self.phase + 2 * np.pi * self.turns * x
        return swell[:, None] * np.stack([np.cos(angle), np.sin(angle), np.zeros_like(x)], -1)


@dataclass(frozen=True)
class ThingPath:
    """Where a thing is at any time.

    Attributes:
        T_start: (4, 4) where it stands before.
        moves: What happens to it; turns apply in this order.
        circling: A circling on top, or ``None``.
    """

    T_start: Float[np.ndarray, "4 4"]
    moves: tuple[Submove, ...] = ()
    circling: Circling | None = None

    def __call__(self, time: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T 4 4"]:
        """(T, 4, 4) poses in the world."""
        p = np.tile(self.T_start[:3, 3], (len(time), 1))
        R = Rotation.from_matrix(np.tile(self.T_start[:3, :3], (len(time), 1, 1)))
        for move in self.moves:
            share = minimum_jerk((time - move.begin_s) / (move.end_s - move.begin_s))[:, None]
            p = p + share * move.shift
            if np.any(move.turn):
                R = Rotation.from_rotvec(share * move.turn) * R
        if self.circling is not None:
            p = p + self.circling.offset(time)
        return make_T(R.as_matrix(), p)


def travel(
    hand: Hand,
    view: View,
    shoulder: Float[np.ndarray, "3"],
    T_goal: Float[np.ndarray, "4 4"],
    grasp: Grasp,
    phase: Float[np.ndarray, "T"],
    share: float = 1.0,
) -> tuple[Float[np.ndarray, "T 4 4"], Float[np.ndarray, "T 5 4"]]:
    """Wrist poses and finger angles of a hand that comes to a grasp, over phase 0..1.

    Args:
        hand: A thinned hand.
        view: What the camera sees.
        shoulder: Where the arm comes from.
        T_goal: The wrist at the grasp.
        grasp: How it opens and comes.
        phase: (T,) 0 = where it starts, 1 = at the grasp with open fingers.
        share: How far back it starts: 1 = just outside the image, less = in view.
    """
    before = T_goal[:3, 3] - APPROACH_M * T_goal[:3, :3] @ grasp.approach
    relaxed = _relaxed_rotation(shoulder, T_goal)
    begin = offstage(hand, view, shoulder, make_T(relaxed, before), RELAXED_RAD)
    begin = before + share * (begin - before)
    begin[2] = max(begin[2], 0.05)
    far = minimum_jerk(phase / 0.72)[:, None]
    near = minimum_jerk((phase - 0.50) / 0.50)[:, None]
    position = begin + (before - begin) * far + (T_goal[:3, 3] - before) * near
    turn = Slerp([0.0, 1.0], Rotation.from_matrix(np.stack([relaxed, T_goal[:3, :3]])))
    R = turn(minimum_jerk(phase / 0.66)).as_matrix()
    spread = minimum_jerk(phase / 0.58)[:, None, None]
    return make_T(R, position), RELAXED_RAD + (grasp.opened - RELAXED_RAD) * spread


def flat_rotation(heading: float) -> Float[np.ndarray, "3 3"]:
    """A hand that points along a heading, palm down, fingers a little lower than the wrist."""
    y = np.array([np.cos(heading), np.sin(heading), -0.15])
    y /= np.linalg.norm(y)
    z = np.array([0.0, 0.0, -1.0]) + y * y[2]
    z /= np.linalg.norm(z)
    return np.stack([np.cross(y, z), y, z], -1)


def _relaxed_rotation(shoulder: np.ndarray, T_goal: np.ndarray) -> np.ndarray:
    """Half-way between the grasp and a flat hand along the arm."""
    away = T_goal[:3, 3] - shoulder
    flat = flat_rotation(float(np.arctan2(away[1], away[0])))
    return Slerp([0.0, 1.0], Rotation.from_matrix(np.stack([flat, T_goal[:3, :3]])))(0.5).as_matrix()


def offstage(
    hand: Hand, view: View, shoulder: Float[np.ndarray, "3"], T: Float[np.ndarray, "4 4"], angles: np.ndarray
) -> Float[np.ndarray, "3"]:
    """The nearest position on the way back to the shoulder at which nothing of the arm is in the image."""
    vertices, _ = hand.pose(angles)
    back = shoulder - T[:3, 3]
    back = back * [1.0, 1.0, 0.6] / np.linalg.norm(back)
    for distance in np.arange(0.06, 1.6, 0.05):
        position = T[:3, 3] + distance * back
        T_here = make_T(T[:3, :3], position)
        arm = forearm_rotation(T_here[None], shoulder)[0]
        turned = np.where((hand.weights[:, FOREARM] > 0.5)[:, None], vertices @ arm.T, vertices)
        if not view.within(transform(T_here, turned), -0.01).any():
            return position
    return T[:3, 3] + 1.6 * back
