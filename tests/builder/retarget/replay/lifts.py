"""Clean synthetic lifts: a hand takes something from a table, carries it along an arc, and puts it down again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import trimesh

from hoiset.builder.retarget.replay.records import ReplayClip
from hoiset.geometry import make_T, transform, wrist_frame
from hoiset.shards.schema import ObjectState

SHAPES: dict[str, Callable[[], trimesh.Trimesh]] = {
    "box": lambda: trimesh.creation.box((0.06, 0.03, 0.10)),
    "cylinder": lambda: trimesh.creation.cylinder(0.025, 0.12, sections=32),
    "sphere": lambda: trimesh.creation.icosphere(2, 0.03),
}
GRAVITY = np.array([0.0, 0.8, 0.6])
"""Of a camera that looks down by some 37 degrees."""
RATE_HZ, SECONDS, TAKEN, LEFT = 30.0, 2.8, 0.8, 2.2
HALF_OPEN, HALF_CLOSED = 0.06, 0.038


def lift(
    shape: str = "box",
    *,
    bias_m: float = 0.0,
    across: tuple[float, float, float] = (0.0, -1.0, 0.0),
    noise_m: float = 0.0,
    gravity: bool = True,
    opposite: bool = False,
    height_m: float = 0.15,
) -> ReplayClip:
    """A right hand that lifts an object.

    Args:
        shape: Of :data:`SHAPES`.
        bias_m: By how much the hand is off, along ``across``, m.
        across: Unit vector in a world with z up: the hand comes along y, closes along x.
        noise_m: Standard deviation of noise on the whole hand in each frame.
        gravity: Whether it is told.
        opposite: Whether the hand carries on the other way round.
        height_m: Of the arc.
    """
    mesh = SHAPES[shape]()
    time = np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ
    progress = np.clip((time - TAKEN - 0.1) / (LEFT - TAKEN - 0.2), 0.0, 1.0)
    share = progress**3 * (10 - 15 * progress + 6 * progress**2)
    carried = np.stack([0.2 * share, np.zeros_like(share), height_m * np.sin(np.pi * share) ** 2], 1)
    at_rest = -float(mesh.vertices[:, 2].min())
    T_world_object = make_T(np.broadcast_to(np.eye(3), (len(time), 3, 3)), carried + np.array([0.0, 0.0, at_rest]))
    wrist = (-carried if opposite else carried) + np.array([0.0, -0.11, at_rest]) + bias_m * np.array(across)
    off = np.maximum(np.clip((TAKEN - 0.15 - time) / 0.5, 0, 1), np.clip((time - LEFT - 0.15) / 0.5, 0, 1))
    away = off**3 * (10 - 15 * off + 6 * off**2)
    wrist = wrist + away[:, None] * np.array([0.0, -0.25, 0.05])
    wrist = wrist + noise_m * np.random.default_rng(0).standard_normal(wrist.shape)
    held = (time >= TAKEN) & (time <= LEFT)
    half = np.where(held, HALF_CLOSED, HALF_OPEN)
    joints = np.stack([_hand(place, h) for place, h in zip(wrist, half, strict=True)])
    down = GRAVITY / np.linalg.norm(GRAVITY)
    x = np.array([1.0, 0.0, 0.0])
    T_camera_world = make_T(np.stack([x, np.cross(-down, x), -down], -1), np.array([0.0, 0.1, 0.8]))
    joints = transform(T_camera_world, joints)
    both = np.full((len(time), 2, 21, 3), np.nan)
    both[:, 1] = joints
    wrists = np.full((len(time), 2, 4, 4), np.nan)
    wrists[:, 1] = wrist_frame(joints, left=False)
    contact = np.full((len(time), 2, 1), np.nan)
    contact[:, 1, 0] = np.where(held, 0.005, 0.05 + 0.25 * away)
    state = np.where(held, ObjectState.GRASPED_RIGHT, ObjectState.STATIC).astype(np.uint8)
    return ReplayClip(
        key=f"lift_{shape}",
        time=time,
        wrist=wrists,
        joints=both,
        pose=(T_camera_world @ T_world_object)[:, None],
        state=state[:, None],
        contact=contact,
        meshes=((np.asarray(mesh.vertices), np.asarray(mesh.faces)),),
        labels=("block",),
        sided=(True,),
        gravity=down if gravity else None,
    )


def _hand(wrist: np.ndarray, half: float) -> np.ndarray:
    """Joints of a hand that reaches along y and holds along x, the thumb at -x; the palm is stiff, m."""
    joints = np.zeros((21, 3))
    for finger, z in zip(range(1, 5), (0.015, -0.005, -0.02, -0.035), strict=True):
        joints[1 + 4 * finger : 5 + 4 * finger] = [[0.02, 0.05, z], *([half, 0.0735 + 0.0235 * i, z] for i in range(3))]
    joints[1:5] = [[-0.02, 0.03, 0.0], [-half, 0.08, 0.005], [-half, 0.099, 0.005], [-half, 0.119, 0.005]]
    return joints + wrist
