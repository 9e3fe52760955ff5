"""How well a robot whose root stands somewhere can follow a clip's hands.

Candidates are judged by inverse kinematics on the targets as they stand, all candidates and frames in one batch.

**Convention:** roots are ``T_camera_root`` (H, 4, 4); a root is upright where gravity is known.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int

from hoiset.builder.params import Params
from hoiset.builder.retarget.collision import Collisions
from hoiset.builder.retarget.reach import Reach, joined, reaches
from hoiset.builder.retarget.records import HandMotion
from hoiset.builder.retarget.robot import Robot
from hoiset.builder.retarget.seeds import ANGLE_UNIT_M, solve_poses
from hoiset.errors import RobotError
from hoiset.geometry import invert


class ScoreParams(Params):
    """What counts in a root's score.

    Attributes:
        position_m: Tolerance of a wrist's position.
        angle_rad: Tolerance of a whole orientation.
        axis_rad: Tolerance of an axis, for an arm with too few joints for an orientation.
        near: Weight of how near unreached targets come.
        margin: Weight of the mean distance from joint limits, 0..1.
        manipulability: Weight of how far arms are from singular poses, 0..1.
        smoothness: Weight of joint speeds within their limits, 0..1.
        clear: Weight of arms that keep off each other and the body, 0..1.
        clear_m: Depth to which shapes may be in each other: they are drawn by hand.
        clear_frames: Of a clip, on which that is looked at; 0 for none.
        iterations: Steps of inverse kinematics.
        starts: Of inverse kinematics.
    """

    position_m: float = 0.01
    angle_rad: float = float(np.deg2rad(3.0))
    axis_rad: float = float(np.deg2rad(5.0))
    near: float = 0.25
    margin: float = 0.1
    manipulability: float = 0.05
    smoothness: float = 0.1
    clear: float = 0.2
    clear_m: float = 0.01
    clear_frames: int = 24
    iterations: int = 25
    starts: int = 1


@dataclass(frozen=True)
class RootProblem:
    """Hands to be followed by a robot.

    Attributes:
        robot: Who follows.
        reaches: Its arms.
        time: (F,) s.
        wrist: ``T_camera_wrist`` (F, 2, 4, 4), NaN where there is no target or no arm for it.
        gravity: (3,) in the camera frame, ``None`` where unknown.
    """

    robot: Robot
    reaches: tuple[Reach, ...]
    time: Float[np.ndarray, "F"]
    wrist: Float[np.ndarray, "F 2 4 4"]
    gravity: Float[np.ndarray, "3"] | None

    @property
    def seen(self) -> Bool[np.ndarray, "F 2"]:
        """Whether there is a target."""
        return np.asarray(np.isfinite(self.wrist).all((-1, -2)))

    def at(self, frames: Int[np.ndarray, "N"]) -> RootProblem:
        """The same on some frames."""
        return RootProblem(self.robot, self.reaches, self.time[frames], self.wrist[frames], self.gravity)

    def spread(self, n_frames: int) -> Int[np.ndarray, "N"]:
        """Frames with a target, spread evenly over those that have one."""
        frames = np.flatnonzero(self.seen.any(1))
        if len(frames) <= n_frames or n_frames == 0:
            return frames[: n_frames or 0]
        return frames[np.unique(np.round(np.linspace(0, len(frames) - 1, n_frames)).astype(int))]

    def targets(self, roots: Float[np.ndarray, "H *F 4 4"], reach: Reach) -> Float[np.ndarray, "H F A 4 4"]:
        """``T_root_wrist`` of one reach's arms, for roots that stand (H, 4, 4) or move (H, F, 4, 4)."""
        T_root_camera = invert(roots if roots.ndim == 4 else roots[:, None])
        return np.asarray(T_root_camera[:, :, None] @ self.wrist[None][:, :, list(reach.sides)])


