"""Clips that a robot has made itself, so that a root with every target in reach is known."""

from __future__ import annotations

import numpy as np

from hoiset.builder.retarget.reach import reaches
from hoiset.builder.retarget.records import HandMotion
from hoiset.builder.retarget.robot import Robot
from hoiset.geometry import make_T


def made_clip(
    robot: Robot, *, seconds: float = 3.0, rate: float = 10.0, seed: int = 0, sway: float = 0.25, gravity: bool = True
) -> tuple[HandMotion, np.ndarray]:
    """A clip of slow motion about home before a camera somewhere, and its ``T_camera_root``."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    wrist = np.full((len(time), 2, 4, 4), np.nan)
    camera = random_pose(rng)
    for reach in reaches(robot):
        wave = np.sin(0.8 * time[:, None] + rng.uniform(0, 6, len(reach.home)))
        q = np.clip(reach.home + sway * wave, reach.lower + 0.05, reach.upper - 0.05)
        wrist[:, list(reach.sides)] = camera @ reach.tools(q)
    joints = np.repeat(wrist[:, :, None, :3, 3], 21, 2)
    down = -camera[:3, :3] @ np.array(robot.up)
    return HandMotion(time, wrist, joints, down if gravity else None), camera


def random_pose(rng: np.random.Generator) -> np.ndarray:
    """A pose from anywhere."""
    Q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return make_T(Q * np.sign(np.linalg.det(Q)), rng.normal(size=3))


def moved(motion: HandMotion, T: np.ndarray) -> HandMotion:
    """The same clip before another camera."""
    joints = motion.joints @ T[:3, :3].T + T[:3, 3]
    down = None if motion.gravity is None else T[:3, :3] @ motion.gravity
    return HandMotion(motion.time, T @ motion.wrist, joints, down)
