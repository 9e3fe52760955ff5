"""Frames of a replay as pictures: the object as it was simulated, as it was recorded (green), and the recorded hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from hoiset.builder.retarget.mjspec import import_mujoco
from hoiset.builder.retarget.replay.records import ReplayParams
from hoiset.builder.retarget.replay.replay import Trace
from hoiset.builder.retarget.replay.scene import build_scene, quaternion

HAND_RGBA = ((0.9, 0.3, 0.3, 1.0), (0.3, 0.3, 0.9, 1.0))
JOINT_M = 0.006


def draw_replay(trace: Trace, *, n: int = 6, height: int = 300, width: int = 360) -> UInt8[np.ndarray, "H W 3"]:
    """A strip of frames, evenly spaced over what was played.

    Needs a way to draw without a display: set ``MUJOCO_GL`` to ``egl`` or ``osmesa`` before mujoco is imported.

    Args:
        trace: Of :func:`hoiset.builder.retarget.replay.replay.replay_object`.
        n: How many frames.
        height: Of a frame, px.
        width: Of a frame, px.
    """
    mujoco = import_mujoco()
    plan = trace.plan
    spec = build_scene(plan.body, plan.start, trace.supports, len(plan.paths), ReplayParams(), with_record=True)
    spec.model.vis.headlight.ambient[:] = 0.5
    data, camera = mujoco.MjData(spec.model), mujoco.MjvCamera()
    places = plan.reference[np.isfinite(plan.reference).all((1, 2))][:, :3, 3]
    camera.lookat[:] = 0.5 * (places.min(0) + places.max(0))
    camera.distance = 0.35 + 1.1 * float(np.linalg.norm(np.ptp(places, axis=0)))
    camera.azimuth, camera.elevation = 130.0, -20.0
    frames = np.linspace(0, len(plan.frames) - 1, n).round().astype(int)
    strip = []
    with mujoco.Renderer(spec.model, height, width) as renderer:
        for frame in frames:
            data.qpos[:] = trace.played.qpos[0, plan.step_of[frame]]
            T = plan.reference[frame]
            seen = bool(np.isfinite(T).all())
            data.mocap_pos[-1] = T[:3, 3] if seen else np.array([0.0, 0.0, -100.0])
            data.mocap_quat[-1] = quaternion(T[:3, :3]) if seen else np.array([1.0, 0.0, 0.0, 0.0])
            mujoco.mj_forward(spec.model, data)
            renderer.update_scene(data, camera)
            for joints, rgba in zip(trace.joints[frame], HAND_RGBA, strict=True):
                _add_joints(mujoco, renderer.scene, joints, rgba)
            strip.append(renderer.render().copy())
    return np.concatenate(strip, axis=1)


def _add_joints(mujoco: Any, scene: Any, joints: Float[np.ndarray, "21 3"], rgba: tuple[float, ...]) -> None:
    for place in joints[np.isfinite(joints).all(-1)]:
        if scene.ngeom >= scene.maxgeom:
            return
        size, turn = np.full(3, JOINT_M), np.eye(3).ravel()
        geom = scene.geoms[scene.ngeom]
        mujoco.mjv_initGeom(geom, mujoco.mjtGeom.mjGEOM_SPHERE, size, place, turn, np.array(rgba, np.float32))
        scene.ngeom += 1
