"""Hands in, a robot's trajectory out: where it stands, how its arms follow the wrists, what its fingers do.

Targets are ``T_root_wrist = inv(T_camera_root) @ T_camera_wrist``, in metres, as they are: neither moved nor scaled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import Field

from hoiset.builder.params import Params
from hoiset.builder.retarget.arms import ArmFit, ArmParams, fit_arms
from hoiset.builder.retarget.fingers import FingerParams, fit_fingers
from hoiset.builder.retarget.grippers import GripperParams, fit_grippers
from hoiset.builder.retarget.kinematics import whole
from hoiset.builder.retarget.level_camera import assumed_pitch, camera_gravity
from hoiset.builder.retarget.reach import arms_of, reaches
from hoiset.builder.retarget.records import HANDS, HandMotion, RobotMotion, RobotSource
from hoiset.builder.retarget.robot import Arm, Robot, load_robot
from hoiset.builder.retarget.root import Method, RootParams, choose_root
from hoiset.builder.retarget.tracking import ANGLE_RAD, POSITION_M, tolerances
from hoiset.errors import RobotError
from hoiset.geometry import invert


class RetargetParams(Params):
    """Parameters of all parts of retargeting.

    Attributes:
        method: Where candidates for the root come from: the robot's network, the search, or both.
        n_hypotheses: Roots that the network draws for each window of 2 s.
        moving_root: Let a base that can drive do so where that reaches clearly more.
        level_camera: Take a camera of unknown gravity to have no roll; otherwise the root may lean.
        root: How the root is chosen.
        arms: How arms follow wrists.
        fingers: How fingers follow.
        grippers: How jaws follow.
    """

    method: Method = "both"
    n_hypotheses: int = Field(default=32, ge=1)
    moving_root: bool = False
    level_camera: bool = True
    root: RootParams = RootParams()
    arms: ArmParams = ArmParams()
    fingers: FingerParams = FingerParams()
    grippers: GripperParams = GripperParams()


def tolerance(robot: Robot) -> tuple[float, float]:
    """Distance, m, and angle, rad (of an axis for arms of few joints), within which an arm's frame has converged."""
    found = [tolerances(reach) for reach in reaches(robot)]
    distance, angle = np.concatenate(found).max(0) if found else (POSITION_M, ANGLE_RAD)
    return float(distance), float(angle)


def retarget(
    motion: HandMotion,
    robot: Robot | str,
    *,
    root: Float[np.ndarray, "*T 4 4"] | None = None,
    params: RetargetParams | None = None,
    seed: int = 0,
) -> RobotMotion:
    """Find a trajectory with which a robot does what the hands do.

    Args:
        motion: The hands.
        robot: A robot, or a name or path for :func:`load_robot`.
        root: ``T_camera_root`` (4, 4), or (T, 4, 4) for one that moves; chosen from the hands by default. A robot
            without joints between its root and its palm, such as a hand alone, follows the wrist instead.
        params: Of all parts.
        seed: Of what is drawn at random; equal arguments give equal results.

    Returns:
        The trajectory. Where a hand is absent the arm's joints are NaN; a clip without any hand that the robot has an
        arm for is absent as a whole, and its root NaN.

    Raises:
        RobotError: The motion's arrays do not fit each other, the robot has no arm, or ``root`` is not rigid.
    """
    robot = load_robot(robot) if isinstance(robot, str) else robot
    params = params or RetargetParams()
    check_motion(motion)
    sides = np.array([any(arm.side == side for arm in robot.arms) for side in HANDS])
    if not sides.any():
        raise RobotError(f"{robot.name}: found no arm, expected one that follows a wrist")
    if not (motion.seen & sides).any():
        return _absent(motion, robot)
    if not reaches(robot):
        fit, T, words = _on_the_wrist(motion, robot)
    else:
        T, words = _given(motion, root) if root is not None else _chosen(motion, robot, params, seed)
        fit = fit_arms(robot, invert(T)[:, None] @ motion.wrist, motion.time, params.arms)
    q, of_hands = _with_hands(motion, robot, fit, params)
    return RobotMotion(
        robot=robot.name,
        joints=tuple(joint.name for joint in robot.dofs),
        q=q,
        root=T,
        source=fit.source,
        residual=fit.residual,
        report={"root": words, "arms": fit.report, **of_hands},
    )


def _with_hands(
    motion: HandMotion, robot: Robot, fit: ArmFit, params: RetargetParams
) -> tuple[Float[np.ndarray, "T dof"], dict[str, Any]]:
    """Arms, fingers and jaws in one; what else hangs on an arm is at rest while that follows."""
    fingers = fit_fingers(robot, motion.joints, motion.time, params.fingers)
    jaws = fit_grippers(robot, motion.joints, motion.time, params.grippers)
    q, home = fit.q.copy(), np.array(robot.home)
    for arm in arms_of(robot) or robot.arms:
        follows = fit.source[:, HANDS.index(arm.side)] != RobotSource.ABSENT
        for column in _of_hand(robot, arm):
            own = np.where(np.isfinite(fingers.q[:, column]), fingers.q[:, column], jaws.q[:, column])
            moves = np.isfinite(own).any()
            q[:, column] = np.where(follows, own if moves else home[column], np.nan)
    words = {"fingers": fingers.report} if np.isfinite(fingers.q).any() else {}
    if np.isfinite(jaws.residual).any():
        words["jaws"] = {"mean_error_m": float(np.nanmean(np.abs(jaws.residual)))}
    return q, words


