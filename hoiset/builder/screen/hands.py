"""Whether hands are seen, large enough, whole and moving, and between which times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from hoiset.builder.reconstruct.backends.base import HandDetector
from hoiset.builder.records import HandDetections
from hoiset.builder.screen.moving import moving_square
from hoiset.builder.screen.params import ScreenParams


@dataclass(frozen=True)
class HandView:
    """What sampled frames show of hands.

    Attributes:
        time: (T,) times of the samples in the file, s.
        present: (T, N) whether slot n holds a hand that counts.
        size: (T, N) diagonal of the hand's box, fraction of min(H, W); NaN where not present.
        outside: (T, N) share of the joints outside the image; NaN where not present.
        joints: (T, N, 21, 2) px; NaN where not present.
        score: (T, N) confidence; NaN where not present.
        speed: (T,) speed of the fastest hand since the sample before, fractions of min(H, W) per s; NaN where unknown.
    """

    time: Float[np.ndarray, "T"]
    present: Bool[np.ndarray, "T N"]
    size: Float[np.ndarray, "T N"]
    outside: Float[np.ndarray, "T N"]
    joints: Float[np.ndarray, "T N 21 2"]
    score: Float[np.ndarray, "T N"]
    speed: Float[np.ndarray, "T"]

    @property
    def seen(self) -> Bool[np.ndarray, "T"]:
        """Whether a sample shows any hand."""
        return np.asarray(self.present.any(axis=1))


def look_for_hands(
    detector: HandDetector,
    rgb: Sequence[UInt8[np.ndarray, "H W 3"]],
    time: Float[np.ndarray, "T"],
    params: ScreenParams,
) -> HandDetections:
    """Detect hands in sampled frames: now and then first, and all along only around the times that show one.

    The first look is so close that no hand that stays for ``min_hand_s`` falls between. Frames that are not looked at
    have no detections: most footage shows no hands, and looking is what costs. Frames that show none as a whole are
    looked at again around what moves in them, where a palm is larger.
    """
    stride = max(1, int(params.hand_look_s * params.sample_fps + 1e-6))
    first = np.arange(0, len(rgb), stride)
    parts = _look(detector, rgb, first, params)
    hits = np.concatenate([time[at[_seen(found, params)]] for at, found in parts])
    near = (np.abs(time[:, None] - hits) <= params.max_hand_gap_s).any(axis=1)
    near[first] = False
    if near.any():
        parts += _look(detector, rgb, np.flatnonzero(near), params)
    return _at(parts, len(rgb))


def _seen(found: HandDetections, params: ScreenParams) -> Bool[np.ndarray, "T"]:
    return np.asarray((found.score >= params.min_hand_score).any(axis=1))


def _look(
    detector: HandDetector, rgb: Sequence[UInt8[np.ndarray, "H W 3"]], at: Int[np.ndarray, "K"], params: ScreenParams
) -> list[tuple[Int[np.ndarray, "K"], HandDetections]]:
    """Detections in some frames; then, in those without any, around what moves."""
    whole = detector.detect([rgb[i] for i in at.tolist()], video=False)
    parts = [(at, whole)]
    squares = {i: s for i in at[~_seen(whole, params)].tolist() if (s := moving_square(rgb, i)) is not None}
    if squares:
        close = detector.detect([square.view(rgb[i]) for i, square in squares.items()], video=False)
        placed = [s.to_picture(px) for s, px in zip(squares.values(), close.landmarks_px, strict=True)]
        parts.append((np.array(list(squares)), replace(close, landmarks_px=np.stack(placed))))
    return parts


def _at(parts: Sequence[tuple[Int[np.ndarray, "K"], HandDetections]], n: int) -> HandDetections:
    """Detections of some of n frames, with empty slots for the others; of a frame that is there twice, the later."""
    slots = max(found.score.shape[1] for _, found in parts)
    landmarks, world = np.full((n, slots, 21, 2), np.nan), np.full((n, slots, 21, 3), np.nan)
    right, score = np.full((n, slots), 0.5), np.zeros((n, slots))
    for at, found in parts:
        k = found.score.shape[1]
        landmarks[at, :k], world[at, :k] = found.landmarks_px, found.world_m
        right[at, :k], score[at, :k] = found.right_probability, found.score
    return HandDetections(landmarks, world, right, score)


def view_hands(
    detections: HandDetections, time: Float[np.ndarray, "T"], height: int, width: int, params: ScreenParams
) -> HandView:
    """Measure detections on sampled frames of height x width px.

    A detection that stands alone in time is not counted: many things pass for a hand once, few twice running.
    """
    present = (detections.score >= params.min_hand_score) & ~np.isnan(detections.landmarks_px).any(axis=(2, 3))
    seen = present.any(axis=1)
    near = np.abs(time[:, None] - time[None]) <= params.hand_support_s + 1e-6
    np.fill_diagonal(near, False)
    present = present & (near & seen[None]).any(axis=1)[:, None]
    joints = np.where(present[..., None, None], detections.landmarks_px, np.nan)
    short = min(height, width)
    size = np.linalg.norm(joints.max(axis=2) - joints.min(axis=2), axis=-1) / short
    out = ((joints < -0.5) | (joints > (width - 0.5, height - 0.5))).any(axis=-1).mean(axis=-1)
    score = np.where(present, detections.score, np.nan)
    speed = _speed(joints, present, time) / short
    return HandView(time, present, size, np.where(present, out, np.nan), joints, score, speed)


def _speed(
    joints: Float[np.ndarray, "T N 21 2"], present: Bool[np.ndarray, "T N"], time: Float[np.ndarray, "T"]
) -> Float[np.ndarray, "T"]:
    """Median joint speed from each hand's nearest hand in the sample before, the fastest of the frame, px/s."""
    speed = np.full(len(time), np.nan)
    for i in range(1, len(time)):
        now, before = joints[i][present[i]], joints[i - 1][present[i - 1]]
        if len(now) and len(before):
            moved = np.median(np.linalg.norm(now[:, None] - before[None], axis=-1), axis=-1)
            speed[i] = moved.min(axis=1).max() / (time[i] - time[i - 1])
    return speed


