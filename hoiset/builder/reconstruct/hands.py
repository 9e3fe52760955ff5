"""Hands of a clip: detections -> two metric hands in the camera frame, smooth, with their gaps filled and marked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation, Slerp

from hoiset.builder.params import Params
from hoiset.builder.reconstruct.lifting import (
    LiftParams,
    estimate_lengths,
    lift,
    link_lengths,
    palm_depth,
    pose_bones,
    turn_towards,
)
from hoiset.builder.reconstruct.palm import PalmParams, turn_palms
from hoiset.builder.reconstruct.plausible import PlausibleParams, Readings, choose_readings, too_fast, worth_most
from hoiset.builder.reconstruct.smoothing import outliers, short_gaps, smooth
from hoiset.builder.reconstruct.tracks import PALM, TrackParams, hand_size, track_hands
from hoiset.builder.records import Camera, HandDetections, Hands
from hoiset.geometry import project, wrist_frame
from hoiset.shards.schema import HandSource


class HandParams(Params):
    """Parameters of the hands stage.

    Attributes:
        tracks: Of the association.
        plausible: Of what hands can do.
        palm: Of the palms' rotations.
        lifting: Of the lifting to 3D.
        max_gap_s: Longest time between two observed frames that is filled.
        fill_speed_m_per_s: A gap is filled where the wrist need not have moved faster than this meanwhile, on average.
        outlier_window_s: Frames so near are compared to find teleports and flipped detections.
        outlier_palm: A palm farther than this from its neighbours' median is none, in hand sizes.
        outlier_pose: So are joints that lie around the palm differently by more than this.
        depth_sigma_s: Window of the depth's smoothing: a palm's depth changes slowly, its estimate does not.
        depth_outlier: A depth farther than this share from its neighbours' median does not count.
        joint_sigma_s: Window of the joints' smoothing, in 3D and in the image alike.
        infill_score: Score of a filled frame, as a share of its observed neighbours'.
    """

    tracks: TrackParams = TrackParams()
    plausible: PlausibleParams = PlausibleParams()
    palm: PalmParams = PalmParams()
    lifting: LiftParams = LiftParams()
    max_gap_s: float = 0.5
    fill_speed_m_per_s: float = 2.0
    outlier_window_s: float = 0.1
    outlier_palm: float = 0.6
    outlier_pose: float = 0.35
    depth_sigma_s: float = 0.2
    depth_outlier: float = 0.15
    joint_sigma_s: float = 0.035
    infill_score: float = 0.5


@dataclass(frozen=True)
class _Observed:
    """One hand's detections over the clip; rows of NaN where there are none.

    ``palm_px`` is where a detection that is not believed has the palm: its middle is right where its fingers are not.
    """

    pixels: Float[np.ndarray, "T 21 2"]
    world_m: Float[np.ndarray, "T 21 3"]
    score: Float[np.ndarray, "T"]
    palm_px: Float[np.ndarray, "T 2"]

    @property
    def valid(self) -> Bool[np.ndarray, "T"]:
        return self.score > 0


def reconstruct_hands(
    detections: HandDetections,
    camera: Camera,
    time: Float[np.ndarray, "T"],
    params: HandParams,
    palm_depth_m: Float[np.ndarray, "T 2"] | None = None,
) -> Hands:
    """Reconstruct both hands of a clip.

    Args:
        detections: Of all frames, in the clip's pixels.
        camera: Its intrinsics.
        time: (T,) s, strictly increasing.
        params: See :class:`HandParams`.
        palm_depth_m: (T, 2) mean z-depth of each palm's joints, m, where it is known from elsewhere; else NaN.

    Returns:
        The hands; observed, filled and absent frames are marked. Bone lengths are those of one person: constant over
        the clip and equal on both hands. ``joints_2d`` is the detector's, smoothed like the joints; where a frame is
        filled, it is their projection.
    """
    tracks = track_hands(detections, time, params.tracks)
    length = params.lifting.hand_length_m
    slots = [
        choose_readings(detections, tracks.slot, side, time, length, params.tracks, params.plausible) for side in (0, 1)
    ]
    seen = [_gather(detections, slot, tracks.slot[:, side]) for side, slot in enumerate(slots)]
    seen = [_reject_outliers(s, time, params) for s in seen]
    seen = [_turn(s, camera, time, params, left=side == 0) for side, s in enumerate(seen)]
    pixels, world = (np.concatenate([getattr(s, name)[s.valid] for s in seen]) for name in ("pixels", "world_m"))
    lengths = estimate_lengths(pixels, world, camera.K, params.lifting)
    told = np.full((len(time), 2), np.nan) if palm_depth_m is None else palm_depth_m
    hands = [_plausible_one(s, told[:, side], camera, time, lengths, params) for side, s in enumerate(seen)]
    joints, joints_2d, source, score = (np.stack(parts, axis=1) for parts in zip(*hands, strict=True))
    wrist = np.stack([wrist_frame(joints[:, side], left=side == 0) for side in (0, 1)], axis=1)
    return Hands(joints, joints_2d, wrist, source.astype(np.uint8), score, tracks.fallbacks)


def _gather(detections: HandDetections, slot: np.ndarray, tracked: np.ndarray) -> _Observed:
    rows, here = np.arange(len(slot)), slot >= 0
    palm = detections.landmarks_px[rows, tracked][:, PALM].mean(1)
    return _Observed(
        np.where(here[:, None, None], detections.landmarks_px[rows, slot], np.nan),
        np.where(here[:, None, None], detections.world_m[rows, slot], np.nan),
        np.where(here, detections.score[rows, slot], 0.0),
        np.where((~here & (tracked >= 0))[:, None], palm, np.nan),
    )


def _turn(seen: _Observed, camera: Camera, time: np.ndarray, params: HandParams, *, left: bool) -> _Observed:
    """With the detector's 3D joints turned so that the palm fits the image."""
    if not seen.valid.any():
        return seen
    focal, centre = np.array([camera.K[0, 0], camera.K[1, 1]]), camera.K[:2, 2]
    rays = (seen.pixels[seen.valid] - centre) / focal
    towards, lengths = rays[:, PALM].mean(1), link_lengths(params.lifting.hand_length_m)
    model = turn_towards(towards, pose_bones(seen.world_m[seen.valid], lengths))
    world = np.full_like(seen.world_m, np.nan)
    turned = turn_palms(rays, model, lengths, time[seen.valid], params.palm, left=left)
    world[seen.valid] = turn_towards(towards, turned, back=True)
    return replace(seen, world_m=world)


