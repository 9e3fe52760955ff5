"""A robot from a user's own MJCF file.

Its sites name the chains: ``left_wrist`` and ``right_wrist`` are arms from the root body, ``left_thumb_tip``,
``right_index_tip`` and so on are fingers. A site's axes are those of :class:`hoiset.builder.retarget.robot.Arm`.
The keyframe ``home`` is the pose at rest; without one every joint rests at 0, or at its nearest limit.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hoiset.builder.retarget.mjspec import import_mujoco
from hoiset.builder.retarget.robot import Arm, Finger, Joint, Pose, Robot, Shape
from hoiset.errors import RobotError

_SITE = re.compile(r"(?P<side>left|right)_(?:wrist|(?P<finger>thumb|index|middle|ring|little)_tip)")


def read_mjcf(path: Path) -> Robot:
    """A robot from an MJCF file with one body in the world, which may float.

    Hinge and slide joints with limits are taken over, as are boxes, spheres, capsules and cylinders; meshes become
    the boxes around them, other geometry is left out. Couplings between joints are not taken over, nor exclusions.

    Raises:
        RobotError: mujoco cannot read it, a joint has no limits or is of another kind, not exactly one body stands in
            the world, or no wrist or fingertip is marked.
        MissingDependency: mujoco is not installed.
    """
    mujoco = import_mujoco()
    try:
        model = mujoco.MjModel.from_xml_path(str(path))
    except ValueError as error:
        raise RobotError(f"{path.name}: mujoco cannot read it: {error}") from error
    roots = [body for body in range(1, model.nbody) if model.body_parentid[body] == 0]
    if len(roots) != 1:
        raise RobotError(f"{path.name}: found {len(roots)} bodies in the world, expected one, the robot's root")
    names = {body: model.body(body).name or f"body{body}" for body in range(1, model.nbody)}
    joints: list[Joint] = []
    home: list[float] = []
    for body in range(1, model.nbody):
        for joint, position in _joints(mujoco, model, body, names, is_root=body == roots[0], where=path.name):
            joints.append(joint)
            if position is not None:
                home.append(position)
    arms, fingers = _chains(model, names, root=names[roots[0]])
    if not arms and not fingers:
        raise RobotError(
            f"{path.name}: found no site left_wrist, right_wrist or <side>_<finger>_tip, expected one at least"
        )
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", path.stem)
    return Robot(
        name=name,
        title=name,
        root=names[roots[0]],
        joints=tuple(joints),
        arms=arms,
        fingers=fingers,
        home=tuple(home),
        shapes=_shapes(mujoco, model, names),
        source=path.name,
        licence="the user's own",
    )


def _joints(
    mujoco: Any, model: Any, body: int, names: dict[int, str], *, is_root: bool, where: str
) -> list[tuple[Joint, float | None]]:
    """What carries a body: a joint for each of its own, each about its anchor, with its rest if it moves."""
    own = range(model.body_jntadr[body], model.body_jntadr[body] + model.body_jntnum[body])
    if is_root:
        kinds = {int(model.jnt_type[joint]) for joint in own}
        if kinds - {int(mujoco.mjtJoint.mjJNT_FREE)}:
            raise RobotError(f"{where}: found joints on the root body {names[body]!r}, expected none or a free one")
        return []
    parent, child = names[int(model.body_parentid[body])], names[body]
    at = Pose(_tuple(model.body_pos[body]), _tuple(model.body_quat[body]))
    rows: list[tuple[Joint, float | None]] = []
    for joint in own:
        name = model.joint(joint).name or f"joint{joint}"
        kind = int(model.jnt_type[joint])
        if kind not in (int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE)):
            raise RobotError(f"{where}: found joint {name!r} of another kind, expected hinges and slides")
        if not model.jnt_limited[joint]:
            raise RobotError(f"{where}: found joint {name!r} without limits, expected a range")
        anchor = model.jnt_pos[joint]
        origin = at.matrix @ Pose(_tuple(anchor)).matrix
        lower, upper = (float(limit) for limit in model.jnt_range[joint])
        # Positions of mujoco count from qpos0, where the body stands as written.
        zero = float(model.qpos0[model.jnt_qposadr[joint]])
        if zero:
            raise RobotError(f"{where}: found ref {zero} of joint {name!r}, expected 0")
        carried = f"{child}@{name}"
        rows.append(
            (
                Joint(
                    name=name,
                    kind="revolute" if kind == int(mujoco.mjtJoint.mjJNT_HINGE) else "prismatic",
                    parent=parent,
                    child=carried,
                    origin=Pose(_tuple(origin[:3, 3]), at.quat),
                    axis=_tuple(model.jnt_axis[joint]),
                    lower=lower,
                    upper=upper,
                ),
                _rest(model, joint, lower, upper),
            )
        )
        parent, at = carried, Pose(_tuple(-anchor))
    rows.append((Joint(f"{child}@", "fixed", parent, child, at), None))
    return rows


def _rest(model: Any, joint: int, lower: float, upper: float) -> float:
    position = 0.0
    for key in range(model.nkey):
        if model.key(key).name == "home":
            position = float(model.key_qpos[key, model.jnt_qposadr[joint]])
    return min(max(position, lower), upper)


def _chains(model: Any, names: dict[int, str], *, root: str) -> tuple[tuple[Arm, ...], tuple[Finger, ...]]:
    marks: list[tuple[str, Any, str, Pose]] = []
    for site in range(model.nsite):
        match = _SITE.fullmatch(model.site(site).name)
        if match is not None and model.site_bodyid[site] > 0:
            tool = Pose(_tuple(model.site_pos[site]), _tuple(model.site_quat[site]))
            marks.append((match["side"], match["finger"], names[int(model.site_bodyid[site])], tool))
    arms = {side: Arm(side, side, root, link, tool) for side, finger, link, tool in marks if finger is None}  # type: ignore[arg-type]
    fingers = tuple(
        Finger(finger, side, arms[side].link if side in arms else root, link, tool)  # type: ignore[arg-type]
        for side, finger, link, tool in marks
        if finger is not None
    )
    return tuple(arms.values()), fingers


def _shapes(mujoco: Any, model: Any, names: dict[int, str]) -> tuple[Shape, ...]:
    kinds: dict[int, tuple[Any, int]] = {
        int(mujoco.mjtGeom.mjGEOM_BOX): ("box", 3),
        int(mujoco.mjtGeom.mjGEOM_SPHERE): ("sphere", 1),
        int(mujoco.mjtGeom.mjGEOM_CAPSULE): ("capsule", 2),
        int(mujoco.mjtGeom.mjGEOM_CYLINDER): ("cylinder", 2),
        int(mujoco.mjtGeom.mjGEOM_MESH): ("box", 3),
    }
    shapes: list[Shape] = []
    for geom in range(model.ngeom):
        kind = int(model.geom_type[geom])
        body = int(model.geom_bodyid[geom])
        if kind not in kinds or body == 0:
            continue
        name, n_sizes = kinds[kind]
        pose = Pose(_tuple(model.geom_pos[geom]), _tuple(model.geom_quat[geom]))
        size = model.geom_size[geom]
        if kind == int(mujoco.mjtGeom.mjGEOM_MESH):
            middle, size = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
            pose = Pose(_tuple((pose.matrix @ Pose(_tuple(middle)).matrix)[:3, 3]), pose.quat)
        shapes.append(
            Shape(
                names[body],
                name,
                _tuple(size[:n_sizes]),
                pose,
                _tuple(model.geom_rgba[geom]),
                bool(model.geom_contype[geom] | model.geom_conaffinity[geom]),
            )
        )
    return tuple(shapes)


def _tuple(values: Any) -> Any:
    return tuple(float(value) for value in values)
