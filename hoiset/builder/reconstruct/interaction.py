"""What hands do with objects: contact distances, states and grasps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoiset.builder.reconstruct.objects.evidence import finger_gap, velocity
from hoiset.builder.reconstruct.objects.scene import Scene
from hoiset.builder.reconstruct.objects.track import Cue
from hoiset.builder.reconstruct.pose import PosedObject
from hoiset.builder.reconstruct.smoothing import runs, short_gaps
from hoiset.geometry import invert, transform
from hoiset.shards.schema import FINGERTIPS, ObjectState


@dataclass(frozen=True)
class Grasp:
    """One hand holding or pushing one object.

    Attributes:
        hand: 0 left, 1 right.
        obj: Object slot.
        start_s: s from the clip's start.
        end_s: s.
    """

    hand: int
    obj: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Interaction:
    """States of all objects.

    Attributes:
        state: (T, O) uint8, :class:`hoiset.shards.schema.ObjectState`.
        contact: (T, 2, O) least fingertip-to-surface distance, m; NaN where hand or object is absent.
        grasps: Grasp segments in time order.
    """

    state: UInt8[np.ndarray, "T O"]
    contact: Float[np.ndarray, "T 2 O"]
    grasps: tuple[Grasp, ...]


def interact(scene: Scene, objects: list[PosedObject], joints: Float[np.ndarray, "T 2 21 3"]) -> Interaction:
    """Judge every object in every frame.

    An object is grasped by a hand while the hand's fingers touch its silhouette and both move together, over pauses of
    up to ``grasp_bridge_s`` in the same touch; it moves while it moves otherwise; else it is static.
    """
    T = len(scene.rgb)
    state = np.zeros((T, len(objects)), np.uint8)
    contact = np.full((T, 2, len(objects)), np.nan)
    grasps: list[Grasp] = []
    for o, obj in enumerate(objects):
        contact[:, :, o] = contact_distance(obj, joints)
        moving = moving_frames(scene, obj)
        held = np.stack([held_frames(scene, obj, moving, h) for h in range(2)], axis=1)
        held = _nearer_hand(held, contact[:, :, o], scene.params.grasp_reach_m)
        present = obj.source > 0
        state[:, o] = np.select(
            [~present, held.all(1), held[:, 0], held[:, 1], moving],
            [
                ObjectState.ABSENT,
                ObjectState.GRASPED_BOTH,
                ObjectState.GRASPED_LEFT,
                ObjectState.GRASPED_RIGHT,
                ObjectState.MOVING,
            ],
            ObjectState.STATIC,
        )
        for h in range(2):
            grasps += [
                Grasp(h, o, float(scene.time[a]), float(scene.time[b - 1])) for a, b in runs(held[:, h] & present)
            ]
    return Interaction(state, contact, tuple(sorted(grasps, key=lambda g: (g.start_s, g.obj, g.hand))))


def contact_distance(obj: PosedObject, joints: Float[np.ndarray, "T 2 21 3"]) -> Float[np.ndarray, "T 2"]:
    """Least distance of any fingertip from the mesh's surface, m (vertices and face centres); NaN where absent."""
    from scipy.spatial import cKDTree

    surface = np.concatenate([obj.mesh.vertices, obj.mesh.vertices[obj.mesh.faces].mean(1)])
    tree = cKDTree(surface)
    out = np.full((len(joints), 2), np.nan)
    tips = joints[:, :, list(FINGERTIPS)]
    for h in range(2):
        ok = np.isfinite(tips[:, h]).all((1, 2)) & np.isfinite(obj.pose).all((1, 2))
        if ok.any():
            local = transform(invert(obj.pose[ok]), tips[ok, h])
            out[ok, h] = tree.query(local)[0].min(1)
    return out


def moving_frames(scene: Scene, obj: PosedObject) -> Bool[np.ndarray, "T"]:
    """Frames in which the object moves: speed of its silhouette with hysteresis; never while it stands."""
    short = min(scene.shape)
    speed = np.linalg.norm(velocity(obj.track.centroid(), scene.time), axis=1) / short
    speed = np.where(np.isnan(speed) | (obj.track.cue == Cue.STANDING), 0.0, speed)
    moving = np.zeros(len(speed), bool)
    for a, b in runs(speed > 0.5 * scene.params.move_speed):
        if speed[a:b].max() > scene.params.move_speed:
            moving[a:b] = True
    return moving


def held_frames(scene: Scene, obj: PosedObject, moving: Bool[np.ndarray, "T"], hand: int) -> Bool[np.ndarray, "T"]:
    """Frames in which one hand holds or pushes the object."""
    params = scene.params
    present = np.nonzero(obj.source > 0)[0]
    gap = np.full(len(moving), np.nan)
    gap[present] = finger_gap(scene, obj.track, present)[:, hand]
    touching = _close_gaps(
        np.nan_to_num(gap, nan=np.inf) <= params.grasp_gap_hands, scene.time, params.contact_bridge_s
    )
    palm = velocity(scene.joints_2d[:, hand].mean(1), scene.time)
    own = velocity(obj.track.centroid(), scene.time)
    difference = np.linalg.norm(palm - own, axis=1)
    largest = np.maximum(np.linalg.norm(palm, axis=1), np.linalg.norm(own, axis=1))
    with np.errstate(invalid="ignore"):
        together = moving & touching & ~(difference > 0.8 * largest)
    held = _close_gaps(together, scene.time, params.grasp_bridge_s) & touching
    short = round(params.min_grasp_s * scene.fps)
    for a, b in runs(held):
        if together[a:b].sum() < max(2, short // 2) or b - a < short:
            held[a:b] = False
    lead = round(params.grasp_lead_s * scene.fps)
    for a, b in runs(held):
        held[max(0, a - lead) : b + lead] = True
    return held & touching


def _nearer_hand(
    held: Bool[np.ndarray, "T 2"], distance_m: Float[np.ndarray, "T 2"], reach_m: float
) -> Bool[np.ndarray, "T 2"]:
    """Where both hands seem to hold, leave out one that is much farther away: it only crosses the view."""
    out = held.copy()
    for a, b in runs(held[:, 0] & held[:, 1]):
        middle = [float(np.median(d[np.isfinite(d)])) if np.isfinite(d).any() else np.inf for d in distance_m[a:b].T]
        for h in range(2):
            if middle[h] > middle[1 - h] + reach_m:
                out[a:b, h] = False
    return out


def _close_gaps(flags: np.ndarray, time: np.ndarray, gap_s: float) -> np.ndarray:
    """Fill interruptions of at most ``gap_s`` between true frames."""
    out = flags.copy()
    for a, b in short_gaps(time, flags, max_gap_s=gap_s):
        out[a:b] = True
    return out
