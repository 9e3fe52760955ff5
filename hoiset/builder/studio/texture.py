"""Procedural colour: lattice noise, table tops, walls and prints, as functions of a point in metres.

**Convention:** colours are linear RGB in 0..1; noise is a pure function of (point, seed).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

Colour = Float[np.ndarray, "3"]
Texture = Callable[[Float[np.ndarray, "N 3"]], Float[np.ndarray, "N 3"]]


def srgb(r: float, g: float, b: float) -> Colour:
    """Linear RGB of an sRGB colour given in 0..255."""
    c = np.array([r, g, b]) / 255.0
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def _hash(cell: Int[np.ndarray, "*B D"], seed: int) -> Float[np.ndarray, "*B"]:
    """A value in 0..1 for every integer lattice point."""
    h = np.full(cell.shape[:-1], (seed * 0x9E3779B1) & 0xFFFFFFFF, np.uint32)
    for d, prime in zip(range(cell.shape[-1]), (0x85EBCA6B, 0xC2B2AE35, 0x27D4EB2F), strict=False):
        h = (h ^ (cell[..., d].astype(np.int64) & 0xFFFFFFFF).astype(np.uint32)) * np.uint32(prime)
        h ^= h >> np.uint32(15)
    h = h * np.uint32(0x2C1B3C6D)
    h ^= h >> np.uint32(13)
    return h.astype(np.float64) / 2**32


def noise(p: Float[np.ndarray, "N D"], seed: int) -> Float[np.ndarray, "N"]:
    """Smooth value noise in 0..1 with unit lattice spacing, D = 2 or 3."""
    base = np.floor(p).astype(np.int64)
    t = p - base
    t = t * t * (3.0 - 2.0 * t)
    out = np.zeros(p.shape[:-1])
    for corner in np.ndindex(*(2,) * p.shape[-1]):
        weight = np.prod(np.where(np.array(corner) == 1, t, 1.0 - t), axis=-1)
        out += weight * _hash(base + np.array(corner), seed)
    return out


def fractal(p: Float[np.ndarray, "N D"], seed: int, octaves: int = 4) -> Float[np.ndarray, "N"]:
    """Octaves of :func:`noise`, in 0..1."""
    total, weight = np.zeros(p.shape[:-1]), 0.0
    for k in range(octaves):
        total += noise(p * 2.0**k, seed + 101 * k) * 0.5**k
        weight += 0.5**k
    return total / weight


def mix(a: Colour, b: Colour, t: Float[np.ndarray, "N"]) -> Float[np.ndarray, "N 3"]:
    """Blend of two colours by t in 0..1."""
    return a + (b - a) * t[..., None]


def _wood(rng: np.random.Generator) -> Texture:
    light = srgb(*(np.array([196, 158, 112]) + rng.integers(-25, 25, 3)))
    dark = light * rng.uniform(0.45, 0.65)
    plank, seed = rng.uniform(0.09, 0.16), int(rng.integers(1 << 30))

    def texture(p: np.ndarray) -> np.ndarray:
        row = np.floor(p[:, 1] / plank)
        shift = _hash(row[:, None].astype(np.int64), seed) * 7.0
        grain = fractal(np.stack([p[:, 0] * 6.0 + shift, p[:, 1] * 70.0 + shift * 3], -1), seed, 4)
        fine = noise(np.stack([p[:, 0] * 45.0, p[:, 1] * 520.0], -1), seed + 7)
        tone = np.clip((grain - 0.3) * 1.7 + 0.25 * (fine - 0.5) + 0.35 * (shift / 7.0 - 0.5), 0, 1)
        gap = np.abs(p[:, 1] / plank - row - 0.5) > 0.488
        return mix(light, dark, tone) * np.where(gap, 0.55, 1.0)[:, None]

    return texture


def _stone(rng: np.random.Generator) -> Texture:
    light = srgb(*(np.array([205, 203, 198]) + rng.integers(-35, 15, 3)))
    dark = srgb(*(np.array([110, 112, 120]) + rng.integers(-30, 30, 3)))
    seed = int(rng.integers(1 << 30))

    def texture(p: np.ndarray) -> np.ndarray:
        q = p[:, :2]
        cloud = fractal(q * 9.0, seed, 5)
        vein = np.abs(fractal(q * 5.0 + cloud[:, None], seed + 3, 4) - 0.5)
        speck = noise(q * 240.0, seed + 9) > 0.80
        tone = np.clip(0.9 * cloud - 0.15 + 0.5 * np.exp(-vein * 45.0) + 0.22 * speck, 0, 1)
        return mix(light, dark, tone)

    return texture


def _cloth(rng: np.random.Generator) -> Texture:
    base = srgb(*rng.integers(60, 190, 3))
    line = srgb(*rng.integers(130, 240, 3))
    pitch, seed = rng.uniform(0.03, 0.06), int(rng.integers(1 << 30))

    def texture(p: np.ndarray) -> np.ndarray:
        f = np.abs(p[:, :2] / pitch - np.round(p[:, :2] / pitch))
        check = 0.45 * (f[:, 0] > 0.38) + 0.45 * (f[:, 1] > 0.38)
        thread = noise(p[:, :2] * np.array([420.0, 420.0]), seed)
        return mix(base, line, check) * (0.86 + 0.28 * thread * fractal(p[:, :2] * 14.0, seed + 1, 3) * 1.6)[:, None]

    return texture


def table_texture(rng: np.random.Generator) -> Texture:
    """A table top: wood, stone or cloth over the table's x and y, m."""
    return (_wood, _stone, _cloth)[int(rng.integers(3))](rng)


