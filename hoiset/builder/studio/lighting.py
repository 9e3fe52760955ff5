"""Light that reaches points of meshes: from an area lamp and from the sky, with the shadows of everything around.

**Convention:** camera frame, m; linear RGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.meshes import Hit, MeshScene
from hoiset.builder.studio.sampling import disk, hemisphere, tangents
from hoiset.builder.studio.stage import Stage

LIGHT_SAMPLES = 8
SKY_SAMPLES = 5
SKY_REACH_M = 0.16
TINY_M = 6e-4
_VERTEX_LIGHT_SAMPLES = 5
_VERTEX_SKY_SAMPLES = 4
_GOLDEN_RAD = 2.399963229728653


@dataclass(frozen=True)
class Shade:
    """Linear RGB of points as the camera sees them.

    Attributes:
        direct: (N, 3) from the lamp, highlights included.
        ambient: (N, 3) from everywhere else.
    """

    direct: Float[np.ndarray, "N 3"]
    ambient: Float[np.ndarray, "N 3"]

    @property
    def total(self) -> Float[np.ndarray, "N 3"]:
        """Both."""
        return self.direct + self.ambient


def free(
    scenes: Sequence[MeshScene], origin: Float[np.ndarray, "*B 3"], rays: Float[np.ndarray, "S *B 3"], far: float
) -> Float[np.ndarray, "*B"]:
    """Share of the rays of each point that no scene is in the way of."""
    open_to = scenes[0].unoccluded(origin, rays, far)
    for scene in scenes[1:]:
        if len(scene.vertices):
            open_to &= scene.unoccluded(origin, rays, far)
    return open_to.mean(0)


def vertex_light(
    scene: MeshScene, others: Sequence[MeshScene], stage: Stage, light: Float[np.ndarray, "3"], hit: Hit
) -> Float[np.ndarray, "V 7"]:
    """Direct and ambient irradiance (RGB each) and visibility of the lamp at the vertices that are seen; others 0.

    Args:
        scene: What the vertices belong to.
        others: What may shade them besides.
        stage: The set.
        light: Centre of the lamp.
        hit: What the camera sees of the scene.
    """
    out = np.zeros((len(scene.vertices), 7))
    seen = scene.around(hit)
    if len(seen) == 0:
        return out
    p, n, glow = scene.vertices[seen], scene.normals[seen], scene.glow[seen]
    to_light = light - p
    cosine = (n * to_light).sum(-1) / np.linalg.norm(to_light, axis=-1)
    lit = np.maximum((cosine[:, None] + glow) / (1.0 + glow), 0.0)
    visible = np.zeros(len(seen))
    turned = np.flatnonzero(lit.any(-1))  # those that are turned away get no light, whatever is in its way
    visible[turned] = _lamp(scene, others, stage, light, p[turned], n[turned], seen[turned])
    sky = _sky(scene, others, p, n, seen)
    (up_axis, table_d), _ = stage.planes()
    up = n @ up_axis
    near_table = np.exp(-np.maximum(p @ up_axis - table_d, 0.0) / 0.04)
    sky *= 1.0 - near_table * np.clip(0.45 - 0.45 * up, 0.0, 1.0)
    leak = visible[:, None] + (1.0 - visible[:, None]) * glow * 0.35
    falloff = ((light - stage.T_camera_world[:3, 3]) ** 2).sum() / (to_light**2).sum(-1)
    out[seen, :3] = stage.light_colour * falloff[:, None] * lit * leak
    out[seen, 3:6] = stage.ambient_colour * ((0.78 + 0.22 * up) * (0.25 + 0.75 * sky))[:, None]
    out[seen, 6] = visible
    return scene.smoothed(out, seen)


def _lamp(
    scene: MeshScene,
    others: Sequence[MeshScene],
    stage: Stage,
    light: np.ndarray,
    p: np.ndarray,
    n: np.ndarray,
    index: np.ndarray,
) -> Float[np.ndarray, "N"]:
    """Share of the lamp that points see; every vertex looks at other spots of it, so that neighbours' mean is fine."""
    u, v = tangents(light - p)
    c, s = np.cos(index * _GOLDEN_RAD)[:, None], np.sin(index * _GOLDEN_RAD)[:, None]
    origin = p + n * TINY_M
    spots = disk(_VERTEX_LIGHT_SAMPLES) * stage.light_radius_m
    rays = np.stack([light + (c * x - s * y) * u + (s * x + c * y) * v - origin for x, y in spots])
    return free([scene, *others], origin, rays, 0.999)


def _sky(
    scene: MeshScene, others: Sequence[MeshScene], p: np.ndarray, n: np.ndarray, index: np.ndarray
) -> Float[np.ndarray, "N"]:
    """Share of the sky that points see."""
    a, b = tangents(n)
    c, s = np.cos(index * _GOLDEN_RAD)[:, None], np.sin(index * _GOLDEN_RAD)[:, None]
    rays = [(c * x - s * y) * a + (s * x + c * y) * b + z * n for x, y, z in hemisphere(_VERTEX_SKY_SAMPLES)]
    return free([scene, *others], p + n * TINY_M, np.stack(rays) * SKY_REACH_M, 1.0)


def shade(
    scene: MeshScene, stage: Stage, light: Float[np.ndarray, "3"], hit: Hit, irradiance: Float[np.ndarray, "V 7"]
) -> Shade:
    """What the camera sees of the hits that met something, in their order.

    Args:
        scene: What was hit.
        stage: The set.
        light: Centre of the lamp.
        hit: Rays of the camera.
        irradiance: See :func:`vertex_light`.
    """
    blend = scene.blender(hit)
    normal, lit, point = blend(scene.normals), blend(irradiance), blend(scene.vertices)
    to_light = light - point
    half = to_light / _length(to_light) - point / _length(point)
    gloss = blend(scene.gloss[:, None])[:, 0]
    cosine = np.maximum((normal * half).sum(-1) / (_length(normal) * _length(half))[:, 0], 0.0)
    shine = cosine ** (12.0 + 110.0 * gloss) * gloss * lit[:, 6]
    albedo = scene.albedo(hit)
    return Shade(albedo * lit[:, :3] + shine[:, None] * stage.light_colour, albedo * lit[:, 3:6])


def _length(v: np.ndarray) -> Float[np.ndarray, "N 1"]:
    return np.maximum(np.sqrt(np.einsum("nc,nc->n", v, v)), 1e-9)[:, None]
