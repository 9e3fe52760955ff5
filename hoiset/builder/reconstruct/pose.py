"""Metric 6DoF poses of followed silhouettes: depth from the hand that touches, rotation and travel from the image."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from scipy.spatial.transform import Rotation

from hoiset.builder.reconstruct.objects.evidence import ObjectTrack, finger_gap
from hoiset.builder.reconstruct.objects.plane_maps import scale_of
from hoiset.builder.reconstruct.objects.scene import Scene
from hoiset.builder.reconstruct.objects.track import Cue
from hoiset.builder.reconstruct.shape import Mesh, front_depth_m, inflate_silhouette
from hoiset.builder.reconstruct.smoothing import runs, smooth
from hoiset.geometry import angle_between, make_T, unproject
from hoiset.shards.schema import FINGERTIPS, ObjectSource

_SMOOTH_S = 0.06
_BESIDE_S = 0.7
_MAX_TILT = np.radians(70.0)
_MIN_MATCHES = 16
_MIN_SPAN = 0.12


@dataclass(frozen=True)
class PosedObject:
    """One object in space over the clip.

    Attributes:
        track: Where it is in the image.
        mesh: Closed mesh in its own frame, m.
        pose: (T, 4, 4) ``T_camera_object``; NaN where absent.
        source: (T,) uint8, :class:`hoiset.shards.schema.ObjectSource`.
        depth_source: Where its depth comes from.
    """

    track: ObjectTrack
    mesh: Mesh
    pose: Float[np.ndarray, "T 4 4"]
    source: UInt8[np.ndarray, "T"]
    depth_source: str


def pose_object(
    scene: Scene,
    track: ObjectTrack,
    K: Float[np.ndarray, "3 3"],
    joints: Float[np.ndarray, "T 2 21 3"],
) -> PosedObject | None:
    """Give a followed silhouette a depth, a mesh and a pose in every frame.

    The object is as far away as the fingertips that touch it, while they touch it; its silhouette's scale carries that
    depth to all other frames, so that a standing object keeps the depth it had when touched. Rotation is the image's
    rotation, tilted by PnP on the mesh where enough points were followed. Standing spans keep one pose.

    Args:
        scene: The clip at the working resolution.
        track: One object of it.
        K: Intrinsics at the working resolution.
        joints: Hands, camera frame, m; NaN where absent.

    Returns:
        ``None`` when no hand with a known depth ever touches it.
    """
    found = _reference_depth(scene, track, joints)
    if found is None:
        return None
    reference, depth_source = found
    depth = reference / _steady_scale(scene, track)
    focal = 0.5 * (K[0, 0] + K[1, 1])
    mesh = inflate_silhouette(track.mask, track.image, reference / focal, scene.params.thickness_prior_m)
    centre = box_centre(track)
    position = unproject(K, track.affine[:, :, :2] @ centre + track.affine[:, :, 2], depth)
    turn = np.arctan2(track.affine[:, 1, 0], track.affine[:, 0, 0])
    present = np.isfinite(turn)
    R = np.full((len(turn), 3, 3), np.nan)
    R[present] = Rotation.from_euler("z", turn[present][:, None]).as_matrix()
    R = _tilt(scene, track, K, mesh, centre, reference, R, position)
    return PosedObject(track, mesh, smooth_pose(scene, track, R, position), pose_sources(track), depth_source)


def pose_sources(track: ObjectTrack) -> UInt8[np.ndarray, "T"]:
    """What each frame's pose rests on, :class:`hoiset.shards.schema.ObjectSource`."""
    return np.select(
        [~np.isfinite(track.affine[:, 0, 0]), track.cue == Cue.STANDING, track.cue == Cue.HAND, track.cue == Cue.LOST],
        [ObjectSource.ABSENT, ObjectSource.STATIC_LOCKED, ObjectSource.HAND_BOUND, ObjectSource.INFILLED],
        ObjectSource.OBSERVED,
    ).astype(np.uint8)


def box_centre(track: ObjectTrack) -> np.ndarray:
    """Centre of the template silhouette's box, px: where the mesh has its origin."""
    y, x = np.nonzero(track.mask)
    return np.array([(x.min() + x.max()) / 2, (y.min() + y.max()) / 2])


def _steady_scale(scene: Scene, track: ObjectTrack) -> np.ndarray:
    """Scale of the silhouette, (T,): a running median over half a second of what flow and standing spans say."""
    limit = scene.params.max_depth_change
    scale = np.full(len(track.affine), np.nan)
    present = np.isfinite(track.affine[:, 0, 0])
    scale[present] = np.clip(scale_of(track.affine[present]), 1.0 / limit, limit)
    out = scale.copy()
    trusted = (track.cue == Cue.FLOW) | (track.cue == Cue.STANDING)
    for t in np.nonzero(present & (track.cue != Cue.STANDING))[0]:
        near = trusted & (np.abs(scene.time - scene.time[t]) <= 0.25)
        if near.any():
            out[t] = np.median(scale[near])
    return out


