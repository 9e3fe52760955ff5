"""One thing that acts on another: pour, stir, take a lid off.

Each function yields candidates: what the grasp costs, and a script.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from hoiset.builder.studio.actions.planning import Candidate, Scene, yaw_of
from hoiset.builder.studio.actions.script import Hold, Script
from hoiset.builder.studio.actions.single import N_LAYOUTS, held, options
from hoiset.builder.studio.forms import Opening
from hoiset.builder.studio.motion import Circling, Submove, ThingPath
from hoiset.builder.studio.outlook import Outlook
from hoiset.builder.studio.skeleton import rotation
from hoiset.builder.studio.wrists import Judge
from hoiset.geometry import make_T, transform

_UP = np.array([0.0, 0.0, 1.0])
_CLEAR_M = 0.02
_SEATINGS = 12


def pour(scene: Scene) -> Iterator[Candidate]:
    """Lift, carry over another vessel, tilt, and put back beside it."""
    ways = options(scene, 0, ("power", "pinch"))
    source, target = _mouth(scene, 0), _mouth(scene, 1)
    for _ in range(N_LAYOUTS + 2):
        for _ in range(_SEATINGS):  # both vessels, side by side, in view
            goal = scene.spot(0.10)
            shoulder = scene.shoulder(goal)
            outlook = scene.outlook(goal, shoulder)
            ahead = np.array([np.cos(outlook.heading), np.sin(outlook.heading), 0.0])
            right = np.array([ahead[1], -ahead[0], 0.0])
            reach = target.rim_radius_m + source.rim_radius_m
            start = goal + right * (reach + scene.rng.uniform(0.06, 0.12)) + ahead * scene.rng.uniform(-0.08, 0.04)
            if scene.view.within(start + np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.1]]), 0.08).all():
                break
        tilt = -np.deg2rad(scene.rng.uniform(58.0, 88.0)) * ahead
        to = scene.standing(1, goal, scene.rng.uniform(-np.pi, np.pi))
        mouth = transform(to, target.centre[None])[0]
        for grasp, place in scene.grasps(
            0, scene.pick(ways), scene.outlook(start, shoulder), judge=_tilted(scene, outlook, tilt)
        ):
            times = held(scene, grasp, shoulder, (0.03, 0.19, 0.25, 0.80, 0.86, 0.98))
            T = scene.standing(0, start, yaw_of(place.T_world_object))
            over = mouth + right * 0.45 * target.radius_m + scene.rng.uniform(0.012, 0.035) * _UP
            shift = _lip_to(T, source, tilt, over, -right)
            moves = _there_and_back(times.close_s, times.release_s, shift, tilt, 0.09)
            yield grasp.score, Script((ThingPath(T, moves), ThingPath(to)), (times,))


def stir(scene: Scene) -> Iterator[Candidate]:
    """A spoon or knife is taken from the table, dipped into a vessel and led round in it."""
    ways = options(scene, 0, ("pinch", "power"))
    tool, vessel = scene.props[0], _mouth(scene, 1)
    along = tool.holds[0].axis if tool.tip is None else tool.tip - tool.holds[0].centre
    tip = tool.mesh.vertices[int((tool.mesh.vertices @ along).argmax())]
    for _ in range(N_LAYOUTS + 2):
        goal = scene.spot(0.10)
        shoulder = scene.shoulder(goal)
        outlook = scene.outlook(goal, shoulder)
        start = scene.spot(0.06, goal, vessel.rim_radius_m + 0.08, 0.30)
        lean = np.deg2rad(scene.rng.uniform(12.0, 38.0))
        to = scene.standing(1, goal, scene.rng.uniform(-np.pi, np.pi))
        ahead = np.array([np.cos(outlook.heading), np.sin(outlook.heading), 0.0])
        dipped = np.sin(lean) * ahead - np.cos(lean) * _UP

        def judge(
            T_object: np.ndarray, T_wrist: np.ndarray, at: Outlook = outlook, way: np.ndarray = dipped
        ) -> np.ndarray:
            Q = _dipping(T_object[:, :3, :3] @ along, way)
            there = make_T(Q @ T_wrist[:, :3, :3], T_wrist[:, :3, 3])
            return scene.taker.strain(there, at) + 25.0 * at.averted(there)

        for grasp, place in scene.grasps(0, scene.pick(ways), scene.outlook(start, shoulder), judge=judge):
            times = held(scene, grasp, shoulder, (0.02, 0.14, 0.19, 0.84, 0.89, 0.99))
            T = scene.standing(0, start, yaw_of(place.T_world_object))
            turn = Rotation.from_matrix(_dipping((T[:3, :3] @ along)[None], dipped)[0])
            ground = transform(to, (vessel.centre - vessel.depth_m * _UP)[None])[0]
            depth = min(vessel.depth_m - 0.006, 0.8 * vessel.depth_m)
            low = ground + (vessel.depth_m - depth) * _UP
            shift = low - T[:3, 3] - turn.apply(T[:3, :3] @ tip)
            circle = min(0.30 * vessel.radius_m, max(0.006, vessel.radius_m - 0.032))
            yield grasp.score, Script((_stirring(scene, T, shift, turn, depth, times, circle), ThingPath(to)), (times,))


def open_lid(scene: Scene) -> Iterator[Candidate]:
    """A lid is lifted off and laid beside what it closed."""
    lid, mouth = scene.props[0], _mouth(scene, 1)
    ways = options(scene, 0, ("pinch", "power"))
    seat = np.zeros(3) if lid.seat is None else lid.seat
    reach = lid.extent_m[0] / 2 + np.max(scene.props[1].extent_m[:2]) / 2
    for _ in range(N_LAYOUTS + 2):
        base = scene.spot(0.09)
        end = scene.spot(0.06, base, reach + 0.02, reach + 0.14)
        shoulder = scene.shoulder((base + end) / 2)
        to = scene.standing(1, base, scene.rng.uniform(-np.pi, np.pi))
        seated = transform(to, mouth.centre[None])[0] - seat  # a lid is as upright as what it closes
        foot = seated[2] - lid.extent_m[2] / 2
        at = np.array([*seated[:2], 0.0])
        for grasp, place in scene.grasps(0, scene.pick(ways), scene.outlook(at, shoulder), lift_m=float(foot)):
            times = held(scene, grasp, shoulder, (0.05, 0.30, 0.37, 0.74, 0.80, 0.96))
            c, r = times.close_s, times.release_s
            d, rise = r - c, scene.rng.uniform(0.04, 0.08)
            down = end - at - (foot + rise) * _UP
            moves = (
                Submove(c, c + 0.36 * d, rise * _UP),
                Submove(c + 0.24 * d, c + 0.76 * d, down * [1.0, 1.0, 0.0]),
                Submove(c + 0.60 * d, r, down * [0.0, 0.0, 1.0]),
            )
            R = rotation(_UP, np.array(yaw_of(place.T_world_object)))
            turned = R @ seat  # about the upright axis through the seat, nothing moves
            T = make_T(R, transform(to, mouth.centre[None])[0] - turned)
            yield grasp.score, Script((ThingPath(T, moves), ThingPath(to)), (times,))


def _mouth(scene: Scene, thing: int) -> Opening:
    opening = scene.props[thing].opening
    if opening is None:
        raise ValueError(f"found a {scene.props[thing].kind} without an opening: cast a vessel")
    return opening


def _tilted(scene: Scene, outlook: Outlook, tilt: np.ndarray) -> Judge:
    Q = Rotation.from_rotvec(tilt).as_matrix()

    def judge(_: np.ndarray, T_wrist: np.ndarray) -> np.ndarray:
        there = make_T(Q @ T_wrist[:, :3, :3], T_wrist[:, :3, 3])
        return 0.6 * scene.taker.strain(there, outlook) + 12.0 * outlook.averted(there)

    return judge


def _lip_to(
    T: np.ndarray, source: Opening, tilt: np.ndarray, over: np.ndarray, side: np.ndarray
) -> Float[np.ndarray, "3"]:
    """The shift that brings the lip of the tilted vessel over the other."""
    lip = T[:3, :3] @ source.centre + source.rim_radius_m * side
    return over - T[:3, 3] - Rotation.from_rotvec(tilt).apply(lip)


def _there_and_back(c: float, r: float, shift: np.ndarray, tilt: np.ndarray, lift: float) -> tuple[Submove, ...]:
    """Up and across, tilt, pause, and the same backwards."""
    d, rise = r - c, max(lift, float(shift[2]))
    level, drop = shift * [1.0, 1.0, 0.0], (shift[2] - rise) * _UP
    moves = []
    for sign, (a, b) in ((1.0, (0.0, 0.46)), (-1.0, (1.0, 0.54))):
        parts = ((0.0, 0.5, rise * _UP, None), (0.2, 0.8, level, None), (0.5, 1.0, drop, tilt))
        for low, high, way, turn in parts:
            begin, end = sorted(c + d * (a + (b - a) * share) for share in (low, high))
            moves.append(Submove(begin, end, sign * way, np.zeros(3) if turn is None else sign * turn))
    return tuple(moves)


def _dipping(along: Float[np.ndarray, "N 3"], way: np.ndarray) -> Float[np.ndarray, "N 3 3"]:
    """Turns that point a lying tool the way it dips, and what was below it ahead."""
    down = -_UP
    e = along / np.linalg.norm(along, axis=-1, keepdims=True)
    n = down - (e @ down)[:, None] * e
    n /= np.linalg.norm(n, axis=-1, keepdims=True)
    ahead = way * [1.0, 1.0, 0.0]
    ahead = ahead - (ahead @ way) * way
    ahead /= np.linalg.norm(ahead)
    lying = np.stack([e, n, np.cross(e, n)], -1)
    return np.stack([way, ahead, np.cross(way, ahead)], -1) @ np.swapaxes(lying, -1, -2)


def _stirring(
    scene: Scene, T: np.ndarray, shift: np.ndarray, turn: Rotation, depth: float, times: Hold, circle: float
) -> ThingPath:
    c, r = times.close_s, times.release_s
    d, clear = r - c, depth + _CLEAR_M
    rise = float(shift[2]) + clear
    vector = turn.as_rotvec()
    moves = [
        Submove(c, c + 0.16 * d, rise * _UP),
        Submove(c + 0.03 * d, c + 0.20 * d, shift * [1.0, 1.0, 0.0], vector),
        Submove(c + 0.16 * d, c + 0.27 * d, -clear * _UP),
        Submove(c + 0.76 * d, c + 0.86 * d, clear * _UP),
        Submove(c + 0.80 * d, c + 0.97 * d, -shift * [1.0, 1.0, 0.0], -vector),
        Submove(c + 0.84 * d, r, -rise * _UP),
    ]
    turns = max(1.0, round(0.5 * d * scene.rng.uniform(0.9, 1.8))) * (1 if scene.rng.random() < 0.7 else -1)
    return ThingPath(T, tuple(moves), Circling(c + 0.28 * d, c + 0.75 * d, circle, turns, scene.rng.uniform(0, 6.28)))
