"""A CPU renderer for one moving hand and a few objects on a static set.

Primary and shadow rays go through open3d's ``RaycastingScene`` (Embree). The set is shaded once; in every frame only
its shadows are new. Light reaching the meshes is gathered per vertex and their colour per pixel; pixels on outlines are
supersampled.

**Convention:** everything is in the camera frame, m; colours are linear RGB.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hoiset.builder.studio.meshes import Actor, Hit, MeshScene
from hoiset.builder.studio.plate import is_wall, shade_set
from hoiset.builder.studio.sampling import disk, hemisphere, tangents
from hoiset.builder.studio.stage import Stage
from hoiset.geometry import project

_LIGHT_SAMPLES = 8
_SKY_SAMPLES = 5
_STRIDE = 3
_SKY_REACH_M = 0.16
_TINY_M = 6e-4


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


class Renderer:
    """Renders frames of one clip.

    Args:
        stage: Camera, set and light.
        seed: Of the shadow rays' jitter.
    """

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        rng = np.random.default_rng([seed, 77])
        self._light = stage.light_camera_m
        self._plate = shade_set(stage)
        self._lit = self._plate.albedo * (self._plate.direct + self._plate.ambient)
        self._set_rays = self._shadow_rays_of_set(rng)
        self._sky = hemisphere(_SKY_SAMPLES)
        self._disk = disk(_LIGHT_SAMPLES) * stage.light_radius_m

    def render(self, actors: list[Actor], vertices: list[Float[np.ndarray, "V 3"]]) -> Picture:
        """Render one frame.

        Args:
            actors: What is on the set; a vertex list each in ``vertices``, camera frame, m.
            vertices: Posed vertices.
        """
        scene = MeshScene(actors, vertices)
        rgb = self._lit_set(scene)
        depth, mask = self._plate.depth.copy(), np.zeros(self._plate.depth.shape, np.uint8)
        box = self._box(np.concatenate(vertices), margin=3)
        if box is None:
            return Picture(rgb, depth, mask)
        v0, v1, u0, u1 = box
        us, vs = np.meshgrid(np.arange(u0, u1, dtype=np.float64), np.arange(v0, v1, dtype=np.float64))
        hit = scene.cast(self._directions(us, vs))
        light = self._vertex_light(scene, hit)
        colour = self._shade(scene, hit, light)
        on = hit.geometry >= 0
        window = (slice(v0, v1), slice(u0, u1))
        mask[window][on] = scene.codes[hit.geometry[on]]
        depth[window][on] = hit.z[on]
        sharp = rgb[window].copy()
        sharp[on] = colour[on]
        self._smooth_outlines(scene, hit, light, rgb[window], sharp, us, vs)
        rgb[window] = sharp
        return Picture(rgb, depth, mask)

    def _directions(self, us: np.ndarray, vs: np.ndarray) -> np.ndarray:
        K = self.stage.K
        return np.stack([(us - K[0, 2]) / K[0, 0], (vs - K[1, 2]) / K[1, 1], np.ones_like(us)], -1)

    def _box(self, points: np.ndarray, margin: int) -> tuple[int, int, int, int] | None:
        """Pixel window (v0, v1, u0, u1) of camera-frame points, corners on the shadow grid; ``None`` out of view."""
        uv = project(self.stage.K, points[points[:, 2] > 0.05])
        if len(uv) == 0:
            return None
        (u0, v0), (u1, v1) = np.floor(uv.min(0)) - margin, np.ceil(uv.max(0)) + margin + 1
        h, w = self._plate.depth.shape
        u0, u1 = int(np.clip(u0, 0, w)) // _STRIDE * _STRIDE, int(np.clip(u1, 0, w))
        v0, v1 = int(np.clip(v0, 0, h)) // _STRIDE * _STRIDE, int(np.clip(v1, 0, h))
        return None if u1 - u0 < 2 or v1 - v0 < 2 else (v0, v1, u0, u1)

    def _smooth_outlines(
        self,
        scene: MeshScene,
        hit: Hit,
        light: np.ndarray,
        behind: np.ndarray,
        out: np.ndarray,
        us: np.ndarray,
        vs: np.ndarray,
    ) -> None:
        """Average four samples in every pixel on an outline; ``out`` is changed in place."""
        z = np.where(hit.geometry >= 0, hit.z, 100.0)
        edge = np.zeros(z.shape, bool)
        for axis in (0, 1):
            jump = np.abs(np.diff(z, axis=axis)) > 0.012
            lo, hi = [slice(None)] * 2, [slice(None)] * 2
            lo[axis], hi[axis] = slice(None, -1), slice(1, None)
            edge[tuple(lo)] |= jump
            edge[tuple(hi)] |= jump
        total = np.zeros((int(edge.sum()), 3))
        for du, dv in ((-0.375, -0.125), (0.125, -0.375), (0.375, 0.125), (-0.125, 0.375)):
            sub = scene.cast(self._directions(us[edge] + du, vs[edge] + dv))
            colour = self._shade(scene, sub, light)
            total += np.where((sub.geometry >= 0)[:, None], colour, behind[edge])
        out[edge] = total / 4.0

    def _vertex_light(self, scene: MeshScene, hit: Hit) -> Float[np.ndarray, "V 4"]:
        """Irradiance (RGB) and visibility of the light at every vertex of a triangle that is seen; others stay 0."""
        out = np.zeros((len(scene.vertices), 4))
        seen = scene.around(scene.corners(hit))
        if len(seen) == 0:
            return out
        p, n = scene.vertices[seen], scene.normals[seen]
        origin = p + n * _TINY_M
        to_light = self._light - p
        u, v = tangents(to_light)
        targets = self._light + self._disk[:, :1, None] * u + self._disk[:, 1:, None] * v
        visible = scene.unoccluded(origin, targets - origin, 0.999).mean(0)
        a, b = tangents(n)
        directions = self._sky[:, 0, None, None] * a + self._sky[:, 1, None, None] * b + self._sky[:, 2, None, None] * n
        sky = scene.unoccluded(origin, directions * _SKY_REACH_M, 1.0).mean(0)
        gap = p @ self.stage.planes()[0][0] - self.stage.planes()[0][1]
        up = n @ self.stage.planes()[0][0]
        near_table = np.exp(-np.maximum(gap, 0.0) / 0.04)
        sky *= 1.0 - near_table * np.clip(0.45 - 0.45 * up, 0.0, 1.0)
        cosine = (n * to_light).sum(-1) / np.linalg.norm(to_light, axis=-1)
        glow = scene.glow[seen]
        lit = np.maximum((cosine[:, None] + glow) / (1.0 + glow), 0.0)
        leak = visible[:, None] + (1.0 - visible[:, None]) * glow * 0.35
        bounce = 0.78 + 0.22 * up
        rgb = self.stage.light_colour * self._falloff(p)[:, None] * lit * leak
        ambient = self.stage.ambient_colour * (bounce * (0.25 + 0.75 * sky))[:, None]
        out[seen, :3] = rgb + ambient
        out[seen, 3] = visible
        return scene.smoothed(out, seen)

    def _falloff(self, p: np.ndarray) -> np.ndarray:
        reference = ((self._light - self.stage.T_camera_world[:3, 3]) ** 2).sum()
        return reference / ((self._light - p) ** 2).sum(-1)

    def _shade(self, scene: MeshScene, hit: Hit, light: np.ndarray) -> np.ndarray:
        """Linear RGB of hits; zero where nothing is hit."""
        out = np.zeros((*hit.geometry.shape, 3))
        on = hit.geometry >= 0
        corners = scene.corners(hit)
        w = np.stack([1.0 - hit.uv[on].sum(-1), hit.uv[on, 0], hit.uv[on, 1]], -1)

        def blend(values: np.ndarray) -> np.ndarray:
            return np.einsum("nk,nkc->nc", w, values[corners])

        normal = blend(scene.normals)
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
        lit = blend(light)
        point = blend(scene.vertices)
        to_light = self._light - point
        to_light /= np.linalg.norm(to_light, axis=-1, keepdims=True)
        half = to_light - point / np.linalg.norm(point, axis=-1, keepdims=True)
        half /= np.linalg.norm(half, axis=-1, keepdims=True)
        gloss = blend(scene.gloss[:, None])[:, 0]
        shine = np.maximum((normal * half).sum(-1), 0.0) ** (12.0 + 110.0 * gloss) * gloss * lit[:, 3]
        albedo = scene.albedo(blend, hit.geometry[on])
        out[on] = albedo * lit[:, :3] + shine[:, None] * self.stage.light_colour
        return out

    def _shadow_rays_of_set(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Origins (h, w, 3), light targets and sky rays (S, h, w, 3), one point in every 3x3 pixels."""
        rows, columns = (np.minimum(np.arange(1, n + 1, _STRIDE), n - 1) for n in self._plate.depth.shape)
        us, vs = np.meshgrid(columns.astype(float), rows.astype(float))
        points = self._directions(us, vs) * self._plate.depth[np.ix_(rows, columns)][..., None]
        on_wall = is_wall(self.stage, points)
        (up, _), (out, _) = self.stage.planes()
        normal = np.where(on_wall[..., None], out, up)
        origin = points + normal * _TINY_M
        turn = rng.uniform(0, 2 * np.pi, (*us.shape, 1))
        c, s = np.cos(turn), np.sin(turn)

        def turned(x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return (c * x - s * y) * a + (s * x + c * y) * b

        a, b = tangents(self._light - points)
        spots = disk(_LIGHT_SAMPLES) * self.stage.light_radius_m
        targets = np.stack([self._light + turned(x, y, a, b) - origin for x, y in spots])
        a, b = tangents(normal)
        sky = np.stack([turned(x, y, a, b) + z * normal for x, y, z in hemisphere(_SKY_SAMPLES)]) * _SKY_REACH_M
        return origin.astype(np.float32), targets.astype(np.float32), sky.astype(np.float32)

    def _lit_set(self, scene: MeshScene) -> Float[np.ndarray, "H W 3"]:
        """The set with this frame's shadows."""
        plate = self._plate
        box = self._box(self._reach(scene.vertices[::7]), margin=16)
        if box is None:
            return self._lit.copy()
        v0, v1, u0, u1 = box
        n_v, n_u = -(-(v1 - v0) // _STRIDE), -(-(u1 - u0) // _STRIDE)
        cells = (slice(v0 // _STRIDE, v0 // _STRIDE + n_v), slice(u0 // _STRIDE, u0 // _STRIDE + n_u))
        origin, targets, sky = self._set_rays
        share = []
        for rays, far in ((targets, 0.999), (sky, 1.0)):
            seen = scene.unoccluded(origin[cells], rays[:, cells[0], cells[1]], far).mean(0)
            seen = cv2.GaussianBlur(seen.astype(np.float32), (0, 0), 0.95, borderType=cv2.BORDER_REPLICATE)
            fine = cv2.resize(seen, (n_u * _STRIDE, n_v * _STRIDE), interpolation=cv2.INTER_LINEAR)
            share.append(fine[: v1 - v0, : u1 - u0, None])
        window = (slice(v0, v1), slice(u0, u1))
        out = self._lit.copy()
        shadowed = plate.direct[window] * share[0] + plate.ambient[window] * (0.2 + 0.8 * share[1])
        out[window] = plate.albedo[window] * shadowed
        return out

    def _reach(self, points: np.ndarray) -> np.ndarray:
        """The points, their shadows on table and wall, and a margin for the sky's occlusion."""
        out = [points]
        for n, d in self.stage.planes():
            ray = points - self._light
            t = (d - self._light @ n) / np.where(np.abs(ray @ n) > 1e-6, ray @ n, 1e-6)
            landing = self._light + ray * np.clip(t, 1.0, 3.0)[:, None]
            out += [landing, points + np.clip(d - points @ n, -0.2, 0.0)[:, None] * n]
        return np.concatenate(out)
