"""Two hands and one thing: lift it together, pass it from one to the other.

Each function yields candidates: what the grasps cost, and a script.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial import cKDTree

from hoiset.builder.studio.actions.planning import Candidate, Scene, yaw_of
from hoiset.builder.studio.actions.script import Hold, Script
from hoiset.builder.studio.actions.single import N_LAYOUTS, options
from hoiset.builder.studio.grasp import Grasp
from hoiset.builder.studio.grips import Grip, anywhere, press
from hoiset.builder.studio.motion import Submove, ThingPath
from hoiset.builder.studio.performance import MIRROR
from hoiset.builder.studio.wrists import Judge
from hoiset.geometry import invert, transform

_UP = np.array([0.0, 0.0, 1.0])
_FLAT = np.array([1.0, 1.0, 0.0])
_HANDS_APART_M = 0.016


def bimanual_lift(scene: Scene) -> Iterator[Candidate]:
    """Taken from both sides, lifted, perhaps carried, and put down."""
    for _ in range(N_LAYOUTS + 2):
        start = scene.spot(0.10)
        end = start + scene.rng.uniform(-0.07, 0.07, 3) * _FLAT
        right = scene.shoulder(start)
        side = np.deg2rad(scene.rng.uniform(18.0, 40.0))
        lean = np.arctan2(right[0] - start[0], start[1] - right[1])
        left = _at_left(start, lean - 2 * side, float(right[2]))
        facing = (start - (right + left * MIRROR) / 2) * _FLAT
        facing /= np.linalg.norm(facing)
        across = np.array([-facing[1], facing[0], 0.0])  # to the left: the way in which the right hand presses
        yaw = float(np.arctan2(across[1], across[0])) + scene.rng.integers(4) * np.pi / 2
        inward = _in_frame(across, yaw)
        pairs = _sides(scene, inward)
        if pairs is None:
            continue
        mine = scene.grasps(0, pairs[0], scene.outlook(start, right), yaw=yaw, n=1)
        other = scene.grasps(0, pairs[1], scene.outlook(start * MIRROR, left, left=True), yaw=-yaw, left=True, n=1)
        (g_right, _), (g_left, _) = mine[0], other[0]
        d = scene.duration_s
        times = (0.05 * d, 0.30 * d, 0.36 * d, 0.74 * d, 0.80 * d, 0.97 * d)
        c, r = times[2], times[3]
        rise = scene.rng.uniform(0.05, 0.13) * _UP
        moves = (
            Submove(c, c + 0.40 * (r - c), rise),
            Submove(c + 0.2 * (r - c), c + 0.8 * (r - c), end - start),
            Submove(c + 0.60 * (r - c), r, -rise),
        )
        path = ThingPath(scene.standing(0, start, yaw), moves)
        holds = (Hold(False, 0, g_right, right, *times), Hold(True, 0, g_left, left, *times))
        yield (g_right.score + g_left.score) / 2, Script((path,), holds)


def hand_over(scene: Scene) -> Iterator[Candidate]:
    """The right hand lifts a thing, the left takes it in the air and places it."""
    ways = options(scene, 0)
    for _ in range(N_LAYOUTS + 2):
        start, end = scene.spot(0.07), scene.spot(0.07)
        if start[0] < end[0]:
            start, end = end, start
        right = scene.shoulder(start)
        left = _at_left(end, -np.deg2rad(scene.rng.uniform(8.0, 45.0)), float(right[2]))
        turn = np.deg2rad(scene.rng.uniform(-25, 25)) * _UP
        air = (start + end) / 2 + scene.rng.uniform(0.09, 0.14) * _UP
        grasp, place = scene.grasps(0, scene.pick(ways), scene.outlook(start, right), n=1)[0]
        T = scene.standing(0, start, yaw_of(place.T_world_object))
        d = scene.duration_s
        first = Hold(False, 0, grasp, right, 0.03 * d, 0.17 * d, 0.22 * d, 0.53 * d, 0.58 * d, 0.74 * d)
        up = (
            Submove(first.close_s, 0.34 * d, air[2] * _UP),
            Submove(first.close_s + 0.03 * d, 0.40 * d, (air - start) * _FLAT, turn),
        )
        there = ThingPath(T, up)(np.array([d]))[0]
        second = _second(scene, ways, grasp, there, left)
        if second is None:
            continue
        down = (Submove(0.60 * d, 0.78 * d, (end - air) * _FLAT), Submove(0.66 * d, 0.82 * d, -air[2] * _UP))
        taking = Hold(True, 0, second, left, 0.22 * d, 0.44 * d, 0.50 * d, 0.82 * d, 0.87 * d, 0.99 * d)
        yield (grasp.score + second.score) / 2, Script((ThingPath(T, (*up, *down)),), (first, taking))


def _second(scene: Scene, ways: list[Grip], first: Grasp, T_world_thing: np.ndarray, left: np.ndarray) -> Grasp | None:
    """How the left hand takes what the right one holds in the air."""
    skin, _ = scene.light.pose(first.closed)
    taken = cKDTree(transform(first.T_object_wrist, skin[scene.light.mesh.vertices[:, 1] > -0.1]) * MIRROR)
    free = [*anywhere(scene.bodies[0], scene.taker), *ways]
    grip = free[int(scene.rng.integers(len(free)))] if scene.rng.random() < 0.5 else free[0]
    at = T_world_thing[:3, 3] * _FLAT
    found = scene.grasps(
        0,
        grip,
        scene.outlook(at * MIRROR, left, left=True),
        left=True,
        yaw=-yaw_of(T_world_thing),
        lift_m=float(T_world_thing[2, 3] - scene.props[0].extent_m[2] / 2),
        judge=_clear_of(scene, taken),
        n=1,
    )
    return found[0][0] if found else None


def _clear_of(scene: Scene, taken: cKDTree) -> Judge:
    """Cost in mm of a half-closed hand in the other, object frame of the mirror image."""
    points = scene.taker.half_closed_skin[::3]

    def judge(T_object: np.ndarray, T_wrist: np.ndarray) -> np.ndarray:
        mine = transform(invert(T_object) @ T_wrist, points)
        gap = taken.query(mine.reshape(-1, 3))[0].reshape(len(T_wrist), -1).min(-1)
        return 4000.0 * np.maximum(0.0, _HANDS_APART_M - gap)

    return judge


def _sides(scene: Scene, inward: np.ndarray) -> tuple[Grip, Grip] | None:
    """Opposite sides of a thing: its rim where it is low or wide, else its flanks."""
    prop, body = scene.props[0], scene.bodies[0]
    if prop.kind in ("plate", "bowl", "pan", "pot", "book"):
        rims = [g for g in options(scene, 0) if g.name == "rim"] or anywhere(body, scene.taker)
        middle = prop.opening.centre[:2] if prop.opening is not None else np.zeros(2)
        here, there = rims[0].towards(middle, -inward[:2]), rims[0].towards(middle, inward[:2])
    else:
        here = press(body, scene.taker, inward, (-0.85, 0.15), 0.15, 0.95)
        there = press(body, scene.taker, -inward, (-0.85, 0.15), 0.15, 0.95)
    return None if here is None or there is None else (here, there)


def _in_frame(direction: np.ndarray, yaw: float) -> np.ndarray:
    """A level world direction in the frame of a thing with a heading."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([c * direction[0] + s * direction[1], -s * direction[0] + c * direction[1], 0.0])


def _at_left(about: np.ndarray, side: float, height: float) -> np.ndarray:
    """Shoulder of a left arm, in the mirror image, that comes from the given side of the world."""
    away = 1.5 * np.array([np.sin(side), -np.cos(side), 0.0]) + height * _UP
    return (about + away) * MIRROR
