"""Outlines of posed meshes at low resolution: rays through pixel centres, nothing in front of the mesh."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from hoiset.eval.reading import Mesh
from hoiset.geometry import invert, project, transform

SHORT_SIDE_PX = 180


class Caster:
    """Casts the outline of one mesh at any pose; its search structure is built once."""

    def __init__(self, mesh: Mesh) -> None:
        import open3d as o3d

        self._o3d = o3d
        self._vertices = mesh[0]
        self._scene: Any = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(
            o3d.core.Tensor.from_numpy(np.ascontiguousarray(mesh[0], np.float32)),
            o3d.core.Tensor.from_numpy(np.ascontiguousarray(mesh[1], np.uint32)),
        )

    def mask(
        self, T_camera_object: Float[np.ndarray, "4 4"], K: Float[np.ndarray, "3 3"], width: int, height: int
    ) -> Bool[np.ndarray, "height width"]:
        """The outline in an image; a mesh that reaches behind the camera is cast over all of it.

        Args:
            T_camera_object: Pose.
            K: Intrinsics, px of the image asked for.
            width: px.
            height: px.
        """
        out = np.zeros((height, width), bool)
        uv = project(K, transform(T_camera_object, self._vertices))
        if np.isnan(uv).any():
            low, high = np.zeros(2, int), np.array([width, height])
        else:
            low = np.clip(np.floor(uv.min(0)), 0, [width, height]).astype(int)
            high = np.clip(np.ceil(uv.max(0)) + 1, 0, [width, height]).astype(int)
        if (high <= low).any():
            return out
        u, v = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
        ways = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u, float)], -1)
        T = invert(T_camera_object)
        rays = np.empty((*ways.shape[:2], 6), np.float32)
        rays[..., :3] = T[:3, 3]
        rays[..., 3:] = ways @ T[:3, :3].T
        hit = self._scene.cast_rays(self._o3d.core.Tensor.from_numpy(rays))["t_hit"].numpy()
        out[low[1] : high[1], low[0] : high[0]] = np.isfinite(hit)
        return out


def small_camera(
    K: Float[np.ndarray, "3 3"], size: tuple[int, int], short_side_px: int = SHORT_SIDE_PX
) -> tuple[Float[np.ndarray, "3 3"], int, int]:
    """Intrinsics, width and height of the same view at a low resolution."""
    scale = short_side_px / min(size)
    out = K.copy()
    out[0, 0], out[1, 1] = K[0, 0] * scale, K[1, 1] * scale
    out[:2, 2] = (K[:2, 2] + 0.5) * scale - 0.5
    return out, max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
