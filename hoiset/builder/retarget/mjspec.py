"""A robot as a mujoco model: its links, joints and simple shapes, as many robots in a scene as wanted.

Masses follow from the shapes at the density of water, for they are made for contacts and drawing, not for dynamics.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from hoiset.builder.retarget.robot import Joint, Pose, Robot
from hoiset.errors import MissingDependency, RobotError

BARE_MASS_KG, BARE_INERTIA = 1e-3, 1e-6
"""Mass, kg, and moments, kg m2, of links without shapes: mujoco wants some of all that move."""


def import_mujoco() -> Any:
    """The module.

    Raises:
        MissingDependency: It is not installed.
    """
    try:
        import mujoco
    except ImportError as error:
        raise MissingDependency("robots in a scene need mujoco: pip install 'hoiset[build]'") from error
    return mujoco


def add_robot(spec: Any, robot: Robot, *, prefix: str = "", root: Pose | None = None) -> None:
    """Put a robot into a scene.

    Args:
        spec: ``mujoco.MjSpec`` to change.
        robot: The robot.
        prefix: Before all of its names, so that several can stand in one scene.
        root: ``T_world_root``; by default the root link stands at the origin with its own axes.

    Raises:
        RobotError: The scene has a body of that name already.
        MissingDependency: mujoco is not installed.
    """
    mujoco = import_mujoco()
    if spec.body(prefix + robot.root) is not None:
        raise RobotError(
            f"found a body {prefix + robot.root!r} in the scene already, expected another prefix than {prefix!r}"
        )
    root = root or Pose()
    shaped = {shape.link for shape in robot.shapes}
    bodies = {robot.root: spec.worldbody.add_body(name=prefix + robot.root, pos=root.xyz, quat=root.quat)}
    for joint in robot.joints:
        body = bodies[joint.parent].add_body(name=prefix + joint.child, pos=joint.origin.xyz, quat=joint.origin.quat)
        bodies[joint.child] = body
        if joint.child not in shaped:
            body.explicitinertial, body.mass, body.inertia = True, BARE_MASS_KG, [BARE_INERTIA] * 3
            body.ipos, body.iquat = [0.0] * 3, [1.0, 0.0, 0.0, 0.0]
        if joint.kind != "fixed":
            _add_joint(mujoco, body, joint, prefix, degrees=bool(spec.compiler.degree))
    kinds = {
        "box": mujoco.mjtGeom.mjGEOM_BOX,
        "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
        "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
        "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    }
    for shape in robot.shapes:
        bodies[shape.link].add_geom(
            type=kinds[shape.kind],
            size=[*shape.size, 0.0, 0.0][:3],
            pos=shape.pose.xyz,
            quat=shape.pose.quat,
            rgba=shape.rgba,
            contype=int(shape.collides),
            conaffinity=int(shape.collides),
        )
    for arm in robot.arms:
        bodies[arm.link].add_site(
            name=f"{prefix}{arm.name}_wrist", pos=arm.tool.xyz, quat=arm.tool.quat, size=[0.005] * 3
        )
    for first, second in (*adjacent_links(robot), *robot.exclude):
        spec.add_exclude(bodyname1=prefix + first, bodyname2=prefix + second)
    for joint in robot.moving:
        if joint.mimic is not None:
            spec.add_equality(
                type=mujoco.mjtEq.mjEQ_JOINT,
                objtype=mujoco.mjtObj.mjOBJ_JOINT,
                name1=prefix + joint.name,
                name2=prefix + joint.mimic.joint,
                data=[joint.mimic.offset, joint.mimic.multiplier, *[0.0] * (mujoco.mjNEQDATA - 2)],
            )


def build_spec(robot: Robot, *, prefix: str = "", root: Pose | None = None) -> Any:
    """A ``mujoco.MjSpec`` with this robot alone; see :func:`add_robot`."""
    spec = import_mujoco().MjSpec()
    spec.modelname = robot.name
    spec.compiler.degree = False
    add_robot(spec, robot, prefix=prefix, root=root)
    return spec


def joint_positions(robot: Robot, q: Float[np.ndarray, " dof"]) -> Mapping[str, float]:
    """Position of every moving joint by name, with those that follow others.

    Raises:
        RobotError: ``q`` is not (dof,).
    """
    q = np.asarray(q, np.float64)
    if q.shape != (len(robot.dofs),):
        raise RobotError(f"{robot.name}: found positions of shape {q.shape}, expected ({len(robot.dofs)},)")
    own = {joint.name: float(value) for joint, value in zip(robot.dofs, q, strict=True)}
    return {
        joint.name: own[joint.name]
        if joint.mimic is None
        else own[joint.mimic.joint] * joint.mimic.multiplier + joint.mimic.offset
        for joint in robot.moving
    }


def set_positions(model: Any, data: Any, robot: Robot, q: Float[np.ndarray, " dof"], *, prefix: str = "") -> None:
    """Write ``q`` (rad, m) of a robot into ``data.qpos``; call ``mujoco.mj_forward`` afterwards."""
    for name, value in joint_positions(robot, q).items():
        data.qpos[model.joint(prefix + name).qposadr[0]] = value


def adjacent_links(robot: Robot) -> list[tuple[str, str]]:
    """Pairs of links with shapes that one joint holds together, and those fixed to each other with it."""
    group = {robot.root: robot.root}
    for joint in robot.joints:
        group[joint.child] = group[joint.parent] if joint.kind == "fixed" else joint.child
    shaped = sorted({shape.link for shape in robot.shapes if shape.collides}, key=robot.links.index)
    held = {(group[joint.parent], joint.child) for joint in robot.moving}
    known = {frozenset(pair) for pair in robot.exclude}
    return [
        (first, second)
        for place, first in enumerate(shaped)
        for second in shaped[place + 1 :]
        if not held.isdisjoint({(group[first], group[second]), (group[second], group[first])})
        and frozenset((first, second)) not in known
    ]


def _add_joint(mujoco: Any, body: Any, joint: Joint, prefix: str, *, degrees: bool) -> None:
    unit = math.degrees(1.0) if degrees and joint.kind == "revolute" else 1.0
    body.add_joint(
        name=prefix + joint.name,
        type=mujoco.mjtJoint.mjJNT_HINGE if joint.kind == "revolute" else mujoco.mjtJoint.mjJNT_SLIDE,
        axis=joint.axis,
        range=[joint.lower * unit, joint.upper * unit],
        limited=mujoco.mjtLimited.mjLIMITED_TRUE,
    )
