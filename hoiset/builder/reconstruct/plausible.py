"""Which readings of a hand to believe: no wrist flies or spins from one frame to the next.

Where the thumb is hidden a detector takes a hand for its mirror image, with the fingers in reverse order, and changes
its mind from frame to frame. Of a hand's readings (often both, of one frame), those are kept that are worth most
together while no two that follow each other ask for more than a hand can do: dynamic programming over the clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from hoiset.builder.params import Params
from hoiset.builder.reconstruct.palm import PALM
from hoiset.builder.reconstruct.tracks import TrackParams, duplicates, hand_size
from hoiset.builder.records import HandDetections
from hoiset.geometry import angle_between, wrist_frame


class PlausibleParams(Params):
    """What hands do, and how far readings may be off.

    Attributes:
        max_speed_m_per_s: Fastest a wrist moves in manipulation; reaches peak at 1 to 2 m/s, throws lie beyond.
        max_turn_rad_per_s: Fastest a palm turns in manipulation; quick pronation reaches some 15 rad/s.
        slack_m: How much farther apart two readings of a hand may be by the detector's error, m.
        slack_rad: So for their rotations, rad: two readings that err by 20 degrees each, at two deviations.
        turn_price_s: Seconds of sure sight that speak as much as a half turn beyond the slack speaks against.
        usual_turn_rad_per_s: Turns up to this need no excuse.
        least_agreement: What a reading as the other hand is worth, as a share of one as this hand.
        horizon_s: Readings farther apart in time do not bind each other.
    """

    max_speed_m_per_s: float = 5.0
    max_turn_rad_per_s: float = 20.0
    slack_m: float = 0.1
    slack_rad: float = 1.0
    turn_price_s: float = 0.15
    usual_turn_rad_per_s: float = 3.5
    least_agreement: float = 0.1
    horizon_s: float = 0.5


@dataclass(frozen=True)
class Readings:
    """Readings of one hand in order of time; several of one frame exclude each other.

    Attributes:
        time: (K,) s, not decreasing.
        place: (K, D) m, any origin.
        rotation: (K, 3, 3) of the palm.
        worth: (K,) seconds of sure sight, at least 0.
    """

    time: Float[np.ndarray, "K"]
    place: Float[np.ndarray, "K D"]
    rotation: Float[np.ndarray, "K 3 3"]
    worth: Float[np.ndarray, "K"]


def worth_most(
    readings: Readings, params: PlausibleParams, *, slack_m: float = 0.0, slack_rad: float = 0.0
) -> Bool[np.ndarray, "K"]:
    """Which readings are kept: those worth most together, no two of them in turn farther apart than a hand gets."""
    time, n = readings.time, len(readings.time)
    value, back = readings.worth.astype(float), np.full(n, -1)
    peak = np.zeros(n, int)  # best of the first k + 1
    first = np.searchsorted(time, time - params.horizon_s - 1e-9)
    before = np.searchsorted(time, time, side="left")
    for k in range(n):
        a, b = first[k], before[k]
        if a > 0:
            back[k] = peak[a - 1]
            value[k] += value[peak[a - 1]]
        if b > a:
            dt = time[k] - time[a:b]
            turn = angle_between(readings.rotation[a:b], readings.rotation[k][None]) - slack_rad
            moved = np.linalg.norm(readings.place[a:b] - readings.place[k], axis=-1) - slack_m
            price = params.turn_price_s * np.clip((turn - params.usual_turn_rad_per_s * dt) / np.pi, 0.0, 1.0)
            far = (turn > params.max_turn_rad_per_s * dt) | (moved > params.max_speed_m_per_s * dt)
            through = np.where(far, -np.inf, value[a:b] - price)
            best = int(through.argmax())
            if readings.worth[k] + through[best] > value[k]:
                value[k], back[k] = readings.worth[k] + through[best], a + best
        peak[k] = k if k == 0 or value[k] > value[peak[k - 1]] else peak[k - 1]
    kept, k = np.zeros(n, bool), int(peak[-1]) if n else -1
    while k >= 0:
        kept[k], k = True, int(back[k])
    return kept


def choose_readings(
    detections: HandDetections,
    slots: Int[np.ndarray, "T 2"],
    side: int,
    time: Float[np.ndarray, "T"],
    hand_length_m: float,
    tracks: TrackParams,
    params: PlausibleParams,
) -> Int[np.ndarray, "T"]:
    """The slot of one hand in every frame: the tracked one, another reading of the same hand, or -1 for none.

    Args:
        detections: Of all frames.
        slots: What each hand was tracked to; -1 where absent.
        side: 0 left, 1 right.
        time: s, increasing.
        hand_length_m: Wrist to middle fingertip, m.
        tracks: Says which detections of a frame are of one hand.
        params: See :class:`PlausibleParams`.
    """
    frames, choices = [], []
    for i in np.flatnonzero(slots[:, side] >= 0):
        same = duplicates(detections.landmarks_px[i], detections.score[i], int(slots[i, side]), tracks)
        same = [n for n in same if n != slots[i, 1 - side]]
        frames += [i] * len(same)
        choices += same
    chosen = np.full(len(time), -1)
    if not frames:
        return chosen
    at, slot = np.array(frames), np.array(choices)
    pixels = detections.landmarks_px[at, slot]
    scale = hand_length_m / max(float(np.median(hand_size(pixels))), 1e-9)
    right = detections.right_probability[at, slot]
    agreement = np.maximum(right if side else 1.0 - right, params.least_agreement)
    step_s = float(np.median(np.diff(time))) if len(time) > 1 else 1.0
    readings = Readings(
        time[at],
        pixels[:, PALM].mean(1) * scale,
        wrist_frame(detections.world_m[at, slot], left=side == 0)[:, :3, :3],
        step_s * detections.score[at, slot] * agreement,
    )
    kept = worth_most(readings, params, slack_m=params.slack_m, slack_rad=params.slack_rad)
    chosen[at[kept]] = slot[kept]
    return chosen


def too_fast(
    time: Float[np.ndarray, "T"], T_camera_wrist: Float[np.ndarray, "T 4 4"], params: PlausibleParams
) -> Bool[np.ndarray, "T-1"]:
    """Steps between neighbouring frames that no hand does; those from or to an absent frame are none."""
    dt, R, p = np.diff(time), T_camera_wrist[:, :3, :3], T_camera_wrist[:, :3, 3]
    here = np.isfinite(T_camera_wrist).all((1, 2))
    both = here[1:] & here[:-1]
    out = np.zeros(len(dt), bool)
    a, b = np.flatnonzero(both), np.flatnonzero(both) + 1
    turned = angle_between(R[b], R[a]) > params.max_turn_rad_per_s * dt[both]
    out[both] = turned | (np.linalg.norm(p[b] - p[a], axis=-1) > params.max_speed_m_per_s * dt[both])
    return out
