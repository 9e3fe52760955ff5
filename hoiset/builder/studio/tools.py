"""Families of solid things: box, book, ball, spoon, knife and spray bottle.

**Convention:** as in :mod:`hoiset.builder.studio.forms`; tools lie along x with their working end at +x.
"""

from __future__ import annotations

import numpy as np

from hoiset.builder.studio.forms import (
    UP,
    Form,
    Hold,
    X,
    Y,
    glazed,
    ground_colours,
    metallic,
    printed,
    split,
    unroll_box,
    unroll_flat,
    wooden,
)
from hoiset.builder.studio.shapes import revolved_polygon, round_cone, rounded_box, smooth_min
from hoiset.builder.studio.texture import noise, srgb

_ZERO = np.zeros(3)


def box(rng: np.random.Generator) -> Form:
    """A carton that stands."""
    half = np.array([rng.uniform(0.033, 0.058), rng.uniform(0.022, 0.033), rng.uniform(0.042, 0.080)])
    return Form(
        lambda p: rounded_box(p, half, 0.003),
        half + 0.001,
        printed(rng, unroll_box(half), 0.1),
        0.08,
        float(half[1]),
        holds=(Hold("body", _ZERO, UP, float(half[1]), 2 * float(half[2]), Y),),
    )


def book(rng: np.random.Generator) -> Form:
    """A book that lies: covers, spine at -x, pages a little inside."""
    half = np.array([rng.uniform(0.060, 0.085), rng.uniform(0.085, 0.115), rng.uniform(0.009, 0.018)])
    cover, inset = 0.0028, 0.0035
    pages_half = half - np.array([inset, inset, 0.0])
    spine = np.array([-half[0] + cover / 2 + 0.0004, 0.0, 0.0])

    def sdf(p: np.ndarray) -> np.ndarray:
        plates = rounded_box(
            np.stack([p[..., 0], p[..., 1], np.abs(p[..., 2]) - half[2] + cover / 2], -1),
            np.array([half[0], half[1], cover / 2]),
            0.0010,
        )
        back = rounded_box(p - spine, np.array([cover / 2 + 0.0004, half[1], half[2]]), 0.0010)
        pages = rounded_box(p, pages_half, 0.0008)
        return np.minimum(np.minimum(plates, back), pages)

    seed = int(rng.integers(1 << 30))
    paper = srgb(236, 230, 214)

    def pages_texture(p: np.ndarray) -> np.ndarray:
        leaves = noise(p * np.array([30.0, 30.0, 1800.0]), seed)
        return paper * (0.72 + 0.4 * leaves)[:, None]

    def between(p: np.ndarray) -> np.ndarray:
        outermost = (np.abs(p[..., 2]) > half[2] - cover) | (p[..., 0] < -half[0] + cover)
        return np.where(outermost, 1.0, -1.0)

    cover_texture = printed(rng, unroll_flat, 0.15)
    return Form(
        sdf,
        half + 0.001,
        split(between, pages_texture, cover_texture),
        0.2,
        float(half[2]),
        (0.0027, 0.0027, 0.0013),
        holds=(Hold("edge", np.array([half[0] - 0.012, 0.0, 0.0]), Y, float(half[2]), 0.08, UP),),
    )


def ball(rng: np.random.Generator) -> Form:
    """A ball, from a table-tennis ball's size to a softball's."""
    r = rng.uniform(0.024, 0.042)
    base, accent = ground_colours(rng)
    wave, turns = rng.uniform(0.2, 0.5), int(rng.integers(2, 5))
    seed = int(rng.integers(1 << 30))

    def texture(p: np.ndarray) -> np.ndarray:
        angle = np.arctan2(p[:, 1], p[:, 0])
        on = np.abs(p[:, 2] / r - wave * np.sin(turns * angle)) < 0.22
        spots = noise(p * 130.0, seed) > 0.78
        shade = 0.86 + 0.28 * noise(p * 60.0, seed + 1)
        return np.where((on ^ spots)[:, None], accent, base) * shade[:, None]

    return Form(
        lambda p: np.linalg.norm(p, axis=-1) - r,
        np.full(3, r + 0.001),
        texture,
        0.25,
        float(r),
        holds=(Hold("body", _ZERO, UP, float(r), float(r)),),
    )


def spoon(rng: np.random.Generator) -> Form:
    """A cooking spoon."""
    length, width = rng.uniform(0.19, 0.27), rng.uniform(0.019, 0.026)
    thick, deep, lean = rng.uniform(0.0046, 0.0060), rng.uniform(0.006, 0.009), rng.uniform(1.35, 1.65)
    head = np.array([length / 2 - width * lean, 0.0, 0.0])
    end = np.array([-length / 2 + thick, 0.0, rng.uniform(0.004, 0.010)])
    size = np.array([width * lean, width, deep])

    def shell(p: np.ndarray) -> np.ndarray:
        q = (p - head) / size
        radius = np.linalg.norm(q, axis=-1)
        steep = np.maximum(np.linalg.norm(q / size, axis=-1), 1e-9)
        outer = radius * (radius - 1.0) / steep
        hollow = 0.0034 + 0.5 * deep
        lifted = (p - head - UP * hollow) / size
        radius = np.linalg.norm(lifted, axis=-1)
        steep = np.maximum(np.linalg.norm(lifted / size, axis=-1), 1e-9)
        inner = radius * (radius - 1.0) / steep
        rim = p[..., 2] - head[2] - 0.0012
        return np.maximum(np.maximum(outer, -inner), rim)

    def sdf(p: np.ndarray) -> np.ndarray:
        neck = head - X * (width * lean * 0.86)
        return smooth_min(shell(p), round_cone(p, end, neck, thick, thick * 0.72), 0.004)

    texture = wooden(rng, 0) if rng.random() < 0.6 else glazed(rng, ground_colours(rng)[1])
    along = (head - end) / np.linalg.norm(head - end)
    return Form(
        sdf,
        np.array([length / 2 + 0.002, width + 0.002, max(deep, 0.012) + thick]) + 0.002,
        texture,
        0.15,
        float(thick),
        (0.0022, 0.0016, 0.0013),
        holds=(Hold("handle", end + along * length * 0.25, along, float(thick), length * 0.45),),
        tip=head - UP * deep * 0.8,
    )


