"""When an object is held, when it rests, and which frames are judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoiset.builder.reconstruct.smoothing import runs
from hoiset.builder.retarget.replay.records import NotTestable, ReplayParams
from hoiset.shards.schema import ObjectState

AROUND_S = 0.4
"""Time before and after a grasp that is simulated with it."""
LEAST_FRAMES = 5
RESTS_M_S = 0.03

Span = tuple[float, float]


@dataclass(frozen=True)
class Timeline:
    """One object's part of a clip.

    Attributes:
        first: First frame simulated.
        last: Frame behind the last one.
        held: (T, 2) whether each hand holds it.
        resting: (T,) whether it is there, nobody holds it and it does not move.
        judged: (T,) frames whose errors count: from the first grasp on, where it has a pose.
        spans: Of each hand, when it holds, s.
        held_s: Time that somebody holds it for.
    """

    first: int
    last: int
    held: Bool[np.ndarray, "T 2"]
    resting: Bool[np.ndarray, "T"]
    judged: Bool[np.ndarray, "T"]
    spans: tuple[tuple[Span, ...], tuple[Span, ...]]
    held_s: float

    @property
    def hands(self) -> tuple[int, ...]:
        """Hands that hold it at some time."""
        return tuple(hand for hand in range(2) if self.spans[hand])


def held_by(state: UInt8[np.ndarray, "T"]) -> Bool[np.ndarray, "T 2"]:
    """Whether each hand holds an object, by its states."""
    both = state == ObjectState.GRASPED_BOTH
    return np.stack([(state == ObjectState.GRASPED_LEFT) | both, (state == ObjectState.GRASPED_RIGHT) | both], axis=1)


def timeline(
    time: Float[np.ndarray, "T"],
    pose: Float[np.ndarray, "T 4 4"],
    state: UInt8[np.ndarray, "T"],
    hands: Bool[np.ndarray, "T 2"],
    params: ReplayParams,
) -> Timeline:
    """The part of a clip in which an object is held, and what is around it.

    Args:
        time: s.
        pose: ``T_camera_object``; NaN where absent.
        state: Of the object.
        hands: Whether each hand has a pose.
        params: Shortest and longest time.

    Raises:
        NotTestable: It is never held, too briefly, for too long, or by a hand that is not there.
    """
    there = np.isfinite(pose).all((-1, -2))
    held = held_by(state)
    if not (held.any(1) & there).any():
        raise NotTestable("no_grasp")
    period = np.gradient(time)
    held_s = float(period[held.any(1)].sum())
    if held_s < params.min_grasp_s or (held.any(1) & there).sum() < LEAST_FRAMES:
        raise NotTestable("too_short", f"held for {held_s:.2f} s, expected at least {params.min_grasp_s} s")
    for hand in range(2):
        if held[:, hand].any() and (held[:, hand] & hands[:, hand]).sum() < 2:
            raise NotTestable("no_hand", ("left", "right")[hand])
    grasped = np.flatnonzero(held.any(1))
    first = int(np.searchsorted(time, time[grasped[0]] - AROUND_S))
    last = int(np.searchsorted(time, time[grasped[-1]] + AROUND_S, side="right"))
    if time[last - 1] - time[first] > params.max_s:
        raise NotTestable("too_long", f"{time[last - 1] - time[first]:.1f} s, expected at most {params.max_s} s")
    inside = np.zeros(len(time), bool)
    inside[first:last] = True
    judged = inside & there & (np.arange(len(time)) >= grasped[0])
    slow = _speed(time, pose[:, :3, 3]) < RESTS_M_S
    spans = tuple(
        tuple((float(time[a]), float(time[b - 1])) for a, b in runs(held[:, hand]) if b - a > 1) for hand in range(2)
    )
    resting = inside & there & ~held.any(1) & (slow | (state == ObjectState.STATIC))
    if not any(spans):
        raise NotTestable("too_short", "held in single frames only")
    return Timeline(first, last, held, resting, judged, (spans[0], spans[1]), held_s)


def _speed(time: Float[np.ndarray, "T"], places: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T"]:
    """m/s; infinite next to a gap."""
    with np.errstate(invalid="ignore"):
        speed = np.linalg.norm(np.gradient(places, time, axis=0), axis=-1)
    return np.where(np.isfinite(speed), speed, np.inf)
