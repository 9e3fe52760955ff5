"""The set of a clip: a static camera that looks down at a table in front of a wall, and an area light.

**Convention:** the world frame has z up, its origin on the table in front of the camera, x to the camera's right, m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.params import StudioParams
from hoiset.builder.studio.texture import Texture, srgb, table_texture, wall_texture
from hoiset.geometry import make_T, transform

_NEAREST_M = 0.62


@dataclass(frozen=True)
class Stage:
    """Camera, surroundings and light.

    Attributes:
        K: (3, 3) intrinsics, px.
        width: px.
        height: px.
        T_camera_world: (4, 4).
        wall_y_m: The wall is the plane y = wall_y_m, the table the plane z = 0.
        table: Texture over world points of the table.
        wall: Texture over world points of the wall.
        light_m: (3,) centre of the area light, world.
        light_radius_m: Its radius.
        light_colour: (3,) irradiance of a surface that faces it from the origin's distance.
        ambient_colour: (3,) irradiance from everywhere else.
    """

    K: Float[np.ndarray, "3 3"]
    width: int
    height: int
    T_camera_world: Float[np.ndarray, "4 4"]
    wall_y_m: float
    table: Texture
    wall: Texture
    light_m: Float[np.ndarray, "3"]
    light_radius_m: float
    light_colour: Float[np.ndarray, "3"]
    ambient_colour: Float[np.ndarray, "3"]

    @property
    def gravity(self) -> Float[np.ndarray, "3"]:
        """Unit gravity in the camera frame."""
        return -self.T_camera_world[:3, 2]

    @property
    def light_camera_m(self) -> Float[np.ndarray, "3"]:
        """Centre of the light in the camera frame."""
        return transform(self.T_camera_world, self.light_m[None])[0]

    def planes(self) -> tuple[tuple[np.ndarray, float], tuple[np.ndarray, float]]:
        """Table and wall as (unit normal n, offset d) with n . p = d in the camera frame; normals face the camera."""
        R, t = self.T_camera_world[:3, :3], self.T_camera_world[:3, 3]
        up, out = R[:, 2], -R[:, 1]
        return (up, float(up @ t)), (out, float(out @ t) - self.wall_y_m)


def build_stage(params: StudioParams, rng: np.random.Generator) -> Stage:
    """Draw a set: unless fixed, 38-50 degrees of elevation and a focal length of 0.9-1.4 of the width.

    The camera stands as far away as it must for the table's middle to fill the image, but never among the hands.

    Args:
        params: Image size, and what is fixed of the camera.
        rng: Source of everything else.
    """
    elevation = np.deg2rad(rng.uniform(38.0, 50.0))
    focal_ratio, view_width = rng.uniform(0.9, 1.4), rng.uniform(0.62, 0.74)
    elevation = elevation if params.elevation_rad is None else params.elevation_rad
    focal_ratio = focal_ratio if params.focal_ratio is None else params.focal_ratio
    focal = focal_ratio * params.width_px
    K = np.array([[focal, 0, (params.width_px - 1) / 2], [0, focal, (params.height_px - 1) / 2], [0, 0, 1.0]])
    aspect = params.width_px / params.height_px
    distance = max(focal_ratio * view_width * max(1.0, aspect * 0.75), _NEAREST_M)
    azimuth = np.deg2rad(rng.uniform(-12.0, 12.0))
    azimuth = azimuth if params.azimuth_rad is None else params.azimuth_rad
    target = np.array([0.0, 0.02, 0.06])
    offset = np.array([np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)])
    T_camera_world = look_at(target + distance * offset, target)
    warmth = rng.uniform(-1.0, 1.0)
    light = np.array([rng.uniform(-0.7, 0.7), rng.uniform(-0.5, 0.15), rng.uniform(1.0, 1.4)])
    tint = np.array([1.0 + 0.08 * warmth, 1.0, 1.0 - 0.10 * warmth])
    key = rng.uniform(0.62, 0.80)
    return Stage(
        K=K,
        width=params.width_px,
        height=params.height_px,
        T_camera_world=T_camera_world,
        wall_y_m=rng.uniform(0.40, 0.75),
        table=table_texture(rng),
        wall=wall_texture(rng),
        light_m=light,
        light_radius_m=rng.uniform(0.10, 0.22),
        light_colour=tint * key,
        ambient_colour=(2.0 - tint) * (1.06 - key) * srgb(250, 252, 255),
    )


def look_at(eye: Float[np.ndarray, "3"], target: Float[np.ndarray, "3"]) -> Float[np.ndarray, "4 4"]:
    """``T_camera_world`` of an upright camera at ``eye`` that looks at ``target`` (world, m)."""
    z = (target - eye) / np.linalg.norm(target - eye)
    x = np.cross(z, np.array([0.0, 0.0, 1.0]))
    x /= np.linalg.norm(x)
    R = np.stack([x, np.cross(z, x), z])
    return make_T(R, -R @ eye)