@dataclass(frozen=True)
class RootScores:
    """Judgement of every candidate; what is not a distance is 0..1, more is better.

    Attributes:
        total: (H,) the sum by weight.
        rate: (H,) share of targets within tolerance.
        position_m: (H,) mean distance over all targets.
        angle_rad: (H,) mean angle over all targets.
        margin: (H,) mean distance from limits, 1 in the middle of every joint's range.
        manipulability: (H,) mean over arms.
        smoothness: (H,) share of steps between frames that no joint needs more than its greatest speed for.
        clear: (H,) share of frames in which arms keep off each other and the body.
        q: For every reach, (H, F, dof).
        reached: (H, F, 2) whether a target is within tolerance.
    """

    total: Float[np.ndarray, "H"]
    rate: Float[np.ndarray, "H"]
    position_m: Float[np.ndarray, "H"]
    angle_rad: Float[np.ndarray, "H"]
    margin: Float[np.ndarray, "H"]
    manipulability: Float[np.ndarray, "H"]
    smoothness: Float[np.ndarray, "H"]
    clear: Float[np.ndarray, "H"]
    q: tuple[Float[np.ndarray, "H F dof"], ...]
    reached: Bool[np.ndarray, "H F 2"]

    def at(self, candidates: Int[np.ndarray, "N"]) -> RootScores:
        """The judgement of some candidates."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        rows = {name: value[candidates] for name, value in own.items() if name != "q"}
        return RootScores(**rows, q=tuple(q[candidates] for q in self.q))


def root_problem(motion: HandMotion, robot: Robot) -> RootProblem:
    """What a robot has to follow of a clip.

    Raises:
        RobotError: The robot has no arms, or the clip no hand that an arm of it follows.
    """
    arms = reaches(robot)
    sides = sorted({side for reach in arms for side in reach.sides})
    wrist = np.full(motion.wrist.shape, np.nan)
    seen = motion.seen
    for side in sides:
        wrist[seen[:, side], side] = motion.wrist[seen[:, side], side]
    if not arms:
        raise RobotError(f"{robot.name}: found no arm with joints, expected one to follow a hand")
    if not np.isfinite(wrist).any():
        raise RobotError(
            f"{robot.name}: found no frame with a hand for its arms, expected one; leave such clips without the robot"
        )
    gravity = None if motion.gravity is None else np.asarray(motion.gravity, np.float64)
    return RootProblem(robot, arms, np.asarray(motion.time, np.float64), wrist, gravity)


def score_roots(
    problem: RootProblem,
    roots: Float[np.ndarray, "H *F 4 4"],
    q0: tuple[Float[np.ndarray, "H F dof"], ...] | None = None,
    params: ScoreParams | None = None,
) -> RootScores:
    """Judge roots on all frames of a problem.

    Args:
        problem: Hands and robot.
        roots: ``T_camera_root`` of the candidates, (H, 4, 4), or (H, F, 4, 4) for ones that move.
        q0: Where inverse kinematics starts, for every reach; home by default.
        params: Weights and tolerances.
    """
    params = params or ScoreParams()
    n, n_frames = len(roots), len(problem.time)
    errors = np.full((n, n_frames, 2, 2), np.nan)
    reached = np.zeros((n, n_frames, 2), bool)
    parts: dict[str, list[Float[np.ndarray, "H"]]] = {"margin": [], "manipulability": [], "smoothness": []}
    qs: list[Float[np.ndarray, "H F dof"]] = []
    for place, reach in enumerate(problem.reaches):
        targets = problem.targets(roots, reach)
        start = None if q0 is None else q0[place]
        found = solve_poses(reach, targets, start, iterations=params.iterations, starts=params.starts)
        sides = list(reach.sides)
        errors[:, :, sides, 0], errors[:, :, sides, 1] = found.position_error, found.angle_error
        limits = np.array([params.angle_rad if task == "pose" else params.axis_rad for task in reach.tasks])
        reached[:, :, sides] = (found.position_error <= params.position_m) & (found.angle_error <= limits)
        there = np.isfinite(targets).all((-1, -2)).any(-1)[0]
        qs.append(found.q)
        if there.any():
            parts["margin"].append(_margin(reach, found.q[:, there]))
            parts["manipulability"].append(_manipulability(reach, found.q[:, there]))
            parts["smoothness"].append(_smoothness(reach, found.q[:, there], problem.time[there]))
    mean = {name: np.mean(values, 0) for name, values in parts.items()}
    mean["clear"] = _clear(problem, qs, params)
    n_targets = problem.seen.sum()
    size = np.hypot(errors[..., 0] / params.position_m, errors[..., 1] * ANGLE_UNIT_M / params.position_m)
    near = np.nansum(1.0 / (1.0 + np.maximum(size - 1.0, 0.0) / 3.0), (1, 2)) / n_targets
    rate = reached.sum((1, 2)) / n_targets
    total = rate + params.near * near + sum(getattr(params, name) * value for name, value in mean.items())
    position, angle = np.nanmean(errors, (1, 2)).T
    return RootScores(total, rate, position, angle, **mean, q=tuple(qs), reached=reached)


def _clear(problem: RootProblem, q: list[Float[np.ndarray, "H F dof"]], params: ScoreParams) -> Float[np.ndarray, "H"]:
    n, frames = len(q[0]), problem.spread(params.clear_frames)
    sides = [side for reach in problem.reaches for side in reach.sides if problem.seen[:, side].any()]
    if not len(frames) or not any(shape.collides for shape in problem.robot.shapes):
        return np.ones(n)
    everything = joined(problem.robot, sides)
    together = np.broadcast_to(everything.home, (n, len(frames), len(everything.home))).copy()
    for reach, positions in zip(problem.reaches, q, strict=True):
        here, there = np.isin(everything.dofs, reach.dofs), np.isin(reach.dofs, everything.dofs)
        together[..., here] = positions[:, frames][..., there]
    depth = Collisions(problem.robot, everything).depth(together)
    return np.asarray((depth <= params.clear_m).mean(1))


def _margin(reach: Reach, q: Float[np.ndarray, "H F dof"]) -> Float[np.ndarray, "H"]:
    half = (reach.upper - reach.lower) / 2
    off = np.abs(q - (reach.upper + reach.lower) / 2) / half
    return np.asarray(np.minimum(1.0, (1.0 - off) / 0.3).mean((1, 2)))


def _manipulability(reach: Reach, q: Float[np.ndarray, "H F dof"]) -> Float[np.ndarray, "H"]:
    """Mean of the least singular value of positions by joints, m/rad, in units of 0.1 and at most 1."""
    some = np.unique(np.round(np.linspace(0, q.shape[1] - 1, 8)).astype(int))
    _, J = reach.tools_and_jacobian(q[:, some])
    Jp = J[..., :3, :]
    least = np.linalg.eigvalsh(Jp @ Jp.swapaxes(-1, -2))[..., 0]
    return np.asarray(np.minimum(1.0, np.sqrt(np.maximum(least, 0.0)) / 0.1).mean((1, 2)))


def _smoothness(reach: Reach, q: Float[np.ndarray, "H F dof"], time: Float[np.ndarray, "F"]) -> Float[np.ndarray, "H"]:
    if len(time) < 2:
        return np.ones(len(q))
    velocity = np.where(np.isfinite(reach.velocity), np.minimum(reach.velocity, 10.0), 10.0)
    speed = np.abs(np.diff(q, axis=1)) / np.diff(time)[:, None]
    return np.asarray((speed <= velocity).all(-1).mean(1))
