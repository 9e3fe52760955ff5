"""Scenes in which no hand handles anything: a still life, a thing that moves by itself, a robot at work.

**Convention:** world frame of :mod:`hoiset.builder.studio.stage`; m, rad, s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio import gripper
from hoiset.builder.studio.grasp import RELAXED_RAD
from hoiset.builder.studio.hand import Hand
from hoiset.builder.studio.motion import minimum_jerk
from hoiset.builder.studio.objects import Prop, build_prop
from hoiset.builder.studio.params import OBJECT_KINDS, StudioParams
from hoiset.builder.studio.performance import HandTrack, Performance, PropTrack
from hoiset.builder.studio.scene import Scene, draw_hand
from hoiset.builder.studio.skeleton import forearm_rotation, rotation
from hoiset.builder.studio.stage import Stage, build_stage
from hoiset.geometry import make_T, project, transform
from hoiset.shards.schema import ObjectState

_UP = np.array([0.0, 0.0, 1.0])
_GAP_M = 0.02
_SLIDERS = ("can", "box", "mug", "bowl", "ball", "book", "jar")
_TREMOR_M = 0.0004


def no_hand_scene(seed: int, params: StudioParams) -> Scene:
    """Two to four things that stand on a table."""
    draw, stage, time = _begin(seed, params)
    kinds = [str(k) for k in draw.choice(OBJECT_KINDS, int(draw.integers(2, 5)), replace=False)]
    tracks = _spread(stage, _things(seed, kinds), time, draw, np.zeros((0, 2)))
    nouns = tuple(track.prop.noun for track in tracks)
    words = f"Look at the {' and the '.join(nouns)}"
    return _scene(params, stage, Performance(time, (), tracks, (), "nothing", words, "look", nouns), draw)


def self_moving_scene(seed: int, params: StudioParams) -> Scene:
    """A hand rests on the table while a thing slides past by itself; things that stand are around."""
    draw, stage, time = _begin(seed, params)
    hand, paint = draw_hand(seed, params)
    track = _resting(stage, hand, time, draw)
    skin = track.posed(0)[0]
    taken = skin[:: max(1, len(skin) // 400), :2]
    kinds = [str(draw.choice(_SLIDERS)), *(str(k) for k in draw.choice(OBJECT_KINDS, 2, replace=False))]
    props = _things(seed, kinds)
    mover = _slide(stage, props[0], time, draw, taken)
    swept = mover.T_world_object[:, :2, 3]
    around = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)
    ring = _radius(props[0]) * np.stack([np.cos(around), np.sin(around)], -1)
    taken = np.concatenate([taken, (swept[::3, None] + ring).reshape(-1, 2)])
    tracks = (mover, *_spread(stage, props[1:], time, draw, taken))
    noun = props[0].noun
    words = f"The {noun} moves by itself"
    performance = Performance(time, (track,), tracks, (), "idle", words, "move", (noun,))
    return _scene(params, stage, performance, draw, paint)


def robot_scene(seed: int, params: StudioParams) -> Scene:
    """A gripper picks a thing up and places it; things that stand are around."""
    draw, stage, time = _begin(seed, params)
    props = _things(seed, [str(draw.choice(gripper.KINDS)), *(str(k) for k in draw.choice(OBJECT_KINDS, 2))])
    mover = _slide(stage, props[0], time, draw, np.zeros((0, 2)))
    spots = mover.T_world_object[0, :2, 3], mover.T_world_object[-1, :2, 3]
    between = spots[0] + np.linspace(0.0, 1.0, 12)[:, None] * (spots[1] - spots[0])
    taken = np.concatenate([between + shift for shift in ([0.09, 0.0], [-0.09, 0.0], [0.0, 0.09], [0.0, -0.09])])
    around = _spread(stage, props[1:], time, draw, taken)
    return _scene(params, stage, gripper.play_gripper(props[0], spots, around, time, draw), draw)


def _begin(seed: int, params: StudioParams) -> tuple[np.random.Generator, Stage, np.ndarray]:
    draw = np.random.default_rng([seed, 11])
    stage = build_stage(params, np.random.default_rng([seed, 3]))
    time = params.frame_times(float(draw.uniform(3.0, 4.5)) if params.own_pace else params.duration_s)
    return draw, stage, time


def _scene(
    params: StudioParams,
    stage: Stage,
    performance: Performance,
    draw: np.random.Generator,
    paint: tuple[np.ndarray, np.ndarray] | None = None,
) -> Scene:
    albedo, gloss = (np.zeros((0, 3)), np.zeros(0)) if paint is None else paint
    left = bool(draw.random() < 0.5) if params.handedness is None else params.handedness == "left"
    return Scene(stage, performance, albedo, gloss, left)


def _things(seed: int, kinds: Sequence[str]) -> list[Prop]:
    return [build_prop(kind, np.random.default_rng([seed, 2, k])) for k, kind in enumerate(kinds)]


def _radius(prop: Prop) -> float:
    return float(np.hypot(*prop.extent_m[:2])) / 2


def _standing(prop: Prop, at: np.ndarray, yaw: float) -> Float[np.ndarray, "4 4"]:
    return make_T(rotation(_UP, np.array(yaw)), np.array([*at, prop.extent_m[2] / 2]))


def _inside(stage: Stage, points: np.ndarray, margin: float) -> bool:
    """Whether world points are in the image shrunk by a margin, and before the wall."""
    uv = project(stage.K, transform(stage.T_camera_world, points))
    size = np.array([stage.width, stage.height])
    seen = (uv >= margin * size) & (uv <= (1.0 - margin) * size)
    return bool(seen.all() and points[:, 1].max() < stage.wall_y_m - 0.01)


def _spread(
    stage: Stage, props: Sequence[Prop], time: np.ndarray, draw: np.random.Generator, taken: np.ndarray
) -> tuple[PropTrack, ...]:
    """Things at places in view where nothing is; those for which there is no room are left out, but for the first."""
    out: list[PropTrack] = []
    still = np.full(len(time), ObjectState.STATIC, np.uint8)
    for prop in props:
        surface = prop.mesh.vertices[:: max(1, len(prop.mesh.vertices) // 200)]
        for _ in range(200):
            T = _standing(prop, draw.uniform([-0.26, -0.16], [0.26, 0.24]), draw.uniform(-np.pi, np.pi))
            away = np.linalg.norm(taken - T[:2, 3], axis=-1).min() if len(taken) else np.inf
            if away > _radius(prop) + _GAP_M and _inside(stage, transform(T, surface), 0.02):
                out.append(PropTrack(prop, np.tile(T, (len(time), 1, 1)), still))
                taken = np.concatenate([taken, transform(T, surface)[:, :2]])
                break
    return tuple(out)


def _slide(stage: Stage, prop: Prop, time: np.ndarray, draw: np.random.Generator, taken: np.ndarray) -> PropTrack:
    """A thing that sets off, crosses the table on a straight line and stops, clear of what is taken."""
    surface = prop.mesh.vertices[:: max(1, len(prop.mesh.vertices) // 200)]
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    for _ in range(400):
        start, end = draw.uniform([-0.24, -0.14], [0.24, 0.20], (2, 2))
        length = float(np.linalg.norm(end - start))
        line = start + np.linspace(0.0, 1.0, 15)[:, None] * (end - start)
        away = np.linalg.norm(taken[:, None] - line, axis=-1).min() if len(taken) else np.inf
        ends = np.concatenate([transform(_standing(prop, p, 0.0), surface) for p in (start, end)])
        faults = (
            max(0.0, _radius(prop) + _GAP_M - away) + max(0.0, 0.12 - length) + 0.3 * (not _inside(stage, ends, 0.03))
        )
        if best is None or faults < best[0]:
            best = (faults, start, end)
        if faults == 0.0:
            break
    assert best is not None
    _, start, end = best
    begin, stop = draw.uniform(0.15, 0.3) * time[-1], draw.uniform(0.65, 0.85) * time[-1]
    phase = minimum_jerk((time - begin) / (stop - begin))
    yaw = draw.uniform(-np.pi, np.pi)
    T = np.stack([_standing(prop, start + s * (end - start), yaw) for s in phase])
    state = np.where((time > begin) & (time < stop), ObjectState.MOVING, ObjectState.STATIC).astype(np.uint8)
    return PropTrack(prop, T, state)


def _resting(stage: Stage, hand: Hand, time: np.ndarray, draw: np.random.Generator) -> HandTrack:
    """A right hand that lies on the table, palm down, in view, and moves no more than hands do that lie."""
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    for _ in range(60):
        heading = np.pi / 2 + draw.uniform(-0.2, 0.9)
        y = np.array([np.cos(heading), np.sin(heading), 0.12])
        y /= np.linalg.norm(y)
        z = -_UP + y * y[2]
        z /= np.linalg.norm(z)
        T = make_T(np.stack([np.cross(y, z), y, z], -1), np.array([*draw.uniform([-0.05, -0.16], [0.22, 0.02]), 0.0]))
        shoulder = T[:3, 3] - 1.2 * np.array([np.cos(heading), np.sin(heading), 0.0]) + 0.25 * _UP
        arm = forearm_rotation(T[None], shoulder)[0]
        skin, joints = hand.pose(RELAXED_RAD, arm)
        T[2, 3] -= transform(T, skin[hand.mesh.vertices[:, 1] > -0.15])[:, 2].min() - 5e-4
        seen = _inside(stage, transform(T, joints), 0.04)
        hidden = 0.0 if seen else float(np.linalg.norm(T[:2, 3]))
        if best is None or hidden < best[0]:
            best = (hidden, T, arm)
        if seen:
            break
    assert best is not None
    _, T, arm = best
    hz, phase = draw.uniform(0.2, 1.2, 3), draw.uniform(0.0, 2.0 * np.pi, 3)
    path = np.tile(T, (len(time), 1, 1))
    path[:, :3, 3] += _TREMOR_M * np.sin(2.0 * np.pi * time[:, None] * hz + phase) * [1.0, 1.0, 0.0]
    n = len(time)
    return HandTrack(False, hand, path, np.tile(RELAXED_RAD, (n, 1, 1)), np.tile(arm, (n, 1, 1)))
