"""How near a replay comes to the record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from hoiset.builder.retarget.replay.plan import CLOSES_BEFORE_S, CLOSES_WITHIN_S, OPENS_BEFORE_S, Plan
from hoiset.builder.retarget.replay.records import Threshold
from hoiset.builder.retarget.replay.scene import Scene
from hoiset.builder.retarget.replay.simulation import Played, object_poses
from hoiset.geometry import angle_between

TOUCH_N = 1e-3
GAIN = 0.5
FAR_M = 10.0
"""Stands in for the error of a simulation that did not stay finite."""


@dataclass(frozen=True)
class Errors:
    """Errors of rollouts over the frames that are judged.

    Attributes:
        position_m: (B, F) distance of the object's centre from the recorded one.
        rotation_rad: (B, F) angle.
        without_hand_m: Mean distance if nobody touches the object; infinite while that is not known.
    """

    position_m: Float[np.ndarray, "B F"]
    rotation_rad: Float[np.ndarray, "B F"]
    without_hand_m: float = np.inf

    def passed(self, at: Threshold) -> Bool[np.ndarray, "B"]:
        """Where :class:`Threshold` says so."""
        near = (self.position_m.mean(1) <= at.position_m) & (self.rotation_rad.mean(1) <= at.rotation_rad)
        near &= self.position_m.mean(1) <= GAIN * self.without_hand_m
        return np.asarray(near & (self.position_m.max(1) <= 2.0 * at.position_m))

    def one(self, index: int) -> Errors:
        """Those of one rollout."""
        return Errors(self.position_m[[index]], self.rotation_rad[[index]], self.without_hand_m)

    def reached(self, at: Threshold) -> Float[np.ndarray, "B"]:
        """Share of frames within both bounds."""
        return np.asarray(((self.position_m <= at.position_m) & (self.rotation_rad <= at.rotation_rad)).mean(1))

    def summary(self, index: int) -> dict[str, Any]:
        """Mean and max of one rollout."""
        return {
            name: (float(values[index].mean()), float(values[index].max()))
            for name, values in (("position_m", self.position_m), ("rotation_rad", self.rotation_rad))
        }


def errors_of(plan: Plan, played: Played, without_hand_m: float = np.inf) -> Errors:
    """Errors of every rollout."""
    reference = plan.reference[plan.judged]
    places, turns = object_poses(played, plan.step_of[plan.judged])
    centre = places + turns @ plan.body.centre
    true = reference[:, :3, :3] @ plan.body.centre + reference[:, :3, 3]
    position = np.minimum(np.linalg.norm(centre - true, axis=-1), FAR_M)
    rotation = angle_between(turns, np.broadcast_to(reference[:, :3, :3], turns.shape))
    return Errors(
        np.where(played.sound[:, None], position, FAR_M),
        np.where(played.sound[:, None], rotation, float(np.pi)),
        without_hand_m,
    )


def contact_share(plan: Plan, played: Played) -> float:
    """Share of the time held with both pads of a holding gripper at the object."""
    held = _holding(plan, played)
    both = np.stack([(played.touch_n[0, :, 2 * h : 2 * h + 2] > TOUCH_N).all(-1) for h in range(len(plan.paths))], 1)
    return float((both & held).sum() / max(held.sum(), 1))


def slip_m(plan: Plan, played: Played, scene: Scene) -> float:
    """Farthest that the object's centre goes in a gripper from where it was when that gripper had closed."""
    from scipy.spatial.transform import Rotation

    places, turns = object_poses(played, slice(None))
    centre = (places + turns @ plan.body.centre)[0]
    held, farthest = _holding(plan, played), 0.0
    for hand, spans in enumerate(plan.spans):
        pose = played.qpos[0, :, scene.place_of_hand(hand)]
        local = Rotation.from_quat(pose[:, 3:], scalar_first=True).inv().apply(centre - pose[:, :3])
        for start, end in spans:
            during = held[:, hand] & (plan.times >= start) & (plan.times <= end)
            if during.any():
                way = local[during]
                farthest = max(farthest, float(np.linalg.norm(way - way[0], axis=-1).max()))
    return farthest


def _holding(plan: Plan, played: Played) -> Bool[np.ndarray, "N H"]:
    """Steps in which each gripper should have closed and not yet opened."""
    out = np.zeros((played.qpos.shape[1], len(plan.paths)), bool)
    for hand, spans in enumerate(plan.spans):
        for start, end in spans:
            since = start - CLOSES_BEFORE_S + CLOSES_WITHIN_S + 0.05
            out[:, hand] |= (plan.times >= since) & (plan.times <= end - OPENS_BEFORE_S)
    return out
