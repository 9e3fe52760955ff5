"""Plays a plan many times at once, on all cores; the result does not depend on how many there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from hoiset.builder.retarget.mjspec import import_mujoco
from hoiset.builder.retarget.replay.plan import Correction, Plan
from hoiset.builder.retarget.replay.records import NotTestable, ReplayParams
from hoiset.builder.retarget.replay.scene import Scene, quaternion


@dataclass(frozen=True)
class Played:
    """What became of some rollouts, after every step.

    Attributes:
        qpos: (B, N, nq).
        touch_n: (B, N, 2 H) force at the pads: thumb and finger of each gripper.
        sound: (B,) whether the simulation stayed finite.
    """

    qpos: Float[np.ndarray, "B N Q"]
    touch_n: Float[np.ndarray, "B N S"]
    sound: Bool[np.ndarray, "B"]

    def one(self, index: int) -> Played:
        """One of them, still with the first axis."""
        pick = slice(index, index + 1)
        return Played(self.qpos[pick], self.touch_n[pick], self.sound[pick])


def play(
    scene: Scene,
    plan: Plan,
    corrections: list[Correction],
    params: ReplayParams,
    *,
    away: Bool[np.ndarray, "B"] | None = None,
    mass: Float[np.ndarray, "B"] | None = None,
    friction: Float[np.ndarray, "B"] | None = None,
) -> Played:
    """Play a plan once for every correction.

    Args:
        scene: Of the plan.
        plan: What is played.
        corrections: B of them.
        params: How many threads.
        away: Which rollouts go without a hand.
        mass: Factors of the object's mass.
        friction: Factors of its friction with the pads.

    Raises:
        NotTestable: The simulation cannot be run.
    """
    mujoco = import_mujoco()
    from mujoco import batch

    n = len(corrections)
    gone = np.zeros(n, bool) if away is None else away
    controls = np.stack([plan.controls(c, away=bool(a)) for c, a in zip(corrections, gone, strict=True)])
    sims = batch.Batch(scene.model, nsim=n, nthread=params.threads)
    if mass is not None:
        sims.expand("body_mass")[:, scene.object_body] *= mass
        sims.expand("body_inertia")[:, scene.object_body] *= mass[:, None]
    if friction is not None:
        sims.expand("geom_friction")[:, scene.object_geoms, 0] *= friction[:, None]
    state = mujoco.mjtState
    spec = int(state.mjSTATE_CTRL) | int(state.mjSTATE_EQ_ACTIVE)
    spec |= int(state.mjSTATE_MOCAP_POS) | int(state.mjSTATE_MOCAP_QUAT)
    try:
        if mass is not None:
            sims.set_const()
        sims.reset(stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        sims.bind("qpos")[:] = _start(scene, plan, controls[:, 0])
        out = sims.rollout(len(plan.times), controls, spec, record=("qpos", "sensordata"))
    except batch.SimulationError as error:
        raise NotTestable("unstable", str(error)) from error
    qpos = out["qpos"]
    warned = np.asarray([np.asarray(sims.warning[i]).any() for i in range(n)])
    sound = np.isfinite(qpos).all((1, 2)) & ~warned
    return Played(qpos, out["sensordata"], sound)


def _start(scene: Scene, plan: Plan, controls: Float[np.ndarray, "B C"]) -> Float[np.ndarray, "B Q"]:
    """``qpos`` with the object at its start and the grippers open at their first targets."""
    n, hands = len(controls), scene.n_hands
    out = np.zeros((n, scene.model.nq))
    out[:, :3], out[:, 3:7] = plan.start[:3, 3], quaternion(plan.start[:3, :3])
    at = hands + 1 + 2 * hands
    places = controls[:, at : at + 3 * hands].reshape(n, hands, 3)
    quaternions = controls[:, at + 3 * hands :].reshape(n, hands, 4)
    for hand in range(hands):
        where = scene.place_of_hand(hand)
        out[:, where] = np.concatenate([places[:, hand], quaternions[:, hand]], 1)
        out[:, where.stop : where.stop + 2] = plan.open_m[hand]
    return out


def object_poses(played: Played, steps: Any) -> tuple[Float[np.ndarray, "B F 3"], Float[np.ndarray, "B F 3 3"]]:
    """Places and rotations of the object after some steps."""
    from scipy.spatial.transform import Rotation

    qpos = played.qpos[:, steps, :7]
    qpos = np.where(np.isfinite(qpos), qpos, np.array([0.0, 0, 0, 1, 0, 0, 0]))
    turns = Rotation.from_quat(qpos[..., 3:].reshape(-1, 4), scalar_first=True).as_matrix()
    return qpos[..., :3], turns.reshape(*qpos.shape[:2], 3, 3)
