"""Things to handle: mug, box, bottle and bowl as closed meshes with a texture.

**Convention:** the object's frame has its origin at the centre of the bounding box and z up when it stands, m.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.params import ObjectKind
from hoiset.builder.studio.shapes import revolved_polygon, rounded_box, smooth_min, torus
from hoiset.builder.studio.surface_nets import Mesh, Sdf, closed_mesh_from_sdf
from hoiset.builder.studio.texture import Texture, print_texture, srgb


@dataclass(frozen=True)
class Prop:
    """One object.

    Attributes:
        kind: Its noun.
        mesh: Closed mesh in the object's frame.
        sdf: Signed distance to it in the object's frame (negative inside), m.
        texture: Linear RGB of points on its surface, object frame.
        gloss: Strength of its highlight.
        extent_m: (3,) size of its bounding box.
        grip_radius_m: Half the width that a hand has to span, m; for a bowl, half its wall.
    """

    kind: ObjectKind
    mesh: Mesh
    sdf: Sdf
    texture: Texture
    gloss: float
    extent_m: Float[np.ndarray, "3"]
    grip_radius_m: float


def build_prop(kind: ObjectKind, rng: np.random.Generator, spacing_m: float = 0.0025) -> Prop:
    """Model one object of random size, proportion and texture.

    Args:
        kind: What it is.
        rng: Source of its size and looks.
        spacing_m: Grid spacing of its mesh.
    """
    makers: dict[str, Callable[[np.random.Generator], tuple[Sdf, np.ndarray, float]]] = {
        "mug": _mug,
        "box": _box,
        "bottle": _bottle,
        "bowl": _bowl,
    }
    sdf, half, grip = makers[kind](rng)
    axes = [np.arange(-h - 3 * spacing_m, h + 5 * spacing_m, spacing_m) for h in half]
    mesh = closed_mesh_from_sdf(sdf, (axes[0], axes[1], axes[2]))
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    centre = (low + high) / 2
    centred = Mesh(mesh.vertices - centre, mesh.faces)
    base = srgb(*rng.integers(110, 245, 3))
    accent = srgb(
        *np.roll(
            [int(rng.integers(150, 240)), int(rng.integers(30, 120)), int(rng.integers(20, 200))], int(rng.integers(3))
        )
    )
    pattern = print_texture(rng, base, accent)
    unroll = _unroll_box(half) if kind == "box" else _unroll_round(float(half[1]))

    def texture(p: np.ndarray) -> np.ndarray:
        return pattern(unroll(p))

    gloss = {"mug": 0.5, "bowl": 0.45, "bottle": 0.4, "box": 0.08}[kind]
    return Prop(kind, centred, lambda p: sdf(p + centre), texture, gloss, high - low, grip)


def _mug(rng: np.random.Generator) -> tuple[Sdf, np.ndarray, float]:
    r, h, wall = rng.uniform(0.034, 0.041), rng.uniform(0.085, 0.105), 0.0055
    z = h / 2
    profile = np.array([[0, -z], [r, -z], [r, z], [r - wall, z], [r - wall, -z + 0.008], [0, -z + 0.008]])
    ring = (rng.uniform(0.020, 0.025), h * rng.uniform(0.27, 0.33))

    def sdf(p: np.ndarray) -> np.ndarray:
        body = revolved_polygon(p, profile) - 0.0005
        handle = torus(p, np.array([r + 0.002, 0.0, 0.0]), ring, 0.0055)
        inside = np.hypot(p[..., 0], p[..., 1]) - (r - 0.003)
        return smooth_min(body, np.maximum(handle, -inside), 0.003)

    return sdf, np.array([r + ring[0] + 0.01, r + 0.002, z + 0.002]), r


def _box(rng: np.random.Generator) -> tuple[Sdf, np.ndarray, float]:
    half = np.array([rng.uniform(0.035, 0.055), rng.uniform(0.024, 0.033), rng.uniform(0.045, 0.075)])
    return (lambda p: rounded_box(p, half, 0.003)), half, float(half[1])


def _bottle(rng: np.random.Generator) -> tuple[Sdf, np.ndarray, float]:
    r, h, neck = rng.uniform(0.030, 0.036), rng.uniform(0.17, 0.21), rng.uniform(0.012, 0.014)
    z, shoulder = h / 2, rng.uniform(0.62, 0.70)
    top, start = z - 0.022, -z + h * shoulder
    t = np.linspace(0.0, 1.0, 7)[1:]
    curve = np.stack([neck + (r - neck) * (0.5 + 0.5 * np.cos(np.pi * t)), start + (top - 0.018 - start) * t], -1)
    cap = neck + 0.003
    profile = np.concatenate([[[0, -z], [r, -z], [r, start]], curve, [[neck, top], [cap, top], [cap, z], [0, z]]])
    return (lambda p: revolved_polygon(p, profile) - 0.001), np.array([r, r, z]) + 0.002, r


def _bowl(rng: np.random.Generator) -> tuple[Sdf, np.ndarray, float]:
    r, h, wall = rng.uniform(0.060, 0.072), rng.uniform(0.050, 0.060), 0.0058
    foot, z = r * 0.45, h / 2
    t = np.linspace(0.0, np.pi / 2, 9)
    outer = np.stack([foot + (r - foot) * np.sin(t), z - (h - 0.006) * np.cos(t)], -1)
    inner = np.stack([foot + (r - wall - foot) * np.sin(t), z - (h - 0.006 - wall) * np.cos(t)], -1)[::-1]
    profile = np.concatenate([[[0, -z], [foot, -z]], outer, inner, [[0, inner[-1, 1]]]])
    return (lambda p: revolved_polygon(p, profile) - 0.0006), np.array([r, r, z]) + 0.002, wall / 2


def _unroll_round(radius_m: float) -> Texture:
    def unroll(p: np.ndarray) -> np.ndarray:
        return np.stack([np.arctan2(p[:, 0], -p[:, 1]) * radius_m, p[:, 2]], -1)

    return unroll


def _unroll_box(half_m: np.ndarray) -> Texture:
    def unroll(p: np.ndarray) -> np.ndarray:
        face = np.argmax(np.abs(p) / half_m, axis=-1)
        u = np.where(face == 0, p[:, 1], p[:, 0])
        v = np.where(face == 2, p[:, 1], p[:, 2])
        return np.stack([u, v + 0.004 * face], -1)

    return unroll
