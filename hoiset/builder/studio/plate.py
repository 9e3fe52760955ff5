"""What never moves in a clip, shaded once: table, wall, and the things that stand there throughout.

**Convention:** camera frame, m; linear RGB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoiset.builder.studio.stage import Stage
from hoiset.geometry import invert, transform


@dataclass(frozen=True)
class Plate:
    """A picture of what never moves, apart into what a new shadow takes away and what it does not.

    Attributes:
        direct: (H, W, 3) light that comes straight from the lamp, as the camera sees it.
        ambient: (H, W, 3) the rest.
        depth: (H, W) z-depth.
        normals: (H, W, 3) towards the camera's side.
        mask: (H, W) actor codes, 0 = set.
    """

    direct: Float[np.ndarray, "H W 3"]
    ambient: Float[np.ndarray, "H W 3"]
    depth: Float[np.ndarray, "H W"]
    normals: Float[np.ndarray, "H W 3"]
    mask: UInt8[np.ndarray, "H W"]


def is_wall(stage: Stage, points: Float[np.ndarray, "*B 3"]) -> Bool[np.ndarray, "*B"]:
    """Whether points of the set lie on the wall, not on the table."""
    (_, _), (out, d) = stage.planes()
    return np.abs(points @ out - d) < 1e-6


def pixel_rays(stage: Stage, us: np.ndarray, vs: np.ndarray) -> Float[np.ndarray, "*B 3"]:
    """Directions of pixels, with unit z."""
    K = stage.K
    return np.stack([(us - K[0, 2]) / K[0, 0], (vs - K[1, 2]) / K[1, 1], np.ones_like(us)], -1)


def shade_set(stage: Stage) -> Plate:
    """The empty set: two samples of colour a pixel, no shadows."""
    (up, table_d), (out, wall_d) = stage.planes()
    us, vs = np.meshgrid(np.arange(stage.width, dtype=np.float64), np.arange(stage.height, dtype=np.float64))
    T_world_camera = invert(stage.T_camera_world)

    def hit(du: float, dv: float) -> np.ndarray:
        ray = pixel_rays(stage, us + du, vs + dv)
        down, back = ray @ up, ray @ out
        t_table = np.where(down < -1e-6, table_d / np.where(down < -1e-6, down, -1.0), np.inf)
        t_wall = np.where(back < -1e-6, wall_d / np.where(back < -1e-6, back, -1.0), np.inf)
        return ray * np.minimum(t_table, t_wall)[..., None]

    albedo = np.zeros((stage.height, stage.width, 3))
    for du, dv in ((-0.25, -0.25), (0.25, 0.25)):
        points = hit(du, dv)
        wall = is_wall(stage, points)
        world = transform(T_world_camera, points.reshape(-1, 3)).reshape(points.shape)
        albedo[wall] += stage.wall(world[wall]) / 2
        albedo[~wall] += stage.table(world[~wall]) / 2
    points = hit(0.0, 0.0)
    normal = np.where(is_wall(stage, points)[..., None], out, up)
    to_light = stage.light_camera_m - points
    distance = np.linalg.norm(to_light, axis=-1)
    cosine = np.maximum((normal * to_light).sum(-1) / distance, 0.0)
    reference = ((stage.light_camera_m - stage.T_camera_world[:3, 3]) ** 2).sum()
    direct = albedo * (cosine * reference / distance**2)[..., None] * stage.light_colour
    ambient = albedo * stage.ambient_colour
    mask = np.zeros(points.shape[:2], np.uint8)
    return Plate(direct.astype(np.float32), ambient.astype(np.float32), points[..., 2], normal, mask)
