"""How good a robot's trajectory is, in numbers that compare across robots, clips and frame rates.

All means are over what was asked for: every frame with a hand counts, converged or not, and none is left out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Bool, Float

from hoiset.builder.retarget.kinematics import chain
from hoiset.builder.retarget.records import HANDS, RobotMotion, RobotSource
from hoiset.builder.retarget.robot import Arm, Robot

SMOOTHNESS_RATE_HZ = 15.0
"""Paths are averaged over steps of this rate before jerk is taken, so that the video's own rate does not matter."""
_FEWEST_STEPS = 5


@dataclass(frozen=True)
class RetargetMetrics:
    """What :func:`measure` finds; NaN where there is nothing to take a mean of.

    Attributes:
        ik_rate: Share of frames with a target that converged, by arm and frame.
        position_m: Mean distance from the target over all frames that have one, m.
        rotation_rad: Mean angle from it, rad; of the approach axis alone for an arm of fewer than six joints.
        position_converged_m: The same over converged frames.
        rotation_converged_rad: The same over converged frames.
        limit_margin: Mean over frames of the least distance of an arm's joints from a limit, as a share of half the
            joint's range: 0 at a limit, 1 in the middle.
        manipulability: Mean over frames of the product of the tool Jacobian's singular values (Yoshikawa 1985), in m
            and rad as they stand.
        log_dimensionless_jerk: Mean over arms of -ln(duration^3 / peak speed^2 * integral of squared jerk) of the
            joints' path (Balasubramanian et al. 2012), nearer to 0 is smoother.
        worst_speed_share: Greatest joint speed as a share of the joint's limit; joints without one do not count.
        excluded_share: Share of frames with a hand, on a side that the robot has an arm for, that were not tried.
    """

    ik_rate: float
    position_m: float
    rotation_rad: float
    position_converged_m: float
    rotation_converged_rad: float
    limit_margin: float
    manipulability: float
    log_dimensionless_jerk: float
    worst_speed_share: float
    excluded_share: float

    def to_json(self) -> dict[str, float | None]:
        """Plain numbers; ``None`` for NaN."""
        return {name: None if np.isnan(value) else float(value) for name, value in asdict(self).items()}


def measure(
    motion: RobotMotion, robot: Robot, time: Float[np.ndarray, " T"], seen: Bool[np.ndarray, "T 2"]
) -> RetargetMetrics:
    """Measure a trajectory.

    Args:
        motion: The trajectory.
        robot: Its robot.
        time: Of its frames, s.
        seen: Where there is a hand, :attr:`HandMotion.seen`.
    """
    sides = np.array([any(arm.side == side for arm in robot.arms) for side in HANDS])
    wanted = seen & sides
    tried = np.isfinite(motion.residual).all(-1) | (motion.source == RobotSource.UNREACHABLE)
    converged = motion.source == RobotSource.CONVERGED
    arms = [_longest(robot, side) for side in HANDS]
    joints = [[] if arm is None else _columns(robot, arm) for arm in arms]
    return RetargetMetrics(
        ik_rate=_mean(converged[tried].astype(float)),
        position_m=_mean(motion.residual[tried, 0]),
        rotation_rad=_mean(motion.residual[tried, 1]),
        position_converged_m=_mean(motion.residual[converged, 0]),
        rotation_converged_rad=_mean(motion.residual[converged, 1]),
        limit_margin=_limit_margin(motion.q, robot, joints),
        manipulability=_manipulability(motion.q, robot, arms),
        log_dimensionless_jerk=_mean(np.array([log_dimensionless_jerk(motion.q[:, of], time) for of in joints if of])),
        worst_speed_share=worst_speed_share(motion.q, time, robot),
        excluded_share=float((wanted & ~tried).sum() / wanted.sum()) if wanted.any() else float("nan"),
    )


def worst_speed_share(q: Float[np.ndarray, "T dof"], time: Float[np.ndarray, " T"], robot: Robot) -> float:
    """Greatest speed of a joint between two frames as a share of its limit; NaN without two frames that say it."""
    limits = np.array([joint.velocity for joint in robot.dofs])
    shares = np.abs(np.diff(q, axis=0)) / np.diff(time)[:, None] / limits
    shares = shares[:, np.isfinite(limits)]
    return float(np.nanmax(shares)) if np.isfinite(shares).any() else float("nan")


