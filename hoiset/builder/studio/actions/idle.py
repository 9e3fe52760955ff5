"""Clips in which no hand does anything: one rests or gestures while a thing moves by itself.

**Convention:** world frame of :mod:`hoiset.builder.studio.stage`; m, rad, s.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from hoiset.builder.studio.actions.planning import Scene
from hoiset.builder.studio.actions.script import Arm
from hoiset.builder.studio.grasp import RELAXED_RAD
from hoiset.builder.studio.motion import Submove, ThingPath, flat_rotation, minimum_jerk
from hoiset.builder.studio.skeleton import forearm_rotation
from hoiset.geometry import make_T

_TRIES = 24
_ABOVE_TABLE_M = 0.0008
_GESTURE_ABOVE_M = 0.02


def rolling(scene: Scene) -> tuple[ThingPath, np.ndarray]:
    """The path of a thing that moves along the table by itself, and (T,) when it does."""
    radius = float(np.max(scene.props[0].extent_m[:2])) / 2
    start = scene.spot(radius + 0.03)
    end = scene.spot(radius + 0.03, start, 0.10, 0.30)
    begin, stop = scene.duration_s * scene.rng.uniform(0.15, 0.3), scene.duration_s * scene.rng.uniform(0.65, 0.85)
    turn = np.array([0.0, 0.0, scene.rng.uniform(-0.8, 0.8)])
    T = scene.standing(0, start, scene.rng.uniform(-np.pi, np.pi))
    moving = (scene.time >= begin) & (scene.time <= stop)
    return ThingPath(T, (Submove(begin, stop, end - start, turn),)), moving


def resting(scene: Scene, path: ThingPath) -> Arm:
    """A right hand that lies on the table or gestures above it, in view and out of the thing's way."""
    moved = path(scene.time[:: max(1, len(scene.time) // 20)])[:, :3, 3]
    size = float(np.max(scene.props[0].extent_m[:2])) / 2
    gesture = bool(scene.rng.random() < 0.4)
    best: tuple[float, Arm] | None = None
    for _ in range(_TRIES):
        spot = scene.spot(0.06)
        arm = _gesturing(scene, spot) if gesture else _lying(scene, spot)
        frames = np.array([0, len(scene.time) // 2])
        skin, joints = scene.feelers.posed(scene.taker.hand, arm, frames)
        gap = np.linalg.norm(skin[:, :, None, :2] - moved[:, :2], axis=-1).min() - size
        cost = 100.0 * scene.view.outside(joints.reshape(-1, 3), 0.02) + 1000.0 * max(0.0, 0.03 - float(gap))
        if best is None or cost < best[0]:
            best = (cost, arm)
        if best[0] == 0.0:
            break
    if best is None:
        raise ValueError("found no try: expected at least one place for the hand")
    return best[1]


def _lying(scene: Scene, spot: np.ndarray) -> Arm:
    """Flat on the table, a finger lifting a little now and then."""
    T, shoulder = _flat(scene, spot)
    n = len(scene.time)
    angles = np.tile(RELAXED_RAD * 0.7, (n, 1, 1))
    finger = int(scene.rng.integers(1, 5))
    tap = minimum_jerk(1.0 - np.abs(scene.time / scene.duration_s - scene.rng.uniform(0.3, 0.7)) / 0.12)
    angles[:, finger, 1] -= 0.18 * tap
    T = _on_table(scene, T, angles[0], shoulder)
    poses = np.tile(T, (n, 1, 1))
    return Arm(False, poses, angles, forearm_rotation(poses, shoulder), np.zeros(n, bool))


def _gesturing(scene: Scene, spot: np.ndarray) -> Arm:
    """Above the table, swaying, while the fingers open and close a little."""
    T, shoulder = _flat(scene, spot + np.array([0.0, 0.0, scene.rng.uniform(0.07, 0.12)]))
    phase = 2 * np.pi * scene.time * scene.rng.uniform(0.3, 0.7)
    sway = scene.rng.uniform(0.01, 0.03, 3) * np.stack(
        [np.sin(phase), np.sin(0.8 * phase + 1), np.sin(1.3 * phase)], -1
    )
    roll = Rotation.from_rotvec(0.25 * np.sin(phase)[:, None] * T[:3, 1]).as_matrix()
    poses = make_T(roll @ T[:3, :3], T[:3, 3] + sway)
    angles = np.tile(RELAXED_RAD, (len(scene.time), 1, 1))
    angles[:, :, 1:] *= (1.0 + 0.6 * np.sin(0.9 * phase))[:, None, None]
    arm = Arm(False, poses, angles, forearm_rotation(poses, shoulder), np.zeros(len(scene.time), bool))
    skin, _ = scene.feelers.posed(scene.taker.hand, arm, np.arange(len(scene.time)))
    poses[:, 2, 3] += max(0.0, _GESTURE_ABOVE_M - float(skin[..., 2].min()))
    return arm


def _flat(scene: Scene, spot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A palm-down hand whose knuckles are over a spot, and where its arm comes from."""
    shoulder = scene.shoulder(spot)
    heading = float(np.arctan2(*(spot - shoulder)[1::-1])) + scene.rng.uniform(-0.3, 0.3)
    R = flat_rotation(heading)
    return make_T(R, spot - 0.09 * scene.taker.scale * R[:, 1]), shoulder


def _on_table(scene: Scene, T: np.ndarray, angles: np.ndarray, shoulder: np.ndarray) -> np.ndarray:
    """The same pose just above the table."""
    arm = Arm(False, T[None], angles[None], forearm_rotation(T[None], shoulder), np.zeros(1, bool))
    skin, _ = scene.feelers.posed(scene.taker.hand, arm, np.zeros(1, int))
    vertices, _ = scene.taker.hand.pose(angles, arm.R_wrist_forearm[0])
    low = min(float(skin[..., 2].min()), float((vertices @ T[2, :3]).min() + T[2, 3]))
    return make_T(T[:3, :3], T[:3, 3] + np.array([0.0, 0.0, _ABOVE_TABLE_M - low]))
