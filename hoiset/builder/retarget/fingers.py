"""Robot fingers that follow human ones: fingertips in the wrist's frame, over a whole clip.

A fingertip's way from a knuckle is stretched by the ratio of the lengths of the two fingers and laid at the robot's
knuckle (see ``Finger.anchor``). That alone loses pinches, for robot knuckles stand elsewhere: the nearer a fingertip is
to the thumb's, the more their distance in metres counts, unstretched (as in DexPilot, Handa et al. 2020).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from hoiset.builder.params import Params
from hoiset.builder.retarget.branches import smoothest_path
from hoiset.builder.retarget.kinematics import Kinematics, chain, whole
from hoiset.builder.retarget.records import HANDS
from hoiset.builder.retarget.robot import Finger, Robot
from hoiset.builder.retarget.robust import robust_terms
from hoiset.builder.retarget.timing import bridged, sparse, spread
from hoiset.builder.retarget.trajectory import (
    Bounds,
    Terms,
    TrajectoryParams,
    Wishes,
    limit_speed,
    solve_trajectories,
)
from hoiset.errors import RobotError
from hoiset.geometry import invert, transform, wrist_frame

FINGERS = ("thumb", "index", "middle", "ring", "little")
UNIT_M = 0.002
"""What counts as one tolerance of a fingertip or of a pinch."""
KNEE = 5.0
SETTLED = 5e-2
"""Share of its cost by which a finger by itself must improve to go on (see :class:`TrajectoryParams`)."""
TURN = 2.2
"""How far from rest, rad, a start may be: some robots' files state limits that no finger has."""
SAMPLES, NEAREST, ROUGH_M = 1300, 8, 0.005
"""Positions of a finger that a start is taken from, how many are looked at at a time, and how rough they are."""


class FingerParams(Params):
    """How fingers follow."""

    pinch_m: float = Field(0.03, gt=0)
    """Distance of fingertip and thumb up to which only it counts."""
    open_m: float = Field(0.06, gt=0)
    """Distance from which on it no longer counts."""
    pinch_weight: float = Field(5.0, ge=0)
    """Of a pinch against a fingertip's place."""
    gap_s: float = Field(0.25, ge=0)
    """Longest gap that is bridged, s, from the last frame with a hand before it to the first behind."""
    speed: float = Field(4.7, gt=0)
    """Greatest speed of joints whose robot states none, rad/s."""
    trajectory: TrajectoryParams = TrajectoryParams(velocity=1e-4, acceleration=1e-6, rest=2e-3)


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
        tips = np.empty((*q.shape[:-1], len(self.chains), 3))
        J = np.zeros((*tips.shape, q.shape[-1]))
        for place, (kinematics, columns, T) in enumerate(
            zip(self.chains, self.columns, self.T_wrist_base, strict=True)
        ):
            pose, slope = kinematics.tool_and_jacobian(q[..., columns])
            tips[..., place, :] = pose[..., :3, 3] @ T[:3, :3].T + T[:3, 3]
            J[..., place, :, columns] = np.moveaxis(T[:3, :3] @ slope[..., :3, :], -1, 0)
        return tips, J

    @cached_property
    def thumb(self) -> int | None:
        """Place of the thumb among the fingers."""
        return self.fingers.index(0) if 0 in self.fingers else None


def hands_of(robot: Robot) -> tuple[Hand, ...]:
    """Hands with fingers that move, left before right."""
    sides = [side for side in HANDS if any(_moving(robot, f) for f in robot.fingers if f.side == side)]
    return tuple(_hand(robot, side) for side in sides)


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
    for hand in hands_of(robot):
        local = in_wrist_frame(joints[:, hand.side], left=hand.side == 0)
        seen = np.isfinite(local).all((-1, -2))
        if not seen.any():
            continue
        targets, span, weight = map_tips(hand, local, params)
        found = track_tips(hand, targets, span, weight, time, params)
        tips = hand.tips(found)
        residual[:, hand.side, list(hand.fingers)] = np.linalg.norm(tips - targets, axis=-1)
        for place, (finger, distance) in enumerate(_spans(hand, tips, span)):
            near = weight[:, place] >= params.pinch_weight
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


