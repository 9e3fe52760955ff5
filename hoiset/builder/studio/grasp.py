"""Where a right hand takes hold of an object: sampled wrist poses, fingers closed onto the surface, the best one kept.

**Convention:** world z up, table at z = 0; wrist frame and angles as in :mod:`hoiset.builder.studio.skeleton`; m, rad.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.distance_field import DistanceField
from hoiset.builder.studio.hand import Hand
from hoiset.builder.studio.objects import Prop
from hoiset.builder.studio.outlook import Outlook
from hoiset.builder.studio.skeleton import (
    FOREARM,
    N_FINGERS,
    PALM,
    bone_poses,
    finger_poses,
    posed_joints,
    rotation,
)
from hoiset.geometry import invert, make_T, transform

SPREAD_RAD = np.deg2rad([0.0, 7.0, 1.0, -5.0, -13.0])
RELAXED_RAD = np.array([[0.15, 0.05, 0.15, 0.2], *([s, 0.25, 0.35, 0.2] for s in SPREAD_RAD[1:])])
LAST_JOINT_RATIO = 0.62
APPROACH_STEPS_M = (0.015, 0.03, 0.05, 0.075, 0.10)
_HIDDEN_COST = 40.0
_HALF_CLOSED_RAD = np.array([[0.5, 0.2, 0.2, 0.3], *([s, 0.55, 0.75, 0.45] for s in SPREAD_RAD[1:])])


@dataclass(frozen=True)
class Grasp:
    """How an object is held.

    Attributes:
        object_yaw: Heading of the object on the table when it is taken, rad.
        T_world_wrist: (4, 4) with the object's centre over the world's origin.
        closed: (5, 4) angles while it is held.
        opened: (5, 4) angles just before.
        approach: (3,) unit vector in the wrist frame along which the open hand comes.
        tips_m: (5,) signed distance from each fingertip joint to the surface.
        penetration_m: How deep the hand is in the object at most.
        score: Lower is better.
    """

    object_yaw: float
    T_world_wrist: Float[np.ndarray, "4 4"]
    closed: Float[np.ndarray, "5 4"]
    opened: Float[np.ndarray, "5 4"]
    approach: Float[np.ndarray, "3"]
    tips_m: Float[np.ndarray, "5"]
    penetration_m: float
    score: float


@dataclass(frozen=True)
class WristPose:
    """A place for the wrist before the fingers are closed.

    Attributes:
        cost: Lower is better, about mm.
        object_yaw: Heading of the object, rad.
        T_world_wrist: (4, 4) with the object's foot at the world's origin.
    """

    cost: float
    object_yaw: float
    T_world_wrist: Float[np.ndarray, "4 4"]


@dataclass(frozen=True)
class _Options:
    """Postures of one finger with points on its skin."""

    angles: np.ndarray
    points: np.ndarray
    tips: np.ndarray


class GraspPlanner:
    """Finds grasps of one hand.

    Args:
        hand: The hand.
        points_per_bone: Skin points that stand for each finger bone.
    """

    def __init__(self, hand: Hand, points_per_bone: int = 12) -> None:
        self.hand = hand
        self._light = hand.thinned(3)
        self._skin = [[hand.bone_vertices(1 + 3 * f + k, points_per_bone) for k in range(3)] for f in range(N_FINGERS)]
        self._palm = hand.bone_vertices(PALM, 90)
        self._arm = hand.bone_vertices(FOREARM, 200)
        self._arm = self._arm[self._arm[:, 1] > -0.16]
        self._coarse = [self._options(f, _coarse_angles(f)) for f in range(N_FINGERS)]

    def survey(
        self, prop: Prop, field: DistanceField, outlook: Outlook, rng: np.random.Generator, n_candidates: int = 110
    ) -> list[WristPose]:
        """Wrist poses about an object that stands on the table at the world's origin, best first.

        They are judged by what the camera would see, with fingers half closed, and by palm and arm being in the way.

        Args:
            prop: The object.
            field: Distance to it.
            outlook: Where the arm comes from and where the camera is.
            rng: Source of the candidates.
            n_candidates: How many are looked at, of five times as many; the best eighth is returned.
        """
        joints = posed_joints(self.hand.skeleton, bone_poses(self.hand.skeleton, _HALF_CLOSED_RAD))
        surface = prop.mesh.vertices[:: max(1, len(prop.mesh.vertices) // 24)]
        drawn = [_sample_wrist(prop, outlook.heading, rng) for _ in range(5 * n_candidates)]
        drawn.sort(key=lambda pose: outlook.averted(pose[1]))
        out = []
        for yaw, T_world_wrist in drawn[:n_candidates]:
            T_object_world = invert(_standing(prop, yaw))
            hidden = outlook.hidden(joints, T_world_wrist, field, T_object_world, surface)
            hidden += float(outlook.averted(T_world_wrist))
            body = self._body_cost(field, T_object_world @ T_world_wrist, T_world_wrist)
            out.append(WristPose(_HIDDEN_COST * hidden + body, yaw, T_world_wrist))
        out.sort(key=lambda pose: pose.cost)
        return out[: max(1, n_candidates // 8)]

    def plan(self, prop: Prop, field: DistanceField, poses: list[WristPose], n_grasps: int = 5) -> list[Grasp]:
        """Close the fingers at surveyed wrist poses; the best grasps, best first.

        Args:
            prop: The object.
            field: Distance to it.
            poses: What :meth:`survey` found.
            n_grasps: How many of them are refined and returned.
        """
        tried = []
        for pose in poses:
            T_object_wrist = invert(_standing(prop, pose.object_yaw)) @ pose.T_world_wrist
            cost, picks = self._close(field, T_object_wrist, pose.T_world_wrist, self._coarse)
            tried.append((cost + pose.cost, pose, picks))
        tried.sort(key=lambda c: c[0])
        refined = [self._refine(prop, field, pose, picks) for _, pose, picks in tried[:n_grasps]]
        return sorted(refined, key=lambda g: g.score)

    def _body_cost(self, field: DistanceField, T_object_wrist: np.ndarray, T_world_wrist: np.ndarray) -> float:
        """Cost in mm of palm and forearm in the object or in the table."""
        body = np.concatenate([self._palm, self._arm])
        deep = 1000.0 * max(0.0, -float(field(transform(T_object_wrist, body)).min()) - 0.0005)
        low = 1000.0 * max(0.0, 0.004 - float(transform(T_world_wrist, body)[:, 2].min()))
        return 10.0 * deep + 5.0 * low

    def _options(self, f: int, angles: np.ndarray) -> _Options:
        poses = finger_poses(self.hand.skeleton, f, angles)
        points = np.concatenate([transform(poses[:, k], self._skin[f][k][None]) for k in range(3)], 1)
        tips = transform(poses[:, 2], self.hand.skeleton.joints[None, 4 + 4 * f, None])[:, 0]
        return _Options(angles, points, tips)

    def _close(
        self, field: DistanceField, T_object_wrist: np.ndarray, T_world_wrist: np.ndarray, options: list[_Options]
    ) -> tuple[float, list[int]]:
        """Cost of the fingers in mm and each finger's best posture."""
        cost, picks, pushes = 0.0, [], []
        for f, option in enumerate(options):
            costs = self._finger_costs(field, T_object_wrist, T_world_wrist, option)
            best = int(costs.argmin())
            picks.append(best)
            cost += (2.0, 1.2, 1.2, 0.7, 0.3)[f] * min(costs[best], 40.0)
            pushes.append(_outward(field, transform(T_object_wrist, option.tips[best][None])[0]))
        opposition = float(pushes[0] @ (pushes[1] + pushes[2] + pushes[3]) / 3.0)
        return cost + 15.0 * max(0.0, opposition + 0.55), picks

    def _finger_costs(
        self, field: DistanceField, T_object_wrist: np.ndarray, T_world_wrist: np.ndarray, option: _Options
    ) -> np.ndarray:
        inside = field(transform(T_object_wrist, option.points)).min(-1)
        tip = field(transform(T_object_wrist, option.tips))
        height = transform(T_world_wrist, option.points)[..., 2].min(-1)
        cost = 1000.0 * np.abs(tip - 0.0005)
        cost += 8000.0 * np.maximum(0.0, -inside - 0.0008)
        return cost + 5000.0 * np.maximum(0.0, 0.003 - height) + _discomfort(option.angles)

    def _refine(self, prop: Prop, field: DistanceField, pose: WristPose, picks: list[int]) -> Grasp:
        """Close the fingers more finely and choose the open hand."""
        yaw, T = pose.object_yaw, pose.T_world_wrist
        T_object_wrist = invert(_standing(prop, yaw)) @ T
        fine = [self._options(f, _near(f, self._coarse[f].angles[k])) for f, k in enumerate(picks)]
        _, chosen = self._close(field, T_object_wrist, T, fine)
        fine = [self._options(f, _near(f, fine[f].angles[k], 0.3)) for f, k in enumerate(chosen)]
        cost, chosen = self._close(field, T_object_wrist, T, fine)
        closed = np.stack([o.angles[k] for o, k in zip(fine, chosen, strict=True)])
        tips = np.array(
            [field(transform(T_object_wrist, o.tips[k][None]))[0] for o, k in zip(fine, chosen, strict=True)]
        )
        skin, _ = self._light.pose(closed)
        penetration = max(0.0, -float(field(transform(T_object_wrist, skin)).min()))
        ways = []
        for approach in _approaches(T):
            fingers = [self._opened(field, T_object_wrist, T, f, closed[f], approach) for f in range(N_FINGERS)]
            ways.append((sum(c for c, _ in fingers), approach, np.stack([a for _, a in fingers])))
        hurdle, approach, opened = min(ways, key=lambda way: way[0])
        score = pose.cost + cost + 8000.0 * max(0.0, penetration - 0.0015) + hurdle
        return Grasp(yaw, T, closed, opened, approach, tips, penetration, score)

    def _opened(
        self,
        field: DistanceField,
        T_object_wrist: np.ndarray,
        T_world_wrist: np.ndarray,
        f: int,
        closed: np.ndarray,
        approach: np.ndarray,
    ) -> tuple[float, np.ndarray]:
        """The nearest posture that comes and closes without passing through the object, and its cost."""
        option = self._coarse[f]
        clear = field(transform(T_object_wrist, option.points)).min(-1)
        height = transform(T_world_wrist, option.points)[..., 2].min(-1)
        move = np.abs(option.angles - closed).sum(-1)
        cost = move + 200.0 * np.maximum(0.0, 0.020 - clear) + 300.0 * np.maximum(0.0, 0.004 - height)
        order = np.argsort(cost, kind="stable")[:40]
        steps = np.linspace(0.0, 1.0, 5)[1:-1]
        between = closed + steps[None, :, None] * (option.angles[order][:, None] - closed)
        path = self._options(f, between.reshape(-1, 4))
        deepest = field(transform(T_object_wrist, path.points)).min(-1).reshape(len(order), -1).min(-1)
        back = -approach * np.array(APPROACH_STEPS_M)[:, None]
        coming = option.points[order][:, None] + back[:, None]
        closest = field(transform(T_object_wrist, coming)).reshape(len(order), -1).min(-1)
        cost = cost[order] + 2000.0 * np.maximum(0.0, -deepest - 0.0015) + 1500.0 * np.maximum(0.0, 0.004 - closest)
        best = int(cost.argmin())
        return float(cost[best]), option.angles[order[best]]