def hand_runs(view: HandView, params: ScreenParams) -> list[tuple[int, int]]:
    """First and last sample of each run of hands without a gap longer than ``max_hand_gap_s``."""
    seen = np.flatnonzero(view.seen)
    if len(seen) == 0:
        return []
    breaks = np.flatnonzero(np.diff(view.time[seen]) > params.max_hand_gap_s + 1e-6)
    firsts = seen[np.concatenate([[0], breaks + 1])]
    lasts = seen[np.concatenate([breaks, [len(seen) - 1]])]
    return [(int(a), int(b)) for a, b in zip(firsts, lasts, strict=True)]


def measure_hands(view: HandView, first: int, last: int, params: ScreenParams) -> dict[str, float]:
    """The values that the gates look at, over samples ``first`` to ``last`` (inclusive).

    Returns:
        ``hand_s``: time that hands are seen, s. ``hand_ratio``: share of the samples that show one. ``hand_size``:
        median. ``hand_cut_off``: share of the hands that the border cuts off. ``hand_speed``: 90th percentile.
        ``hand_score``: median. The last four are NaN without hands.
    """
    part = slice(first, last + 1)
    seen, size, speed, outside = view.seen[part], view.size[part], view.speed[part], view.outside[part]
    period_s = float(np.median(np.diff(view.time))) if len(view.time) > 1 else 0.0
    score = view.score[part]
    cut_off = outside[np.isfinite(outside)] > params.hand_outside_ratio
    return {
        "hand_s": float(seen.sum() * period_s),
        "hand_ratio": float(seen.mean()) if len(seen) else 0.0,
        "hand_size": float(np.nanmedian(size)) if np.isfinite(size).any() else np.nan,
        "hand_cut_off": float(cut_off.mean()) if len(cut_off) else np.nan,
        "hand_score": float(np.nanmedian(score)) if np.isfinite(score).any() else np.nan,
        "hand_speed": float(np.nanpercentile(speed, 90)) if np.isfinite(speed).any() else np.nan,
    }


def split_long(start_s: float, end_s: float, view: HandView, params: ScreenParams) -> list[tuple[float, float]]:
    """Cut a span longer than ``max_clip_s`` into parts, near the even marks at moments without a hand if there are any.

    Failing that, at the moment near the mark at which the hands are slowest.
    """
    parts = int(np.ceil((end_s - start_s) / params.max_clip_s - 1e-9))
    if parts <= 1:
        return [(start_s, end_s)]
    part_s = (end_s - start_s) / parts
    # a mark may only move as far as no part grows beyond the limit
    slack_s = min(part_s / 4, (params.max_clip_s - part_s) / 2)
    cuts = [start_s]
    for k in range(1, parts):
        mark_s = start_s + k * part_s
        near = np.flatnonzero(np.abs(view.time - mark_s) <= slack_s)
        if len(near) == 0:
            cuts.append(mark_s)
            continue
        busy = np.where(view.seen[near], 1.0 + np.nan_to_num(view.speed[near], nan=np.inf), 0.0)
        best = near[np.lexsort((np.abs(view.time[near] - mark_s), busy))[0]]
        cuts.append(float(view.time[best]))
    return list(zip(cuts, [*cuts[1:], end_s], strict=True))
