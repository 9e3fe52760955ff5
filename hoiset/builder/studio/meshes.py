"""The meshes of one frame and the rays that meet them, through open3d's ``RaycastingScene`` (Embree).

**Convention:** camera frame, m; rays start at the camera unless origins are given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from hoiset.builder.studio.surface_nets import vertex_normals
from hoiset.builder.studio.texture import Texture


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
class Hit:
    """Where rays first meet a mesh.

    Attributes:
        geometry: (...) index of the actor, -1 where nothing is met.
        primitive: (...) index of the actor's triangle.
        uv: (..., 2) barycentric coordinates of the triangle's second and third corner.
        z: (...) z-depth, m.
    """

    geometry: Int[np.ndarray, "*B"]
    primitive: Int[np.ndarray, "*B"]
    uv: Float[np.ndarray, "*B 2"]
    z: Float[np.ndarray, "*B"]


class MeshScene:
    """One frame's meshes, concatenated, with their ray-casting structure."""

    def __init__(self, actors: list[Actor], vertices: list[np.ndarray]) -> None:
        import open3d as o3d

        self._scene: Any = o3d.t.geometry.RaycastingScene()
        self._actors = actors
        offsets = np.cumsum([0, *(len(v) for v in vertices)])
        faces = []
        for actor, posed, offset in zip(actors, vertices, offsets, strict=False):
            self._scene.add_triangles(_tensor(posed, np.float32), _tensor(actor.faces, np.uint32))
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

    def cast(self, directions: np.ndarray) -> Hit:
        """First hits of rays from the camera; z is depth because directions have unit z."""
        rays = np.zeros((*directions.shape[:-1], 6), np.float32)
        rays[..., 3:] = directions
        answer = self._scene.cast_rays(_tensor(rays, np.float32))
        geometry = answer["geometry_ids"].numpy().astype(np.int64)
        geometry[geometry >= len(self._actors)] = -1
        return Hit(
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
        return ~self._scene.test_occlusions(_tensor(packed, np.float32), 0.0, far).numpy()

    def corners(self, hit: Hit) -> Int[np.ndarray, "N 3"]:
        """Vertex indices of the triangles that were hit, in the order of the hits."""
        on = hit.geometry >= 0
        return self.faces[self._first_face[hit.geometry[on]] + hit.primitive[on]]

    def around(self, vertices: Int[np.ndarray, "*B"]) -> Int[np.ndarray, "N"]:
        """The vertices given and their neighbours, sorted."""
        marked = np.zeros(len(self.vertices), bool)
        marked[vertices] = True
        marked[self.faces[marked[self.faces].any(-1)]] = True
        return np.flatnonzero(marked)

    def albedo(self, blend: Callable[[np.ndarray], np.ndarray], geometry: np.ndarray) -> Float[np.ndarray, "N 3"]:
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
            total = np.stack(
                [np.bincount(corners, np.repeat(mean[:, c], 3), len(values)) for c in range(values.shape[1])], -1
            )
            values = np.where((count > 1)[:, None], total / count[:, None], values)
        return values


def triangle_scene(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Any:
    """A ``RaycastingScene`` of one mesh."""
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(_tensor(vertices, np.float32), _tensor(faces, np.uint32))
    return scene


def distance_to_mesh(
    points: Float[np.ndarray, "*B 3"], vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> Float[np.ndarray, "*B"]:
    """Unsigned distance of points to a mesh, m."""
    scene = triangle_scene(vertices, faces)
    return scene.compute_distance(_tensor(points, np.float32)).numpy().astype(np.float64)


def _tensor(values: np.ndarray, dtype: Any) -> Any:
    import open3d as o3d

    return o3d.core.Tensor.from_numpy(np.ascontiguousarray(values, dtype))