def _approaches(T_world_wrist: np.ndarray) -> list[np.ndarray]:
    """Directions in the wrist frame in which a hand may come: along the fingers, palm first, from above, between."""
    along, palm, down = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]), -T_world_wrist[2, :3]
    out = [along, 0.8 * along + 0.6 * palm, along + down, 0.3 * along + down]
    return [d / np.linalg.norm(d) for d in out]


def _standing(prop: Prop, yaw: float) -> np.ndarray:
    return make_T(rotation(np.array([0.0, 0.0, 1.0]), np.array(yaw)), np.array([0.0, 0.0, prop.extent_m[2] / 2]))


def _discomfort(angles: np.ndarray) -> np.ndarray:
    """Small cost in mm of odd postures, so that ties go to natural ones."""
    return 1.2 * np.abs(angles[:, 2] - angles[:, 1] - 0.2) + 0.4 * np.abs(
        angles[:, 3] - LAST_JOINT_RATIO * angles[:, 2]
    )


def _grid(*axes: np.ndarray) -> np.ndarray:
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))


def _coarse_angles(f: int) -> Float[np.ndarray, "N 4"]:
    if f == 0:
        return _grid(
            np.linspace(-0.3, 1.0, 7), np.linspace(-0.5, 0.6, 5), np.linspace(-0.1, 0.7, 3), np.linspace(-0.1, 0.9, 4)
        )
    g = _grid(np.linspace(-0.15, 1.4, 13), np.linspace(0.05, 1.65, 13))
    return np.stack([np.full(len(g), SPREAD_RAD[f]), g[:, 0], g[:, 1], LAST_JOINT_RATIO * g[:, 1]], -1)