def track_tips(
    hand: Hand,
    targets: Float[np.ndarray, "T F 3"],
    span: Float[np.ndarray, "T P 3"],
    weight: Float[np.ndarray, "T P"],
    time: Float[np.ndarray, " T"],
    params: FingerParams | None = None,
) -> Float[np.ndarray, "T dof"]:
    """Positions of the fingers' joints, inside limits and speeds, for all frames.

    Args:
        hand: The robot's.
        targets: Fingertips in the wrist's frame, m; NaN for none.
        span: Vectors from the thumb's tip to the other fingers', m; no pairs at all where pinches do not matter.
        weight: How much each counts.
        time: Ascending, s.
        params: Weights.
    """
    params = params or FingerParams()
    bounds = hand.bounds
    velocity = np.where(np.isfinite(bounds.velocity), bounds.velocity, params.speed)
    bounds = Bounds(bounds.lower, bounds.upper, velocity, bounds.rest)
    q = np.empty((len(time), len(hand.dofs)))
    for place, columns in enumerate(hand.columns):
        q[:, columns] = _track_one(hand, place, targets[:, place], time, bounds, params)
    if weight.any():
        found, _ = solve_trajectories(_Pinching(hand, targets, span, weight), q[None], time, bounds, params.trajectory)
        q = found[0]
    return limit_speed(q, time, velocity)


def _track_one(
    hand: Hand,
    place: int,
    targets: Float[np.ndarray, "T 3"],
    time: Float[np.ndarray, " T"],
    bounds: Bounds,
    params: FingerParams,
) -> Float[np.ndarray, "T J"]:
    """A finger by itself, from half bent and from a rough path."""
    columns, kinematics, T = hand.columns[place], hand.chains[place], hand.T_wrist_base[place]
    own = Bounds(*(values[columns] for values in (bounds.lower, bounds.upper, bounds.velocity, bounds.rest)))
    local = (targets - T[:3, 3]) @ T[:3, :3]

    def wishes(targets: np.ndarray) -> Wishes:
        def terms(q: np.ndarray, rows: np.ndarray) -> Terms:  # noqa: ARG001
            pose, J = kinematics.tool_and_jacobian(q)
            return robust_terms((targets - pose[..., :3, 3])[:, :, None] / UNIT_M, J[:, :, None, :3] / UNIT_M, KNEE)

        return terms

    bent = own.rest + np.clip((own.lower + own.upper) / 2 - own.rest, -1, 1) / 2
    starts = np.stack([np.broadcast_to(bent, (len(time), len(bent))), _rough(local, kinematics, time, own)])
    some = sparse(time)
    rough = params.trajectory.model_copy(update={"settled": max(SETTLED, params.trajectory.settled)})
    found, cost = solve_trajectories(wishes(local[some]), starts[:, some], time[some], own, rough)
    best = spread(time, time[some], found[int(cost.argmin())])
    return solve_trajectories(wishes(local), best[None], time, own, rough)[0][0]


def _rough(
    targets: Float[np.ndarray, "T 3"], kinematics: Kinematics, time: Float[np.ndarray, " T"], bounds: Bounds
) -> Float[np.ndarray, "T J"]:
    """A start from positions all over the finger's reach: those that come near and hang together in time."""
    known = np.flatnonzero(np.isfinite(targets).all(-1))
    known = known[sparse(time[known])]
    samples = _grid(np.maximum(bounds.lower, bounds.rest - TURN), np.minimum(bounds.upper, bounds.rest + TURN))
    off = np.linalg.norm(targets[known, None] - kinematics.tool(samples)[:, :3, 3], axis=-1)
    nearest = np.argpartition(off, NEAREST, -1)[:, :NEAREST]
    error = np.take_along_axis(off, nearest, -1) / ROUGH_M
    path = smoothest_path(samples[nearest.T], error.T, time[known], bounds.velocity)
    return spread(time, time[known], path)


def _grid(lower: Float[np.ndarray, " J"], upper: Float[np.ndarray, " J"]) -> Float[np.ndarray, "N J"]:
    """Positions evenly all over the limits, ends included."""
    levels = int(SAMPLES ** (1 / len(lower)))
    share = np.stack(np.meshgrid(*[np.linspace(0, 1, levels)] * len(lower), indexing="ij"), -1)
    return lower + (upper - lower) * share.reshape(-1, len(lower))


@dataclass(frozen=True)
class _Pinching:
    """Wishes of all fingers together: tips at their places, and at their distances from the thumb."""

    hand: Hand
    targets: Float[np.ndarray, "T F 3"]
    span: Float[np.ndarray, "T P 3"]
    weight: Float[np.ndarray, "T P"]

    def __call__(self, q: Float[np.ndarray, "B T dof"], rows: Int[np.ndarray, " B"]) -> Terms:  # noqa: ARG002
        tips, J = self.hand.tips_and_jacobian(q)
        thumb, others = [self.hand.fingers.index(0)], np.flatnonzero(self.hand.fingers)
        apart = tips[..., others, :] - tips[..., thumb, :]
        J_apart = J[..., others, :, :] - J[..., thumb, :, :]
        r = np.concatenate([self.targets - tips, self.weight[..., None] * (self.span - apart)], -2)
        J = np.concatenate([J, self.weight[..., None, None] * J_apart], -3)
        return robust_terms(r / UNIT_M, J / UNIT_M, KNEE)


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
        tips = kinematics.tool(_grid(kinematics.lower, kinematics.upper))[:, :3, 3]
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
