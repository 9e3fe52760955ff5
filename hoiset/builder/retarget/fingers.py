"""Robot fingers that follow human ones: fingertips in the wrist's frame, over a whole clip.

A fingertip's way from a knuckle is stretched by the ratio of the lengths of the two fingers and laid at the robot's
knuckle (see ``Finger.anchor``). That alone loses pinches, for robot knuckles stand elsewhere: the nearer a fingertip is
to the thumb's, the more their distance in metres counts, unstretched (as in DexPilot, Handa et al. 2020).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from hoiset.builder.retarget.finger_tracks import FingerParams, TipTask, track_hands, track_tips
from hoiset.builder.retarget.robot import Robot
from hoiset.builder.retarget.robot_hands import Hand, hands_of
from hoiset.builder.retarget.timing import bridged
from hoiset.errors import RobotError
from hoiset.geometry import invert, transform, wrist_frame

__all__ = ["FingerFit", "FingerParams", "Hand", "fit_fingers", "hands_of", "in_wrist_frame", "map_tips", "track_tips"]


@dataclass(frozen=True)
class FingerFit:
    """Fingers' trajectories for one clip.

    Attributes:
        q: (T, dof) rad, in the order of ``Robot.dofs``; NaN for joints that are no finger's and where there is no hand.
        residual: (T, 2, 5) distance, m, of fingertips from where the human's map to; NaN without a hand or finger.
        pinch: (T, 2, 4) thumb to finger, m: the robot's distance less the human's; NaN without a hand or finger, or
            where the human's is beyond ``pinch_m``.
        report: Plain values on the fit.
    """

    q: Float[np.ndarray, "T dof"]
    residual: Float[np.ndarray, "T 2 5"]
    pinch: Float[np.ndarray, "T 2 4"]
    report: dict[str, Any] = field(default_factory=dict)


def fit_fingers(
    robot: Robot,
    joints: Float[np.ndarray, "T 2 21 3"],
    time: Float[np.ndarray, " T"],
    params: FingerParams | None = None,
) -> FingerFit:
    """Let a robot's fingers follow human hands.

    Args:
        robot: The robot.
        joints: m, left and right hand, in any one frame (only their shape in the wrist's frame matters); NaN for none.
        time: Ascending, s.
        params: Weights.

    Raises:
        RobotError: Shapes do not fit.
    """
    params = params or FingerParams()
    joints, time = np.asarray(joints, np.float64), np.asarray(time, np.float64)
    if time.ndim != 1 or joints.shape != (len(time), 2, 21, 3):
        raise RobotError(
            f"found joints of shape {joints.shape} and time of shape {time.shape}, expected (T, 2, 21, 3) and (T,)"
        )
    q = np.full((len(time), len(robot.dofs)), np.nan)
    residual, pinch = np.full((len(time), 2, 5), np.nan), np.full((len(time), 2, 4), np.nan)
    tasks, shown = [], []
    for hand in hands_of(robot):
        local = in_wrist_frame(joints[:, hand.side], left=hand.side == 0)
        seen = np.isfinite(local).all((-1, -2))
        if seen.any():
            tasks.append(TipTask(hand, *map_tips(hand, local, params)))
            shown.append(seen)
    for task, seen, found in zip(tasks, shown, track_hands(tasks, time, params), strict=True):
        hand = task.hand
        tips = hand.tips(found)
        residual[:, hand.side, list(hand.fingers)] = np.linalg.norm(tips - task.targets, axis=-1)
        for place, (finger, distance) in enumerate(_spans(hand, tips, task.span)):
            near = task.weight[:, place] >= params.pinch_weight
            pinch[near, hand.side, finger - 1] = distance[near]
        given = bridged(seen, seen, time, params.gap_s) | seen
        q[np.ix_(given, hand.dofs)] = found[given]
    report = {"residual_m": _percentile(residual), "pinch_m": _percentile(np.abs(pinch))}
    return FingerFit(q, residual, pinch, report)


def in_wrist_frame(joints: Float[np.ndarray, "T 21 3"], *, left: bool) -> Float[np.ndarray, "T 21 3"]:
    """Joints as the wrist sees them, m; NaN where the hand is not whole."""
    whole_hand = np.where(np.isfinite(joints).all((-1, -2), keepdims=True), joints, np.nan)
    return transform(invert(wrist_frame(whole_hand, left=left)), whole_hand)


def map_tips(
    hand: Hand, joints: Float[np.ndarray, "T 21 3"], params: FingerParams
) -> tuple[Float[np.ndarray, "T F 3"], Float[np.ndarray, "T P 3"], Float[np.ndarray, "T P"]]:
    """Where the robot's fingertips belong.

    Args:
        hand: The robot's.
        joints: The human's in the wrist's frame, m.
        params: When a pinch counts.

    Returns:
        Fingertips in the wrist's frame, m; vectors from the thumb's tip to the other fingers', m, as the human has
        them; and how much each of these counts.
    """
    chains = np.array([[1 + 4 * finger + step for step in range(4)] for finger in hand.fingers])
    bones = np.linalg.norm(np.diff(joints[:, chains], axis=2), axis=-1).sum(-1)
    scale = np.where(np.isnan(hand.stretch), hand.lengths / np.nanmedian(bones, 0), hand.stretch)
    tips, knuckles = joints[:, chains[:, -1]], joints[:, chains[hand.anchors, 0]]
    targets = hand.knuckles[hand.anchors] + scale[:, None] * (tips - knuckles)
    if hand.thumb is None:
        return targets, np.zeros((len(joints), 0, 3)), np.zeros((len(joints), 0))
    others = [place for place in range(len(hand.fingers)) if place != hand.thumb]
    span = tips[:, others] - tips[:, [hand.thumb]]
    share = (params.open_m - np.linalg.norm(span, axis=-1)) / (params.open_m - params.pinch_m)
    return targets, span, params.pinch_weight * np.clip(np.nan_to_num(share), 0, 1)


def _spans(hand: Hand, tips: np.ndarray, span: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Finger and by how much its distance from the thumb differs, for all pairs."""
    if hand.thumb is None:
        return []
    others = [place for place in range(len(hand.fingers)) if place != hand.thumb]
    own = np.linalg.norm(tips[:, others] - tips[:, [hand.thumb]], axis=-1)
    gap = own - np.linalg.norm(span, axis=-1)
    return [(hand.fingers[place], gap[:, column]) for column, place in enumerate(others)]


def _percentile(values: np.ndarray) -> dict[str, float] | None:
    values = values[np.isfinite(values)]
    return {"median": float(np.median(values)), "p95": float(np.percentile(values, 95))} if len(values) else None
