"""What is played: where the grippers go, when they close, and how a correction changes that."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from hoiset.builder.retarget.replay.bodies import Body
from hoiset.builder.retarget.replay.hand_path import GripperPath
from hoiset.builder.retarget.replay.scene import LAG_S, OPEN_M, PAD_M, STEP_S, quaternion
from hoiset.builder.retarget.replay.spans import Span
from hoiset.geometry import invert, make_T, transform

SETTLE_S = 0.4
"""Time before the first frame in which all comes to rest."""
CLOSES_BEFORE_S, CLOSES_WITHIN_S = 0.1, 0.15
"""A gripper begins to close so long before the object is held, and takes so long."""
OPENS_BEFORE_S = 0.1
"""And begins to open so long before it no longer is: by then a hand has put it down."""
WIDER_M = 0.02
"""So much wider than the part that it takes a gripper opens on either side: wider ones would gather in what a hand that
is off would miss."""
LEAST_OPEN_M = 0.03
CLOSED_M = -0.02
AWAY_M = 5.0
KNOT_S = 0.75


@dataclass(frozen=True)
class Correction:
    """How a gripper's path is changed.

    Attributes:
        offset_m: (H, K, 3) at knots evenly spaced over the frames played, world.
        turn_rad: (H, 3) rotation vector in the gripper's frame.
        delay_s: (H,) by which it closes later.
    """

    offset_m: Float[np.ndarray, "H K 3"]
    turn_rad: Float[np.ndarray, "H 3"]
    delay_s: Float[np.ndarray, "H"]

    @staticmethod
    def none(n_hands: int) -> Correction:
        """Nothing is changed."""
        return Correction(np.zeros((n_hands, 1, 3)), np.zeros((n_hands, 3)), np.zeros(n_hands))


@dataclass(frozen=True)
class Plan:
    """One object's replay, in a world with z up.

    Attributes:
        body: The object.
        frames: (F,) times of the frames played, s.
        reference: ``T_world_object`` (F, 4, 4) as recorded; NaN where absent.
        judged: (F,) frames whose errors count.
        start: ``T_world_object`` where it begins.
        paths: Of each gripper.
        spans: When each gripper holds, s.
        held_in_place: Whether the object is held until the first gripper has closed.
        most_m: Farthest that a correction moves a gripper.
        closes: Whether the grippers close at all.
    """

    body: Body
    frames: Float[np.ndarray, "F"]
    reference: Float[np.ndarray, "F 4 4"]
    judged: Bool[np.ndarray, "F"]
    start: Float[np.ndarray, "4 4"]
    paths: tuple[GripperPath, ...]
    spans: tuple[tuple[Span, ...], ...]
    held_in_place: bool = False
    most_m: float = 0.03
    closes: bool = True

    @cached_property
    def times(self) -> Float[np.ndarray, "N"]:
        """Of the steps, s."""
        n = int(np.ceil((self.frames[-1] - self.frames[0] + SETTLE_S) / STEP_S)) + 1
        return np.asarray(self.frames[0] - SETTLE_S + STEP_S * np.arange(n))

    @cached_property
    def step_of(self) -> Int[np.ndarray, "F"]:
        """(F,) step after which each frame is."""
        steps = np.rint((self.frames - self.times[0]) / STEP_S).astype(int) - 1
        return np.clip(steps, 0, len(self.times) - 1)

    @property
    def n_knots(self) -> int:
        """As many as the time asks for, before the bound of the parameters."""
        return 1 + int(np.ceil((self.frames[-1] - self.frames[0]) / KNOT_S))

    @cached_property
    def moved(self) -> tuple[GripperPath, ...]:
        """The grippers' targets at every step, early by what a weld lags."""
        return tuple(path.at(self.times + LAG_S) for path in self.paths)

    @cached_property
    def open_m(self) -> Float[np.ndarray, "H"]:
        """How far each gripper's pads are from its middle while it does not hold."""
        out = []
        for path, spans in zip(self.paths, self.spans, strict=True):
            widths = [_half_width(self.body, T, pose) for T, pose in self._at_grasps(path, spans)]
            out.append(float(np.clip(max([*widths, 0.0]) + WIDER_M, LEAST_OPEN_M, OPEN_M)))
        return np.array(out)

    def grasp_offsets(self) -> Float[np.ndarray, "H 3"]:
        """By how much each gripper misses the middle of what is between its pads, or next to them, world, m."""
        out = []
        for path, spans in zip(self.paths, self.spans, strict=True):
            misses = [T[:3, :3] @ _miss(self.body, T, pose) for T, pose in self._at_grasps(path, spans)]
            out.append(np.mean(misses, axis=0) if misses else np.zeros(3))
        return np.array(out)

    def _at_grasps(
        self, path: GripperPath, spans: tuple[Span, ...]
    ) -> list[tuple[Float[np.ndarray, "4 4"], Float[np.ndarray, "4 4"]]]:
        """Poses of gripper and object at the beginning of every grasp at which the object is there."""
        there = np.isfinite(self.reference).all((-1, -2))
        if not there.any():
            return []
        times = np.array([start for start, _ in spans])
        nearest = np.abs(np.where(there, self.frames, np.inf)[None] - times[:, None]).argmin(1)
        at = path.at(times)
        return [(make_T(at.turn[i], at.place[i]), self.reference[n]) for i, n in enumerate(nearest)]

    def controls(self, correction: Correction, *, away: bool = False) -> Float[np.ndarray, "N C"]:
        """Controls of all steps, see :class:`hoiset.builder.retarget.replay.scene.Scene`.

        Args:
            correction: Of the paths.
            away: Whether the grippers stay far above.
        """
        fingers, places, quaternions = [], [], []
        for hand, path in enumerate(self.moved):
            turn = path.turn @ _rotation(correction.turn_rad[hand])
            place = path.place + self.offsets(correction.offset_m[hand])
            fingers.append(self._setpoints(hand, float(correction.delay_s[hand])))
            places.append(place + (np.array([0.0, 0.0, AWAY_M]) if away else 0.0))
            quaternions.append(quaternion(turn))
        active = np.ones((len(self.times), 1 + 2 * len(self.paths)))
        active[:, 0] = self.times < self.release_s if self.held_in_place else 0.0
        return np.concatenate([np.stack(fingers, 1), active, *places, *quaternions], axis=1)

    def offsets(self, knots: Float[np.ndarray, "K 3"]) -> Float[np.ndarray, "N 3"]:
        """A cubic spline through the knots at every step; nowhere longer than ``most_m``."""
        from scipy.interpolate import CubicSpline

        if len(knots) == 1:
            out = np.repeat(knots, len(self.times), axis=0)
        else:
            at = np.linspace(self.frames[0], self.frames[-1], len(knots))
            spline = CubicSpline(at, knots, bc_type="natural" if len(knots) > 2 else "not-a-knot")
            out = spline(np.clip(self.times + LAG_S, at[0], at[-1]))
        length = np.linalg.norm(out, axis=-1, keepdims=True)
        return np.asarray(out * np.minimum(1.0, self.most_m / np.maximum(length, 1e-12)))

    @property
    def release_s(self) -> float:
        """When an object that is held in place is let go."""
        first = min(start for spans in self.spans for start, _ in spans)
        return max(first - CLOSES_BEFORE_S + CLOSES_WITHIN_S, float(self.frames[0]))

    def _others(self, hand: int) -> list[Span]:
        """When other grippers hold; an object that is handed over is not let go before."""
        return [span for other, spans in enumerate(self.spans) if other != hand for span in spans]

    def _setpoints(self, hand: int, delay_s: float) -> Float[np.ndarray, "N"]:
        closed = np.zeros(len(self.times))
        for start, end in self.spans[hand] if self.closes else ():
            closes = start - CLOSES_BEFORE_S + delay_s
            opens = max(end - OPENS_BEFORE_S, 0.5 * (closes + end)) if end < self.frames[-1] - STEP_S else np.inf
            taken = [first for first, last in self._others(hand) if first <= end + CLOSES_BEFORE_S and last > end]
            opens = max([opens, *(first + CLOSES_WITHIN_S for first in taken)])
            closed[(self.times >= closes) & (self.times <= opens)] = 1.0
        n = round(CLOSES_WITHIN_S / STEP_S)
        ramp = np.convolve(np.concatenate([np.full(n - 1, closed[0]), closed]), np.full(n, 1.0 / n), "valid")
        return np.asarray(self.open_m[hand] + ramp * (CLOSED_M - self.open_m[hand]))


