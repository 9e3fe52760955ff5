"""Checks that need no simulation: how an object moves, how deep fingers are in it, what it is held and stood by."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from hoiset.builder.reconstruct.smoothing import runs, smooth
from hoiset.builder.retarget.replay.bodies import Body
from hoiset.builder.retarget.replay.gravity import plane_axes
from hoiset.builder.retarget.replay.records import Check, Mesh, ReplayClip
from hoiset.builder.retarget.replay.spans import Timeline
from hoiset.geometry import invert, transform
from hoiset.shards.schema import FINGERTIPS

SPEED_M_S = 3.2
ACCELERATION_M_S2 = 28.0
"""Peaks of a minimum-jerk movement (Flash & Hogan, 1985: 1.875 d / t and 5.77 d / t^2) over an arm's reach of 0.6 m in
0.35 s; whole-arm movements as fast as people can go reach about that."""
SMOOTH_S = 0.05
"""Of the path whose derivatives are taken: human movement is below about 6 Hz (Winter, 2009)."""
PENETRATION_M = 0.01
"""The joint at a fingertip is some 8 mm below the skin, and the skin gives way by as much again at most: a joint that
is inside by more says that hand or object is wrong."""
CONTACT_M = 0.02
CONTACT_SHARE = 0.9
DRIFT_M_S = 0.10
DRIFT_SHARE = 0.05
OVERHANG_M = 0.01
LEVEL_M = 0.005
"""Corners so near to the lowest one are what it stands on."""
PALM = (0, 5, 9, 13, 17)
QUANTILE = 0.95
"""Of speeds, accelerations and depths: single frames do not decide."""


def kinematic_checks(
    clip: ReplayClip, index: int, span: Timeline, body: Body, gravity: Float[np.ndarray, "3"] | None
) -> tuple[Check, ...]:
    """All checks of one object.

    Args:
        clip: The clip.
        index: Slot of the object.
        span: When it is held.
        body: Its solid.
        gravity: Camera frame, for what needs it.
    """
    pose, mesh = clip.pose[:, index], clip.meshes[index]
    assert mesh is not None
    speed, acceleration = _motion(clip.time, pose, body.centre, span)
    held = np.asarray(span.held.any(1))
    near = np.where(span.held, clip.contact[:, :, index], np.nan)
    return (
        Check("speed", speed, SPEED_M_S, "m/s"),
        Check("acceleration", acceleration, ACCELERATION_M_S2, "m/s2"),
        Check("penetration", _penetration(clip, pose, span.held, mesh), PENETRATION_M, "m"),
        Check("contact", _share(near <= CONTACT_M, np.isfinite(near)), CONTACT_SHARE, "", least=True),
        Check("drift", _drift(clip.time, pose, body.centre, held, clip.contact[:, :, index]), DRIFT_SHARE, ""),
        Check("overhang", _overhang(pose, span.resting, body, gravity), OVERHANG_M, "m"),
    )


def _share(good: Bool[np.ndarray, "*S"], judged: Bool[np.ndarray, "*S"]) -> float | None:
    return float((good & judged).sum() / judged.sum()) if judged.any() else None


def _motion(
    time: Float[np.ndarray, "T"], pose: Float[np.ndarray, "T 4 4"], centre: Float[np.ndarray, "3"], span: Timeline
) -> tuple[float | None, float | None]:
    """Speed and acceleration of the centre while it is held."""
    there = np.isfinite(pose).all((-1, -2))
    speeds, accelerations = list[np.ndarray](), list[np.ndarray]()
    for a, b in runs(span.held.any(1) & there):
        if b - a < 4:
            continue
        places = transform(pose[a:b], np.broadcast_to(centre, (b - a, 1, 3)))[:, 0]
        path = smooth(time[a:b], places, sigma_s=SMOOTH_S)
        velocity = np.gradient(path, time[a:b], axis=0)
        speeds.append(np.linalg.norm(velocity, axis=-1))
        accelerations.append(np.linalg.norm(np.gradient(velocity, time[a:b], axis=0), axis=-1)[1:-1])
    if not speeds:
        return None, None
    return float(np.quantile(np.concatenate(speeds), QUANTILE)), float(
        np.quantile(np.concatenate(accelerations), QUANTILE)
    )


def _penetration(
    clip: ReplayClip, pose: Float[np.ndarray, "T 4 4"], held: Bool[np.ndarray, "T 2"], mesh: Mesh
) -> float | None:
    """How deep fingertips and palm of the holding hands are in the mesh, m; 0 where they are outside."""
    deepest = list[np.ndarray]()
    for hand in range(2):
        joints = clip.joints[:, hand]
        seen = held[:, hand] & np.isfinite(joints).all((-1, -2)) & np.isfinite(pose).all((-1, -2))
        if seen.any():
            points = np.concatenate([joints[seen][:, FINGERTIPS], joints[seen][:, PALM].mean(1)[:, None]], 1)
            local = transform(invert(pose[seen]), points)
            deepest.append(depth_inside(mesh, local.reshape(-1, 3)).reshape(len(local), -1).max(1))
    return float(np.quantile(np.concatenate(deepest), QUANTILE)) if deepest else None


def depth_inside(mesh: Mesh, points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N"]:
    """How deep points are inside a mesh, m; 0 outside. A mesh with holes has an inside by most of several rays."""
    import open3d as o3d

    scene: Any = o3d.t.geometry.RaycastingScene()
    vertices, faces = mesh
    scene.add_triangles(
        o3d.core.Tensor.from_numpy(np.ascontiguousarray(vertices, np.float32)),
        o3d.core.Tensor.from_numpy(np.ascontiguousarray(faces, np.uint32)),
    )
    query = o3d.core.Tensor.from_numpy(np.ascontiguousarray(points, np.float32))
    distance = scene.compute_distance(query).numpy()
    votes = np.zeros(len(points), int)
    for direction in _DIRECTIONS:
        rays = np.concatenate([points, np.broadcast_to(direction, points.shape)], 1).astype(np.float32)
        votes += scene.count_intersections(o3d.core.Tensor.from_numpy(rays)).numpy() % 2
    return np.where(2 * votes > len(_DIRECTIONS), distance, 0.0).astype(np.float64)


_DIRECTIONS = np.array([[0.36, 0.48, 0.8], [-0.8, 0.36, -0.48], [0.48, -0.8, 0.36]])
"""Of the rays that tell inside from outside, along no axis of a mesh."""


def _drift(
    time: Float[np.ndarray, "T"],
    pose: Float[np.ndarray, "T 4 4"],
    centre: Float[np.ndarray, "3"],
    held: Bool[np.ndarray, "T"],
    contact: Float[np.ndarray, "T 2"],
) -> float | None:
    """Share of the frames without a hand near in which the object moves all the same: nothing then supports it."""
    there = np.isfinite(pose).all((-1, -2))
    alone = there & ~held & ~(contact <= 2.5 * CONTACT_M).any(1)
    if alone.sum() < 3:
        return None
    places = np.full((len(time), 3), np.nan)
    places[there] = transform(pose[there], np.broadcast_to(centre, (there.sum(), 1, 3)))[:, 0]
    with np.errstate(invalid="ignore"):
        speed = np.linalg.norm(np.gradient(smooth(time, places, sigma_s=SMOOTH_S), time, axis=0), axis=-1)
    return _share(speed > DRIFT_M_S, alone & np.isfinite(speed))


def _overhang(
    pose: Float[np.ndarray, "T 4 4"],
    resting: Bool[np.ndarray, "T"],
    body: Body,
    gravity: Float[np.ndarray, "3"] | None,
) -> float | None:
    """By how much the centre is beside what the object stands on while it rests, m: the median over frames."""
    if gravity is None or not resting.any():
        return None
    return float(np.median([overhang_m(body, T[:3, :3].T @ gravity) for T in pose[resting]]))


def overhang_m(body: Body, down: Float[np.ndarray, "3"]) -> float:
    """Distance of the centre's foot from the hull of the lowest corners, m; 0 inside. ``down``: object frame."""
    from scipy.spatial import ConvexHull, QhullError

    down = down / np.linalg.norm(down)
    depth = body.corners @ down
    axes = plane_axes(down)
    standing = body.corners[depth >= depth.max() - LEVEL_M] @ axes.T
    foot = axes @ body.centre
    try:
        edges = ConvexHull(standing).equations
    except (QhullError, ValueError):
        return float(np.linalg.norm(standing - foot, axis=-1).min())
    return max(0.0, float((edges[:, :2] @ foot + edges[:, 2]).max()))
