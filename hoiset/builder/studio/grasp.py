"""Fingers close onto a thing until they touch it: how a right hand at a given place holds, pinches or presses.

Every finger's posture is the one, within its joints' limits, whose tip comes to the surface while nothing of the finger
goes through it or through the table.

**Convention:** world z up, table at z = 0; wrist frame and angles as in :mod:`hoiset.builder.studio.skeleton`; m, rad.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.body import Body
from hoiset.builder.studio.distance_field import DistanceField
from hoiset.builder.studio.hand import Hand
from hoiset.builder.studio.skeleton import N_FINGERS, finger_poses
from hoiset.geometry import transform

SPREAD_RAD = np.deg2rad([0.0, 7.0, 1.0, -5.0, -13.0])
RELAXED_RAD = np.array([[0.15, 0.05, 0.15, 0.2], *([s, 0.25, 0.35, 0.2] for s in SPREAD_RAD[1:])])
LIMITS_RAD = np.array(
    [
        [[-0.4, 1.1], [-0.6, 0.7], [-0.2, 0.9], [-0.2, 1.1]],
        *([[-0.35, 0.35], [-0.25, 1.5], [0.0, 1.75], [0.0, 1.1]],) * 4,
    ]
)
"""(5, 4, 2) least and greatest angle of every joint."""
LAST_JOINT_RATIO = 0.62
APPROACH_STEPS_M = (0.02, 0.045, 0.08)
TOUCH_M = 0.0005


@dataclass(frozen=True)
class Touch:
    """What a grip asks of the fingers.

    Attributes:
        weights: (5,) how much each fingertip's touch counts; below 0.4 a finger only keeps out of the way.
        opposed: Whether the thumb must press against the fingers.
        push: (3,) object frame, direction in which the fingers must press, or ``None``.
    """

    weights: tuple[float, float, float, float, float]
    opposed: bool
    push: Float[np.ndarray, "3"] | None = None


@dataclass(frozen=True)
class Grasp:
    """How a thing is held by a right hand.

    Attributes:
        T_object_wrist: (4, 4).
        closed: (5, 4) angles while it is held.
        opened: (5, 4) angles just before.
        approach: (3,) unit vector in the wrist frame along which the open hand comes.
        tips_m: (5,) signed distance from each fingertip joint to the surface.
        penetration_m: How deep the hand is in the object at most.
        score: Lower is better, about mm.
    """

    T_object_wrist: Float[np.ndarray, "4 4"]
    closed: Float[np.ndarray, "5 4"]
    opened: Float[np.ndarray, "5 4"]
    approach: Float[np.ndarray, "3"]
    tips_m: Float[np.ndarray, "5"]
    penetration_m: float
    score: float


@dataclass(frozen=True)
class _Options:
    """Postures of one finger with points on its skin."""

    angles: np.ndarray
    points: np.ndarray
    tips: np.ndarray


class Fingers:
    """Closes the fingers of one hand.

    Args:
        hand: The hand.
        points_per_bone: Skin points that stand for each finger bone.
    """

    def __init__(self, hand: Hand, points_per_bone: int = 9) -> None:
        self.hand = hand
        self._light = hand.thinned(6)
        self._skin = [[hand.bone_vertices(1 + 3 * f + k, points_per_bone) for k in range(3)] for f in range(N_FINGERS)]
        self._coarse = [self._options(f, _coarse_angles(f)) for f in range(N_FINGERS)]

    def close(
        self, body: Body, touch: Touch, T_object_wrist: np.ndarray, T_world_wrist: np.ndarray
    ) -> tuple[float, list[int]]:
        """A first, coarse closing: its cost in mm, and which posture each finger takes."""
        return self._close(body.field, touch, T_object_wrist, T_world_wrist, self._coarse)

    def refine(
        self,
        body: Body,
        touch: Touch,
        T_object_wrist: np.ndarray,
        T_world_wrist: np.ndarray,
        picks: list[int],
        cost: float,
    ) -> Grasp:
        """Close more finely from what :meth:`close` found, and choose how the hand opens and comes.

        Args:
            body: The thing.
            touch: What is asked of the fingers.
            T_object_wrist: Where the hand is.
            T_world_wrist: The same in the world, for the table.
            picks: Postures that :meth:`close` found.
            cost: Of the place, in mm; goes into the score.
        """
        field, T = body.field, T_object_wrist
        fine = [self._options(f, _near(f, self._coarse[f].angles[k])) for f, k in enumerate(picks)]
        _, chosen = self._close(field, touch, T, T_world_wrist, fine)
        fine = [self._options(f, _near(f, fine[f].angles[k], 0.3)) for f, k in enumerate(chosen)]
        closing, chosen = self._close(field, touch, T, T_world_wrist, fine)
        closed = np.stack([o.angles[k] for o, k in zip(fine, chosen, strict=True)])
        tips = np.array([field(transform(T, o.tips[k][None]))[0] for o, k in zip(fine, chosen, strict=True)])
        skin, _ = self._light.pose(closed)
        penetration = max(0.0, -float(field(transform(T, skin[self._light.mesh.vertices[:, 1] > -0.03])).min()))
        ways = []
        for approach in _approaches(T_world_wrist):
            fingers = [self._opened(field, T, T_world_wrist, f, closed[f], approach) for f in range(N_FINGERS)]
            ways.append((sum(c for c, _ in fingers), approach, np.stack([a for _, a in fingers])))
        hurdle, approach, opened = min(ways, key=lambda way: way[0])
        score = cost + closing + 8000.0 * max(0.0, penetration - 0.002) + hurdle
        return Grasp(T, closed, opened, approach, tips, penetration, score)

    def _options(self, f: int, angles: np.ndarray) -> _Options:
        poses = finger_poses(self.hand.skeleton, f, angles)
        points = np.concatenate([transform(poses[:, k], self._skin[f][k][None]) for k in range(3)], 1)
        tips = transform(poses[:, 2], self.hand.skeleton.joints[None, 4 + 4 * f, None])[:, 0]
        return _Options(angles, points, tips)

    def _close(
        self,
        field: DistanceField,
        touch: Touch,
        T_object_wrist: np.ndarray,
        T_world_wrist: np.ndarray,
        options: list[_Options],
    ) -> tuple[float, list[int]]:
        """Cost of the fingers in mm and each finger's best posture; those that must touch come first."""
        total, picks, leader = 0.0, [0] * N_FINGERS, RELAXED_RAD[2]
        for f in sorted(range(N_FINGERS), key=lambda f: -touch.weights[f]):
            free = touch.weights[f] < 0.4
            costs = self._finger_costs(field, T_object_wrist, T_world_wrist, options[f], free)
            if free:
                like = RELAXED_RAD[0] if f == 0 else leader
                costs = costs + 6.0 * np.abs(options[f].angles[:, 1:3] - like[1:3]).sum(-1)
            best = int(costs.argmin())
            picks[f] = best
            total += max(touch.weights[f], 0.3) * min(costs[best], 40.0)
            if f and not free:
                leader = options[f].angles[best]
        tips = np.stack([o.tips[k] for o, k in zip(options, picks, strict=True)])
        faces = field.outward(transform(T_object_wrist, tips))
        active = np.array(touch.weights[1:]) >= 0.4
        mean = faces[1:][active].mean(0)
        if touch.opposed:
            total += 15.0 * max(0.0, float(faces[0] @ mean) + 0.55)
        if touch.push is not None:
            total += 15.0 * max(0.0, float(touch.push @ mean) + 0.75)
        return total, picks

    def _finger_costs(
        self, field: DistanceField, T_object_wrist: np.ndarray, T_world_wrist: np.ndarray, option: _Options, free: bool
    ) -> np.ndarray:
        inside = field(transform(T_object_wrist, option.points)).min(-1)
        height = option.points @ T_world_wrist[2, :3] + T_world_wrist[2, 3]
        cost = 8000.0 * np.maximum(0.0, -inside - (0.0 if free else 0.0008))
        if not free:
            cost = cost + 1000.0 * np.abs(field(transform(T_object_wrist, option.tips)) - TOUCH_M)
        return cost + 5000.0 * np.maximum(0.0, 0.0005 - height.min(-1)) + _discomfort(option.angles)

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
        picks = np.argsort(np.abs(option.angles - closed).sum(-1), kind="stable")[:90]
        points = option.points[picks]
        clear = field(transform(T_object_wrist, points)).min(-1)
        height = (points @ T_world_wrist[2, :3] + T_world_wrist[2, 3]).min(-1)
        move = np.abs(option.angles[picks] - closed).sum(-1)
        cost = move + 200.0 * np.maximum(0.0, 0.014 - clear) + 300.0 * np.maximum(0.0, 0.002 - height)
        order = np.argsort(cost, kind="stable")[:24]
        steps = np.linspace(0.0, 1.0, 5)[1:-1]
        between = closed + steps[None, :, None] * (option.angles[picks][order][:, None] - closed)
        path = self._options(f, between.reshape(-1, 4))
        deepest = field(transform(T_object_wrist, path.points)).min(-1).reshape(len(order), -1).min(-1)
        back = -approach * np.array(APPROACH_STEPS_M)[:, None]
        coming = points[order][:, None] + back[:, None]
        closest = field(transform(T_object_wrist, coming)).reshape(len(order), -1).min(-1)
        cost = cost[order] + 2000.0 * np.maximum(0.0, -deepest - 0.0015) + 1500.0 * np.maximum(0.0, 0.004 - closest)
        best = int(cost.argmin())
        return float(cost[best]), option.angles[picks[order[best]]]


def _approaches(T_world_wrist: np.ndarray) -> list[np.ndarray]:
    """Directions in the wrist frame in which a hand may come: along the fingers, palm first, from above, between."""
    along, palm, down = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]), -T_world_wrist[2, :3]
    out = [along, 0.8 * along + 0.6 * palm, along + down, 0.3 * along + down]
    return [d / np.linalg.norm(d) for d in out]


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
        out = angles + _grid(*(scale * h * np.linspace(-1, 1, 5) for h in (0.10, 0.12, 0.15, 0.18)))
    else:
        g = scale * _grid(np.linspace(-0.08, 0.08, 9), np.linspace(-0.09, 0.09, 9), np.array([-0.2, 0.0, 0.2]))
        out = np.tile(angles, (len(g), 1))
        out[:, 1:] += g
    return np.clip(out, LIMITS_RAD[f, :, 0], LIMITS_RAD[f, :, 1])