def _near(f: int, angles: np.ndarray, scale: float = 1.0) -> Float[np.ndarray, "N 4"]:
    if f == 0:
        steps = [scale * h * np.linspace(-1, 1, 5) for h in (0.10, 0.12, 0.15, 0.18)]
        return angles + _grid(*steps)
    g = scale * _grid(np.linspace(-0.08, 0.08, 9), np.linspace(-0.09, 0.09, 9), np.array([-0.2, 0.0, 0.2]))
    out = np.tile(angles, (len(g), 1))
    out[:, 1:] += g
    out[:, 1:] = np.clip(out[:, 1:], [-0.25, 0.0, 0.0], [1.5, 1.75, 1.1])
    return out


def _outward(field: DistanceField, point: np.ndarray) -> np.ndarray:
    """Unit gradient of the distance field."""
    offsets = np.eye(3) * 0.003
    g = field(point + offsets) - field(point - offsets)
    return g / max(float(np.linalg.norm(g)), 1e-9)


def _sample_wrist(prop: Prop, heading: float, rng: np.random.Generator) -> tuple[float, np.ndarray]:
    """A wrist pose that could suit the object, and the heading that the object has under it."""
    turn = heading + np.deg2rad(rng.uniform(-45.0, 45.0))
    high = prop.extent_m[2]
    from_above = prop.kind == "bowl" or (prop.kind == "box" and rng.random() < 0.6)
    if from_above:
        pitch, roll = np.deg2rad(rng.uniform(15.0, 60.0)), np.deg2rad(rng.uniform(10.0, 85.0))
        spot = np.array([rng.uniform(-0.005, 0.02), rng.uniform(0.115, 0.145), rng.uniform(0.025, 0.055)])
        height = high - rng.uniform(0.008, 0.018) if prop.kind == "bowl" else high - rng.uniform(0.015, 0.035)
    else:
        pitch, roll = np.deg2rad(rng.uniform(0.0, 45.0)), np.deg2rad(rng.uniform(20.0, 85.0))
        spot = np.array(
            [rng.uniform(-0.012, 0.018), rng.uniform(0.080, 0.120), prop.grip_radius_m + rng.uniform(0.016, 0.032)]
        )
        height = high * rng.uniform(0.38, 0.62)
    x, y, z = np.eye(3)
    R = rotation(z, np.array(turn - np.pi / 2)) @ rotation(x, np.array(-pitch)) @ rotation(y, np.array(-roll)) @ _SIDE
    palm_heading = float(np.arctan2(R[1, 2], R[0, 2]))
    target = np.array([0.0, 0.0, height])
    yaw = rng.uniform(-np.pi, np.pi)
    if prop.kind == "box":
        yaw = palm_heading - np.pi / 2 + np.deg2rad(rng.uniform(-8.0, 8.0))
    if prop.kind == "bowl":
        rim = prop.extent_m[0] / 2 - prop.grip_radius_m
        out = palm_heading + np.pi
        target[:2] = rim * np.array([np.cos(out), np.sin(out)])
    return yaw, make_T(R, target - R @ spot)


_SIDE = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
"""Thumb up, fingers along +y, palm to -x."""
