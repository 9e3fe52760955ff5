"""What hands do with objects: contact distances, states and grasps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoiset.builder.reconstruct.holding import held_path
from hoiset.builder.reconstruct.objects.anchors import FINGERS
from hoiset.builder.reconstruct.objects.evidence import finger_gap, velocity, window_ends
from hoiset.builder.reconstruct.objects.scene import Scene
from hoiset.builder.reconstruct.objects.standing import corners_of
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

    An object is grasped by a hand whose fingers touch its silhouette and that moves with it, also while both keep
    still between such moves (:mod:`hoiset.builder.reconstruct.holding`); it moves while it moves otherwise; else it is
    static.
    """
    T = len(scene.rgb)
    state = np.zeros((T, len(objects)), np.uint8)
    contact = np.full((T, 2, len(objects)), np.nan)
    grasps: list[Grasp] = []
    for o, obj in enumerate(objects):
        contact[:, :, o] = contact_distance(obj, joints)
        moving = moving_frames(scene, obj)
        held = held_frames(scene, obj, moving)
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
    """Frames in which the object moves: mean speed of its corners with hysteresis; never while it stands."""
    affine = obj.track.affine
    corners = np.broadcast_to(corners_of(obj.track.mask), (len(affine), 4, 2))
    speed = np.linalg.norm(_carried_velocity(affine, corners, scene.time), axis=-1).mean(1) / min(scene.shape)
    speed = np.where(np.isnan(speed) | (obj.track.cue == Cue.STANDING), 0.0, speed)
    moving = np.zeros(len(speed), bool)
    for a, b in runs(speed > 0.5 * scene.params.move_speed):
        if speed[a:b].max() > scene.params.move_speed:
            moving[a:b] = True
    return moving


def held_frames(scene: Scene, obj: PosedObject, moving: Bool[np.ndarray, "T"]) -> Bool[np.ndarray, "T 2"]:
    """Frames in which each hand holds or pushes the object."""
    params, time = scene.params, scene.time
    touching = _touching(scene, obj)
    difference, largest = np.stack([_motions(scene, obj, h) for h in range(2)], axis=-1)
    with np.errstate(invalid="ignore"):
        agree = ~(difference > 0.8 * largest)
        apart = ~agree & (largest > params.move_speed * min(scene.shape))
    at_rest = _at_rest(scene, obj, moving, np.any(touching, axis=1))
    held = held_path(touching, moving[:, None] & agree, apart, moving, at_rest, time, params.min_grasp_s)
    lead = round(params.grasp_lead_s * scene.fps)
    for h in range(2):
        for a, b in runs(held[:, h]):
            held[max(0, a - lead) : b + lead, h] = True
    return held & touching


def _motions(scene: Scene, obj: PosedObject, hand: int) -> Float[np.ndarray, "2 T"]:
    """How fast the fingers move against the object and how fast the faster of the two is, px/s, medians over joints.

    The object's motion is taken where each joint is, as if the joint were part of it: what turns in the hand moves
    with the fingers, though its middle does not.
    """
    joints = scene.joints_2d[:, hand][:, list(FINGERS)]
    affine = obj.track.affine
    own = velocity(joints, scene.time)
    linear = affine[:, :, :2]
    known = np.isfinite(affine).all((1, 2))
    at_template = np.full_like(joints, np.nan)
    at_template[known] = np.linalg.solve(
        linear[known], (joints[known] - affine[known][:, None, :, 2]).transpose(0, 2, 1)
    ).transpose(0, 2, 1)
    carried = _carried_velocity(affine, at_template, scene.time)
    difference = np.linalg.norm(own - carried, axis=-1)
    largest = np.maximum(np.linalg.norm(own, axis=-1), np.linalg.norm(carried, axis=-1))
    return np.median(np.stack([difference, largest]), axis=-1)


def _carried_velocity(
    affine: Float[np.ndarray, "T 2 3"], points: Float[np.ndarray, "T N 2"], time: Float[np.ndarray, "T"]
) -> Float[np.ndarray, "T N 2"]:
    """Velocity in frame t of template points (those given for t) that go where the silhouette goes, px/s."""
    before, after = window_ends(time)
    was, will = (
        np.einsum("tij,tnj->tni", affine[k][:, :, :2], points) + affine[k][:, None, :, 2] for k in (before, after)
    )
    return (will - was) / np.maximum(time[after] - time[before], 1e-6)[:, None, None]


def _touching(scene: Scene, obj: PosedObject) -> Bool[np.ndarray, "T 2"]:
    """Frames in which each hand's fingers are on the silhouette, over short interruptions."""
    gap = np.full((len(scene.time), 2), np.inf)
    present = np.nonzero(obj.source > 0)[0]
    gap[present] = np.nan_to_num(finger_gap(scene, obj.track, present), nan=np.inf)
    near = gap <= scene.params.grasp_gap_hands
    return np.stack([_close_gaps(n, scene.time, scene.params.contact_bridge_s) for n in near.T], axis=1)


def _at_rest(
    scene: Scene, obj: PosedObject, moving: Bool[np.ndarray, "T"], touched: Bool[np.ndarray, "T"]
) -> Bool[np.ndarray, "T"]:
    """Frames in which the object is where it also stands while nobody touches it, and so is not held in the air."""
    centre, time = obj.track.centroid(), scene.time
    reach_px = 2.0 * scene.params.stand_tolerance * min(scene.shape)
    still = ~moving & np.isfinite(centre[:, 0])
    out = np.zeros(len(time), bool)
    for a, b in runs(obj.track.cue == Cue.STANDING):
        alone = [last - first for first, last in runs(~touched[a:b])]
        if max(alone, default=0) >= scene.params.min_grasp_s * scene.fps:
            first, last = next((c, d) for c, d in [*runs(still), (a, b)] if c <= a < d)
            there = np.linalg.norm(centre[first:last] - centre[a], axis=1) <= reach_px
            out[first:last] |= there
            out[a:b] = True
    return out


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