def log_dimensionless_jerk(q: Float[np.ndarray, "T dof"], time: Float[np.ndarray, " T"]) -> float:
    """-ln of the dimensionless jerk of a path, over its longest stretch without gaps.

    Args:
        q: Positions; NaN where there are none.
        time: s, ascending.

    Returns:
        NaN for less than a third of a second, and for a path that stands still.
    """
    first, last = _longest_run(np.isfinite(q).all(1))
    steps = int((time[last - 1] - time[first]) * SMOOTHNESS_RATE_HZ) if last > first else 0
    if steps < _FEWEST_STEPS:
        return float("nan")
    path = _averaged(q[first:last].astype(float), time[first:last] - time[first], steps)
    dt = 1.0 / SMOOTHNESS_RATE_HZ
    speed = np.linalg.norm(np.diff(path, axis=0) / dt, axis=1).max()
    jerk = np.diff(path, 3, axis=0) / dt**3
    spent = (jerk**2).sum() * dt * (steps * dt) ** 3
    return float(-np.log(spent / speed**2)) if speed > 1e-9 and spent > 0 else float("nan")


def _averaged(q: Float[np.ndarray, "T dof"], time: Float[np.ndarray, " T"], steps: int) -> Float[np.ndarray, "N dof"]:
    """Means of the straight lines between frames over steps of :data:`SMOOTHNESS_RATE_HZ`."""
    edges = np.arange(steps + 1) / SMOOTHNESS_RATE_HZ
    every = np.unique(np.concatenate([time, edges]))
    values = np.stack([np.interp(every, time, column) for column in q.T], 1)
    areas = (values[1:] + values[:-1]) / 2 * np.diff(every)[:, None]
    so_far = np.concatenate([np.zeros((1, q.shape[1])), np.cumsum(areas, 0)])
    return np.diff(so_far[np.searchsorted(every, edges)], axis=0) * SMOOTHNESS_RATE_HZ


def _longest_run(there: Bool[np.ndarray, " T"]) -> tuple[int, int]:
    """First frame of the longest stretch, and the one behind it."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(int)))
    if not len(edges):
        return 0, 0
    longest = int(np.argmax(edges[1::2] - edges[::2]))
    return int(edges[2 * longest]), int(edges[2 * longest + 1])


def _limit_margin(q: Float[np.ndarray, "T dof"], robot: Robot, joints: list[list[int]]) -> float:
    lower, upper = (np.array([getattr(joint, limit) for joint in robot.dofs]) for limit in ("lower", "upper"))
    margins = np.minimum(q - lower, upper - q) / ((upper - lower) / 2)
    least = [margins[np.isfinite(q[:, of]).all(1)][:, of].min(1) for of in joints if of]
    return _mean(np.concatenate(least)) if least else float("nan")


def _manipulability(q: Float[np.ndarray, "T dof"], robot: Robot, arms: list[Arm | None]) -> float:
    found = []
    for arm in (arm for arm in arms if arm is not None):
        kinematics, of = chain(robot, arm), _columns(robot, arm)
        there = np.isfinite(q[:, of]).all(1)
        if of and there.any():
            J = kinematics.jacobian(q[there][:, of].astype(float))
            found.append(np.linalg.svd(J, compute_uv=False).prod(-1))
    return _mean(np.concatenate(found)) if found else float("nan")


def _longest(robot: Robot, side: str) -> Arm | None:
    """The arm of a side with the most joints: one that counts the waist where there is one."""
    arms = [arm for arm in robot.arms if arm.side == side]
    return max(arms, key=lambda arm: len(_columns(robot, arm)), default=None)


def _columns(robot: Robot, arm: Arm) -> list[int]:
    place = {joint.name: i for i, joint in enumerate(robot.dofs)}
    return [place[joint.name] for joint in robot.path(arm.base, arm.link) if joint.name in place]


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
