"""A CPU renderer for one moving hand and a few objects on a static set.

Primary and shadow rays go through open3d's ``RaycastingScene`` (Embree). The set is shaded once; in every frame only its
shadows are new. Light reaching the meshes is gathered per vertex and their colour per pixel; pixels on outlines are
supersampled.

**Convention:** everything is in the camera frame, m; colours are linear RGB until :func:`develop`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8, UInt16

from hoiset.builder.studio.stage import Stage
from hoiset.builder.studio.surface_nets import vertex_normals
from hoiset.builder.studio.texture import Texture
from hoiset.geometry import invert, project, transform

_LIGHT_SAMPLES = 10
_SKY_SAMPLES = 6
_SKY_REACH_M = 0.16
_TINY_M = 6e-4


@dataclass(frozen=True)
class Actor:
    """A mesh that is rendered.

    Attributes:
        code: Its value in the masks.
        rest: (V, 3) vertices in the frame in which ``texture`` is defined.
        faces: (F, 3).
        albedo: (V, 3) linear RGB of the vertices, or ``None`` where ``texture`` is given.
        texture: Linear RGB of points of ``rest``'s frame.
        gloss: (V,) strength of the highlight.
        glow: (3,) light that leaks through: how far past the terminator each channel is still lit.
    """

    code: int
    rest: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    albedo: Float[np.ndarray, "V 3"] | None
    texture: Texture | None
    gloss: Float[np.ndarray, "V"]
    glow: Float[np.ndarray, "3"]


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
class _Plate:
    albedo: np.ndarray
    direct: np.ndarray
    ambient: np.ndarray
    depth: np.ndarray


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
        self._plate = _shade_set(stage)
        self._half = self._plate.depth[::2, ::2]
        self._set_rays = self._shadow_rays_of_set(rng)
        self._sky = _hemisphere(_SKY_SAMPLES)
        self._disk = _disk(_LIGHT_SAMPLES) * stage.light_radius_m

    def render(self, actors: list[Actor], vertices: list[Float[np.ndarray, "V 3"]]) -> Picture:
        """Render one frame.

        Args:
            actors: What is on the set; a vertex list each in ``vertices``, camera frame, m.
            vertices: Posed vertices.
        """
        scene = _Scene(actors, vertices)
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
        """Pixel window (v0, v1, u0, u1) of camera-frame points, even corners; ``None`` when out of view."""
        uv = project(self.stage.K, points[points[:, 2] > 0.05])
        if len(uv) == 0:
            return None
        (u0, v0), (u1, v1) = np.floor(uv.min(0)) - margin, np.ceil(uv.max(0)) + margin + 1
        h, w = self._plate.depth.shape
        u0, u1 = int(np.clip(u0, 0, w)) & ~1, int(np.clip(u1, 0, w))
        v0, v1 = int(np.clip(v0, 0, h)) & ~1, int(np.clip(v1, 0, h))
        return None if u1 - u0 < 2 or v1 - v0 < 2 else (v0, v1, u0, u1)

    def _smooth_outlines(
        self, scene: _Scene, hit: _Hit, light: np.ndarray, behind: np.ndarray, out: np.ndarray, us: np.ndarray, vs: np.ndarray
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

    def _vertex_light(self, scene: _Scene, hit: _Hit) -> Float[np.ndarray, "V 4"]:
        """Irradiance (RGB) and visibility of the light at every vertex of a triangle that is seen; others stay 0."""
        out = np.zeros((len(scene.vertices), 4))
        seen = np.unique(scene.corners(hit).reshape(-1))
        seen = np.unique(scene.faces[np.isin(scene.faces, seen).any(-1)]) if len(seen) else seen
        if len(seen) == 0:
            return out
        p, n = scene.vertices[seen], scene.normals[seen]
        origin = p + n * _TINY_M
        to_light = self._light - p
        u, v = _tangents(to_light)
        targets = self._light + self._disk[:, :1, None] * u + self._disk[:, 1:, None] * v
        visible = scene.unoccluded(origin, targets - origin, 0.999).mean(0)
        a, b = _tangents(n)
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

    def _shade(self, scene: _Scene, hit: _Hit, light: np.ndarray) -> np.ndarray:
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
        """Origins (h, w, 3), light targets and sky rays (S, h, w, 3) at half resolution."""
        h, w = self._half.shape
        us, vs = np.meshgrid(np.arange(w) * 2.0 + 0.5, np.arange(h) * 2.0 + 0.5)
        points = self._directions(us, vs) * self._half[..., None]
        on_wall = _is_wall(self.stage, points)
        (up, _), (out, _) = self.stage.planes()
        normal = np.where(on_wall[..., None], out, up)
        origin = points + normal * _TINY_M
        turn = rng.uniform(0, 2 * np.pi, (h, w, 1))
        c, s = np.cos(turn), np.sin(turn)

        def turned(x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return (c * x - s * y) * a + (s * x + c * y) * b

        a, b = _tangents(self._light - points)
        disk = _disk(_LIGHT_SAMPLES) * self.stage.light_radius_m
        targets = np.stack([self._light + turned(x, y, a, b) - origin for x, y in disk])
        a, b = _tangents(normal)
        sky = np.stack([turned(x, y, a, b) + z * normal for x, y, z in _hemisphere(_SKY_SAMPLES)]) * _SKY_REACH_M
        return origin.astype(np.float32), targets.astype(np.float32), sky.astype(np.float32)

    def _lit_set(self, scene: _Scene) -> Float[np.ndarray, "H W 3"]:
        """The set with this frame's shadows."""
        plate = self._plate
        box = self._box(self._reach(scene.vertices[::7]), margin=16)
        if box is None:
            return plate.albedo * (plate.direct + plate.ambient)
        v0, v1, u0, u1 = box
        half = (slice(v0 // 2, (v1 + 1) // 2), slice(u0 // 2, (u1 + 1) // 2))
        origin, targets, sky = self._set_rays
        shape = (v1 - v0, u1 - u0)
        share = []
        for rays, far in ((targets, 0.999), (sky, 1.0)):
            seen = scene.unoccluded(origin[half], rays[:, half[0], half[1]], far).mean(0)
            seen = cv2.GaussianBlur(seen.astype(np.float32), (0, 0), 1.3, borderType=cv2.BORDER_REPLICATE)
            share.append(cv2.resize(seen, shape[::-1], interpolation=cv2.INTER_LINEAR)[..., None])
        window = (slice(v0, v1), slice(u0, u1))
        out = plate.albedo * (plate.direct + plate.ambient)
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


@dataclass(frozen=True)
class _Hit:
    geometry: np.ndarray
    primitive: np.ndarray
    uv: np.ndarray
    z: np.ndarray


class _Scene:
    """One frame's meshes, concatenated, with their ray-casting structure."""

    def __init__(self, actors: list[Actor], vertices: list[np.ndarray]) -> None:
        import open3d as o3d

        self._tensor = o3d.core.Tensor
        self._scene: Any = o3d.t.geometry.RaycastingScene()
        self._actors = actors
        offsets = np.cumsum([0, *(len(v) for v in vertices)])
        faces = []
        for actor, posed, offset in zip(actors, vertices, offsets, strict=False):
            self._scene.add_triangles(
                self._tensor(np.ascontiguousarray(posed, np.float32)), self._tensor(np.ascontiguousarray(actor.faces, np.uint32))
            )
            faces.append(actor.faces + offset)
        self._first_face = np.cumsum([0, *(len(f) for f in faces)])
        self.vertices = np.concatenate(vertices)
        self.faces = np.concatenate(faces)
        self.normals = np.concatenate([vertex_normals(v, a.faces) for a, v in zip(actors, vertices, strict=True)])
        self.codes = np.array([a.code for a in actors], np.uint8)
        self.gloss = np.concatenate([a.gloss for a in actors])
        self.glow = np.concatenate([np.broadcast_to(a.glow, a.rest.shape) for a in actors])
        self._rest = np.concatenate([a.rest for a in actors])
        self._colour = np.concatenate([np.zeros_like(a.rest) if a.albedo is None else a.albedo for a in actors])

    def cast(self, directions: np.ndarray) -> _Hit:
        """First hits of rays from the camera; z is depth because directions have unit z."""
        rays = np.zeros((*directions.shape[:-1], 6), np.float32)
        rays[..., 3:] = directions
        answer = self._scene.cast_rays(self._tensor(rays))
        geometry = answer["geometry_ids"].numpy().astype(np.int64)
        geometry[geometry >= len(self._actors)] = -1
        return _Hit(
            geometry,
            answer["primitive_ids"].numpy().astype(np.int64),
            answer["primitive_uvs"].numpy().astype(np.float64),
            answer["t_hit"].numpy().astype(np.float64),
        )

    def unoccluded(self, origin: np.ndarray, rays: np.ndarray, far: float) -> np.ndarray:
        """Whether each of (S, ..., 3) rays from (..., 3) origins is free up to ``far`` times its length."""
        packed = np.empty((*rays.shape[:-1], 6), np.float32)
        packed[..., :3] = origin
        packed[..., 3:] = rays
        return ~self._scene.test_occlusions(self._tensor(packed), 0.0, far).numpy()

    def corners(self, hit: _Hit) -> Int[np.ndarray, "N 3"]:
        """Vertex indices of the triangles that were hit, in the order of the hits."""
        on = hit.geometry >= 0
        return self.faces[self._first_face[hit.geometry[on]] + hit.primitive[on]]

    def albedo(self, blend: Any, geometry: np.ndarray) -> Float[np.ndarray, "N 3"]:
        """Colour of hits: interpolated from vertices, or the texture of the point they have at rest."""
        out = blend(self._colour)
        rest = blend(self._rest)
        for k, actor in enumerate(self._actors):
            mine = geometry == k
            if actor.texture is not None and mine.any():
                out[mine] = actor.texture(rest[mine])
        return out

    def smoothed(self, values: np.ndarray, used: np.ndarray) -> np.ndarray:
        """Average of the values over neighbouring vertices among ``used``, twice: takes the grain out of few rays."""
        keep = np.zeros(len(values), bool)
        keep[used] = True
        f = self.faces[keep[self.faces].all(-1)]
        corners = f.ravel()
        for _ in range(2):
            mean = values[f].sum(1)
            count = np.maximum(np.bincount(corners, minlength=len(values)) * 3.0, 1.0)
            total = np.stack([np.bincount(corners, np.repeat(mean[:, c], 3), len(values)) for c in range(values.shape[1])], -1)
            values = np.where((count > 1)[:, None], total / count[:, None], values)
        return values


def _is_wall(stage: Stage, points: np.ndarray) -> Bool[np.ndarray, "*B"]:
    (_, _), (out, d) = stage.planes()
    return np.abs(points @ out - d) < 1e-6


def _shade_set(stage: Stage) -> _Plate:
    """Albedo (2x2 samples a pixel), unshadowed light and depth of the empty set."""
    (up, table_d), (out, wall_d) = stage.planes()
    us, vs = np.meshgrid(np.arange(stage.width, dtype=np.float64), np.arange(stage.height, dtype=np.float64))
    T_world_camera = invert(stage.T_camera_world)

    def hit(du: float, dv: float) -> np.ndarray:
        K = stage.K
        ray = np.stack([(us + du - K[0, 2]) / K[0, 0], (vs + dv - K[1, 2]) / K[1, 1], np.ones_like(us)], -1)
        down, back = ray @ up, ray @ out
        t_table = np.where(down < -1e-6, table_d / np.where(down < -1e-6, down, -1.0), np.inf)
        t_wall = np.where(back < -1e-6, wall_d / np.where(back < -1e-6, back, -1.0), np.inf)
        return ray * np.minimum(t_table, t_wall)[..., None]

    albedo = np.zeros((stage.height, stage.width, 3))
    for du, dv in ((-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)):
        points = hit(du, dv)
        wall = _is_wall(stage, points)
        world = transform(T_world_camera, points.reshape(-1, 3)).reshape(points.shape)
        albedo[wall] += stage.wall(world[wall]) / 4
        albedo[~wall] += stage.table(world[~wall]) / 4
    points = hit(0.0, 0.0)
    normal = np.where(_is_wall(stage, points)[..., None], out, up)
    to_light = stage.light_camera_m - points
    distance = np.linalg.norm(to_light, axis=-1)
    cosine = np.maximum((normal * to_light).sum(-1) / distance, 0.0)
    reference = ((stage.light_camera_m - stage.T_camera_world[:3, 3]) ** 2).sum()
    direct = (cosine * reference / distance**2)[..., None] * stage.light_colour
    ambient = np.broadcast_to(stage.ambient_colour, direct.shape)
    return _Plate(albedo, direct, ambient, points[..., 2])


def _tangents(n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors orthogonal to each vector and to each other."""
    n = n / np.linalg.norm(n, axis=-1, keepdims=True)
    helper = np.where(np.abs(n[..., :1]) < 0.7, np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    a = np.cross(n, helper)
    a /= np.linalg.norm(a, axis=-1, keepdims=True)
    return a, np.cross(n, a)


def _disk(n: int) -> Float[np.ndarray, "n 2"]:
    """Points spread evenly over the unit disk (Vogel's spiral)."""
    k = np.arange(n)
    r, a = np.sqrt((k + 0.5) / n), k * 2.399963229728653
    return np.stack([r * np.cos(a), r * np.sin(a)], -1)


def _hemisphere(n: int) -> Float[np.ndarray, "n 3"]:
    """Cosine-weighted unit directions about z."""
    d = _disk(n)
    return np.concatenate([d, np.sqrt(np.maximum(0.0, 1.0 - (d**2).sum(-1, keepdims=True)))], -1)


def develop(
    rgb: Float[np.ndarray, "H W 3"], rng: np.random.Generator, *, blur_px: float, noise: float
) -> UInt8[np.ndarray, "H W 3"]:
    """What a camera makes of linear light: slight blur, shot and read noise, sRGB.

    Args:
        rgb: Linear RGB, 1 = white.
        rng: Source of the noise.
        blur_px: Standard deviation of the blur.
        noise: Standard deviation of the noise at mid-grey, fraction of full scale.
    """
    x = rgb.astype(np.float32)
    if blur_px > 0:
        x = cv2.GaussianBlur(x, (0, 0), blur_px, borderType=cv2.BORDER_REPLICATE)
    x = x / (1.0 + 0.18 * np.maximum(x, 0.0) ** 2)  # soft shoulder instead of clipping
    y = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-8) ** (1 / 2.4) - 0.055)
    grain = rng.standard_normal(y.shape, dtype=np.float32)
    y = y + grain * noise * (0.6 + 0.8 * np.clip(1.0 - y, 0.0, 1.0))
    return np.clip(np.round(y * 255.0), 0, 255).astype(np.uint8)


def depth_mm(depth_m: Float[np.ndarray, "H W"]) -> UInt16[np.ndarray, "H W"]:
    """Depth in whole millimetres, 0 where it is beyond 65.5 m."""
    mm = np.round(depth_m * 1000.0)
    return np.where(mm <= 65535, mm, 0).astype(np.uint16)
