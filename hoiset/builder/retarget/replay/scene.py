"""The scene of a replay: an object, what it rests on, and a gripper for each hand that holds it.

A gripper is a free body that a weld pulls after its target, without weight, and touches nothing but the object; its two
fingers move against each other and squeeze with bounded force.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from hoiset.builder.retarget.mjspec import import_mujoco
from hoiset.builder.retarget.replay.bodies import Body
from hoiset.builder.retarget.replay.records import ReplayParams

STEP_S = 0.005
GRAVITY_M_S2 = 9.81
WELD_S = 0.01
LAG_S = 2.0 * WELD_S
"""A weld follows a moving target so much later; targets are given so much earlier."""
PAD_M = (0.005, 0.01, 0.014)
"""Half of a pad: thickness, length of the soft part of a fingertip, breadth of two."""
OPEN_M = 0.16
"""Farthest that a pad goes from the middle."""
GRIP_N = (2.0, 40.0)
"""Bounds of a pad's force: the light touch, and well below the pinch of adults (Mathiowetz et al., 1985: 50 N and
more)."""
GRIP_SAFETY = 4.0
"""Force against the least that would hold the weight; people keep a margin too (Johansson & Westling, 1984)."""
_STIFF = {"solref": [0.01, 1.0], "solimp": [0.95, 0.99, 0.001, 0.5, 2.0]}


@dataclass(frozen=True)
class Support:
    """Something level that the object rests on.

    Attributes:
        height_m: z of its top, world.
        middle: x and y; ``None`` for a floor without end.
        half_m: Half of its side.
    """

    height_m: float
    middle: tuple[float, float] | None = None
    half_m: float = 0.0


@dataclass(frozen=True)
class Scene:
    """A compiled scene; controls of a step are fingers, welds, targets' places and targets' quaternions.

    Attributes:
        model: ``mujoco.MjModel``.
        n_hands: Grippers.
        hold: Index of the weld that keeps the object at its start.
        object_body: Of the object.
        object_geoms: Of its parts.
    """

    model: Any
    n_hands: int
    hold: int
    object_body: int
    object_geoms: tuple[int, ...]

    def place_of_hand(self, hand: int) -> slice:
        """Where the free pose of a gripper is in ``qpos``; the object's is the first seven."""
        return slice(7 + 9 * hand, 14 + 9 * hand)


def grip_n(mass_kg: float, friction: float) -> float:
    """Force of each pad, N."""
    return float(np.clip(GRIP_SAFETY * mass_kg * GRAVITY_M_S2 / (2.0 * friction), *GRIP_N))


def build_scene(
    body: Body,
    start: Float[np.ndarray, "4 4"],
    supports: tuple[Support, ...],
    n_hands: int,
    params: ReplayParams,
    *,
    with_record: bool = False,
) -> Scene:
    """Compile a scene.

    Args:
        body: The object.
        start: ``T_world_object`` where it begins.
        supports: What it rests on.
        n_hands: Grippers.
        params: Friction.
        with_record: Whether to add the object once more, as a last mocap body that touches nothing, to be drawn.
    """
    mujoco = import_mujoco()
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.timestep = STEP_S
    spec.option.gravity = [0.0, 0.0, -GRAVITY_M_S2]
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 100.0
    _add_object(mujoco, spec, body, start, params)
    for support in supports:
        _add_support(mujoco, spec, support, params)
    spec.add_equality(
        name="hold",
        type=mujoco.mjtEq.mjEQ_WELD,
        objtype=mujoco.mjtObj.mjOBJ_BODY,
        name1="object",
        name2="world",
        data=_weld_data(),
    )
    for hand in range(n_hands):
        _add_gripper(mujoco, spec, f"hand{hand}", grip_n(body.mass_kg, params.friction))
    if with_record:
        record = spec.worldbody.add_body(name="record", mocap=True)
        for i in range(len(body.parts)):
            mesh, look = mujoco.mjtGeom.mjGEOM_MESH, [0.2, 0.8, 0.3, 0.35]
            record.add_geom(type=mesh, meshname=f"part{i}", contype=0, conaffinity=0, rgba=look)
    model = spec.compile()
    return Scene(
        model=model,
        n_hands=n_hands,
        hold=0,
        object_body=int(model.body("object").id),
        object_geoms=tuple(int(model.geom(f"part{i}").id) for i in range(len(body.parts))),
    )


def _weld_data() -> list[float]:
    """As the bodies stand to each other at first, moments weighed as forces."""
    return [*[0.0] * 10, 1.0, 0.0]


