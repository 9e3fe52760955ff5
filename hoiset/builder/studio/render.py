"""A CPU renderer for hands and things on a static set.

Primary and shadow rays go through open3d's ``RaycastingScene`` (Embree). What never moves is shaded once; in every
frame only shadows on it are new. Light reaching the meshes is gathered per vertex and their colour per pixel; pixels on
outlines are supersampled.

**Convention:** everything is in the camera frame, m; colours are linear RGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hoiset.builder.studio.lighting import (
    LIGHT_SAMPLES,
    SKY_REACH_M,
    SKY_SAMPLES,
    TINY_M,
    Shade,
    free,
    shade,
    vertex_light,
)
from hoiset.builder.studio.meshes import Actor, Hit, MeshScene
from hoiset.builder.studio.plate import Plate, pixel_rays, shade_set
from hoiset.builder.studio.sampling import disk, hemisphere, tangents
from hoiset.builder.studio.stage import Stage
from hoiset.geometry import project

_SUBPIXELS = np.array([(-0.375, -0.125), (0.125, -0.375), (0.375, 0.125), (-0.125, 0.375)])
_STEP_M = 0.012
_OPEN_SKY = 0.2  # what an occluded sky still gives


@dataclass(frozen=True)
class Picture:
    """One rendered frame.

    Attributes:
        rgb: (H, W, 3) linear RGB, noise-free.
        depth_m: (H, W) z-depth.
        mask: (H, W) actor codes, 0 = set.
    """

    rgb: Float[np.ndarray, "H W 3"]
    depth_m: Float[np.ndarray, "H W"]
    mask: UInt8[np.ndarray, "H W"]


@dataclass(frozen=True)
class _ShadowRays:
    """Rays from one point in every few pixels of the plate: origins (h, w, 3), to lamp and sky (S, h, w, 3)."""

    origin: np.ndarray
    lamp: np.ndarray
    sky: np.ndarray


class Renderer:
    """Renders frames of one clip.

    Args:
        stage: Camera, set and light.
        seed: Of the shadow rays' jitter.
        actors: What stands there throughout.
        vertices: Its vertices, camera frame, m.
    """

    def __init__(
        self,
        stage: Stage,
        seed: int,
        actors: Sequence[Actor] = (),
        vertices: Sequence[Float[np.ndarray, "V 3"]] = (),
    ) -> None:
        self.stage = stage
        self._light = stage.light_camera_m
        self._stride = max(3, round(min(stage.width, stage.height) / 150))
        self._still = MeshScene(actors, vertices)
        self._seed = seed
        self._plate = shade_set(stage)
        self._shadow_rays = self._rays_of_plate()
        if len(actors):
            self._plate = self._with_still(self._plate)
            self._shadow_rays = self._rays_of_plate()
        self._lit = self._plate.direct + self._plate.ambient

    def render(self, actors: Sequence[Actor], vertices: Sequence[Float[np.ndarray, "V 3"]]) -> Picture:
        """Render one frame.

        Args:
            actors: What is there besides what always stands there; a vertex list each in ``vertices``.
            vertices: Posed vertices, camera frame, m.
        """
        plate, scene = self._plate, MeshScene(actors, vertices)
        direct, ambient = self._shadowed(scene)
        rgb = self._lit.copy() if direct is None or ambient is None else direct + ambient
        depth, mask = plate.depth.copy(), plate.mask.copy()
        box = self._box(scene.vertices, margin=3)
        if box is None:
            return Picture(rgb, depth, mask)
        window = (slice(box[0], box[1]), slice(box[2], box[3]))
        us, vs = self._pixels(window)
        hit = scene.cast(pixel_rays(self.stage, us, vs))
        hit = hit.kept(hit.z < depth[window])
        light = vertex_light(scene, [self._still], self.stage, self._light, hit)
        on = hit.on
        sharp = rgb[window].copy()
        sharp[on] = shade(scene, self.stage, self._light, hit, light).total
        edge = _outline(hit)
        sub = scene.cast(self._subpixel_rays(us[edge], vs[edge]))
        sub = sub.kept(sub.z < depth[window][edge])
        behind = np.broadcast_to(rgb[window][edge], (len(_SUBPIXELS), int(edge.sum()), 3)).copy()
        behind[sub.on] = shade(scene, self.stage, self._light, sub, light).total
        sharp[edge] = behind.mean(0)
        rgb[window] = sharp
        mask[window][on] = scene.codes[hit.geometry[on]]
        depth[window][on] = hit.z[on]
        return Picture(rgb, depth, mask)

    def _with_still(self, plate: Plate) -> Plate:
        """The set with what always stands there: its shadows first, then itself."""
        scene = self._still
        direct, ambient = self._shadowed(scene)
        if direct is None or ambient is None:
            direct, ambient = plate.direct.copy(), plate.ambient.copy()
        depth, mask, normals = plate.depth.copy(), plate.mask.copy(), plate.normals.copy()
        us, vs = self._pixels((slice(0, self.stage.height), slice(0, self.stage.width)))
        hit = scene.cast(pixel_rays(self.stage, us, vs))
        hit = hit.kept(hit.z < depth)
        light = vertex_light(scene, [], self.stage, self._light, hit)
        edge, on = _outline(hit), hit.on
        sub = scene.cast(self._subpixel_rays(us[edge], vs[edge]))
        sub = sub.kept(sub.z < np.where(np.isfinite(depth[edge]), depth[edge], np.inf))
        whole: Shade = shade(scene, self.stage, self._light, hit, light)
        parts: Shade = shade(scene, self.stage, self._light, sub, light)
        for picture, sharp, fine in ((direct, whole.direct, parts.direct), (ambient, whole.ambient, parts.ambient)):
            mixed = np.broadcast_to(picture[edge], (len(_SUBPIXELS), int(edge.sum()), 3)).copy()
            mixed[sub.on] = fine
            picture[on] = sharp
            picture[edge] = mixed.mean(0)
        normals[on] = scene.blender(hit)(scene.normals)
        mask[on] = scene.codes[hit.geometry[on]]
        depth[on] = hit.z[on]
        return Plate(direct, ambient, depth, normals, mask)

    def _pixels(self, window: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = (np.arange(s.start, s.stop, dtype=np.float64) for s in window)
        us, vs = np.meshgrid(columns, rows)
        return us, vs

    def _subpixel_rays(self, us: np.ndarray, vs: np.ndarray) -> Float[np.ndarray, "4 N 3"]:
        return pixel_rays(self.stage, us + _SUBPIXELS[:, :1], vs + _SUBPIXELS[:, 1:])

    def _box(self, points: np.ndarray, margin: int) -> tuple[int, int, int, int] | None:
        """Pixel window (v0, v1, u0, u1) of camera-frame points, corners on the shadow grid; ``None`` out of view."""
        uv = project(self.stage.K, points[points[:, 2] > 0.05])
        if len(uv) == 0:
            return None
        (u0, v0), (u1, v1) = np.floor(uv.min(0)) - margin, np.ceil(uv.max(0)) + margin + 1
        (h, w), step = self._plate.depth.shape, self._stride
        u0, u1 = int(np.clip(u0, 0, w)) // step * step, int(np.clip(u1, 0, w))
        v0, v1 = int(np.clip(v0, 0, h)) // step * step, int(np.clip(v1, 0, h))
        return None if u1 - u0 < 2 or v1 - v0 < 2 else (v0, v1, u0, u1)

    def _rays_of_plate(self) -> _ShadowRays:
        plate, rng = self._plate, np.random.default_rng([self._seed, 77])
        rows, columns = (np.minimum(np.arange(1, n + self._stride, self._stride), n - 1) for n in plate.depth.shape)
        us, vs = np.meshgrid(columns.astype(float), rows.astype(float))
        points = pixel_rays(self.stage, us, vs) * plate.depth[np.ix_(rows, columns)][..., None]
        normal = plate.normals[np.ix_(rows, columns)]
        normal = normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
        origin = points + normal * TINY_M
        turn = rng.uniform(0, 2 * np.pi, (*us.shape, 1))
        c, s = np.cos(turn), np.sin(turn)

        def turned(x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return (c * x - s * y) * a + (s * x + c * y) * b

        a, b = tangents(self._light - points)
        spots = disk(LIGHT_SAMPLES) * self.stage.light_radius_m
        lamp = np.stack([self._light + turned(x, y, a, b) - origin for x, y in spots])
        a, b = tangents(normal)
        sky = np.stack([turned(x, y, a, b) + z * normal for x, y, z in hemisphere(SKY_SAMPLES)]) * SKY_REACH_M
        return _ShadowRays(*(x.astype(np.float32) for x in (origin, lamp, sky)))

    def _shadowed(self, scene: MeshScene) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
        """Both parts of the plate with the shadows of a scene; ``None`` where it throws none into the image."""
        box = self._box(self._reach(scene.vertices[::7]), margin=16)
        if box is None:
            return None, None
        v0, v1, u0, u1 = box
        step, plate = self._stride, self._plate
        n_v, n_u = -(-(v1 - v0) // step), -(-(u1 - u0) // step)
        cells = (slice(v0 // step, v0 // step + n_v), slice(u0 // step, u0 // step + n_u))
        window = (slice(v0, v1), slice(u0, u1))
        rays, out = self._shadow_rays, []
        for part, towards, far, least in (
            (plate.direct, rays.lamp, 0.999, 0.0),
            (plate.ambient, rays.sky, 1.0, _OPEN_SKY),
        ):
            share = free([scene], rays.origin[cells], towards[:, cells[0], cells[1]], far)
            share = cv2.GaussianBlur(share.astype(np.float32), (0, 0), 0.95, borderType=cv2.BORDER_REPLICATE)
            fine = cv2.resize(share, (n_u * step, n_v * step), interpolation=cv2.INTER_LINEAR)
            picture = part.copy()
            picture[window] *= least + (1.0 - least) * fine[: v1 - v0, : u1 - u0, None]
            out.append(picture)
        return out[0], out[1]

    def _reach(self, points: np.ndarray) -> np.ndarray:
        """The points, their shadows on table and wall, and a margin for the sky's occlusion."""
        out = [points]
        for n, d in self.stage.planes():
            ray = points - self._light
            t = (d - self._light @ n) / np.where(np.abs(ray @ n) > 1e-6, ray @ n, 1e-6)
            landing = self._light + ray * np.clip(t, 1.0, 3.0)[:, None]
            out += [landing, points + np.clip(d - points @ n, -0.2, 0.0)[:, None] * n]
        return np.concatenate(out)


def _outline(hit: Hit) -> np.ndarray:
    """Pixels beside one at which another thing, or the same one at another depth, is hit."""
    z = np.where(hit.on, hit.z, 100.0)
    edge = np.zeros(z.shape, bool)
    for axis in (0, 1):
        jump = (np.abs(np.diff(z, axis=axis)) > _STEP_M) | (np.diff(hit.geometry, axis=axis) != 0)
        lo, hi = [slice(None)] * 2, [slice(None)] * 2
        lo[axis], hi[axis] = slice(None, -1), slice(1, None)
        edge[tuple(lo)] |= jump
        edge[tuple(hi)] |= jump
    return edge