def knife(rng: np.random.Generator) -> Form:
    """A kitchen knife that lies on its side."""
    blade, grip = rng.uniform(0.10, 0.16), rng.uniform(0.095, 0.115)
    high, thin = rng.uniform(0.011, 0.016), 0.0017
    half = np.array([grip / 2, rng.uniform(0.0105, 0.0130), rng.uniform(0.0075, 0.0090)])
    start = (grip - blade) / 2
    handle_at = np.array([start - grip / 2, 0.0, 0.0])
    blade_half = np.array([blade / 2 + 0.008, high, thin])
    blade_at = np.array([start + blade / 2 - 0.008, -0.002, 0.0])
    slope = np.array([0.55, 0.835]) if rng.random() < 0.6 else np.array([0.85, 0.527])
    corner = np.array([start + blade - 0.002, -0.002 - high])

    def sdf(p: np.ndarray) -> np.ndarray:
        plane = (p[..., :2] - corner) @ slope
        steel = np.maximum(rounded_box(p - blade_at, blade_half, 0.0012), plane)
        return smooth_min(rounded_box(p - handle_at, half, 0.0065), steel, 0.003)

    grip_texture = wooden(rng, 0) if rng.random() < 0.4 else glazed(rng, srgb(*rng.integers(15, 120, 3)))
    return Form(
        sdf,
        np.array([(grip + blade) / 2, 0.020, 0.0095]) + 0.002,
        split(lambda p: p[..., 0] - start, grip_texture, metallic(rng, 185)),
        0.55,
        float(half[1]),
        (0.0024, 0.0018, 0.0010),
        holds=(Hold("handle", handle_at, X, float(half[1]), grip, Y),),
        tip=np.array([start + blade - 0.02, -0.002, 0.0]),
    )


def spray_bottle(rng: np.random.Generator) -> Form:
    """A spray bottle whose nozzle points to +x."""
    r, h = rng.uniform(0.029, 0.036), rng.uniform(0.185, 0.235)
    z, neck, shoulder = h / 2, rng.uniform(0.012, 0.015), rng.uniform(0.50, 0.60)
    top, start = z - 0.046, -z + h * shoulder
    t = np.linspace(0.0, 1.0, 6)[1:]
    curve = np.stack([neck + (r - neck) * (0.5 + 0.5 * np.cos(np.pi * t)), start + (top - 0.012 - start) * t], -1)
    profile = np.concatenate([[[0, -z], [r, -z], [r, start]], curve, [[neck, top + 0.01], [0, top + 0.01]]])
    head_half = np.array([rng.uniform(0.026, 0.032), rng.uniform(0.0105, 0.013), 0.0135])
    head_at = np.array([0.012, 0.0, z - 0.0145])
    collar = np.array([[0, top - 0.004], [neck + 0.004, top - 0.004], [neck + 0.004, top + 0.012], [0, top + 0.012]])
    front = head_at + np.array([head_half[0], 0.0, 0.003])
    pivot, toe = head_at + np.array([0.014, 0.0, -0.008]), head_at + np.array([0.030, 0.0, -0.044])

    def sdf(p: np.ndarray) -> np.ndarray:
        body = smooth_min(revolved_polygon(p, profile) - 0.0008, revolved_polygon(p, collar) - 0.0008, 0.002)
        stem = round_cone(p, np.array([0.0, 0.0, top]), np.array([0.004, 0.0, z - 0.014]), 0.010, 0.010)
        head = smooth_min(rounded_box(p - head_at, head_half, 0.006), stem, 0.004)
        nozzle = round_cone(p, front, front + np.array([0.009, 0.0, 0.0]), 0.0062, 0.0062)
        trigger = round_cone(p, pivot, toe, 0.0050, 0.0038)
        return smooth_min(body, np.minimum(np.minimum(head, nozzle), trigger), 0.002)

    body_texture = printed(rng, lambda p: np.stack([np.arctan2(p[:, 0], -p[:, 1]) * r, p[:, 2]], -1), 0.2)
    reach = max(float(front[0]) + 0.0155, float(toe[0]) + 0.005, r)
    return Form(
        sdf,
        np.array([reach, r + 0.001, z]) + 0.002,
        split(lambda p: top - 0.004 - p[..., 2], glazed(rng, ground_colours(rng)[1]), body_texture),
        0.3,
        r,
        (0.0024, 0.0024, 0.0026),
        holds=(
            Hold("body", np.array([0.0, 0.0, (start - z) / 2]), UP, r, h * shoulder),
            Hold("handle", np.array([0.0, 0.0, top - 0.002]), UP, neck, 0.04),
        ),
        tip=front + np.array([0.015, 0.0, 0.0]),
    )