def _add_object(mujoco: Any, spec: Any, body: Body, start: Float[np.ndarray, "4 4"], params: ReplayParams) -> None:
    thing = spec.worldbody.add_body(name="object", pos=start[:3, 3], quat=quaternion(start[:3, :3]))
    thing.add_freejoint()
    volumes = np.array([_volume(part) for part in body.parts])
    for i, (part, volume) in enumerate(zip(body.parts, volumes, strict=True)):
        spec.add_mesh(
            name=f"part{i}",
            uservert=part.astype(np.float32).ravel(),
            maxhullvert=64,
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX,
        )
        thing.add_geom(
            name=f"part{i}",
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=f"part{i}",
            mass=body.mass_kg * volume / volumes.sum(),
            contype=1,
            conaffinity=2 | 4,
            condim=4,
            priority=1,
            friction=[params.friction, 0.01, 1e-4],
            rgba=[0.85, 0.55, 0.25, 1.0],
            **_STIFF,
        )


def _add_support(mujoco: Any, spec: Any, support: Support, params: ReplayParams) -> None:
    look = {"contype": 4, "conaffinity": 0, "condim": 6, "priority": 2, "rgba": [0.6, 0.6, 0.6, 1.0]}
    look["friction"] = [params.support_friction, 0.005, 5e-4]
    if support.middle is None:
        plane = mujoco.mjtGeom.mjGEOM_PLANE
        spec.worldbody.add_geom(type=plane, size=[3.0, 3.0, 0.1], pos=[0.0, 0.0, support.height_m], **look, **_STIFF)
        return
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[support.half_m, support.half_m, 0.05],
        pos=[*support.middle, support.height_m - 0.05],
        **look,
        **_STIFF,
    )


def _add_gripper(mujoco: Any, spec: Any, name: str, force_n: float) -> None:
    spec.worldbody.add_body(name=f"{name}_target", mocap=True)
    base = spec.worldbody.add_body(name=name, gravcomp=1.0)
    base.add_freejoint()
    base.explicitinertial, base.mass, base.inertia = True, 1.0, [2e-3] * 3
    base.ipos, base.iquat = [0.0] * 3, [1.0, 0.0, 0.0, 0.0]
    for side, sign in (("thumb", -1.0), ("finger", 1.0)):
        finger = base.add_body(name=f"{name}_{side}", gravcomp=1.0)
        finger.add_joint(
            name=f"{name}_{side}",
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=[sign, 0.0, 0.0],
            range=[0.0, OPEN_M],
            limited=mujoco.mjtLimited.mjLIMITED_TRUE,
            armature=0.1,
        )
        finger.add_geom(
            name=f"{name}_{side}",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=PAD_M,
            pos=[sign * PAD_M[0], 0.0, 0.0],
            mass=0.05,
            contype=2,
            conaffinity=0,
            rgba=[0.35, 0.5, 0.8, 1.0],
        )
        site = finger.add_site(
            name=f"{name}_{side}",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[size + 0.004 for size in PAD_M],
            pos=[sign * PAD_M[0], 0.0, 0.0],
            rgba=[0.0, 0.0, 0.0, 0.0],
        )
        spec.add_sensor(type=mujoco.mjtSensor.mjSENS_TOUCH, objtype=mujoco.mjtObj.mjOBJ_SITE, objname=site.name)
    joint = mujoco.mjtObj.mjOBJ_JOINT
    spec.add_equality(
        type=mujoco.mjtEq.mjEQ_JOINT,
        objtype=joint,
        name1=f"{name}_finger",
        name2=f"{name}_thumb",
        data=[0.0, 1.0, *[0.0] * (mujoco.mjNEQDATA - 2)],
        **_STIFF,
    )
    spec.add_equality(
        type=mujoco.mjtEq.mjEQ_WELD,
        objtype=mujoco.mjtObj.mjOBJ_BODY,
        name1=name,
        name2=f"{name}_target",
        data=_weld_data(),
        solref=[WELD_S, 1.0],
        solimp=[0.99, 0.999, 0.001, 0.5, 2.0],
    )
    actuator = spec.add_actuator(
        name=name,
        target=f"{name}_thumb",
        trntype=mujoco.mjtTrn.mjTRN_JOINT,
        forcelimited=mujoco.mjtLimited.mjLIMITED_TRUE,
    )
    actuator.set_to_position(kp=1500.0, kv=40.0)
    actuator.forcerange = [-2.0 * force_n, 2.0 * force_n]


def _volume(corners: Float[np.ndarray, "K 3"]) -> float:
    from scipy.spatial import ConvexHull

    return float(ConvexHull(corners).volume)


def quaternion(R: Float[np.ndarray, "*B 3 3"]) -> Float[np.ndarray, "*B 4"]:
    """Unit quaternions wxyz."""
    from scipy.spatial.transform import Rotation

    flat = Rotation.from_matrix(np.reshape(R, (-1, 3, 3))).as_quat(scalar_first=True)
    return np.asarray(flat.reshape(*np.shape(R)[:-2], 4))
