"""A clip's robot, hands and objects as a mujoco scene in the camera frame, and where all of it is in every frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from hoiset.builder.retarget.mjspec import build_spec, import_mujoco, joint_positions
from hoiset.builder.retarget.robot import Robot
from hoiset.shards.glb import decode_objects
from hoiset.shards.schema import ObjectSource, Sample
from hoiset.view.overlay import OBJECT_COLOURS

BONES = tuple((0 if j % 4 == 1 else j - 1, j) for j in range(1, 21))
BONE_RADIUS_M = 0.007
ROBOT_ALPHA = 0.65
"""Robots are seen through, so that hands inside their grippers show."""
BACKGROUND_RGB = (0.16, 0.18, 0.22)
_AWAY = np.array([0.0, 0.0, -100.0])
"""Behind the camera: where what is absent is put."""


@dataclass(frozen=True)
class RobotScene:
    """What the renderer needs.

    Attributes:
        xml: The model.
        qpos: (T, nq) in the order of the robot's moving joints.
        mocap_pos: (T, M, 3) of the robot's root, then of every object, m, camera frame.
        mocap_quat: (T, M, 4) wxyz.
        capsules: (T, 40, 8) hand, radius and two ends of every bone; NaN for none.
    """

    xml: str
    qpos: Float[np.ndarray, "T nq"]
    mocap_pos: Float[np.ndarray, "T M 3"]
    mocap_quat: Float[np.ndarray, "T M 4"]
    capsules: Float[np.ndarray, "T 40 8"]


def make_scene(
    sample: Sample, robot: Robot, q: Float[np.ndarray, "T dof"], root: Float[np.ndarray, "T 4 4"], size: tuple[int, int]
) -> RobotScene:
    """Put a robot beside the hands and objects of a clip.

    Args:
        sample: With its core members.
        robot: The robot.
        q: Its positions; where they are NaN it holds the last that it had, or is at rest.
        root: ``T_camera_root``; where it is NaN the robot is not shown.
        size: Height and width of the pictures, px.
    """
    mujoco = import_mujoco()
    camera = sample["clip.json"]["camera"]
    spec = build_spec(robot)
    spec.body(robot.root).mocap = True
    for geom in spec.geoms:
        geom.contype = geom.conaffinity = 0
        geom.rgba[3] *= ROBOT_ALPHA
    meshes = decode_objects(sample["objects.glb"])
    for i, mesh in enumerate(meshes):
        body = spec.worldbody.add_body(name=f"object_{i}", mocap=True)
        spec.add_mesh(
            name=f"object_{i}",
            uservert=np.asarray(mesh.vertices, float).ravel(),
            userface=np.asarray(mesh.faces, np.int32).ravel(),
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
        )
        rgba = [*(c / 255 for c in OBJECT_COLOURS[i % len(OBJECT_COLOURS)]), 1.0]
        kind = mujoco.mjtGeom.mjGEOM_MESH
        body.add_geom(type=kind, meshname=f"object_{i}", contype=0, conaffinity=0, rgba=rgba)
    _add_camera(spec, np.array(camera["K"], float), (camera["height"], camera["width"]), size)
    spec.add_texture(
        name="background",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        rgb1=BACKGROUND_RGB,
        width=8,
        height=8,
    )
    spec.visual.quality.offsamples = 0
    spec.visual.global_.offheight, spec.visual.global_.offwidth = size
    spec.visual.map.znear = 0.01
    spec.stat.extent = 1.0
    spec.stat.center = [0.0, 0.0, 0.0]
    spec.visual.headlight.ambient = [0.45] * 3
    spec.visual.headlight.diffuse = [0.55] * 3
    spec.compile()
    poses = [_shown(root), *(_object_poses(sample, i) for i in range(len(meshes)))]
    T = np.stack(poses, 1)
    return RobotScene(
        spec.to_xml(),
        _positions(robot, q),
        T[..., :3, 3],
        _quaternions(T[..., :3, :3]),
        _bones(np.asarray(sample["hand_joints.npy.gz"], float)),
    )


def _add_camera(spec: Any, K: np.ndarray, taken: tuple[int, int], size: tuple[int, int]) -> None:
    """The clip's own camera, for pictures of another size: mujoco's looks along -z, with y up."""
    shrink = np.array([size[1] / taken[1], size[0] / taken[0]])
    focal = np.array([K[0, 0], K[1, 1]]) * shrink
    centre = (K[:2, 2] + 0.5) * shrink - 0.5
    middle = (np.array([size[1], size[0]]) - 1) / 2
    spec.worldbody.add_camera(
        name="camera",
        quat=[0.0, 1.0, 0.0, 0.0],
        resolution=[size[1], size[0]],
        sensor_size=[size[1] * 1e-5, size[0] * 1e-5],
        focal_pixel=focal,
        principal_pixel=middle - centre,
    )


def _shown(root: np.ndarray) -> np.ndarray:
    out = np.array(root, float)
    out[~np.isfinite(out).all((1, 2))] = _away()
    return out


def _object_poses(sample: Sample, i: int) -> np.ndarray:
    T = np.array(sample["object_pose.npy.gz"][:, i], float)
    T[sample["object_source.npy"][:, i] == ObjectSource.ABSENT] = _away()
    return T


def _away() -> np.ndarray:
    T = np.eye(4)
    T[:3, 3] = _AWAY
    return T


def _positions(robot: Robot, q: np.ndarray) -> np.ndarray:
    held = np.array(robot.home, float)
    out = []
    for row in np.asarray(q, float):
        held = np.where(np.isfinite(row), row, held)
        out.append(list(joint_positions(robot, held).values()))
    return np.array(out).reshape(len(q), -1)


def _quaternions(R: np.ndarray) -> np.ndarray:
    """(..., 4) wxyz of rotations."""
    from scipy.spatial.transform import Rotation

    xyzw = Rotation.from_matrix(R.reshape(-1, 3, 3)).as_quat()
    return np.roll(xyzw, 1, axis=1).reshape(*R.shape[:-2], 4)


def _bones(joints: np.ndarray) -> np.ndarray:
    """(T, 40, 8)."""
    out = np.full((len(joints), 2, len(BONES), 8), np.nan)
    for hand in range(2):
        out[:, hand, :, 0], out[:, hand, :, 1] = hand, BONE_RADIUS_M
        for bone, (a, b) in enumerate(BONES):
            out[:, hand, bone, 2:5], out[:, hand, bone, 5:8] = joints[:, hand, a], joints[:, hand, b]
    return out.reshape(len(joints), -1, 8)
