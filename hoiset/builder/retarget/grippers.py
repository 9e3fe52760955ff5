"""Jaws that open as far as a human hand: from the distance of thumb and index fingertip, in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from pydantic import Field

from hoiset.builder.params import Params
from hoiset.builder.retarget.records import HANDS
from hoiset.builder.retarget.robot import Gripper, Robot
from hoiset.builder.retarget.timing import bridged
from hoiset.builder.retarget.trajectory import Bounds, Terms, TrajectoryParams, limit_speed, solve_trajectories
from hoiset.errors import RobotError

THUMB_TIP, INDEX_TIP = 4, 8
UNIT_M = 0.005
"""What counts as one tolerance of an opening."""


class GripperParams(Params):
    """How jaws follow."""

    gap_s: float = Field(0.25, ge=0)
    """Longest gap that is bridged, s, from the last frame with a hand before it to the first behind."""
    speed: float = Field(4.7, gt=0)
    """Greatest speed of joints whose robot states none, rad/s."""
    smooth: TrajectoryParams = TrajectoryParams(velocity=1e-4, acceleration=1e-6, rest=1e-6)


@dataclass(frozen=True)
class GripperFit:
    """Jaws' trajectories for one clip.

    Attributes:
        q: (T, dof) rad or m, in the order of ``Robot.dofs``; NaN for joints of no jaws and where there is no hand.
        opening: (T, 2) m between the jaws' tips; NaN where there is no hand or gripper.
        residual: (T, 2) m, the opening less the hand's: below 0 where the hand is wider than the jaws can be or faster.
    """

    q: Float[np.ndarray, "T dof"]
    opening: Float[np.ndarray, "T 2"]
    residual: Float[np.ndarray, "T 2"]


def fit_grippers(
    robot: Robot,
    joints: Float[np.ndarray, "T 2 21 3"],
    time: Float[np.ndarray, " T"],
    params: GripperParams | None = None,
) -> GripperFit:
    """Let jaws follow hands.

    Args:
        robot: The robot; without grippers everything is NaN.
        joints: m, left and right hand, in any one frame; NaN for none.
        time: Ascending, s.
        params: Smoothness.

    Raises:
        RobotError: Shapes do not fit.
    """
    params = params or GripperParams()
    joints, time = np.asarray(joints, np.float64), np.asarray(time, np.float64)
    if time.ndim != 1 or joints.shape != (len(time), 2, 21, 3):
        raise RobotError(
            f"found joints of shape {joints.shape} and time of shape {time.shape}, expected (T, 2, 21, 3) and (T,)"
        )
    aperture = np.linalg.norm(joints[:, :, INDEX_TIP] - joints[:, :, THUMB_TIP], axis=-1)
    q = np.full((len(time), len(robot.dofs)), np.nan)
    opening, residual = np.full((len(time), 2), np.nan), np.full((len(time), 2), np.nan)
    for gripper in robot.grippers:
        side = HANDS.index(gripper.side)
        wanted = aperture[:, side]
        seen = np.isfinite(wanted)
        if not seen.any():
            continue
        place = next(place for place, joint in enumerate(robot.dofs) if joint.name == gripper.joint)
        given = bridged(seen, seen, time, params.gap_s) | seen
        found = _follow(gripper, robot, place, wanted, time, params)
        q[given, place] = found[given]
        opening[given, side] = np.interp(found, *np.transpose(gripper.openings))[given]
        residual[:, side] = opening[:, side] - wanted
    return GripperFit(q, opening, residual)


def _follow(
    gripper: Gripper,
    robot: Robot,
    place: int,
    wanted: Float[np.ndarray, " T"],
    time: Float[np.ndarray, " T"],
    params: GripperParams,
) -> Float[np.ndarray, " T"]:
    positions, openings = np.transpose(gripper.openings)
    joint = robot.dofs[place]
    target = np.interp(np.clip(wanted, openings[0], openings[-1]), openings, positions)
    seen = np.isfinite(target)
    unit = UNIT_M * (positions[-1] - positions[0]) / (openings[-1] - openings[0])
    velocity = np.array([joint.velocity if np.isfinite(joint.velocity) else params.speed])
    bounds = Bounds(positions[:1], positions[-1:], velocity, np.array([robot.home[place]]))

    def wishes(q: np.ndarray, rows: np.ndarray) -> Terms:  # noqa: ARG001
        r = np.where(seen, (target - q[..., 0]) / unit, 0.0)
        curve = np.broadcast_to(seen / unit**2, r.shape)
        return r**2 / 2, -r[..., None] / unit, curve[..., None, None].astype(np.float64)

    start = np.interp(time, time[seen], target[seen])[None, :, None]
    found, _ = solve_trajectories(wishes, start, time, bounds, params.smooth)
    return limit_speed(found[0], time, velocity)[:, 0]
