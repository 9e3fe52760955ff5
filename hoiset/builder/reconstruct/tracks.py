"""Detections of single frames -> at most two hands with identities that hold over the whole clip.

Detections are linked to tracklets by predicted position, and tracklets are given to the left hand, the right hand or
nobody by a search over the whole clip that weighs how long and how surely each was seen, which side the detector
called it over all of its frames and to which its fingers bend, and how far a hand would have had to jump from one
tracklet to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from hoiset.builder.params import Params
from hoiset.builder.reconstruct.palm import PALM
from hoiset.builder.records import HandDetections
from hoiset.geometry import wrist_frame

_BEAM = 128
_BEND_LOGIT = 2.0
_BEND_SCALE = 0.3
_LATE_S = 0.3


class TrackParams(Params):
    """Parameters of the association; distances are in hand sizes (the longer side of the landmarks' box).

    Attributes:
        duplicate_palm: Two detections with palms closer than this are one hand.
        duplicate_joints: So are two whose joints are on average closer than this.
        link_distance: Farthest a palm may be from where its tracklet is predicted, at the next frame.
        link_speed_per_s: How much farther for each second since the tracklet was last seen.
        link_growth: Most that a hand grows or shrinks from one frame to the next that shows it.
        max_gap_s: A tracklet unseen for longer ends.
        min_duration_s: A shorter tracklet is noise.
        jump_per_s: Hand sizes a second that a hand may move between two tracklets without being doubted.
        flight_per_s: Hand sizes a second that no hand does: 5 m/s.
        flight_doubt: Price of such a flight, in the units of what tracklets are worth (s of sure sight).
        min_score: Mean detection score below which a tracklet is noise.
        max_overlap_s: Two tracklets may overlap for this long and still be one hand, found anew before it was lost.
        second_hand_share: A side whose tracklets are worth less than this share of the other side's is noise.
        second_hand_size: So is one that is worth less and whose hand is smaller than this share of the other, unless it
            is seen surely: one person's hands are at most an arm's length apart in depth.
        sure_score: Mean detection score of what is seen surely.
    """

    duplicate_palm: float = 0.25
    duplicate_joints: float = 0.3
    link_distance: float = 0.7
    link_speed_per_s: float = 4.0
    link_growth: float = 1.7
    max_gap_s: float = 0.25
    min_duration_s: float = 0.12
    jump_per_s: float = 8.0
    flight_per_s: float = 27.0
    flight_doubt: float = 3.0
    min_score: float = 0.72
    max_overlap_s: float = 0.5
    second_hand_share: float = 0.04
    second_hand_size: float = 0.6
    sure_score: float = 0.9


@dataclass(frozen=True)
class HandTracks:
    """Two identities over a clip.

    Attributes:
        slot: (T, 2) index into the detections' N for left and right, -1 where absent.
        fallbacks: What was decided on thin evidence.
    """

    slot: Int[np.ndarray, "T 2"]
    fallbacks: tuple[str, ...]


@dataclass(frozen=True)
class _Tracklet:
    frames: tuple[int, ...]
    slots: tuple[int, ...]


@dataclass(frozen=True)
class _Evidence:
    """A tracklet's summary: its ends, what it is worth, and the log-odds of right."""

    start: int
    end: int
    first: np.ndarray
    last: np.ndarray
    size: float
    worth: float
    right: float
    score: float


@dataclass(frozen=True)
class _State:
    value: float
    labels: tuple[int, ...]
    last: tuple[int, int]


def hand_size(landmarks_px: Float[np.ndarray, "*B 21 2"]) -> Float[np.ndarray, "*B"]:
    """Longer side of the landmarks' box, px."""
    return np.ptp(landmarks_px, axis=-2).max(-1)


def track_hands(detections: HandDetections, time: Float[np.ndarray, "T"], params: TrackParams) -> HandTracks:
    """Give every frame's detections to the left hand, the right hand or nobody.

    Args:
        detections: Of all frames.
        time: (T,) s, increasing.
        params: See :class:`TrackParams`.

    Returns:
        The identities; a detection belongs to at most one, and a side has at most one detection a frame.
    """
    n_frames, frame_s = len(time), _frame_duration(time)
    palm = detections.landmarks_px[:, :, PALM].mean(2)
    size = hand_size(detections.landmarks_px)
    tracklets = _link(detections, palm, size, time, params)
    evidence = [_weigh(t, detections, palm, size, time) for t in tracklets]
    kept = [
        (t, e)
        for t, e in zip(tracklets, evidence, strict=True)
        if time[e.end] - time[e.start] + frame_s >= params.min_duration_s and e.score >= params.min_score
    ]
    labels = _without_noise([e for _, e in kept], _assign([e for _, e in kept], time, params), params)
    slot = np.full((n_frames, 2), -1)
    for (t, _), label in zip(kept, labels, strict=True):
        for i, n in zip(t.frames, t.slots, strict=True) if label >= 0 else ():
            now = slot[i, label]
            if now < 0 or detections.score[i, n] > detections.score[i, now]:
                slot[i, label] = n
    return HandTracks(slot, tuple(_remarks(kept, labels, slot)))


def without_duplicates(
    landmarks_px: Float[np.ndarray, "N 21 2"], score: Float[np.ndarray, "N"], params: TrackParams
) -> list[int]:
    """Slots of one frame that hold a hand each, best first."""
    kept: list[int] = []
    for n in sorted(np.flatnonzero(score > 0), key=lambda k: -score[k]):
        if not any(_same(landmarks_px[n], landmarks_px[k], params) for k in kept):
            kept.append(int(n))
    return kept


def duplicates(
    landmarks_px: Float[np.ndarray, "N 21 2"], score: Float[np.ndarray, "N"], slot: int, params: TrackParams
) -> list[int]:
    """Slots of one frame that hold the hand in ``slot``, itself first."""
    others = [int(n) for n in np.flatnonzero(score > 0) if n != slot]
    return [slot, *(n for n in others if _same(landmarks_px[n], landmarks_px[slot], params))]


def _same(a: np.ndarray, b: np.ndarray, params: TrackParams) -> bool:
    """Whether two detections of one frame are of one hand."""
    scale = max(hand_size(a), hand_size(b))
    joints = np.linalg.norm(a - b, axis=-1).mean()
    palms = np.linalg.norm(a[list(PALM)].mean(0) - b[list(PALM)].mean(0))
    return bool(joints < params.duplicate_joints * scale or palms < params.duplicate_palm * scale)


def _link(
    detections: HandDetections, palm: np.ndarray, size: np.ndarray, time: np.ndarray, params: TrackParams
) -> list[_Tracklet]:
    """Link detections from frame to frame: least total distance to where constant velocity predicts each tracklet."""
    done: list[_Tracklet] = []
    live: list[_Tracklet] = []
    for i in range(len(time)):
        done += [t for t in live if time[i] - time[t.frames[-1]] > params.max_gap_s]
        live = [t for t in live if time[i] - time[t.frames[-1]] <= params.max_gap_s]
        slots = without_duplicates(detections.landmarks_px[i], detections.score[i], params)
        cost = np.full((len(live), len(slots)), np.inf)
        for a, t in enumerate(live):
            at, sizes = _predict(t, palm, size, time, i)
            gate = params.link_distance + params.link_speed_per_s * (time[i] - time[t.frames[-1]])
            for b, n in enumerate(slots):
                scale = sizes[int(np.argmin(np.abs(np.log(np.array(sizes) / max(size[i, n], 1e-9)))))]
                ratio = max(scale, size[i, n]) / max(min(scale, size[i, n]), 1e-9)
                distance = np.linalg.norm(palm[i, n] - at) / max(scale, size[i, n])
                joints = _unlike(detections.landmarks_px, t, i, n) / max(scale, size[i, n])
                if distance <= gate and ratio <= params.link_growth:
                    cost[a, b] = distance + 0.3 * joints + 0.5 * np.log(ratio)
        rows, columns = linear_sum_assignment(np.where(np.isinf(cost), 1e3, cost))
        taken = {int(b): int(a) for a, b in zip(rows, columns, strict=True) if np.isfinite(cost[a, b])}
        for b, n in enumerate(slots):
            if b in taken:
                t = live[taken[b]]
                live[taken[b]] = replace(t, frames=(*t.frames, i), slots=(*t.slots, n))
            else:
                live.append(_Tracklet((i,), (n,)))
    return sorted(done + live, key=lambda t: (t.frames[0], t.slots[0]))


def _predict(
    t: _Tracklet, palm: np.ndarray, size: np.ndarray, time: np.ndarray, i: int
) -> tuple[np.ndarray, list[float]]:
    """Where a tracklet's palm is expected at frame i, at half of its last velocity, and its size: the last and of late.

    Both, since a hand that is about to be hidden is misread as a small one before it is missed.
    """
    late = [k for k in range(len(t.frames)) if time[t.frames[-1]] - time[t.frames[k]] <= _LATE_S]
    last, sizes = palm[t.frames[-1], t.slots[-1]], [size[t.frames[k], t.slots[k]] for k in late]
    scales = [max(float(sizes[-1]), 1e-9), max(float(np.median(sizes)), 1e-9)]
    if len(t.frames) < 2:
        return last, scales
    before = palm[t.frames[-2], t.slots[-2]]
    dt = time[t.frames[-1]] - time[t.frames[-2]]
    step = (last - before) / dt * min(time[i] - time[t.frames[-1]], 0.1)
    return last + 0.5 * step, scales


def _unlike(landmarks: np.ndarray, t: _Tracklet, i: int, n: int) -> float:
    """How differently the joints lie around the palm, px."""
    a, b = landmarks[t.frames[-1], t.slots[-1]], landmarks[i, n]
    return float(np.linalg.norm((a - a[list(PALM)].mean(0)) - (b - b[list(PALM)].mean(0)), axis=1).mean())


def _frame_duration(time: np.ndarray) -> float:
    """How long a frame stands, s."""
    return float(np.median(np.diff(time))) if len(time) > 1 else 1 / 30


def _weigh(t: _Tracklet, detections: HandDetections, palm: np.ndarray, size: np.ndarray, time: np.ndarray) -> _Evidence:
    frames, slots = list(t.frames), list(t.slots)
    probability = np.clip(detections.right_probability[frames, slots], 0.02, 0.98)
    score = detections.score[frames, slots]
    step_s = _frame_duration(time)
    scale = float(np.median(size[frames, slots]))
    # A hand that moves is the one that does something; a false one on a sleeve or a chair stands still.
    path = palm[frames, slots]
    travel = np.linalg.norm(np.percentile(path, 95, axis=0) - np.percentile(path, 5, axis=0)) / max(scale, 1e-9)
    sure = np.clip((score - 0.5) / 0.5, 0.05, 1.0)
    worth = float((sure * step_s).sum() * (0.5 + min(float(travel), 1.0)))
    bend = _BEND_LOGIT * np.tanh(finger_bend(detections.world_m[frames, slots]) / _BEND_SCALE)
    logit = float((sure * step_s * (np.log(probability / (1 - probability)) + bend)).sum())
    return _Evidence(frames[0], frames[-1], path[0], path[-1], scale, worth, logit, float(score.mean()))


def finger_bend(world_m: Float[np.ndarray, "*B 21 3"]) -> Float[np.ndarray, "*B"]:
    """How far fingertips stand out of the palm, in palm lengths: positive as a right hand bends, negative as a left.

    Fingers bend towards the palm, and the knuckles' order says which side that is for either hand. It speaks where the
    detector's own word for the side is unsure: with hands that push, whose palm faces the camera.
    """
    T = wrist_frame(world_m, left=False)
    tips, knuckles = world_m[..., (8, 12, 16, 20), :], world_m[..., (5, 9, 13, 17), :]
    out = ((tips - knuckles).mean(-2) * T[..., :3, 2]).sum(-1)
    length = np.linalg.norm(world_m[..., 9, :] - world_m[..., 0, :], axis=-1)
    return np.nan_to_num(out / np.maximum(length, 1e-9))


def _assign(evidence: list[_Evidence], time: np.ndarray, params: TrackParams) -> tuple[int, ...]:
    """Label of each tracklet (0 left, 1 right, -1 nobody) by beam search in order of time."""
    beam = [_State(0.0, (), (-1, -1))]
    for k, e in enumerate(evidence):
        grown: list[_State] = []
        for state in beam:
            grown.append(_State(state.value, (*state.labels, -1), state.last))
            for side in (0, 1):
                before = state.last[side]
                jump = _doubt(evidence[before], e, time, params) if before >= 0 else 0.0
                if np.isinf(jump):
                    continue
                gain = 2.0 * e.worth + (e.right if side else -e.right) - jump
                last = (k, state.last[1]) if side == 0 else (state.last[0], k)
                grown.append(_State(state.value + gain, (*state.labels, side), last))
        best: dict[tuple[int, int], _State] = {}
        for state in grown:
            if state.last not in best or state.value > best[state.last].value:
                best[state.last] = state
        beam = sorted(best.values(), key=lambda s: (-s.value, s.labels))[:_BEAM]
    return max(beam, key=lambda s: s.value).labels


def _doubt(a: _Evidence, b: _Evidence, time: np.ndarray, params: TrackParams) -> float:
    """Price of one hand being first a, then b: infinite where both are seen for long at once, else what it must jump.

    The jump counts beyond what hands do, in hand sizes, and is bounded: a hand may leave the image and come back. Not
    faster than it can fly, though.
    So does a change of size that a change of depth would not explain.
    """
    gap_s = float(time[b.start] - time[a.end])
    if b.end <= a.end or -gap_s > min(params.max_overlap_s, 0.5 * float(time[b.end] - time[b.start])):
        return float("inf")
    together = 2.0 * max(-gap_s, 0.0)
    allowed = 0.5 + params.jump_per_s * abs(gap_s)
    jump = float(np.linalg.norm(b.first - a.last)) / max(a.size, b.size, 1e-9)
    growth = abs(float(np.log(max(a.size, 1e-9) / max(b.size, 1e-9))))
    flies = jump > 1.0 + params.flight_per_s * max(gap_s, 0.0)
    doubt = 0.25 * min(max(jump - allowed, 0.0), 4.0) + 2.0 * max(growth - 0.4, 0.0) + together
    return doubt + params.flight_doubt * flies


def _without_noise(evidence: list[_Evidence], labels: tuple[int, ...], params: TrackParams) -> tuple[int, ...]:
    """Labels without those of a side that is hardly there, or too small to belong to the other hand's owner."""
    sides = [[e for e, label in zip(evidence, labels, strict=True) if label == side] for side in (0, 1)]
    if not (sides[0] and sides[1]):
        return labels
    worth = [sum(e.worth for e in side) for side in sides]
    size, score = (
        [np.average([getattr(e, name) for e in side], weights=[e.worth for e in side]) for side in sides]
        for name in ("size", "score")
    )
    noise = [
        side
        for side in (0, 1)
        if worth[side] < params.second_hand_share * worth[1 - side]
        or (
            worth[side] < worth[1 - side]
            and size[side] < params.second_hand_size * size[1 - side]
            and score[side] < params.sure_score
        )
    ]
    return tuple(-1 if label in noise else label for label in labels)


def _remarks(kept: list[tuple[_Tracklet, _Evidence]], labels: tuple[int, ...], slot: np.ndarray) -> list[str]:
    remarks = []
    dropped = sum(len(t.frames) for (t, _), label in zip(kept, labels, strict=True) if label < 0)
    if dropped:
        remarks.append(f"two hands kept; {dropped} detections of other or doubtful hands dropped")
    for side, name in enumerate(("left", "right")):
        right = sum(e.right for (_, e), label in zip(kept, labels, strict=True) if label == side)
        worth = sum(e.worth for (_, e), label in zip(kept, labels, strict=True) if label == side)
        if worth > 0 and (right if side else -right) < 0.3 * worth and (slot[:, side] >= 0).any():
            remarks.append(f"{name} hand: side decided against or without clear evidence of the detector")
    return remarks
