"""What is wrong with a script: things and hands that pass through each other, hands and things out of view.

**Convention:** costs are in mm or on the scale of mm; world frame, m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.actions.script import Arm, Script, mirror
from hoiset.builder.studio.body import Body
from hoiset.builder.studio.hand import FOREARM_LENGTH_M, Hand
from hoiset.builder.studio.outlook import Outlook, View
from hoiset.builder.studio.performance import MIRROR
from hoiset.builder.studio.skeleton import FOREARM, N_FINGERS, PALM, bone_poses, posed_joints
from hoiset.geometry import invert, transform

_POINTS = (60, 9, 110)
_EASY_BEND_RAD = np.deg2rad(55.0)


@dataclass(frozen=True)
class Feelers:
    """Points on a hand's skin, each of which follows one bone.

    Attributes:
        bone: (P,) which.
        rest: (P, 3) where at rest, wrist frame.
    """

    bone: np.ndarray
    rest: Float[np.ndarray, "P 3"]

    @classmethod
    def of(cls, hand: Hand) -> Feelers:
        """Points on palm, fingers and forearm."""
        parts = [(PALM, hand.bone_vertices(PALM, _POINTS[0]))]
        parts += [(b, hand.bone_vertices(b, _POINTS[1])) for b in range(1, 1 + 3 * N_FINGERS)]
        parts.append((FOREARM, hand.bone_vertices(FOREARM, _POINTS[2])))
        return cls(np.concatenate([np.full(len(p), b) for b, p in parts]), np.concatenate([p for _, p in parts]))

    def posed(
        self, hand: Hand, arm: Arm, frames: np.ndarray
    ) -> tuple[Float[np.ndarray, "F P 3"], Float[np.ndarray, "F 21 3"]]:
        """Points and joints in the world (not its mirror image)."""
        bones = bone_poses(hand.skeleton, arm.angles[frames], arm.R_wrist_forearm[frames])
        T = bones[:, self.bone]
        local = np.einsum("fpab,pb->fpa", T[..., :3, :3], self.rest) + T[..., :3, 3]
        flip = MIRROR if arm.left else 1.0
        joints = posed_joints(hand.skeleton, bones)
        return tuple(transform(arm.T_world_wrist[frames], p) * flip for p in (local, joints))  # type: ignore[return-value]


def faults(
    hand: Hand, feelers: Feelers, view: View, bodies: list[Body], script: Script, arms: list[Arm], time: np.ndarray
) -> float:
    """Cost of everything that is wrong with a script, over every second frame."""
    frames = np.arange(0, len(time), 2 if len(time) < 80 else 4)
    T_world_thing = [path(time[frames]) for path in script.paths]
    skins = []
    cost = 0.0
    for hold, arm in zip(script.holds, arms, strict=True):
        skin, joints = feelers.posed(hand, arm, frames)
        skins.append(skin)
        held = arm.held[frames]
        cost += 3000.0 * _mean_top(np.maximum(0.0, 0.001 - skin[..., 2].min(-1)))
        for k, (body, T) in enumerate(zip(bodies, T_world_thing, strict=True)):
            depth = -body.field(transform(invert(T), skin)).min(-1)
            free = 0.002 if k == hold.thing else -0.002
            cost += 5000.0 * _mean_top(np.maximum(0.0, depth - free))
        if held.any():
            out = 1.0 - view.within(joints[held], 0.02).mean(-1)
            cost += 120.0 * _mean_top(out) + 40.0 * _bent(arm, frames[held])
            cost += _unseen(
                view, bodies[hold.thing], T_world_thing[hold.thing], arm, joints, held, frames, hold.shoulder
            )
        elbow = arm.R_wrist_forearm[frames] @ np.array([0.0, -FOREARM_LENGTH_M, 0.0])
        world = np.einsum("fab,fb->fa", arm.T_world_wrist[frames, :3, :3], elbow) + arm.T_world_wrist[frames, :3, 3]
        cost += 40.0 * _mean_top(view.within(world * (MIRROR if arm.left else 1.0), -0.15).astype(float))
    cost += _between_things(bodies, T_world_thing, view)
    if len(skins) == 2:
        cost += _between_hands(*skins)
    return cost


def _mean_top(depth: np.ndarray) -> float:
    """Mean of the worst fifth: one deep frame counts, and so do many."""
    n = max(1, len(depth) // 5)
    return float(np.sort(depth)[-n:].mean())


def _bent(arm: Arm, frames: np.ndarray) -> float:
    """Mean of how far the forearm must bend past what is easy, rad."""
    cosine = arm.R_wrist_forearm[frames][:, 1, 1]
    return float(np.maximum(0.0, np.arccos(np.clip(cosine, -1, 1)) - _EASY_BEND_RAD * 0.9).mean())


def _unseen(
    view: View,
    body: Body,
    T_world_thing: np.ndarray,
    arm: Arm,
    joints: np.ndarray,
    held: np.ndarray,
    frames: np.ndarray,
    shoulder: np.ndarray,
) -> float:
    """What hand and arm hide of the hand and of what it holds, at the worse of two moments."""
    flip = MIRROR if arm.left else np.ones(3)
    body = body.mirrored() if arm.left else body
    worst = 0.0
    for k in np.flatnonzero(held)[[held.sum() // 2, -1]]:
        T_wrist = arm.T_world_wrist[frames[k]]
        T_thing = mirror(T_world_thing[k]) if arm.left else T_world_thing[k]
        outlook = Outlook(0.0, shoulder, view.camera * flip)
        local = transform(invert(T_wrist), joints[k] * flip)
        worst = max(worst, outlook.hidden(local, T_wrist, body.field, invert(T_thing), body.surface[::20]))
    return 40.0 * max(0.0, worst - 0.45)


def _between_things(bodies: list[Body], poses: list[np.ndarray], view: View) -> float:
    cost = 0.0
    for i, (body, T) in enumerate(zip(bodies, poses, strict=True)):
        world = transform(T, body.surface[::2])
        cost += 3000.0 * _mean_top(np.maximum(0.0, -0.001 - world[..., 2].min(-1)))
        cost += 150.0 * _mean_top(1.0 - view.within(world, 0.01).mean(-1))
        for j, (other, T_other) in enumerate(zip(bodies, poses, strict=True)):
            if i != j:
                depth = -other.field(transform(invert(T_other), world)).min(-1)
                cost += 6000.0 * _mean_top(np.maximum(0.0, depth - 0.001))
    return cost


def _between_hands(a: np.ndarray, b: np.ndarray) -> float:
    """Hands that come nearer to each other than skin can, by the distance of points on them."""
    a, b = a[:, ::4], b[:, ::4]
    gap = np.linalg.norm(a[:, :, None] - b[:, None], axis=-1).min((1, 2))
    return 2000.0 * _mean_top(np.maximum(0.0, 0.006 - gap))
