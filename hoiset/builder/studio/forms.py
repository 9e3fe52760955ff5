"""What a family of things is made of before it is meshed: its distance function, its surface, and where to hold it.

**Convention:** a form's own frame: z up as it stands or lies on a table, origin near its middle, m. Colours are linear
RGB.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.surface_nets import Sdf
from hoiset.builder.studio.texture import Colour, Texture, fractal, mix, noise, print_texture, srgb

X, Y, UP = np.eye(3)


@dataclass(frozen=True)
class Hold:
    """A part that a hand can take.

    Attributes:
        name: ``body``, ``rim``, ``handle``, ``knob`` or ``edge``.
        centre: (3,) the middle of the part, on its axis.
        axis: (3,) unit direction in which the part runs: fingers close across it.
        radius_m: Half the width that fingers span.
        length_m: How far the part runs along its axis.
        across: (3,) unit direction in which it is pressed; ``None`` where any direction across the axis will do.
    """

    name: str
    centre: Float[np.ndarray, "3"]
    axis: Float[np.ndarray, "3"]
    radius_m: float
    length_m: float
    across: Float[np.ndarray, "3"] | None = None


@dataclass(frozen=True)
class Opening:
    """The mouth of a hollow thing.

    Attributes:
        centre: (3,) middle of the plane of its rim.
        radius_m: Of the hole.
        depth_m: From the rim down to the ground inside.
        rim_radius_m: Outer radius of the rim, on which a lid rests.
    """

    centre: Float[np.ndarray, "3"]
    radius_m: float
    depth_m: float
    rim_radius_m: float


@dataclass(frozen=True)
class Form:
    """One thing of a family.

    Attributes:
        sdf: Signed distance, negative inside.
        half_m: (3,) a box about the origin that holds it.
        texture: Colour of points on its surface.
        gloss: Strength of its highlight.
        grip_radius_m: Half the width that a hand spans at the part that is most often held.
        spacing_m: (3,) grid spacing that shows its thinnest parts.
        holds: Where it can be held, the usual one first.
        opening: Its mouth, if it is hollow.
        tip: Where a tool touches what it works on.
        seat: Of a lid: the point that comes to the centre of the opening it closes.
    """

    sdf: Sdf
    half_m: Float[np.ndarray, "3"]
    texture: Texture
    gloss: float
    grip_radius_m: float
    spacing_m: tuple[float, float, float] = (0.0025, 0.0025, 0.0025)
    holds: tuple[Hold, ...] = field(default=())
    opening: Opening | None = None
    tip: Float[np.ndarray, "3"] | None = None
    seat: Float[np.ndarray, "3"] | None = None


def ground_colours(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """A ground colour and a strong accent."""
    base = srgb(*rng.integers(110, 245, 3))
    strong = [int(rng.integers(150, 240)), int(rng.integers(30, 120)), int(rng.integers(20, 200))]
    return base, srgb(*np.roll(strong, int(rng.integers(3))))


def printed(rng: np.random.Generator, unroll: Texture, plain_share: float = 0.3) -> Texture:
    """A print over an unrolled surface, or, for a share of the things, one glaze with a band."""
    base, accent = ground_colours(rng)
    pattern = print_texture(rng, base, accent)
    plain = glazed(rng, base if rng.random() < 0.5 else accent)
    if rng.random() < plain_share:
        band, width = rng.uniform(-0.6, 0.6), rng.uniform(0.004, 0.012)

        def banded(p: np.ndarray) -> np.ndarray:
            on = np.abs(p[:, 2] - band * 0.05) < width
            return np.where(on[:, None], accent * 0.5 + base * 0.5, plain(p))

        return banded

    def texture(p: np.ndarray) -> np.ndarray:
        return pattern(unroll(p))

    return texture


def glazed(rng: np.random.Generator, colour: Colour, depth: float = 0.2) -> Texture:
    """One colour with slight clouds and specks."""
    seed = int(rng.integers(1 << 30))

    def texture(p: np.ndarray) -> np.ndarray:
        clouds = 1.0 - depth / 2 + depth * fractal(p * 45.0, seed, 3)
        specks = np.where(noise(p * 420.0, seed + 5) > 0.86, 0.72, 1.0)
        return colour * (clouds * specks)[:, None]

    return texture


def wooden(rng: np.random.Generator, axis: int) -> Texture:
    """Wood with its grain along an axis."""
    light = srgb(*(np.array([206, 164, 112]) + rng.integers(-30, 25, 3)))
    dark = light * rng.uniform(0.45, 0.7)
    seed, scale = int(rng.integers(1 << 30)), np.full(3, 260.0)
    scale[axis] = 16.0
    return lambda p: mix(light, dark, np.clip(fractal(p * scale, seed, 3) * 1.6 - 0.35, 0.0, 1.0))


def metallic(rng: np.random.Generator, tone: int = 170) -> Texture:
    """Brushed metal."""
    colour = srgb(*(np.array([tone, tone + 3, tone + 6]) + rng.integers(-18, 18)))
    seed = int(rng.integers(1 << 30))
    return lambda p: colour * (0.75 + 0.5 * fractal(p * np.array([25.0, 380.0, 25.0]), seed, 2))[:, None]


def split(where: Sdf, inside: Texture, outside: Texture) -> Texture:
    """One texture where a function is negative, another elsewhere."""

    def texture(p: np.ndarray) -> np.ndarray:
        return np.where((where(p) < 0)[:, None], inside(p), outside(p))

    return texture


def unroll_round(radius_m: float) -> Texture:
    """Arc length about z and height."""
    return lambda p: np.stack([np.arctan2(p[:, 0], -p[:, 1]) * radius_m, p[:, 2]], -1)


def unroll_flat(p: np.ndarray) -> np.ndarray:
    """Seen from above."""
    return p[:, :2]


def unroll_box(half_m: np.ndarray) -> Texture:
    """Each face of a box on its own."""

    def unroll(p: np.ndarray) -> np.ndarray:
        face = np.argmax(np.abs(p) / half_m, axis=-1)
        u = np.where(face == 0, p[:, 1], p[:, 0])
        v = np.where(face == 2, p[:, 1], p[:, 2])
        return np.stack([u, v + 0.004 * face], -1)

    return unroll
