"""Reach, grasp, lift, move, place, release, retreat: minimum-jerk paths of a right hand and one object.

**Convention:** world frame of :mod:`hoiset.builder.studio.stage`; m, rad, s. Minimum jerk after Flash and Hogan, "The
coordination of arm movements" (J. Neurosci. 1985).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation, Slerp

from hoiset.builder.studio.distance_field import DistanceField
from hoiset.builder.studio.grasp import RELAXED_RAD, Grasp, GraspPlanner
from hoiset.builder.studio.hand import FOREARM_LENGTH_M, Hand
from hoiset.builder.studio.objects import Prop
from hoiset.builder.studio.outlook import Outlook
from hoiset.builder.studio.params import StudioParams
from hoiset.builder.studio.skeleton import FOREARM, forearm_rotation, rotation
from hoiset.builder.studio.stage import Stage
from hoiset.geometry import invert, make_T, project, transform

PHASES = (0.06, 0.34, 0.43, 0.69, 0.76, 0.95)
"""Shares of the clip at which the hand sets off, has reached, has closed, has placed, has opened, is gone."""
_APPROACH_M = 0.11
_GOOD_COST = 18.0


@dataclass(frozen=True)
class Motion:
    """What moves, frame by frame.

    Attributes:
        time: (T,) s.
        T_world_wrist: (T, 4, 4).
        angles: (T, 5, 4) of the fingers.
        R_wrist_forearm: (T, 3, 3).
        T_world_object: (T, 4, 4).
        held: (T,) whether the object is bound to the wrist.
        grasp: How it is held.
    """

    time: Float[np.ndarray, "T"]
    T_world_wrist: Float[np.ndarray, "T 4 4"]
    angles: Float[np.ndarray, "T 5 4"]
    R_wrist_forearm: Float[np.ndarray, "T 3 3"]
    T_world_object: Float[np.ndarray, "T 4 4"]
    held: Bool[np.ndarray, "T"]
    grasp: Grasp


def minimum_jerk(x: Float[np.ndarray, "*B"]) -> Float[np.ndarray, "*B"]:
    """Smooth step from 0 to 1 over x in 0..1, at rest on both ends."""
    x = np.clip(x, 0.0, 1.0)
    return x**3 * (10.0 - 15.0 * x + 6.0 * x**2)


def plan_over(
    hand: Hand,
    prop: Prop,
    stage: Stage,
    time: Float[np.ndarray, "T"],
    duration_s: float,
    rng: np.random.Generator,
    layouts: int = 6,
    attempts: int = 3,
) -> Motion:
    """Draw a manipulation that the camera sees.

    The object is in view from the first to the last frame; the hand comes from outside the image and leaves it again.

    Args:
        hand: The right hand.
        prop: The object.
        stage: Camera and table.
        time: (T,) s.
        duration_s: Over which the phases are spread, s.
        rng: Source of the layout.
        layouts: How many layouts are surveyed.
        attempts: How many of them, best first, are played through until one is good.

    Returns:
        The motion with the least cost.
    """
    planner, field, light = GraspPlanner(hand), DistanceField(prop), hand.thinned(9)
    camera = invert(stage.T_camera_world)[:3, 3]
    surveys = []
    for _ in range(max(layouts, attempts)):
        layout = _layout(prop, stage, rng)
        outlook = Outlook(layout.heading, layout.shoulder - layout.start, camera - layout.start)
        surveys.append((layout, planner.survey(prop, field, outlook, rng)))
    surveys.sort(key=lambda s: s[1][len(s[1]) // 2].cost)
    best: tuple[float, Motion] | None = None
    for layout, poses in surveys[:attempts]:
        for grasp in planner.plan(prop, field, poses)[:2]:
            motion = _perform(light, prop, stage, layout, grasp, time, duration_s)
            cost = grasp.score + _faults(light, field, stage, motion)
            if best is None or cost < best[0]:
                best = (cost, motion)
        if best is not None and best[0] < _GOOD_COST:
            break
    if best is None:
        raise ValueError(f"no grasp was tried: expected attempts >= 1, found {attempts}")
    return best[1]


def plan_motion(hand: Hand, prop: Prop, stage: Stage, params: StudioParams, rng: np.random.Generator) -> Motion:
    """:func:`plan_over` the frames that ``params`` ask for."""
    return plan_over(hand, prop, stage, np.arange(params.n_frames) / params.rate_hz, params.duration_s, rng)


@dataclass(frozen=True)
class _Layout:
    """Where things happen: object positions on the table, lift, turn, and where the arm comes from."""

    start: np.ndarray
    end: np.ndarray
    lift_m: float
    turn: float
    heading: float
    shoulder: np.ndarray


def _layout(prop: Prop, stage: Stage, rng: np.random.Generator) -> _Layout:
    for _ in range(300):
        start = np.array([rng.uniform(-0.20, 0.20), rng.uniform(-0.12, 0.16), 0.0])
        end = np.array([rng.uniform(-0.20, 0.20), rng.uniform(-0.12, 0.16), 0.0])
        lift = float(rng.uniform(0.06, 0.12))
        spots = np.stack([start, end, (start + end) / 2 + [0, 0, lift]])
        if 0.12 < np.linalg.norm(start - end) < 0.27 and _in_view(prop, stage, spots):
            break
    side = np.deg2rad(rng.uniform(-15.0, 70.0))
    shoulder = 1.5 * np.array([np.sin(side), -np.cos(side), 0.0]) + np.array([0.0, 0.0, rng.uniform(0.35, 0.65)])
    away = (start + end) / 2 - shoulder
    return _Layout(start, end, lift, np.deg2rad(rng.uniform(-25, 25)), float(np.arctan2(away[1], away[0])), shoulder)


def _in_view(prop: Prop, stage: Stage, spots: np.ndarray) -> bool:
    half = prop.extent_m / 2
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (0, 2)]) * [half[0], half[0], half[2]]
    points = (spots[:, None] + corners).reshape(-1, 3)
    return _outside(stage, points, 0.05) == 0.0


def _outside(stage: Stage, points: np.ndarray, margin: float = 0.0) -> float:
    """Share of world points outside the image shrunk by ``margin`` of its size."""
    uv = project(stage.K, transform(stage.T_camera_world, points))
    size = np.array([stage.width, stage.height])
    inside = ((uv >= margin * size) & (uv <= (1 - margin) * size - 1)).all(-1)
    return float(1.0 - inside.mean())


def _perform(
    hand: Hand, prop: Prop, stage: Stage, layout: _Layout, grasp: Grasp, time: np.ndarray, duration_s: float
) -> Motion:
    leave, reach, closed, placed, opened, gone = (p * duration_s for p in PHASES)
    T_object = _object_path(prop, layout, grasp, minimum_phase(time, closed, placed))
    T_object_wrist = invert(_object_path(prop, layout, grasp, np.zeros(1))[0]) @ (
        _shift(layout.start) @ grasp.T_world_wrist
    )
    first, last = T_object[0] @ T_object_wrist, T_object[-1] @ T_object_wrist
    came = _travel(hand, stage, layout, first, grasp, (time - leave) / (reach - leave))
    went = _travel(hand, stage, layout, last, grasp, (gone - time) / (gone - opened))
    bound = T_object @ T_object_wrist
    T_wrist = np.where((time < reach)[:, None, None], came[0], np.where((time > opened)[:, None, None], went[0], bound))
    grip = minimum_jerk((time - reach) / (closed - reach)) * minimum_jerk((opened - time) / (opened - placed))
    free = np.where((time < placed)[:, None, None], came[1], went[1])
    angles = free + (grasp.closed - free) * grip[:, None, None]
    held = (time >= closed - 1e-9) & (time <= placed + 1e-9)
    return Motion(time, T_wrist, angles, forearm_rotation(T_wrist, layout.shoulder), T_object, held, grasp)


def minimum_phase(time: np.ndarray, begin: float, end: float) -> Float[np.ndarray, "T"]:
    """Linear phase 0..1 between two times."""
    return np.clip((time - begin) / (end - begin), 0.0, 1.0)


def _shift(p: np.ndarray) -> np.ndarray:
    return make_T(np.eye(3), p)


def _object_path(prop: Prop, layout: _Layout, grasp: Grasp, phase: np.ndarray) -> Float[np.ndarray, "T 4 4"]:
    """Lift, move and lower, overlapping."""
    across = minimum_jerk((phase - 0.10) / 0.80)
    up = minimum_jerk(phase / 0.45) * minimum_jerk((1.0 - phase) / 0.45)
    p = layout.start + across[:, None] * (layout.end - layout.start)
    p[:, 2] += prop.extent_m[2] / 2 + layout.lift_m * up
    yaw = grasp.object_yaw + layout.turn * across
    return make_T(rotation(np.array([0.0, 0.0, 1.0]), yaw), p)


def _travel(
    hand: Hand, stage: Stage, layout: _Layout, T_goal: np.ndarray, grasp: Grasp, phase: np.ndarray
) -> tuple[Float[np.ndarray, "T 4 4"], Float[np.ndarray, "T 5 4"]]:
    """Wrist poses and open fingers on the way from outside the image to the grasp, over phase 0..1."""
    before = T_goal[:3, 3] - _APPROACH_M * T_goal[:3, :3] @ grasp.approach
    relaxed = _relaxed_rotation(layout, T_goal[:3, :3])
    begin = _offstage(hand, stage, layout, make_T(relaxed, before), RELAXED_RAD)
    far = minimum_jerk(phase / 0.72)[:, None]
    near = minimum_jerk((phase - 0.50) / 0.50)[:, None]
    position = begin + (before - begin) * far + (T_goal[:3, 3] - before) * near
    turn = Slerp([0.0, 1.0], Rotation.from_matrix(np.stack([relaxed, T_goal[:3, :3]])))
    R = turn(minimum_jerk(phase / 0.66)).as_matrix()
    spread = minimum_jerk(phase / 0.58)[:, None, None]
    return make_T(R, position), RELAXED_RAD + (grasp.opened - RELAXED_RAD) * spread


def _relaxed_rotation(layout: _Layout, R_goal: np.ndarray) -> np.ndarray:
    """Half-way between the grasp and a flat hand along the arm."""
    y = np.array([np.cos(layout.heading), np.sin(layout.heading), -0.15])
    y /= np.linalg.norm(y)
    z = np.array([0.0, 0.0, -1.0]) + y * y[2]
    z /= np.linalg.norm(z)
    flat = np.stack([np.cross(y, z), y, z], -1)
    return Slerp([0.0, 1.0], Rotation.from_matrix(np.stack([flat, R_goal])))(0.5).as_matrix()


def _offstage(hand: Hand, stage: Stage, layout: _Layout, T: np.ndarray, angles: np.ndarray) -> Float[np.ndarray, "3"]:
    """The nearest position on the way back to the shoulder at which nothing of the arm is in the image."""
    vertices, _ = hand.pose(angles)
    back = layout.shoulder - T[:3, 3]
    back = back * [1.0, 1.0, 0.6] / np.linalg.norm(back)
    for distance in np.arange(0.06, 1.4, 0.03):
        position = T[:3, 3] + distance * back
        T_here = make_T(T[:3, :3], position)
        arm = forearm_rotation(T_here[None], layout.shoulder)[0]
        turned = np.where((hand.weights[:, FOREARM] > 0.5)[:, None], vertices @ arm.T, vertices)
        if _outside(stage, transform(T_here, turned), -0.01) == 1.0:
            return position
    return T[:3, 3] + 1.4 * back


def _faults(hand: Hand, field: DistanceField, stage: Stage, motion: Motion) -> float:
    """Cost in mm-like units of penetration on the way, of a hand out of view, and of a cut-off arm in view."""
    cost = 0.0
    end = np.array([[0.0, -FOREARM_LENGTH_M, 0.0]])
    for k in range(0, len(motion.time), 2):
        vertices, joints = hand.pose(motion.angles[k], motion.R_wrist_forearm[k])
        skin = vertices[hand.mesh.vertices[:, 1] > -0.2]
        T_object_wrist = invert(motion.T_world_object[k]) @ motion.T_world_wrist[k]
        depth = -float(field(transform(T_object_wrist, skin)).min())
        cost += 6.0 * max(0.0, 1000.0 * depth - 2.0)
        world = transform(motion.T_world_wrist[k], skin)
        cost += 4.0 * max(0.0, -1000.0 * float(world[:, 2].min()))
        if motion.held[k]:
            cost += 8.0 * _outside(stage, transform(motion.T_world_wrist[k], joints), 0.02)
        elbow = transform(motion.T_world_wrist[k], end @ motion.R_wrist_forearm[k].T)
        cost += 6.0 * (1.0 - _outside(stage, elbow, -0.12))
    return cost
