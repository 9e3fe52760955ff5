"""Things on a table, seen from above with exact depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh

from hoiset.builder.studio import RgbdCamera, Solid
from hoiset.geometry import make_T, transform

WIDTH, HEIGHT = 240, 180
K = np.array([[300.0, 0.0, 119.5], [0.0, 300.0, 89.5], [0.0, 0.0, 1.0]])


def table_pose(elevation_deg: float = 45.0, distance_m: float = 0.8) -> np.ndarray:
    """``T_camera_table``: z up, the origin in the middle of the picture."""
    e = np.radians(elevation_deg)
    up = np.array([0.0, -np.cos(e), -np.sin(e)])
    x = np.array([1.0, 0.0, 0.0])
    return make_T(np.column_stack([x, np.cross(up, x), up]), np.array([0.0, 0.0, distance_m]))


@dataclass(frozen=True)
class Shot:
    """One frame: of the thing, its pixels and its depth, and the table behind."""

    rgb: np.ndarray
    mask: np.ndarray
    depth_m: np.ndarray
    background_m: np.ndarray
    T_camera_table: np.ndarray
    centre: np.ndarray
    size_m: np.ndarray


def shoot(mesh: trimesh.Trimesh, turn_deg: float = 25.0, lift_m: float = 0.0, elevation_deg: float = 45.0) -> Shot:
    """A thing, given with z up, stands on a table, turned about z, or floats above it."""
    mesh = mesh.copy()
    mesh.apply_transform(trimesh.transformations.rotation_matrix(np.radians(turn_deg), [0, 0, 1]))
    mesh.apply_translation([0, 0, lift_m - mesh.bounds[0, 2]])
    T = table_pose(elevation_deg)
    top = trimesh.creation.box((2.0, 2.0, 0.01))
    top.apply_translation([0, 0, -0.005])
    camera = RgbdCamera(K, WIDTH, HEIGHT)
    table = (Solid(top.vertices, top.faces, np.full((len(top.vertices), 3), 0.4)), T)
    thing = (Solid(mesh.vertices, mesh.faces, np.full((len(mesh.vertices), 3), 0.8)), T)
    frame, empty = camera.render([thing, table]), camera.render([table])
    return Shot(
        frame.rgb,
        frame.mask == 1,
        np.where(frame.depth_m > 0, frame.depth_m, np.nan),
        np.where(empty.depth_m > 0, empty.depth_m, np.nan),
        T,
        transform(T, mesh.bounds.mean(0)[None])[0],
        np.sort(trimesh.bounds.oriented_bounds(mesh)[1]),
    )


def box() -> trimesh.Trimesh:
    """A carton."""
    return trimesh.creation.box((0.10, 0.066, 0.09))


def book() -> trimesh.Trimesh:
    """A flat box."""
    return trimesh.creation.box((0.18, 0.12, 0.03))


def can() -> trimesh.Trimesh:
    """A cylinder."""
    return trimesh.creation.cylinder(0.04, 0.12, sections=64)


def plate() -> trimesh.Trimesh:
    """A flat plate with a rim."""
    profile = [[0, 0], [0.06, 0], [0.1, 0.022], [0.096, 0.022], [0.058, 0.005], [0, 0.005]]
    return trimesh.creation.revolve(np.array(profile), sections=64)


def bottle() -> trimesh.Trimesh:
    """A bottle with a neck."""
    profile = [[0, 0], [0.034, 0], [0.034, 0.11], [0.014, 0.15], [0.014, 0.2], [0, 0.2]]
    return trimesh.creation.revolve(np.array(profile), sections=64)


def mug() -> trimesh.Trimesh:
    """A solid cylinder with a handle."""
    body = trimesh.creation.cylinder(0.04, 0.09, sections=64)
    handle = trimesh.creation.torus(0.022, 0.005, major_sections=48, minor_sections=16)
    handle.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    handle.apply_translation([0.045, 0.0, 0.0])
    return trimesh.util.concatenate([body, handle])