def _reject_outliers(seen: _Observed, time: np.ndarray, params: HandParams) -> _Observed:
    """Without teleports (the palm is elsewhere) and flips (the joints lie around it differently)."""
    if not seen.valid.any():
        return seen
    palm = seen.pixels[:, PALM].mean(1)
    size = hand_size(seen.pixels)
    around = (seen.pixels - palm[:, None]).reshape(len(time), -1)
    window = params.outlier_window_s
    teleported = outliers(time, palm, window_s=window, threshold=params.outlier_palm * size)
    flipped = outliers(time, around, window_s=window, threshold=params.outlier_pose * size * np.sqrt(21.0))
    return _without(seen, teleported | flipped)


def _without(seen: _Observed, wrong: np.ndarray) -> _Observed:
    return replace(
        seen,
        pixels=np.where(wrong[:, None, None], np.nan, seen.pixels),
        world_m=np.where(wrong[:, None, None], np.nan, seen.world_m),
        score=np.where(wrong, 0.0, seen.score),
    )


def _plausible_one(
    seen: _Observed, told_depth: np.ndarray, camera: Camera, time: np.ndarray, lengths: np.ndarray, params: HandParams
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """One hand without the observed frames between which it would have to fly or spin."""
    step_s = float(np.median(np.diff(time))) if len(time) > 1 else 1.0
    while True:
        found = _reconstruct_one(seen, told_depth, camera, time, lengths, params)
        wrist = wrist_frame(found[0], left=False)
        fast = too_fast(time, wrist, params.plausible)
        if not fast.any():
            return found
        at = np.flatnonzero(seen.valid)
        readings = Readings(time[at], wrist[at, :3, 3], wrist[at, :3, :3], step_s * seen.score[at])
        kept = worth_most(readings, params.plausible)
        wrong = np.zeros(len(time), bool)
        wrong[at[~kept]] = True
        if kept.all():
            wrong[_ends(seen.valid, int(np.flatnonzero(fast)[0]), seen.score)] = True
        seen = _without(seen, wrong)


def _ends(valid: np.ndarray, step: int, score: np.ndarray) -> int:
    """The less sure of the observed frames around a step."""
    at = np.flatnonzero(valid)
    after = int(np.searchsorted(at, step, side="right"))
    return int(min(at[max(after - 1, 0) : after + 1], key=lambda i: score[i]))


def _reconstruct_one(
    seen: _Observed, told_depth: np.ndarray, camera: Camera, time: np.ndarray, lengths: np.ndarray, params: HandParams
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Joints, joints in the image, source and score of one hand."""
    n, valid = len(time), seen.valid
    joints = np.full((n, 21, 3), np.nan)
    source = np.where(valid, HandSource.OBSERVED, HandSource.ABSENT)
    if not valid.any():
        return joints, joints[..., :2].copy(), source, np.zeros(n)
    pixels, world = seen.pixels[valid], seen.world_m[valid]
    first = lift(pixels, world, camera.K, lengths, params.lifting)
    depth, trust = palm_depth(first, pixels, world, camera.K, lengths, params.lifting)
    depth = _smooth_depth(depth, time[valid], trust * seen.score[valid], params)
    depth = np.where(np.isnan(told_depth[valid]), depth, told_depth[valid])
    joints[valid] = lift(pixels, world, camera.K, lengths, params.lifting, depth)
    score = seen.score * _inside(seen.pixels, camera)
    for a, b in short_gaps(time, valid, max_gap_s=params.max_gap_s):
        moved = np.linalg.norm(joints[b, 0] - joints[a - 1, 0])
        if moved > params.fill_speed_m_per_s * (time[b] - time[a - 1]):
            continue
        joints[a:b] = _fill(joints[a - 1], joints[b], time[a - 1 : b + 1])
        joints[a - 1 : b + 1] = _move(
            joints[a - 1 : b + 1], seen.palm_px[a - 1 : b + 1], camera, time[a - 1 : b + 1], params
        )
        source[a:b], score[a:b] = HandSource.INFILLED, params.infill_score * min(score[a - 1], score[b])
    weight = np.where(source == HandSource.OBSERVED, np.maximum(seen.score, 0.1), 0.1)
    joints = smooth(time, joints.reshape(n, 63), sigma_s=params.joint_sigma_s, weight=weight).reshape(n, 21, 3)
    joints = pose_bones(joints, lengths)
    # The same window over the same frames: filled ones take part as their projection, then and after.
    joints_2d = np.where((source == HandSource.INFILLED)[:, None, None], project(camera.K, joints), seen.pixels)
    joints_2d = smooth(time, joints_2d.reshape(n, 42), sigma_s=params.joint_sigma_s, weight=weight).reshape(n, 21, 2)
    filled = source == HandSource.INFILLED
    joints_2d[filled] = project(camera.K, joints[filled])
    return joints, joints_2d, source, score


def _smooth_depth(depth: np.ndarray, time: np.ndarray, trust: np.ndarray, params: HandParams) -> np.ndarray:
    """The palm's depth, in logarithms because its error is relative, without what jumps."""
    log_depth = np.log(depth)[:, None]
    threshold = np.full(len(depth), params.depth_outlier)
    wild = outliers(time, log_depth, window_s=params.depth_sigma_s, threshold=threshold)
    weight = np.where(wild, 0.01, trust)
    return np.exp(smooth(time, log_depth, sigma_s=params.depth_sigma_s, weight=weight)[:, 0])


def _inside(pixels: np.ndarray, camera: Camera) -> np.ndarray:
    """Share of the joints that lie in the image: what is guessed beyond its edge is worth less."""
    x, y = pixels[..., 0], pixels[..., 1]
    return ((x >= -0.5) & (x < camera.width - 0.5) & (y >= -0.5) & (y < camera.height - 0.5)).mean(-1)


def _fill(before: np.ndarray, after: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Joints between two frames: the palm's rotation on SO(3), its place and the fingers within it linearly."""
    T = wrist_frame(np.stack([before, after]), left=False)
    R, p = T[:, :3, :3], T[:, :3, 3]
    local = np.stack([(before - p[0]) @ R[0], (after - p[1]) @ R[1]])
    s = (time[1:-1] - time[0]) / (time[-1] - time[0])
    turn = Slerp([0.0, 1.0], Rotation.from_matrix(R))(s).as_matrix()
    here = local[0] + s[:, None, None] * (local[1] - local[0])
    return here @ turn.transpose(0, 2, 1) + (p[0] + s[:, None] * (p[1] - p[0]))[:, None]


def _move(
    joints: np.ndarray, palm_px: np.ndarray, camera: Camera, time: np.ndarray, params: HandParams
) -> Float[np.ndarray, "N 21 3"]:
    """Filled joints, moved across the image to where the palm was seen, unless a hand would not get there in time."""
    seen = np.isfinite(palm_px).all(1)
    if not seen.any():
        return joints
    palm = joints[:, PALM].mean(1)
    off = (palm_px - project(camera.K, palm)) / camera.K[[0, 1], [0, 1]] * palm[:, 2:]
    off[[0, -1]] = 0.0
    seen[[0, -1]] = True
    off = np.stack([np.interp(time, time[seen], off[seen, k]) for k in (0, 1)], -1)
    moved = joints.copy()
    moved[..., :2] += off[:, None]
    speed = np.linalg.norm(np.diff(moved[:, 0], axis=0), axis=-1) / np.diff(time)
    return joints if speed.max() > params.plausible.max_speed_m_per_s else moved
