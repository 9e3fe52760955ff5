"""Metric 6DoF poses of followed silhouettes where depth maps are known: surfaces are registered to each other.

Points that flow carried have a place in space in the template and in every frame, which gives the rigid motion between
them in closed form (Umeyama, PAMI 1991); where flow is lost, the surface of the last pose is registered to the frame's
(point-to-plane ICP, Chen and Medioni 1992).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from hoiset.builder.reconstruct.objects.evidence import ObjectTrack
from hoiset.builder.reconstruct.objects.scene import Scene
from hoiset.builder.reconstruct.objects.track import Cue
from hoiset.builder.reconstruct.pose import PosedObject, box_centre, pose_sources, smooth_pose
from hoiset.builder.reconstruct.shape import Mesh, front_depth_m, inflate_silhouette
from hoiset.builder.reconstruct.smoothing import runs
from hoiset.geometry import invert, make_T, transform, unproject

_MIN_POINTS = 30
_MIN_MATCHES = 10
_AGREE_M = 0.006
_REACH_M = 0.02
_MOST_POINTS = 1500


@dataclass(frozen=True)
class _Template:
    """The object as it stands in its template frame; surface points in its own frame, m."""

    mesh: Mesh
    T_camera_object: Float[np.ndarray, "4 4"]
    surface: Float[np.ndarray, "N 3"]


def pose_by_depth(
    scene: Scene, track: ObjectTrack, K: Float[np.ndarray, "3 3"], depth_m: Float[np.ndarray, "T H W"]
) -> PosedObject | None:
    """Give a followed silhouette a mesh and a pose in every frame.

    Args:
        scene: The clip at the working resolution.
        track: One object of it.
        K: Intrinsics at the working resolution.
        depth_m: z-depth, NaN where unknown, at any resolution.

    Returns:
        ``None`` when too little of it has a depth where it stands.
    """
    size = (scene.shape[1], scene.shape[0])
    depth = [cv2.resize(d, size, interpolation=cv2.INTER_NEAREST) for d in depth_m]
    template = _template(scene, track, K, depth[track.template_frame])
    if template is None:
        return None
    T = len(depth)
    pose = np.full((T, 4, 4), np.nan)
    present = np.isfinite(track.affine[:, 0, 0])
    for order in (range(track.template_frame, T), range(track.template_frame, -1, -1)):
        last = template.T_camera_object
        for t in order:
            if t == track.template_frame:
                pose[t] = last
            elif present[t]:
                last = pose[t] = _step(scene, track, template, K, depth, t, last)
    for first, stop in runs(track.cue == Cue.STANDING):
        pose[first:stop] = pose[_least_covered(scene, track, first, stop)]
    smooth = smooth_pose(scene, track, pose[:, :3, :3], pose[:, :3, 3])
    return PosedObject(track, template.mesh, smooth, pose_sources(track), "depth_map")


def _template(scene: Scene, track: ObjectTrack, K: np.ndarray, depth: np.ndarray) -> _Template | None:
    pixels, points = _surface(track.visible(track.template_frame, scene.hand_masks[track.template_frame]), depth, K)
    if len(points) < _MIN_POINTS:
        return None
    focal, centre = 0.5 * (K[0, 0] + K[1, 1]), box_centre(track)
    z = float(np.median(points[:, 2]))
    for _ in range(3):  # the thickness, and with it the middle, follows from the size, which follows from the middle
        mesh = inflate_silhouette(track.mask, track.image, z / focal, scene.params.thickness_prior_m)
        z = float(np.median(points[:, 2] - front_depth_m(mesh, (pixels - centre) * z / focal)))
    T_camera_object = make_T(np.eye(3), unproject(K, centre, np.array(z)))
    return _Template(mesh, T_camera_object, transform(invert(T_camera_object), points))


def _surface(mask: np.ndarray, depth: np.ndarray, K: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 2) well inside a mask and their points (N, 3) in the camera frame, those of one thing."""
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    y, x = np.nonzero(inner & np.isfinite(depth))
    if len(x) == 0:
        return np.zeros((0, 2)), np.zeros((0, 3))
    z = depth[y, x].astype(float)
    spread = 1.4826 * np.median(np.abs(z - np.median(z)))
    near = np.abs(z - np.median(z)) <= 3.0 * spread + 0.02
    step = max(1, int(near.sum()) // _MOST_POINTS)
    pixels = np.column_stack([x, y])[near][::step].astype(float)
    return pixels, unproject(K, pixels, z[near][::step])


def _step(
    scene: Scene,
    track: ObjectTrack,
    template: _Template,
    K: np.ndarray,
    depth: list[np.ndarray],
    t: int,
    last: np.ndarray,
) -> Float[np.ndarray, "4 4"]:
    """The pose in one frame: by matches, else by registration from the last pose moved along with the silhouette."""
    matched = _by_matches(track, template, K, depth, t)
    if matched is not None:
        return matched
    _, points = _surface(track.visible(t, scene.hand_masks[t]), depth[t], K)
    guess = last.copy()
    if len(points) < _MIN_POINTS:
        centre = track.affine[t][:, :2] @ box_centre(track) + track.affine[t][:, 2]
        guess[:3, 3] = unproject(K, centre, last[2, 3])
        return guess
    guess[:3, 3] += np.median(points, axis=0) - np.median(transform(last, template.surface), axis=0)
    return _register(template.surface, points, guess)


def _by_matches(
    track: ObjectTrack, template: _Template, K: np.ndarray, depth: list[np.ndarray], t: int
) -> Float[np.ndarray, "4 4"] | None:
    """Rigid motion of carried points from the template to a frame, without those that disagree."""
    matches = track.matches.get(t)
    if matches is None or len(matches) < _MIN_MATCHES:
        return None
    a = _lifted(matches[:, :2], depth[track.template_frame], K)
    b = _lifted(matches[:, 2:], depth[t], K)
    keep = np.isfinite(a).all(1) & np.isfinite(b).all(1)
    local = transform(invert(template.T_camera_object), a)
    for _ in range(5):
        if keep.sum() < _MIN_MATCHES:
            return None
        pose = _kabsch(local[keep], b[keep])
        error = np.linalg.norm(transform(pose, local) - b, axis=1)
        limit = max(_AGREE_M, 1.5 * float(np.median(error[keep])))
        keep = np.isfinite(error) & (error <= limit)
    # Points on one line fix no rotation.
    spread = np.linalg.svd(local[keep] - local[keep].mean(0), compute_uv=False) / np.sqrt(max(keep.sum(), 1))
    return pose if keep.sum() >= _MIN_MATCHES and spread[1] > 0.005 and np.median(error[keep]) < _AGREE_M else None


def _lifted(pixels: np.ndarray, depth: np.ndarray, K: np.ndarray) -> Float[np.ndarray, "N 3"]:
    x, y = np.round(pixels).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < depth.shape[1]) & (y < depth.shape[0])
    z = np.full(len(x), np.nan)
    z[inside] = depth[y[inside], x[inside]]
    return unproject(K, pixels.astype(float), z)


