"""Metric 6DoF poses of followed silhouettes where depth maps are known: surfaces are registered to each other.

Points that flow carried have a place in space in the template and in every frame, which gives the rigid motion between
them in closed form (Umeyama, PAMI 1991); where flow is lost, the surface of the last pose is registered to the frame's
(point-to-plane ICP, Chen and Medioni 1992). The mesh is what the depth map says of the object where it stands on a
plane, and the inflated silhouette where it never does.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from hoiset.builder.reconstruct.depth_shape import solid_on_plane
from hoiset.builder.reconstruct.objects.evidence import ObjectTrack
from hoiset.builder.reconstruct.objects.scene import Scene
from hoiset.builder.reconstruct.objects.track import Cue
from hoiset.builder.reconstruct.pose import PosedObject, box_centre, pose_sources, smooth_pose
from hoiset.builder.reconstruct.shape import Mesh, front_depth_m, inflate_silhouette
from hoiset.builder.reconstruct.smoothing import runs
from hoiset.builder.reconstruct.support import gather, steady_depth, support_under
from hoiset.geometry import invert, make_T, transform, unproject

_MIN_POINTS = 30
_MIN_MATCHES = 10
_AGREE_M = 0.006
_REACH_M = 0.02
_MOST_POINTS = 1500
_ICP_STEPS = 30
_MIN_FITNESS = 0.3
_STAY = 0.02
_NEIGHBOURS = 20
_LOOKED_AT = 24
_OWN_STAND = 1.1
_CLEARLY = 0.6


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
    depth = steady_depth(np.stack([cv2.resize(d, size, interpolation=cv2.INTER_NEAREST) for d in depth_m]))
    template = _template(scene, track, K, depth[track.template_frame])
    if template is None:
        return None
    stands = runs(track.cue == Cue.STANDING)
    pose = _follow(scene, track, template, K, depth, stands)
    mesh = template.mesh
    solid = _stood(scene, track, K, depth, stands)
    if solid is not None:
        mesh, frame, T_camera_object = solid
        pose = pose @ invert(pose[frame]) @ T_camera_object
    smooth = smooth_pose(scene, track, pose[:, :3, :3], pose[:, :3, 3])
    return PosedObject(track, mesh, smooth, pose_sources(track), "depth_map")


def _follow(
    scene: Scene,
    track: ObjectTrack,
    template: _Template,
    K: np.ndarray,
    depth: np.ndarray,
    stands: list[tuple[int, int]],
) -> Float[np.ndarray, "T 4 4"]:
    """The template's pose in every frame in which the object is there, from the template frame on both ways.

    Each stand has one, that of the frame in which hands hide least of it.
    """
    T = len(depth)
    pose = np.full((T, 4, 4), np.nan)
    present = np.isfinite(track.affine[:, 0, 0])
    stand_of = {t: span for span in stands for t in range(*span)}
    for order in (range(track.template_frame, T), range(track.template_frame, -1, -1)):
        last, before = template.T_camera_object, track.template_frame
        for t in order:
            if not present[t] or np.isfinite(pose[t]).all():
                continue
            first, stop = stand_of.get(t, (t, t + 1))
            at = _least_covered(scene, track, first, stop) if t in stand_of else t
            if first <= track.template_frame < stop:
                pose[first:stop] = template.T_camera_object
            else:
                pose[first:stop] = _step(scene, track, template, K, depth, at, _carried(track, K, last, before, at))
            last, before = pose[t], t
    return pose


def _stood(
    scene: Scene, track: ObjectTrack, K: np.ndarray, depth: np.ndarray, stands: list[tuple[int, int]]
) -> tuple[Mesh, int, Float[np.ndarray, "4 4"]] | None:
    """Mesh of the object where it stands on a plane and is seen best, a frame of that stand, and its pose there."""
    seen = []
    for first, stop in stands:
        frames = np.unique(np.linspace(first, stop - 1, _LOOKED_AT).astype(int))
        visible = np.stack([track.visible(t, scene.hand_masks[t]) for t in frames])
        standing = gather(visible, depth[frames])
        if standing is not None:
            own = first <= track.template_frame < stop
            seen.append(((_OWN_STAND if own else 1.0) * standing.mask.sum(), first, standing))
    if not seen:
        return None
    background = _background(scene, track, depth)
    for _, first, standing in sorted(seen, key=lambda s: -s[0]):
        T_camera_plane = support_under(standing, K, background)
        solid = None if T_camera_plane is None else solid_on_plane(standing, track.image, K, T_camera_plane)
        if solid is not None:
            return solid[0], first, solid[1]
    return None


def _background(scene: Scene, track: ObjectTrack, depth: np.ndarray) -> Float[np.ndarray, "H W"]:
    """z-depth of what is seen in most frames in which neither the object nor a hand is there."""
    frames = np.unique(np.linspace(0, len(depth) - 1, _LOOKED_AT).astype(int))
    taken = np.stack([track.visible(t, scene.hand_masks[t]) | (scene.hand_masks[t] > 0) for t in frames])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmedian(np.where(taken, np.nan, depth[frames]), axis=0)


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
    depth: np.ndarray,
    t: int,
    guess: np.ndarray,
) -> Float[np.ndarray, "4 4"]:
    """The pose in one frame: by matches, else by registration from a guess."""
    matched = _by_matches(track, template, K, depth, t)
    if matched is not None:
        return matched
    _, points = _surface(track.visible(t, scene.hand_masks[t]), depth[t], K)
    if len(points) < _MIN_POINTS:
        return guess
    carried, moved = guess.copy(), guess.copy()
    surface = transform(guess, template.surface)
    carried[:3, 3] *= 1.0 + (np.median(points[:, 2]) - np.median(surface[:, 2])) / guess[2, 3]
    moved[:3, 3] += np.median(points, axis=0) - np.median(surface, axis=0)
    found = [_register(template.surface, points, start) for start in (carried, moved)]
    misfit = [_misfit(template.surface, points, pose) for pose in found]
    # What is seen of it is seldom all of it: its middle is believed only where it fits clearly better.
    return found[1] if misfit[1] < _CLEARLY * misfit[0] else found[0]


def _misfit(surface: np.ndarray, points: np.ndarray, pose: np.ndarray) -> float:
    """Mean distance of points from a posed surface, m; far is far."""
    distance, _ = cKDTree(transform(pose, surface)).query(points, distance_upper_bound=_REACH_M)
    return float(np.minimum(distance, _REACH_M).mean())


def _carried(track: ObjectTrack, K: np.ndarray, last: np.ndarray, before: int, t: int) -> Float[np.ndarray, "4 4"]:
    """The last pose, moved and turned in the image as the silhouette did since."""
    a, b = track.affine[before], track.affine[t]
    turn = np.arctan2(b[1, 0], b[0, 0]) - np.arctan2(a[1, 0], a[0, 0])
    out = last.copy()
    out[:3, :3] = Rotation.from_euler("z", turn).as_matrix() @ last[:3, :3]
    was, now = (m[:, :2] @ box_centre(track) + m[:, 2] for m in (a, b))
    out[:3, 3] += unproject(K, now, last[2, 3]) - unproject(K, was, last[2, 3])
    return out


def _by_matches(
    track: ObjectTrack, template: _Template, K: np.ndarray, depth: np.ndarray, t: int
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
    """Point-to-plane ICP of a surface to points, coarse to fine; the guess where it does not hold.

    In plain numpy: a library's parallel sums differ from run to run, and a flat thing's slide along itself with them.
    """
    tree, normals = cKDTree(points), _normals(points)
    pose = guess
    for reach in (_REACH_M, _REACH_M / 3):
        for _ in range(_ICP_STEPS):
            moved = transform(pose, surface)
            distance, at = tree.query(moved, distance_upper_bound=reach)
            near = np.isfinite(distance)
            if near.mean() < _MIN_FITNESS:
                return guess
            p, q, n = moved[near], points[at[near]], normals[at[near]]
            middle = p.mean(0)
            radius = max(float(np.linalg.norm(p - middle, axis=1).mean()), 1e-6)
            J = np.concatenate([np.cross(p - middle, n) / radius, n], axis=1)
            # What the surface does not hold, such as a plate's slide along itself, stays as it was guessed.
            A = J.T @ J + _STAY * len(p) * np.eye(6)
            step = np.linalg.solve(A, J.T @ ((q - p) * n).sum(1))
            turn = Rotation.from_rotvec(step[:3] / radius).as_matrix()
            pose = make_T(turn, middle - turn @ middle + step[3:]) @ pose
            if np.abs(step).max() < 1e-6:
                break
    return pose


def _normals(points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
    """Direction in which the nearest points spread least."""
    _, at = cKDTree(points).query(points, k=min(_NEIGHBOURS, len(points)))
    around = points[at] - points[at].mean(1, keepdims=True)
    return np.asarray(np.linalg.eigh(np.einsum("nka,nkb->nab", around, around))[1][..., 0])


def _least_covered(scene: Scene, track: ObjectTrack, first: int, stop: int) -> int:
    """The frame of a standing span in which hands hide least; the template frame where it is one of them."""
    if first <= track.template_frame < stop:
        return track.template_frame
    frames = np.unique(np.linspace(first, stop - 1, 15).astype(int))
    silhouette = track.silhouette(first)
    return int(min(frames, key=lambda t: (scene.hand_masks[t][silhouette] > 0).sum()))
