"""A virtual RGB-D camera for any meshes: depth, colour, instance masks, normals, and flow between posed meshes.

It knows nothing of hands, tables or clips::

    camera = RgbdCamera(K, width=640, height=480)
    ball = Solid.of(trimesh.creation.icosphere(subdivisions=4, radius=0.05))
    frames = [camera.render([(ball, T)]) for T in poses]           # T: (4, 4) T_camera_object
    flow_px = camera.flow([(ball, poses[0])], [(ball, poses[1])])  # (H, W, 2), NaN where nothing is met

**Convention:** camera frame OpenCV (x right, y down, z forward), m; pixel (0, 0) is the centre of the top-left pixel;
values are sampled at pixel centres, without blending, so that depth, mask and normals of a pixel are of one surface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from hoiset.builder.studio.meshes import Actor as _Actor
from hoiset.builder.studio.meshes import Hit, MeshScene, dress
from hoiset.geometry import project, transform

MAX_SOLIDS = 255
_AMBIENT = 0.35
_GREY = 0.6


@dataclass(frozen=True)
class Solid:
    """A mesh that can be rendered, rigid or deformed from frame to frame.

    Attributes:
        vertices: (V, 3) m, in its own frame.
        faces: (F, 3) triangles.
        colours: (V, 3) linear RGB of the vertices, 0..1.
    """

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    colours: Float[np.ndarray, "V 3"]

    def __post_init__(self) -> None:
        shapes = self.vertices.shape, self.faces.shape, self.colours.shape
        if self.vertices.ndim != 2 or shapes[0] != shapes[2] or shapes[0][1] != 3 or shapes[1][1:] != (3,):
            raise ValueError(f"found vertices, faces and colours of {shapes}, expected (V, 3), (F, 3) and (V, 3)")
        if not len(self.faces) or self.faces.min() < 0 or self.faces.max() >= len(self.vertices):
            raise ValueError(f"found no triangles, or corners that are not among the {len(self.vertices)} vertices")

    @staticmethod
    def of(mesh: Any) -> Solid:
        """A solid from a ``trimesh.Trimesh``; vertex colours (sRGB) are used where it has them."""
        colours = np.full((len(mesh.vertices), 3), _GREY)
        if mesh.visual.kind == "vertex":
            colours = (np.asarray(mesh.visual.vertex_colors)[:, :3] / 255.0) ** 2.2
        return Solid(np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64), colours)

    def deformed(self, vertices: Float[np.ndarray, "V 3"]) -> Solid:
        """The same surface in another shape."""
        return Solid(vertices, self.faces, self.colours)


Placed = tuple[Solid, Float[np.ndarray, "4 4"]]
"""A solid and its ``T_camera_object``."""


@dataclass(frozen=True)
class RgbdFrame:
    """What the camera measures.

    Attributes:
        rgb: (H, W, 3) uint8, sRGB; lit from the camera. Black where nothing is met.
        depth_m: (H, W) z-depth; 0 where nothing is met.
        mask: (H, W) uint8 number of the solid in the list, from 1; 0 where nothing is met.
        normals: (H, W, 3) unit normals of the triangles, towards the camera; NaN where nothing is met.
    """

    rgb: UInt8[np.ndarray, "H W 3"]
    depth_m: Float[np.ndarray, "H W"]
    mask: UInt8[np.ndarray, "H W"]
    normals: Float[np.ndarray, "H W 3"]


class RgbdCamera:
    """A pinhole camera that renders meshes by casting one ray a pixel.

    Args:
        K: (3, 3) intrinsics without skew, px.
        width: px.
        height: px.

    Raises:
        ValueError: ``K`` is not such a matrix, or the size is not positive.
    """

    def __init__(self, K: Float[np.ndarray, "3 3"], width: int, height: int) -> None:
        K = np.asarray(K, np.float64)
        if K.shape != (3, 3) or K[0, 0] <= 0 or K[1, 1] <= 0 or K[0, 1] != 0 or (K[2] != [0, 0, 1]).any():
            raise ValueError(f"found K = {K.tolist()}, expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with fx, fy > 0")
        if width < 1 or height < 1:
            raise ValueError(f"found a size of {width} x {height}, expected at least 1 x 1")
        self.K, self.width, self.height = K, width, height
        us, vs = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
        self._rays = np.stack([(us - K[0, 2]) / K[0, 0], (vs - K[1, 2]) / K[1, 1], np.ones_like(us)], -1)
        self._pixels = np.stack([us, vs], -1)

    def render(self, solids: Sequence[Placed]) -> RgbdFrame:
        """Render one frame.

        Args:
            solids: At most 255 solids with their poses; what is behind the camera is not seen.
        """
        scene, hit = self._look(solids)
        on = hit.on
        depth = np.where(on, hit.z, 0.0)
        mask = np.zeros(on.shape, np.uint8)
        mask[on] = scene.codes[hit.geometry[on]]
        rays = self._rays[on] / np.linalg.norm(self._rays[on], axis=-1, keepdims=True)
        a, b, c = (scene.vertices[scene.faces[scene.face(hit)][:, k]] for k in range(3))
        normal = np.cross(b - a, c - a)
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-15)
        facing = -(normal * rays).sum(-1)
        normals = np.full((*on.shape, 3), np.nan)
        normals[on] = normal * np.where(facing < 0, -1.0, 1.0)[:, None]
        rgb = np.zeros((*on.shape, 3), np.uint8)
        lit = scene.albedo(hit) * (_AMBIENT + (1.0 - _AMBIENT) * np.abs(facing))[:, None]
        rgb[on] = np.rint(255.0 * np.clip(lit, 0.0, 1.0) ** (1 / 2.2))
        return RgbdFrame(rgb, depth, mask, normals)

    def flow(self, before: Sequence[Placed], after: Sequence[Placed]) -> Float[np.ndarray, "H W 2"]:
        """Where each pixel's surface point goes: pixels of ``before`` plus flow are pixels of ``after``.

        A point that is hidden in ``after`` has flow all the same; pixels without a surface, and those whose point goes
        behind the camera, are NaN.

        Args:
            before: Solids and poses of one frame.
            after: The same solids in the same order, moved or deformed.

        Raises:
            ValueError: The lists do not have the same solids.
        """
        shapes = [[(len(s.vertices), len(s.faces)) for s, _ in solids] for solids in (before, after)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"found solids of {shapes[0]}, then of {shapes[1]} vertices and faces; expected the same")
        scene, hit = self._look(before)
        goes = np.concatenate([transform(T, s.vertices) for s, T in after]) if len(after) else np.zeros((0, 3))
        out = np.full((self.height, self.width, 2), np.nan)
        out[hit.on] = project(self.K, scene.blender(hit)(goes)) - self._pixels[hit.on]
        return out

    def _look(self, solids: Sequence[Placed]) -> tuple[MeshScene, Hit]:
        if len(solids) > MAX_SOLIDS:
            raise ValueError(f"found {len(solids)} solids, expected at most {MAX_SOLIDS}: a mask has 8 bits")
        posed = [transform(T, solid.vertices) for solid, T in solids]
        scene = MeshScene([_dressed(number, solid) for number, (solid, _) in enumerate(solids, 1)], posed)
        return scene, scene.cast(self._rays)


def _dressed(number: int, solid: Solid) -> _Actor:
    return dress(number, solid.vertices, solid.faces, solid.colours, 0.0)