def _rotation(vector: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_rotvec(vector).as_matrix())


def _half_width(body: Body, T: Float[np.ndarray, "4 4"], pose: Float[np.ndarray, "4 4"]) -> float:
    """Half of the object's width along x at the pads, or of the whole where they are beside it."""
    points = transform(invert(T) @ pose, body.surface)
    between = _between(points)
    return 0.5 * float(np.ptp(points[between if between.any() else slice(None), 0]))


def _between(points: Float[np.ndarray, "N 3"]) -> Bool[np.ndarray, "N"]:
    """Which points of the gripper's frame are where the pads would close."""
    return np.asarray((np.abs(points[:, 1:]) <= np.array(PAD_M[1:]) + 0.01).all(1))


def _miss(body: Body, T: Float[np.ndarray, "4 4"], pose: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "3"]:
    """From the gripper's middle to where whole pads would close on what is between or next to them, in its frame."""
    points = transform(invert(T) @ pose, body.surface)
    between = _between(points)
    if not between.any():
        nearest = points[np.linalg.norm(points, axis=-1).argmin()]
        centre = transform(invert(T) @ pose, body.centre[None])[0]
        inwards = centre - nearest
        return np.asarray(nearest + inwards * min(1.0, 0.015 / max(float(np.linalg.norm(inwards)), 1e-9)))
    low, high = points[between].min(0), points[between].max(0)
    inset = np.minimum(PAD_M, 0.5 * (high - low))
    whole = np.clip(0.0, low + inset, high - inset)
    return np.array([0.5 * (low[0] + high[0]), whole[1], whole[2]])