def _reference_depth(scene: Scene, track: ObjectTrack, joints: np.ndarray) -> tuple[float, str] | None:
    """Depth (m) of the object at its template's scale: median over touching frames of fingertip depth times scale.

    The touches nearest to where it stands count, if there are enough: there its scale is known best. The second value
    says which were used.
    """
    moving = track.followed | (track.cue == Cue.HAND)
    frames = np.nonzero(moving)[0]
    if len(frames) == 0:
        return None
    standing = scene.time[track.cue == Cue.STANDING]
    beside = np.array([np.abs(standing - scene.time[t]).min(initial=np.inf) for t in frames]) <= _BESIDE_S
    for chosen, name in ((frames[beside], "touching_fingertips"), (frames, "touching_fingertips_while_moving")):
        depth = _touched_depths(scene, track, joints, chosen)
        if len(depth) >= 3:
            return float(np.median(depth)), name
    return None


def _touched_depths(scene: Scene, track: ObjectTrack, joints: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Fingertip depth times silhouette scale in the frames in which a hand touches."""
    if len(frames) == 0:
        return np.zeros(0)
    frames = frames[np.unique(np.linspace(0, len(frames) - 1, min(len(frames), 60)).astype(int))]
    gap = np.nan_to_num(finger_gap(scene, track, frames), nan=np.inf)
    tips = np.median(joints[frames][:, :, list(FINGERTIPS), 2], axis=2)
    usable = (gap <= scene.params.contact_gap_hands) & np.isfinite(tips)
    # Both hands may lie over the object in the image: then the one nearer to its middle is the one that touches.
    aside = np.linalg.norm(scene.joints_2d[frames].mean(2) - track.centroid()[frames][:, None], axis=-1) / scene.size_px
    nearest = np.where(usable, gap + 0.01 * np.nan_to_num(aside), np.inf).argmin(1)
    rows = np.nonzero(usable.any(1))[0]
    return tips[rows, nearest[rows]] * _steady_scale(scene, track)[frames[rows]]


def _tilt(
    scene: Scene,
    track: ObjectTrack,
    K: np.ndarray,
    mesh: Mesh,
    centre: np.ndarray,
    reference: float,
    R: np.ndarray,
    position: np.ndarray,
) -> np.ndarray:
    """Replace in-plane rotations by PnP solutions where many spread-out points were followed and fit clearly better."""
    out = R.copy()
    focal = 0.5 * (K[0, 0] + K[1, 1])
    least_span = _MIN_SPAN * min(scene.shape)
    for t in np.nonzero(track.cue == Cue.FLOW)[0]:
        matches = track.matches.get(int(t))
        if matches is None or len(matches) < _MIN_MATCHES or np.ptp(matches[:, :2], axis=0).min() < 0.5 * least_span:
            continue
        if np.ptp(matches[:, :2], axis=0).max() < least_span:
            continue
        xy = (matches[:, :2] - centre) * reference / focal
        points = np.column_stack([xy, front_depth_m(mesh, xy)]).astype(np.float64)
        pixels = matches[:, 2:].astype(np.float64)
        rvec0, _ = cv2.Rodrigues(R[t])
        tvec0 = position[t][:, None].copy()
        before = _residual(points, pixels, K, rvec0, tvec0)
        rvec, tvec = cv2.solvePnPRefineLM(points, pixels, K, None, rvec0.copy(), tvec0.copy())
        after = _residual(points, pixels, K, rvec, tvec)
        turned, _ = cv2.Rodrigues(rvec)
        near = 0.8 < float(tvec[2, 0]) / position[t, 2] < 1.25
        if np.isfinite(rvec).all() and near and after < 0.7 * before and angle_between(turned, R[t]) < _MAX_TILT:
            out[t] = turned
    return out


def _residual(points: np.ndarray, pixels: np.ndarray, K: np.ndarray, rvec: np.ndarray, tvec: np.ndarray) -> float:
    """Median reprojection error, px."""
    projected, _ = cv2.projectPoints(points, rvec, tvec, K, None)
    return float(np.median(np.linalg.norm(projected[:, 0] - pixels, axis=1)))


def smooth_pose(
    scene: Scene, track: ObjectTrack, R: Float[np.ndarray, "T 3 3"], position: Float[np.ndarray, "T 3"]
) -> Float[np.ndarray, "T 4 4"]:
    """Smooth moving spans in space and on SO(3) without lag; standing spans keep exactly one pose."""
    T = len(position)
    present = np.isfinite(position).all(1)
    weight = np.where(track.cue == Cue.FLOW, 1.0, np.where(track.cue == Cue.HAND, 0.2, 0.5))
    weight[track.cue == Cue.STANDING] = 2.0
    where = smooth(scene.time, position, sigma_s=_SMOOTH_S, weight=weight, degree=1)
    rotation = np.full((T, 3, 3), np.nan)
    flat = smooth(scene.time, R.reshape(T, 9), sigma_s=_SMOOTH_S, weight=weight, degree=0).reshape(T, 3, 3)
    rotation[present] = Rotation.from_matrix(flat[present]).as_matrix()
    pose = np.full((T, 4, 4), np.nan)
    pose[present] = make_T(rotation[present], where[present])
    for first, stop in runs(track.cue == Cue.STANDING):
        pose[first:stop] = make_T(_mean_rotation(R[first:stop]), np.median(position[first:stop], axis=0))
    return pose


def _mean_rotation(R: np.ndarray) -> np.ndarray:
    return Rotation.from_matrix(R).mean().as_matrix()