def _of_hand(robot: Robot, arm: Arm) -> list[int]:
    """Places in ``q`` of the joints that hang on an arm, and of its side's fingers and jaws wherever these hang."""
    links, names = {arm.link}, set[str]()
    for joint in robot.joints:
        if joint.parent in links:
            links.add(joint.child)
            names.add(joint.name)
    for finger in robot.fingers:
        if finger.side == arm.side:
            names |= {joint.name for joint in robot.path(finger.base, finger.link)}
    names |= {gripper.joint for gripper in robot.grippers if gripper.side == arm.side}
    return [place for place, joint in enumerate(robot.dofs) if joint.name in names]


def _absent(motion: HandMotion, robot: Robot) -> RobotMotion:
    n_frames = len(motion.time)
    return RobotMotion(
        robot=robot.name,
        joints=tuple(joint.name for joint in robot.dofs),
        q=np.full((n_frames, len(robot.dofs)), np.nan),
        root=np.full((n_frames, 4, 4), np.nan),
        source=np.full((n_frames, 2), RobotSource.ABSENT, np.uint8),
        residual=np.full((n_frames, 2, 2), np.nan),
        report={"root": {"source": "absent", "score": None}},
    )


def _given(motion: HandMotion, root: np.ndarray) -> tuple[Float[np.ndarray, "T 4 4"], dict[str, Any]]:
    n_frames = len(motion.time)
    if root.shape not in ((4, 4), (n_frames, 4, 4)) or not np.isfinite(root).all():
        raise RobotError(f"found a root of shape {root.shape}, expected finite (4, 4) or ({n_frames}, 4, 4)")
    R = np.asarray(root, np.float64)[..., :3, :3]
    if np.abs(R @ R.swapaxes(-1, -2) - np.eye(3)).max() > 1e-6 or (np.linalg.det(R) < 0).any():
        raise RobotError("found a root that is no rigid pose, expected T_camera_root")
    T = np.broadcast_to(np.asarray(root, np.float64), (n_frames, 4, 4)).copy()
    return T, {"source": "given", "score": None}


def _chosen(
    motion: HandMotion, robot: Robot, params: RetargetParams, seed: int
) -> tuple[Float[np.ndarray, "T 4 4"], dict[str, Any]]:
    assumed = {}
    if motion.gravity is None and params.level_camera:
        pitch = assumed_pitch(motion, robot, seed)
        motion = replace(motion, gravity=camera_gravity(pitch))
        assumed = {
            "gravity_source": "level_camera",
            "gravity": f"assumed: a camera without roll that looks down by {np.rad2deg(pitch):.0f} degrees",
        }
    choice = choose_root(
        motion,
        robot,
        method=params.method,
        n_hypotheses=params.n_hypotheses,
        seed=seed,
        params=params.root,
        moving_root=params.moving_root and robot.drive is not None,
    )
    return choice.T_camera_root, {"source": choice.report["origin"], "score": choice.score, **choice.report, **assumed}


def _on_the_wrist(motion: HandMotion, robot: Robot) -> tuple[ArmFit, Float[np.ndarray, "T 4 4"], dict[str, Any]]:
    """A hand alone: its root goes with the wrist, and so its arm without joints is always where it should be."""
    arm = robot.arms[0]
    if len(robot.arms) > 1:
        raise RobotError(f"{robot.name}: found {len(robot.arms)} arms without joints, expected one: it follows a wrist")
    side, n_frames = HANDS.index(arm.side), len(motion.time)
    T_root_tool = whole(robot).forward(np.array(robot.home))[robot.links.index(arm.link)] @ arm.tool.matrix
    seen = motion.seen[:, side]
    source = np.full((n_frames, 2), RobotSource.ABSENT, np.uint8)
    residual = np.full((n_frames, 2, 2), np.nan)
    source[seen, side], residual[seen, side] = RobotSource.CONVERGED, 0.0
    fit = ArmFit(np.full((n_frames, len(robot.dofs)), np.nan), source, residual, np.full(n_frames, np.nan))
    T = np.where(seen[:, None, None], motion.wrist[:, side] @ invert(T_root_tool), np.nan)
    return fit, T, {"source": "wrist", "score": None}


def check_motion(motion: HandMotion) -> None:
    """Raise RobotError where arrays do not fit each other."""
    n_frames = len(motion.time)
    expected: Sequence[tuple[str, np.ndarray, tuple[int, ...]]] = (
        ("time", motion.time, (n_frames,)),
        ("wrist", motion.wrist, (n_frames, 2, 4, 4)),
        ("joints", motion.joints, (n_frames, 2, 21, 3)),
    )
    for name, array, shape in expected:
        if array.shape != shape or not n_frames:
            raise RobotError(f"found {name} of shape {array.shape}, expected {shape} with one frame at least")
    if not np.isfinite(motion.time).all() or not (np.diff(motion.time) > 0).all():
        raise RobotError("found times that do not ascend, expected seconds in order")
