"""Where a right hand could be to take hold of a thing, and what the camera would see of it.

Hand postures and places on the thing are matched by a point and two directions: an axis (of what is wrapped, of what is
pinched, or the direction that is pressed) and the direction in which the fingers reach.

**Convention:** as in :mod:`hoiset.builder.studio.grasp`; the thing's foot is at the world's origin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.body import Body
from hoiset.builder.studio.grasp import SPREAD_RAD, Fingers, Grasp, Touch, _coarse_angles
from hoiset.builder.studio.hand import Hand
from hoiset.builder.studio.outlook import Outlook
from hoiset.builder.studio.performance import MIRROR
from hoiset.builder.studio.skeleton import (
    FOREARM,
    PALM,
    Skeleton,
    bone_poses,
    finger_poses,
    forearm_rotation,
    posed_joints,
    rotation,
)
from hoiset.geometry import invert, make_T, transform

HALF_CLOSED_RAD = np.array([[0.5, 0.2, 0.2, 0.3], *([s, 0.55, 0.75, 0.45] for s in SPREAD_RAD[1:])])
_HIDDEN_COST = 40.0
_EASY_BEND_RAD = np.deg2rad(45.0)
_Z = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Posture:
    """A hand that is ready to take hold of something, in the wrist frame.

    Attributes:
        point: (N, 3) where the thing goes.
        axis: (N, 3) unit, its axis.
        reach: (N, 3) unit, orthogonal to the axis.
        width: (N,) m, for what thickness.
    """

    point: Float[np.ndarray, "N 3"]
    axis: Float[np.ndarray, "N 3"]
    reach: Float[np.ndarray, "N 3"]
    width: Float[np.ndarray, "N"]


@dataclass(frozen=True)
class Site:
    """Places on a thing, in its frame.

    Attributes:
        point: (N, 3).
        axis: (N, 3) unit.
        width: (N,) m.
        reach_z: Least and greatest z of the direction in which fingers reach.
        either: Whether the axis may be turned round.
    """

    point: Float[np.ndarray, "N 3"]
    axis: Float[np.ndarray, "N 3"]
    width: Float[np.ndarray, "N"]
    reach_z: tuple[float, float]
    either: bool = False

    def mirrored(self) -> Site:
        """The same places on the thing's mirror image in x."""
        return replace(self, point=self.point * MIRROR, axis=self.axis * MIRROR)


@dataclass(frozen=True)
class Place:
    """A place for the wrist before the fingers are closed.

    Attributes:
        cost: Lower is better, about mm.
        T_world_object: (4, 4), standing over the origin.
        T_world_wrist: (4, 4).
        lift_m: How high above the table the thing is.
    """

    cost: float
    T_world_object: Float[np.ndarray, "4 4"]
    T_world_wrist: Float[np.ndarray, "4 4"]
    lift_m: float = 0.0

    @property
    def table_wrist(self) -> Float[np.ndarray, "4 4"]:
        """The wrist when the thing has been put on the table."""
        return make_T(self.T_world_wrist[:3, :3], self.T_world_wrist[:3, 3] - self.lift_m * _Z)


Judge = Callable[[Float[np.ndarray, "N 4 4"], Float[np.ndarray, "N 4 4"]], Float[np.ndarray, "N"]]
"""Cost in mm of pairs of ``T_world_object`` and ``T_world_wrist``."""


