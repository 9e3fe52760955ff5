"""Which way is down, where nobody says: across the flat side that an object stands on, or level between its places."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from hoiset.builder.retarget.replay.bodies import Body
from hoiset.geometry import make_T

CAMERA_CONE_RAD = float(np.deg2rad(35.0))
"""How far down may be from the arc between the image's lower edge and the viewing direction: cameras are rolled little
and look level or down."""
LEAST_MOVE_M = 0.08
PITCH_DEG = (-10.0, 60.0)
LEVEL_SHARE = 0.2
"""How much resting places may differ in height against how far they are apart in depth."""
FLAT_RAD = float(np.deg2rad(4.0))
LEAST_SHARE = 0.25
"""A side that stands is at least so large against the shadow that the object throws on it."""
CLEAR = 1.5
"""How much better the best side has to be than any other."""


def gravity_from_rest(body: Body, R_camera_object: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3"] | None:
    """Direction of gravity in the camera frame from an object at rest.

    Every flat side of the hull is a candidate, if the centre is above it and a camera could stand that way. The sides
    are compared by their area against the object's shadow on them.

    Returns:
        Unit vector; ``None`` where no side stands out.
    """
    from scipy.spatial import ConvexHull

    hull = ConvexHull(body.corners)
    normals, found = hull.equations[:, :3], list[tuple[float, np.ndarray]]()
    seen = np.zeros(len(normals), bool)
    for i in np.argsort(-_areas(hull.points[hull.simplices]), kind="stable"):
        same = (normals @ normals[i] > np.cos(FLAT_RAD)) & ~seen
        if seen[i]:
            continue
        seen |= same
        corners = hull.points[np.unique(hull.simplices[same])]
        share = _standing_share(corners, body, normals[i])
        down = R_camera_object @ normals[i]
        if share >= LEAST_SHARE and _from_camera(down) <= CAMERA_CONE_RAD:
            found.append((share * np.cos(_from_camera(down)), down))
    found.sort(key=lambda side: -side[0])
    if not found or (len(found) > 1 and found[0][0] < CLEAR * found[1][0]):
        return None
    return np.asarray(found[0][1] / np.linalg.norm(found[0][1]))


def gravity_from_places(places: Float[np.ndarray, "K 3"]) -> Float[np.ndarray, "3"] | None:
    """Direction of gravity in the camera frame from places that an object rests at, taken to be equally high.

    The camera is taken to have no roll, so that only its pitch is to be found; a place on a shelf misleads.

    Args:
        places: Of the object's centre, camera frame, m.

    Returns:
        Unit vector; ``None`` where the places are too near each other in depth, or no pitch makes them level.
    """
    moves = places[1:] - places[0]
    deep = np.abs(moves[:, 2]).max(initial=0.0)
    if deep < LEAST_MOVE_M:
        return None
    pitches = np.deg2rad(np.arange(PITCH_DEG[0], PITCH_DEG[1] + 0.05, 0.1))
    rises = np.cos(pitches)[:, None] * moves[:, 1] + np.sin(pitches)[:, None] * moves[:, 2]
    off = np.sqrt((rises**2).mean(1))
    best = int(off.argmin())
    if best in (0, len(pitches) - 1) or off[best] > LEVEL_SHARE * deep:
        return None
    return np.array([0.0, np.cos(pitches[best]), np.sin(pitches[best])])


def _areas(corners: Float[np.ndarray, "F 3 3"]) -> Float[np.ndarray, "F"]:
    return 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1)


def _standing_share(corners: Float[np.ndarray, "K 3"], body: Body, normal: Float[np.ndarray, "3"]) -> float:
    """Area of a side against the shadow on it; 0 where the centre is not above it."""
    from scipy.spatial import ConvexHull, QhullError

    axes = plane_axes(normal)
    try:
        side, shadow = ConvexHull(corners @ axes.T), ConvexHull(body.corners @ axes.T)
    except QhullError:
        return 0.0
    above = (side.equations[:, :2] @ (axes @ body.centre) + side.equations[:, 2] <= 0).all()
    return float(side.volume / shadow.volume) if above else 0.0


def plane_axes(normal: Float[np.ndarray, "3"]) -> Float[np.ndarray, "2 3"]:
    """Two unit vectors across ``normal``."""
    helper = np.eye(3)[int(np.abs(normal).argmin())]
    first = np.cross(normal, helper)
    first = first / np.linalg.norm(first)
    return np.stack([first, np.cross(normal, first)])


def _from_camera(down: Float[np.ndarray, "3"]) -> float:
    """Angle to the nearest direction that a camera without roll, looking level or down, has for down."""
    pitch = np.arctan2(np.maximum(down[2], 0.0), np.maximum(down[1], 0.0)) if max(down[1], down[2]) > 0 else 0.0
    nearest = np.array([0.0, np.cos(pitch), np.sin(pitch)])
    return float(np.arccos(np.clip(down @ nearest, -1.0, 1.0)))


def world_from_camera(gravity: Float[np.ndarray, "3"], centre: Float[np.ndarray, "3"]) -> Float[np.ndarray, "4 4"]:
    """``T_world_camera`` of a world with z up and its origin at ``centre`` (camera frame)."""
    up = -gravity / np.linalg.norm(gravity)
    first, second = plane_axes(up)
    R = np.stack([first, second, up])
    return make_T(R, -R @ centre)