def _kabsch(a: np.ndarray, b: np.ndarray) -> Float[np.ndarray, "4 4"]:
    """The rigid motion that best maps points a to points b."""
    R = Rotation.align_vectors(b - b.mean(0), a - a.mean(0))[0].as_matrix()
    return make_T(R, b.mean(0) - R @ a.mean(0))


def _register(surface: np.ndarray, points: np.ndarray, guess: np.ndarray) -> Float[np.ndarray, "4 4"]:
    """Point-to-plane ICP of a surface to points, coarse to fine; the guess where it does not hold."""
    import open3d as o3d

    source, target = (o3d.geometry.PointCloud(o3d.utility.Vector3dVector(p)) for p in (surface, points))
    target.estimate_normals(o3d.geometry.KDTreeSearchParamHybrid(radius=0.02, max_nn=20))
    registration = o3d.pipelines.registration
    pose = guess
    for reach in (_REACH_M, _REACH_M / 3):
        found = registration.registration_icp(
            source, target, reach, pose, registration.TransformationEstimationPointToPlane()
        )
        if found.fitness < 0.3:
            return guess
        pose = np.asarray(found.transformation)
    return pose


def _least_covered(scene: Scene, track: ObjectTrack, first: int, stop: int) -> int:
    """The frame of a standing span in which hands hide least; the template frame where it is one of them."""
    if first <= track.template_frame < stop:
        return track.template_frame
    frames = np.unique(np.linspace(first, stop - 1, 15).astype(int))
    silhouette = track.silhouette(first)
    return int(min(frames, key=lambda t: (scene.hand_masks[t][silhouette] > 0).sum()))