class Taker:
    """Finds grasps of one hand.

    Args:
        hand: The hand.
    """

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.scale = float(hand.skeleton.joints[9, 1] / 0.095)
        self.fingers = Fingers(hand)
        self.pinching = _pinching(hand.skeleton)
        arm = hand.bone_vertices(FOREARM, 160)
        self._arm = arm[arm[:, 1] > -0.16 * self.scale]
        bones = bone_poses(hand.skeleton, HALF_CLOSED_RAD)
        roots = [transform(bones[b], hand.bone_vertices(b, 10)) for b in (PALM + 1, 4, 7, 10, 13)]
        self._palm = np.concatenate([hand.bone_vertices(PALM, 60), *roots])
        fingers = [transform(bones[b], hand.bone_vertices(b, 6)) for b in range(1, FOREARM)]
        self.half_closed_skin = np.concatenate([hand.bone_vertices(PALM, 30), *fingers])
        self._half_closed = posed_joints(hand.skeleton, bone_poses(hand.skeleton, HALF_CLOSED_RAD))

    def survey(
        self,
        body: Body,
        site: Site,
        posture: Posture,
        outlook: Outlook,
        rng: np.random.Generator,
        *,
        yaw: float | None = None,
        lift_m: float = 0.0,
        judge: Judge | None = None,
        n_drawn: int = 450,
        n_seen: int = 32,
        n_kept: int = 10,
    ) -> list[Place]:
        """Places for the wrist, best first, judged by what the camera would see and by what is in the way.

        Args:
            body: The thing.
            site: Where on it.
            posture: How the hand is shaped.
            outlook: Where the arm comes from and where the camera is.
            rng: Source of the places.
            yaw: Heading of the thing, rad; free where not given, so that the hand lies along the arm.
            lift_m: How high above the table the thing is; it can be put on the table as it is held.
            judge: What else counts.
            n_drawn: How many are drawn.
            n_seen: How many of them are looked at through the camera.
            n_kept: How many are returned.
        """
        T_object_wrist = self._drawn(site, posture, rng, n_drawn)
        turn = self._yaw(T_object_wrist, outlook.heading, rng) if yaw is None else np.full(len(T_object_wrist), yaw)
        T_world_object = make_T(rotation(_Z, turn), np.array([0.0, 0.0, body.extent_m[2] / 2 + lift_m]))
        T_world_wrist = T_world_object @ T_object_wrist
        cost = self.strain(T_world_wrist, outlook) + self._in_the_way(
            body, T_object_wrist, T_world_wrist, outlook, lift_m
        )
        cost = cost + _HIDDEN_COST * outlook.averted(T_world_wrist)
        if judge is not None:
            cost = cost + judge(T_world_object, T_world_wrist)
        surface = body.surface[:: max(1, len(body.surface) // 24)]
        out = []
        for k in np.argsort(cost, kind="stable")[:n_seen]:
            seen = outlook.hidden(self._half_closed, T_world_wrist[k], body.field, invert(T_world_object[k]), surface)
            out.append(Place(float(cost[k] + _HIDDEN_COST * seen), T_world_object[k], T_world_wrist[k], lift_m))
        return sorted(out, key=lambda place: place.cost)[:n_kept]

    def take(self, body: Body, touch: Touch, places: list[Place], n_grasps: int = 2) -> list[tuple[Grasp, Place]]:
        """Close the fingers at surveyed places; the best grasps, best first."""
        tried = []
        for place in places:
            T_object_wrist = invert(place.T_world_object) @ place.T_world_wrist
            cost, picks = self.fingers.close(body, touch, T_object_wrist, place.table_wrist)
            tried.append((cost + place.cost, place, T_object_wrist, picks))
        tried.sort(key=lambda t: t[0])
        out = [
            (self.fingers.refine(body, touch, T, place.table_wrist, picks, place.cost), place)
            for _, place, T, picks in tried[:n_grasps]
        ]
        return sorted(out, key=lambda pair: pair[0].score)

    def strain(self, T_world_wrist: Float[np.ndarray, "N 4 4"], outlook: Outlook) -> Float[np.ndarray, "N"]:
        """Cost in mm of a wrist bent far from the arm."""
        ahead = T_world_wrist[:, :3, 3] - outlook.shoulder
        ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
        bend = np.arccos(np.clip((T_world_wrist[:, :3, 1] * ahead).sum(-1), -1.0, 1.0))
        return 60.0 * np.maximum(0.0, bend - _EASY_BEND_RAD)

    def _drawn(self, site: Site, posture: Posture, rng: np.random.Generator, n: int) -> Float[np.ndarray, "N 4 4"]:
        at = rng.integers(len(site.point), size=n)
        axis = site.axis[at] * (np.where(rng.random(n) < 0.5, -1.0, 1.0) if site.either else np.ones(n))[:, None]
        reach = _reaches(axis, site.reach_z, rng)
        gap = np.abs(posture.width[None] - site.width[at][:, None]) + rng.uniform(0, 0.004, (n, len(posture.width)))
        k = gap.argmin(1)
        hand = np.stack([posture.axis[k], posture.reach[k], np.cross(posture.axis[k], posture.reach[k])], -1)
        thing = np.stack([axis, reach, np.cross(axis, reach)], -1)
        R = thing @ np.swapaxes(hand, -1, -2)
        return make_T(R, site.point[at] - np.einsum("nab,nb->na", R, posture.point[k]))

    def _yaw(self, T_object_wrist: np.ndarray, heading: float, rng: np.random.Generator) -> Float[np.ndarray, "N"]:
        """Headings of the thing that let the hand lie along the arm, loosely."""
        along, palm = T_object_wrist[:, :3, 1], T_object_wrist[:, :3, 2]
        ahead = along[:, :2] - np.maximum(0.0, -along[:, 2:]) * palm[:, :2]
        return heading + rng.uniform(-0.7, 0.7, len(along)) - np.arctan2(ahead[:, 1], ahead[:, 0])

    def _in_the_way(
        self, body: Body, T_object_wrist: np.ndarray, T_world_wrist: np.ndarray, outlook: Outlook, lift_m: float
    ) -> Float[np.ndarray, "N"]:
        """Cost in mm of palm and forearm in the thing or in the table."""
        bent = self._arm @ np.swapaxes(forearm_rotation(T_world_wrist, outlook.shoulder), -1, -2)
        points = np.concatenate([np.broadcast_to(self._palm, (len(bent), *self._palm.shape)), bent], 1)
        deep = -body.field(transform(T_object_wrist, points)).min(-1) - 0.0005
        low = 0.004 + lift_m - transform(T_world_wrist, points)[..., 2].min(-1)
        return 1000.0 * (10.0 * np.maximum(0.0, deep) + 5.0 * np.maximum(0.0, low))


def _reaches(axis: np.ndarray, reach_z: tuple[float, float], rng: np.random.Generator, tries: int = 12) -> np.ndarray:
    """Unit vectors orthogonal to each axis; of several draws, one whose z is within or nearest to the limits."""
    draws = rng.normal(size=(tries, *axis.shape))
    draws -= (draws * axis).sum(-1, keepdims=True) * axis
    draws /= np.linalg.norm(draws, axis=-1, keepdims=True)
    off = np.maximum(reach_z[0] - draws[..., 2], draws[..., 2] - reach_z[1])
    best = np.maximum(off, 0.0).argmin(0)
    return draws[best, np.arange(len(axis))]


def wrapping(taker: Taker, radius_m: np.ndarray, rng: np.random.Generator, n: int = 120) -> Posture:
    """Palm and fingers round a cylinder that lies across the palm."""
    s = taker.scale
    tilt, lean = rng.uniform(-0.1, 0.75, n), 0.1 - 1.2 * rng.random(n) ** 1.4  # leaning, the palm comes over the thing
    axis = np.stack([np.cos(tilt) * np.cos(lean), np.sin(tilt) * np.cos(lean), np.sin(lean)], -1)
    reach = _unit(_Z - axis[:, 2:] * axis)
    r = radius_m[rng.integers(len(radius_m), size=n)]
    point = np.stack(
        [rng.uniform(-0.012, 0.018, n) * s, rng.uniform(0.080, 0.120, n) * s, r + rng.uniform(0.016, 0.030, n) * s], -1
    )
    return Posture(point, axis, reach, r)


def pressing(taker: Taker, rng: np.random.Generator, n: int = 40) -> Posture:
    """Fingers side by side, pads first."""
    sk, bend = taker.hand.skeleton, rng.uniform(0.05, 0.5, n)
    tips, pads, along = [], [], []
    for f in (1, 2, 3, 4):
        angles = np.stack([np.full(n, SPREAD_RAD[f]), bend, bend * 1.2, bend * 0.7], -1)
        last = finger_poses(sk, f, angles)[:, 2]
        tips.append(transform(last, sk.joints[None, 4 + 4 * f, None])[:, 0])
        pads.append(last[:, :3, :3] @ sk.pads[f])
        along.append(last[:, :3, :3] @ np.cross(sk.pads[f], sk.bend_axes[f]))
    pad, ahead = np.mean(pads[:3], axis=0), np.mean(along[:3], axis=0)
    axis = _unit(pad + rng.uniform(0.0, 0.9, (n, 1)) * ahead)
    reach = _unit(ahead - (ahead * axis).sum(-1, keepdims=True) * axis)
    return Posture(np.mean(tips[:3], axis=0), axis, reach, np.zeros(n))


def _pinching(sk: Skeleton, per_width: int = 3) -> Posture:
    """Thumb against index and middle finger, for every thickness; the axis runs from thumb to fingers."""
    ends = []
    for f in range(3):
        angles = _coarse_angles(f)
        last = finger_poses(sk, f, angles)[:, 2]
        ends.append((angles, transform(last, sk.joints[None, 4 + 4 * f, None])[:, 0], last[:, :3, :3] @ sk.pads[f]))
    (thumbs, thumb, thumb_pad), (bends, index, pad), (_, middle, _) = ends
    finger = (index + middle) / 2
    gap = finger[None] - thumb[:, None]
    width = np.linalg.norm(gap, axis=-1)
    axis = gap / np.maximum(width, 1e-6)[..., None]
    facing = (1 - np.einsum("tfa,ta->tf", axis, thumb_pad)) + (1 + np.einsum("tfa,fa->tf", axis, pad))
    ease = 1.5 * np.abs(bends[:, 2] - bends[:, 1] - 0.1) + 4.0 * np.maximum(0, 0.35 - bends[:, 1])
    cost = 7.0 * facing + ease + 3.0 * np.abs(thumbs[:, 2:] - 0.3).sum(-1)[:, None]
    rows = []
    for wanted in np.arange(0.003, 0.100, 0.006):
        order = np.argsort(cost + 2500.0 * np.abs(width - wanted), axis=None)[:per_width]
        rows += [(*np.unravel_index(k, cost.shape), wanted) for k in order]
    t, f = np.array([(r[0], r[1]) for r in rows]).T
    point = (thumb[t] + finger[f]) / 2
    ahead = point - sk.joints[9]
    reach = _unit(ahead - (ahead * axis[t, f]).sum(-1, keepdims=True) * axis[t, f])
    return Posture(point, axis[t, f], reach, np.array([r[2] for r in rows]))


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v, axis=-1, keepdims=True)