def wall_texture(rng: np.random.Generator) -> Texture:
    """A painted wall with a few framed pictures over the wall's x and z, m."""
    paint = srgb(*(np.array([188, 190, 192]) + rng.integers(-60, 40, 3)))
    seed = int(rng.integers(1 << 30))
    frames = [
        (rng.uniform(-0.7, 0.7), rng.uniform(0.05, 0.6), rng.uniform(0.06, 0.16), rng.uniform(0.06, 0.14))
        for _ in range(4)
    ]
    tints = [(srgb(*rng.integers(40, 230, 3)), srgb(*rng.integers(40, 230, 3))) for _ in frames]

    def texture(p: np.ndarray) -> np.ndarray:
        q = p[:, [0, 2]]
        out = paint * (0.85 + 0.3 * fractal(q * 7.0, seed, 4))[:, None]
        out *= (0.96 + 0.08 * noise(q * 160.0, seed + 5))[:, None]
        for k, (x, z, w, h) in enumerate(frames):
            d = np.maximum(np.abs(q[:, 0] - x) / w, np.abs(q[:, 1] - z) / h)
            picture = mix(*tints[k], (fractal(q * 22.0, seed + 20 + k, 3) > 0.5).astype(float))
            out = np.where((d < 1.0)[:, None], np.where((d > 0.9)[:, None], srgb(45, 38, 34), picture), out)
        return out

    return texture


def print_texture(rng: np.random.Generator, base: Colour, accent: Colour) -> Callable[[np.ndarray], np.ndarray]:
    """A printed pattern over unrolled surface coordinates (N, 2) in m: bands, dots or checks, and a label with lines.

    Args:
        rng: Source of the pattern.
        base: Ground colour.
        accent: Print colour.
    """
    kind, seed = int(rng.integers(3)), int(rng.integers(1 << 30))
    pitch = rng.uniform(0.013, 0.022)
    ink = srgb(*rng.integers(10, 90, 3))

    def texture(q: np.ndarray) -> np.ndarray:
        cell = q / pitch
        f = cell - np.floor(cell) - 0.5
        if kind == 0:
            on = (np.floor(cell[:, 1]) % 3 == 0) | (np.abs(f[:, 1]) > 0.46)
        elif kind == 1:
            on = np.hypot(f[:, 0], f[:, 1]) < 0.2 + 0.22 * _hash(np.floor(cell).astype(np.int64), seed)
        else:
            on = (np.floor(cell).sum(-1).astype(int) % 2 == 0) & (_hash(np.floor(cell).astype(np.int64), seed) > 0.35)
        out = mix(base, accent, on.astype(float))
        label = (np.abs(q[:, 0]) < 1.6 * pitch) & (np.abs(q[:, 1]) < 1.3 * pitch)
        row = np.floor(q[:, 1] / 0.0055).astype(np.int64)
        word = _hash(np.stack([row, np.floor(q[:, 0] / 0.004).astype(np.int64)], -1), seed + 1) > 0.3
        written = word & (np.abs(q[:, 1] / 0.0055 - row - 0.5) < 0.28) & (np.abs(q[:, 0]) < 1.35 * pitch)
        out = np.where(label[:, None], np.where(written[:, None], ink, srgb(238, 234, 222)), out)
        return out * (0.92 + 0.16 * fractal(q * 60.0, seed + 2, 3))[:, None]

    return texture
