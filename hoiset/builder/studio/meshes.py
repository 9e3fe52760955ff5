"""The meshes of one frame and the rays that meet them, through open3d's ``RaycastingScene`` (Embree).

**Convention:** camera frame, m; rays start at the camera unless origins are given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

from hoiset.builder.studio.texture import Texture


@dataclass(frozen=True)
class Actor:
    """A mesh that is rendered; made by :func:`dress`.

    Attributes:
        code: Its value in the masks.
        faces: (F, 3).
        colours: (F, 6, 3) linear RGB of each triangle's corners 0, 1, 2 and of the middles of its edges 12, 20, 01.
        gloss: (V,) strength of the highlight.
        glow: (3,) light that leaks through: how far past the terminator each channel is still lit.
        incidence: (V, F) sparse: which vertex is a corner of which triangle.
        adjacency: (V, V) sparse: how many triangles two vertices share.
    """

    code: int
    faces: Int[np.ndarray, "F 3"]
    colours: Float[np.ndarray, "F 6 3"]
    gloss: Float[np.ndarray, "V"]
    glow: Float[np.ndarray, "3"]
    incidence: Any
    adjacency: Any


def dress(
    code: int,
    rest: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    colour: Texture | Float[np.ndarray, "V 3"],
    gloss: Float[np.ndarray, "V"] | float,
    glow: Float[np.ndarray, "3"] | None = None,
) -> Actor:
    """Give a mesh its looks; the texture is sampled once, at vertices and the middles of edges.

    Args:
        code: Its value in the masks.
        rest: Vertices in the frame in which the texture is defined, m.
        faces: Triangles.
        colour: Linear RGB of points of that frame, or of the vertices.
        gloss: Strength of the highlight.
        glow: Light that leaks through each channel; none by default.
    """
    n = len(rest)
    edges = np.sort(faces[:, [[1, 2], [2, 0], [0, 1]]].reshape(-1, 2), axis=1)
    unique, which = np.unique(edges[:, 0] * n + edges[:, 1], return_inverse=True)
    a, b = np.divmod(unique, n)
    if callable(colour):
        corner, middle = colour(rest), colour((rest[a] + rest[b]) / 2)
    else:
        corner, middle = colour, (colour[a] + colour[b]) / 2
    colours = np.concatenate([corner[faces], middle[which.reshape(-1, 3)]], axis=1).astype(np.float32)
    owner = np.repeat(np.arange(len(faces)), 3)
    incidence = sparse.csr_matrix((np.ones(len(owner), np.float32), (faces.ravel(), owner)), shape=(n, len(faces)))
    strengths = np.full(n, float(gloss)) if isinstance(gloss, (int, float)) else gloss
    leak = np.zeros(3) if glow is None else glow
    return Actor(code, faces, colours, strengths, leak, incidence, (incidence @ incidence.T).tocsr())


@dataclass(frozen=True)
class Hit:
    """Where rays first meet a mesh.

    Attributes:
        geometry: (...) index of the actor, -1 where nothing is met.
        primitive: (...) index of the actor's triangle.
        uv: (..., 2) barycentric coordinates of the triangle's second and third corner.
        z: (...) z-depth, m; infinite where nothing is met.
    """

    geometry: Int[np.ndarray, "*B"]
    primitive: Int[np.ndarray, "*B"]
    uv: Float[np.ndarray, "*B 2"]
    z: Float[np.ndarray, "*B"]

    @property
    def on(self) -> Bool[np.ndarray, "*B"]:
        """Where something is met."""
        return self.geometry >= 0

    def kept(self, keep: Bool[np.ndarray, "*B"]) -> Hit:
        """The same hits, with those that are not kept made misses."""
        return Hit(np.where(keep, self.geometry, -1), self.primitive, self.uv, np.where(keep, self.z, np.inf))


class MeshScene:
    """One frame's meshes, concatenated, with their ray-casting structure.

    Args:
        actors: What is there.
        vertices: Of each actor, camera frame, m.
    """

    def __init__(self, actors: Sequence[Actor], vertices: Sequence[np.ndarray]) -> None:
        import open3d as o3d

        self._scene: Any = o3d.t.geometry.RaycastingScene()
        self._actors = tuple(actors)
        self._ends = np.cumsum([0, *(len(v) for v in vertices)])
        faces, normals = [], []
        for actor, posed, offset in zip(self._actors, vertices, self._ends, strict=False):
            self._scene.add_triangles(_tensor(posed, np.float32), _tensor(actor.faces, np.uint32))
            faces.append(actor.faces + offset)
            a, b, c = (posed[actor.faces[:, i]] for i in range(3))
            normals.append(actor.incidence @ np.cross(b - a, c - a))
        self._first_face = np.cumsum([0, *(len(f) for f in faces)])
        self.vertices = np.concatenate(vertices) if len(vertices) else np.zeros((0, 3))
        self.faces = np.concatenate(faces) if faces else np.zeros((0, 3), np.int64)
        summed = np.concatenate(normals) if normals else np.zeros((0, 3))
        self.normals = summed / np.maximum(np.linalg.norm(summed, axis=-1, keepdims=True), 1e-12)
        self.codes = np.array([a.code for a in self._actors], np.uint8)
        self.gloss = np.concatenate([a.gloss for a in self._actors]) if self._actors else np.zeros(0)
        self.glow = np.repeat(np.array([a.glow for a in self._actors]).reshape(-1, 3), np.diff(self._ends), axis=0)

    def cast(self, directions: Float[np.ndarray, "*B 3"]) -> Hit:
        """First hits of rays from the camera; z is depth because directions have unit z."""
        if not self._actors:
            shape = directions.shape[:-1]
            none = np.full(shape, -1, np.int64)
            return Hit(none, none, np.zeros((*shape, 2)), np.full(shape, np.inf))
        rays = np.zeros((*directions.shape[:-1], 6), np.float32)
        rays[..., 3:] = directions
        answer = self._scene.cast_rays(_tensor(rays, np.float32))
        geometry = answer["geometry_ids"].numpy().astype(np.int64)
        geometry[geometry >= len(self._actors)] = -1
        return Hit(
            geometry,
            answer["primitive_ids"].numpy().astype(np.int64),
            answer["primitive_uvs"].numpy(),
            answer["t_hit"].numpy().astype(np.float64),
        )

    def unoccluded(
        self, origin: Float[np.ndarray, "*B 3"], rays: Float[np.ndarray, "S *B 3"], far: float
    ) -> Bool[np.ndarray, "S *B"]:
        """Whether each ray from its origin is free up to ``far`` times its length."""
        if not self._actors:
            return np.ones(rays.shape[:-1], bool)
        packed = np.empty((*rays.shape[:-1], 6), np.float32)
        packed[..., :3] = origin
        packed[..., 3:] = rays
        return ~self._scene.test_occlusions(_tensor(packed, np.float32), 0.0, far).numpy()

    def face(self, hit: Hit) -> Int[np.ndarray, "N"]:
        """Index into :attr:`faces` of every hit that met something, in their order."""
        on = hit.on
        return self._first_face[hit.geometry[on]] + hit.primitive[on]

    def blender(self, hit: Hit) -> Callable[[np.ndarray], np.ndarray]:
        """Interpolates values (V, c) of the vertices at every hit that met something."""
        corners, w = self.faces[self.face(hit)], weights(hit)

        def blend(values: np.ndarray) -> np.ndarray:
            out = w[:, :1] * values[corners[:, 0]]
            out += w[:, 1:2] * values[corners[:, 1]]
            out += w[:, 2:] * values[corners[:, 2]]
            return out

        return blend

    def around(self, hit: Hit) -> Int[np.ndarray, "N"]:
        """Vertices of the triangles that were hit and their neighbours, sorted."""
        marked = np.zeros(len(self.vertices), bool)
        marked[self.faces[self.face(hit)]] = True
        return np.flatnonzero(self._spread(marked.astype(np.float32)[:, None])[:, 0] > 0)

    def albedo(self, hit: Hit) -> Float[np.ndarray, "N 3"]:
        """Colour of hits that met something, linear between corners and the middles of edges."""
        on = hit.on
        geometry, primitive, share = hit.geometry[on], hit.primitive[on], _node_weights(weights(hit))
        out = np.zeros((len(geometry), 3), np.float32)
        for k, actor in enumerate(self._actors):
            mine = np.flatnonzero(geometry == k)
            if len(mine):
                out[mine] = np.einsum("nk,nkc->nc", share[mine], actor.colours[primitive[mine]])
        return out

    def smoothed(self, values: Float[np.ndarray, "V c"], used: Int[np.ndarray, "N"]) -> Float[np.ndarray, "V c"]:
        """Average of the values over neighbouring vertices among ``used``, twice: takes the grain out of few rays."""
        keep = np.zeros((len(values), 1), np.float32)
        keep[used] = 1.0
        count = np.maximum(self._spread(keep), 1.0)
        values = values.astype(np.float32)
        for _ in range(2):
            values = keep * self._spread(values * keep) / count
        return values

    def _spread(self, values: np.ndarray) -> np.ndarray:
        """Sums over the triangles that vertices share."""
        parts = [a.adjacency @ values[i:j] for a, i, j in zip(self._actors, self._ends, self._ends[1:], strict=False)]
        return np.concatenate(parts)


def weights(hit: Hit) -> Float[np.ndarray, "N 3"]:
    """Barycentric weights of hits that met something."""
    uv = hit.uv[hit.on]
    return np.concatenate([1.0 - uv.sum(-1, keepdims=True), uv], -1)


def _node_weights(w: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 6"]:
    """Weights of corners 0, 1, 2 and of the middles of edges 12, 20, 01: linear in each quarter of a triangle."""
    corner = np.maximum(2.0 * w - 1.0, 0.0)
    near = corner > 0
    middle = np.where(near.any(-1, keepdims=True), 0.0, 1.0 - 2.0 * w)
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        at = near[:, k]
        middle[at, i] = 2.0 * w[at, j]
        middle[at, j] = 2.0 * w[at, i]
    return np.concatenate([corner, middle], -1).astype(np.float32)


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
