"""One hand and one thing: pick and place, hold, slide, push, rotate.

Each function yields candidates: what the grasp costs, and a script.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hoiset.builder.studio.actions.planning import Candidate, Scene, yaw_of
from hoiset.builder.studio.actions.script import Hold, Script
from hoiset.builder.studio.grasp import Grasp
from hoiset.builder.studio.grips import Grip, anywhere, grips, press
from hoiset.builder.studio.motion import Submove, ThingPath
from hoiset.builder.studio.objects import Prop
from hoiset.builder.studio.skeleton import rotation

_UP = np.array([0.0, 0.0, 1.0])
N_LAYOUTS = 4


def options(scene: Scene, thing: int, names: tuple[str, ...] = ()) -> list[Grip]:
    """Ways to hold a thing, of the given sorts.

    Raises:
        ValueError: The hand cannot hold it.
    """
    out = grips(scene.props[thing], scene.bodies[thing], scene.taker)
    out = [g for g in out if not names or g.name in names]
    out = out or anywhere(scene.bodies[thing], scene.taker) or anywhere(scene.bodies[thing], scene.taker, 1.25)
    if not out:
        raise ValueError(f"found no part of the {scene.props[thing].kind} that the hand can hold: cast another thing")
    return out


def held(scene: Scene, grasp: Grasp, shoulder: np.ndarray, shares: tuple[float, ...], thing: int = 0) -> Hold:
    """A hold of the right hand at shares of the clip: leave, reach, close, release, open, gone."""
    leave, reach, close, release, opened, gone = (share * scene.duration_s for share in shares)
    start = 1.0 if scene.rng.random() < 0.75 else float(scene.rng.uniform(0.3, 0.6))
    end = 1.0 if scene.rng.random() < 0.75 else float(scene.rng.uniform(0.3, 0.6))
    return Hold(False, thing, grasp, shoulder, leave, reach, close, release, opened, gone, start, end)


def pick_place(scene: Scene) -> Iterator[Candidate]:
    """Lift, move and lower, overlapping."""
    ways = options(scene, 0)
    for _ in range(N_LAYOUTS):
        start = scene.spot(0.07)
        end = scene.spot(0.07, start, 0.12, 0.28)
        shoulder = scene.shoulder((start + end) / 2)
        lift, turn = scene.rng.uniform(0.06, 0.12), np.deg2rad(scene.rng.uniform(-25, 25))
        for grasp, place in scene.grasps(0, scene.pick(ways), scene.outlook(start, shoulder)):
            hold = held(scene, grasp, shoulder, (0.06, 0.34, 0.43, 0.69, 0.76, 0.95))
            c, r = hold.close_s, hold.release_s
            moves = (
                Submove(c, c + 0.45 * (r - c), lift * _UP),
                Submove(c + 0.1 * (r - c), c + 0.9 * (r - c), end - start, turn * _UP),
                Submove(c + 0.55 * (r - c), r, -lift * _UP),
            )
            path = ThingPath(scene.standing(0, start, yaw_of(place.T_world_object)), moves)
            yield grasp.score, Script((path,), (hold,))


def hold(scene: Scene) -> Iterator[Candidate]:
    """Lift, keep still in view, put back."""
    ways = options(scene, 0)
    for _ in range(N_LAYOUTS):
        start = scene.spot(0.08)
        shoulder = scene.shoulder(start)
        aside = scene.rng.uniform(-0.04, 0.04, 2)
        raised = np.array([*aside, scene.rng.uniform(0.06, 0.13)])
        turn = np.deg2rad(scene.rng.uniform(-20, 20)) * _UP
        for grasp, place in scene.grasps(0, scene.pick(ways), scene.outlook(start, shoulder)):
            times = held(scene, grasp, shoulder, (0.05, 0.25, 0.31, 0.79, 0.85, 0.97))
            c, r = times.close_s, times.release_s
            moves = (
                Submove(c, c + 0.28 * (r - c), raised, turn),
                Submove(c + 0.72 * (r - c), r, -raised, -turn),
            )
            path = ThingPath(scene.standing(0, start, yaw_of(place.T_world_object)), moves)
            yield grasp.score, Script((path,), (times,))


def slide(scene: Scene) -> Iterator[Candidate]:
    """Drawn along the table, held or pressed from above."""
    if scene.props[0].kind in ("book", "plate"):
        flat = press(scene.bodies[0], scene.taker, -_UP, (-0.45, 0.2), 0.7, 1.0)
        ways = [] if flat is None else [flat]
    else:
        ways = options(scene, 0)
    for _ in range(N_LAYOUTS + 1):
        start = scene.spot(0.07)
        end = scene.spot(0.07, start, 0.10, 0.26)
        shoulder = scene.shoulder((start + end) / 2)
        turn = np.deg2rad(scene.rng.uniform(-12, 12)) * _UP
        for way in ways[:1] if len(ways) == 1 else [scene.pick(ways)]:
            for grasp, place in scene.grasps(0, way, scene.outlook(start, shoulder)):
                times = held(scene, grasp, shoulder, (0.05, 0.30, 0.38, 0.72, 0.79, 0.96))
                moves = (Submove(times.close_s, times.release_s, end - start, turn),)
                path = ThingPath(scene.standing(0, start, yaw_of(place.T_world_object)), moves)
                yield grasp.score, Script((path,), (times,))


def push(scene: Scene) -> Iterator[Candidate]:
    """Pushed along the table by the fingers, without being gripped."""
    body = scene.bodies[0]
    for _ in range(N_LAYOUTS + 2):
        start = scene.spot(0.07)
        shoulder = scene.shoulder(start)
        heading = scene.outlook(start, shoulder).heading
        away = heading + np.deg2rad(scene.rng.uniform(-30, 110))
        way = np.array([np.cos(away), np.sin(away), 0.0])
        ends = start + np.linspace(0.10, 0.24, 8)[:, None] * way
        inside = scene.view.within(ends + np.array([0.0, 0.0, 0.02]), 0.08)
        if not inside[0]:
            continue
        end = ends[int(scene.rng.integers(1, max(2, int(inside.argmin() or len(ends)))))]
        square = body.kind in ("box", "book")
        facing = scene.rng.integers(4) * np.pi / 2 if square else scene.rng.uniform(-np.pi, np.pi)
        into = np.array([np.cos(facing), np.sin(facing), 0.0])
        grip = press(body, scene.taker, into, (-0.9, 0.1), 0.12, 0.9)
        if grip is None:
            continue
        yaw = away - facing
        for grasp, _ in scene.grasps(0, grip, scene.outlook(start, shoulder), yaw=yaw):
            times = held(scene, grasp, shoulder, (0.05, 0.33, 0.39, 0.72, 0.78, 0.96))
            moves = (Submove(times.close_s, times.release_s, end - start),)
            yield grasp.score, Script((ThingPath(scene.standing(0, start, yaw), moves),), (times,))


def rotate(scene: Scene) -> Iterator[Candidate]:
    """Turned about its own axis: standing on the table, or lifted and rolled in the air."""
    ways = options(scene, 0)
    lifted = scene.props[0].kind in ("spoon", "knife") or scene.rng.random() < 0.4
    axis_at = _axis(scene.props[0])
    for _ in range(N_LAYOUTS + 1):
        start = scene.spot(0.08)
        shoulder = scene.shoulder(start)
        outlook = scene.outlook(start, shoulder)
        angle = np.deg2rad(scene.rng.uniform(30, 75)) * (1 if scene.rng.random() < 0.5 else -1)
        for grasp, place in scene.grasps(0, scene.pick(ways), outlook):
            times = held(scene, grasp, shoulder, (0.05, 0.28, 0.35, 0.74, 0.80, 0.96))
            T = scene.standing(0, start, yaw_of(place.T_world_object))
            c, r = times.close_s, times.release_s
            if lifted:
                ahead = np.array([np.cos(outlook.heading), np.sin(outlook.heading), 0.0])
                moves = _rolled(c, r, angle * ahead, float(np.max(scene.props[0].extent_m)) / 2)
            else:
                arm = T[:3, :3] @ axis_at
                turned = rotation(_UP, np.array(angle)) @ arm
                moves = (Submove(c, r, arm - turned, angle * _UP),)
            yield grasp.score, Script((ThingPath(T, moves),), (times,))


def _axis(prop: Prop) -> np.ndarray:
    """Where the upright axis of a thing runs: through its mouth, else through its body."""
    if prop.opening is not None:
        return prop.opening.centre * [1.0, 1.0, 0.0]
    return prop.holds[0].centre * [1.0, 1.0, 0.0] if prop.holds[0].name == "body" else np.zeros(3)


def _rolled(c: float, r: float, turn: np.ndarray, half_m: float) -> tuple[Submove, ...]:
    """Up, roll there and back, down."""
    d = r - c
    up = (0.06 + half_m * abs(np.sin(np.linalg.norm(turn)))) * _UP
    return (
        Submove(c, c + 0.3 * d, up),
        Submove(c + 0.2 * d, c + 0.5 * d, turn=turn),
        Submove(c + 0.5 * d, c + 0.8 * d, turn=-turn),
        Submove(c + 0.7 * d, r, -up),
    )
