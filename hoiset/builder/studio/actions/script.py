"""What happens when in a clip, and how it looks frame by frame.

**Convention:** world frame of :mod:`hoiset.builder.studio.stage`; m, rad, s. A left hand is planned as a right one in
the world's mirror image in x: ``Hold.grasp`` and ``Hold.shoulder`` of a left hand are in that mirror image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.grasp import Grasp
from hoiset.builder.studio.hand import Hand
from hoiset.builder.studio.motion import ThingPath, minimum_jerk, travel
from hoiset.builder.studio.outlook import View
from hoiset.builder.studio.skeleton import forearm_rotation
from hoiset.shards.schema import ObjectState

FLIP = np.diag([-1.0, 1.0, 1.0, 1.0])


def mirror(T: Float[np.ndarray, "*B 4 4"]) -> Float[np.ndarray, "*B 4 4"]:
    """Poses in the world's mirror image in x, of the mirror images of things."""
    return FLIP @ T @ FLIP


@dataclass(frozen=True)
class Hold:
    """A hand comes, takes a thing, lets go of it and leaves.

    Attributes:
        left: Whether it is the left hand.
        thing: Index of the thing.
        grasp: How it is held.
        shoulder: (3,) where the arm comes from.
        leave_s: The hand sets off.
        reach_s: It has reached the thing, open; the thing is still until ``close_s``.
        close_s: The fingers have closed.
        release_s: They begin to open; the thing is still until ``open_s``.
        open_s: They are open.
        gone_s: The hand has left.
        start_share: How far off it starts: 1 = outside the image.
        end_share: How far off it ends.
    """

    left: bool
    thing: int
    grasp: Grasp
    shoulder: Float[np.ndarray, "3"]
    leave_s: float
    reach_s: float
    close_s: float
    release_s: float
    open_s: float
    gone_s: float
    start_share: float = 1.0
    end_share: float = 1.0


@dataclass(frozen=True)
class Script:
    """Everything that happens.

    Attributes:
        paths: Of every handled thing.
        holds: In time order, at most one of each hand.
    """

    paths: tuple[ThingPath, ...]
    holds: tuple[Hold, ...]


@dataclass(frozen=True)
class Arm:
    """A hand over time, as a right one in the world or in its mirror image.

    Attributes:
        left: Whether the world is the mirror image.
        T_world_wrist: (T, 4, 4).
        angles: (T, 5, 4).
        R_wrist_forearm: (T, 3, 3).
        held: (T,) whether it holds.
    """

    left: bool
    T_world_wrist: Float[np.ndarray, "T 4 4"]
    angles: Float[np.ndarray, "T 5 4"]
    R_wrist_forearm: Float[np.ndarray, "T 3 3"]
    held: np.ndarray


def arm_of(hold: Hold, path: ThingPath, hand: Hand, view: View, time: Float[np.ndarray, "T"]) -> Arm:
    """Play one hand.

    Args:
        hold: What it does.
        path: Of the thing that it holds.
        hand: A thinned hand.
        view: What the camera sees of the world (not of its mirror image).
        time: (T,) s.
    """
    view = view.mirrored() if hold.left else view

    def wrist(at: np.ndarray) -> np.ndarray:
        T = path(at)
        return (mirror(T) if hold.left else T) @ hold.grasp.T_object_wrist

    first, last = wrist(np.array([hold.reach_s, hold.open_s]))
    phase_in = (time - hold.leave_s) / (hold.reach_s - hold.leave_s)
    phase_out = (hold.gone_s - time) / (hold.gone_s - hold.open_s)
    came = travel(hand, view, hold.shoulder, first, hold.grasp, phase_in, hold.start_share)
    went = travel(hand, view, hold.shoulder, last, hold.grasp, phase_out, hold.end_share)
    early, late = (time < hold.reach_s)[:, None, None], (time > hold.open_s)[:, None, None]
    T_wrist = np.where(early, came[0], np.where(late, went[0], wrist(time)))
    grip = minimum_jerk((time - hold.reach_s) / (hold.close_s - hold.reach_s))
    grip = grip * minimum_jerk((hold.open_s - time) / (hold.open_s - hold.release_s))
    free = np.where((time < hold.release_s)[:, None, None], came[1], went[1])
    angles = free + (hold.grasp.closed - free) * grip[:, None, None]
    held = (time >= hold.close_s - 1e-9) & (time <= hold.release_s + 1e-9)
    return Arm(hold.left, T_wrist, angles, forearm_rotation(T_wrist, hold.shoulder), held)


def states(script: Script, thing: int, arms: list[Arm]) -> np.ndarray:
    """(T,) state of a thing, from who holds it."""
    out = np.zeros((2, len(arms[0].held)), bool)
    for hold, arm in zip(script.holds, arms, strict=True):
        if hold.thing == thing:
            out[0 if arm.left else 1] |= arm.held
    state = np.full(out.shape[1], ObjectState.STATIC, np.uint8)
    state[out[0]] = ObjectState.GRASPED_LEFT
    state[out[1]] = ObjectState.GRASPED_RIGHT
    state[out.all(0)] = ObjectState.GRASPED_BOTH
    return state
