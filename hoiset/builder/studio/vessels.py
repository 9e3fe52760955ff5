"""Families of things that hold something: mug, bowl, bottle, can, plate, pan, pot, jar, and lids that fit.

**Convention:** as in :mod:`hoiset.builder.studio.forms`.
"""

from __future__ import annotations

import numpy as np

from hoiset.builder.studio.forms import (
    UP,
    Form,
    Hold,
    Opening,
    X,
    Y,
    glazed,
    ground_colours,
    metallic,
    printed,
    split,
    unroll_flat,
    unroll_round,
    wooden,
)
from hoiset.builder.studio.shapes import revolved_polygon, round_cone, smooth_min, torus
from hoiset.builder.studio.texture import srgb

_ZERO = np.zeros(3)


def mug(rng: np.random.Generator) -> Form:
    """A cup with one handle."""
    r, h, wall = rng.uniform(0.034, 0.041), rng.uniform(0.080, 0.108), 0.0055
    z, flare = h / 2, rng.uniform(-0.003, 0.002)
    foot = r + flare
    profile = np.array([[0, -z], [foot, -z], [r, z], [r - wall, z], [foot - wall, -z + 0.008], [0, -z + 0.008]])
    ring = (rng.uniform(0.020, 0.025), h * rng.uniform(0.27, 0.33))

    def sdf(p: np.ndarray) -> np.ndarray:
        body = revolved_polygon(p, profile) - 0.0005
        handle = torus(p, np.array([r + 0.002, 0.0, 0.0]), ring, 0.0055)
        inside = np.hypot(p[..., 0], p[..., 1]) - (r - 0.003)
        return smooth_min(body, np.maximum(handle, -inside), 0.003)

    reach = r + 0.002 + ring[0]
    holds = (Hold("body", _ZERO, UP, r, h), Hold("handle", np.array([reach, 0.0, 0.0]), UP, 0.0055, ring[1]))
    return Form(
        sdf,
        np.array([reach + 0.010, r + 0.004, z + 0.002]),
        printed(rng, unroll_round(r)),
        0.5,
        r,
        holds=holds,
        opening=Opening(UP * z, r - wall, h - 0.008, r),
    )


def bowl(rng: np.random.Generator) -> Form:
    """A bowl on a foot."""
    r, h, wall = rng.uniform(0.058, 0.078), rng.uniform(0.045, 0.064), 0.0058
    foot, z = r * rng.uniform(0.40, 0.52), h / 2
    t = np.linspace(0.0, np.pi / 2, 9)
    outer = np.stack([foot + (r - foot) * np.sin(t), z - (h - 0.006) * np.cos(t)], -1)
    inner = np.stack([foot + (r - wall - foot) * np.sin(t), z - (h - 0.006 - wall) * np.cos(t)], -1)[::-1]
    profile = np.concatenate([[[0, -z], [foot, -z]], outer, inner, [[0, inner[-1, 1]]]])
    return Form(
        lambda p: revolved_polygon(p, profile) - 0.0006,
        np.array([r, r, z]) + 0.002,
        printed(rng, unroll_round(r)),
        0.45,
        wall / 2,
        holds=(Hold("rim", np.array([r - wall / 2, 0.0, z - 0.008]), Y, wall / 2, 0.03, X),),
        opening=Opening(UP * z, r - wall, h - 0.012, r),
    )


def bottle(rng: np.random.Generator) -> Form:
    """A bottle with a neck and a cap."""
    r, h, neck = rng.uniform(0.028, 0.037), rng.uniform(0.16, 0.22), rng.uniform(0.011, 0.0145)
    z, shoulder = h / 2, rng.uniform(0.58, 0.72)
    top, start = z - 0.022, -z + h * shoulder
    t = np.linspace(0.0, 1.0, 7)[1:]
    curve = np.stack([neck + (r - neck) * (0.5 + 0.5 * np.cos(np.pi * t)), start + (top - 0.018 - start) * t], -1)
    cap = neck + 0.003
    profile = np.concatenate([[[0, -z], [r, -z], [r, start]], curve, [[neck, top], [cap, top], [cap, z], [0, z]]])
    skin = printed(rng, unroll_round(r))
    return Form(
        lambda p: revolved_polygon(p, profile) - 0.001,
        np.array([r, r, z]) + 0.002,
        split(lambda p: top - 0.001 - p[..., 2], glazed(rng, ground_colours(rng)[1]), skin),
        0.4,
        r,
        holds=(
            Hold("body", np.array([0.0, 0.0, (start - z) / 2]), UP, r, h * shoulder),
            Hold("handle", np.array([0.0, 0.0, top - 0.012]), UP, neck, 0.03),
        ),
        opening=Opening(UP * z, neck, 0.0, cap),
    )


def can(rng: np.random.Generator) -> Form:
    """A tin with beaded rims."""
    r, h = rng.uniform(0.026, 0.040), rng.uniform(0.085, 0.128)
    z, lip = h / 2, 0.0035
    profile = np.array(
        [
            [0, -z + 0.002],
            [r - 0.004, -z + 0.002],
            [r - 0.003, -z],
            [r, -z],
            [r, -z + lip],
            [r - 0.0014, -z + 2 * lip],
            [r - 0.0014, z - 2 * lip],
            [r, z - lip],
            [r, z],
            [r - 0.003, z],
            [r - 0.004, z - 0.002],
            [0, z - 0.002],
        ]
    )
    ends = split(lambda p: z - 0.005 - np.abs(p[..., 2]), metallic(rng), printed(rng, unroll_round(r), 0.1))
    return Form(
        lambda p: revolved_polygon(p, profile) - 0.0006,
        np.array([r, r, z]) + 0.002,
        ends,
        0.45,
        r,
        holds=(Hold("body", _ZERO, UP, r, h),),
    )


def plate(rng: np.random.Generator) -> Form:
    """A flat plate with a raised rim."""
    r, h, wall = rng.uniform(0.085, 0.125), rng.uniform(0.018, 0.026), 0.0048
    foot, z = r * rng.uniform(0.58, 0.70), h / 2
    outer = np.array([[foot, -z], [foot + 0.006, -z + 0.003], [r, z - 0.0028], [r, z]])
    inner = np.array([[r - 0.003, z], [foot + 0.004, -z + 0.003 + wall], [foot - 0.004, -z + wall], [0, -z + wall]])
    profile = np.concatenate([[[0, -z]], outer, inner])
    base, accent = ground_colours(rng)
    ring = rng.uniform(0.72, 0.95) * r
    ground = printed(rng, unroll_flat, 0.0) if rng.random() < 0.4 else glazed(rng, base)
    texture = split(lambda p: np.abs(np.hypot(p[..., 0], p[..., 1]) - ring) - 0.004, glazed(rng, accent), ground)
    rim = Hold("edge", np.array([r - 0.005, 0.0, z - 0.004]), Y, wall / 2, 0.04, UP)
    return Form(
        lambda p: revolved_polygon(p, profile) - 0.0006,
        np.array([r, r, z]) + 0.002,
        texture,
        0.5,
        wall / 2,
        (0.0027, 0.0027, 0.0018),
        holds=(rim,),
        opening=Opening(UP * z, r - 0.004, h - wall, r),
    )


def pan(rng: np.random.Generator) -> Form:
    """A frying pan with one long handle along +x."""
    r, h, wall = rng.uniform(0.085, 0.115), rng.uniform(0.034, 0.048), 0.0046
    foot, z = r * rng.uniform(0.76, 0.86), h / 2
    profile = np.array([[0, -z], [foot, -z], [r, z], [r - wall, z], [foot - wall, -z + wall], [0, -z + wall]])
    length, thick = rng.uniform(0.12, 0.16), rng.uniform(0.0085, 0.0105)
    a, b = np.array([r - 0.002, 0.0, z - 0.012]), np.array([r + length, 0.0, z + rng.uniform(0.004, 0.020)])

    def sdf(p: np.ndarray) -> np.ndarray:
        body = revolved_polygon(p, profile) - 0.0006
        inside = np.hypot(p[..., 0], p[..., 1]) - (r - 0.004)
        handle = round_cone(p, a, b, thick * 0.85, thick)
        return smooth_min(body, np.maximum(handle, -inside), 0.004)

    grey = int(rng.integers(40, 120))
    handle_texture = wooden(rng, 0) if rng.random() < 0.5 else glazed(rng, srgb(*rng.integers(20, 60, 3)))
    body_texture = metallic(rng, grey) if rng.random() < 0.6 else glazed(rng, ground_colours(rng)[1])
    texture = split(lambda p: r + 0.022 - p[..., 0], handle_texture, body_texture)
    along = (b - a) / np.linalg.norm(b - a)
    return Form(
        sdf,
        np.array([r + length + thick, r, z + 0.020 + thick]) + 0.003,
        texture,
        0.35,
        thick,
        (0.0028, 0.0028, 0.0020),
        holds=(Hold("handle", a + (b - a) * 0.62, along, thick, length * 0.7),),
        opening=Opening(UP * z, r - wall, h - wall, r),
    )


def pot(rng: np.random.Generator) -> Form:
    """A cooking pot with two ears."""
    r, h, wall = rng.uniform(0.062, 0.082), rng.uniform(0.060, 0.085), 0.0046
    z = h / 2
    profile = np.array([[0, -z], [r, -z], [r, z], [r - wall, z], [r - wall, -z + wall], [0, -z + wall]])
    ear, drop = rng.uniform(0.016, 0.022), rng.uniform(0.010, 0.018)

    def sdf(p: np.ndarray) -> np.ndarray:
        body = revolved_polygon(p, profile) - 0.0010
        folded = np.stack([np.abs(p[..., 0]), p[..., 2] - z + drop, p[..., 1]], -1)
        ears = torus(folded, np.array([r, 0.0, 0.0]), (ear, 0.026), 0.0048)
        inside = np.hypot(p[..., 0], p[..., 1]) - (r - 0.002)
        return smooth_min(body, np.maximum(ears, -inside), 0.003)

    dark = glazed(rng, srgb(*rng.integers(20, 60, 3)))
    body_texture = metallic(rng, int(rng.integers(110, 200))) if rng.random() < 0.5 else printed(rng, unroll_round(r))
    out = r + ear
    texture = split(lambda p: r + 0.004 - np.hypot(p[..., 0], p[..., 1]), dark, body_texture)
    ears_at = [Hold("handle", np.array([s * out, 0.0, z - drop]), Y, 0.0048, 0.03) for s in (1, -1)]
    return Form(
        sdf,
        np.array([out + 0.006, r + 0.001, z + 0.001]) + 0.003,
        texture,
        0.4,
        0.0048,
        (0.0026, 0.0026, 0.0026),
        holds=tuple(ears_at),
        opening=Opening(UP * (z + 0.001), r - wall - 0.001, h - wall, r + 0.001),
    )


def jar(rng: np.random.Generator) -> Form:
    """A storage jar, open at the top."""
    r, h, wall = rng.uniform(0.031, 0.040), rng.uniform(0.075, 0.115), 0.0045
    z = h / 2
    profile = np.array([[0, -z], [r, -z], [r, z], [r - wall, z], [r - wall, -z + 0.006], [0, -z + 0.006]])
    return Form(
        lambda p: revolved_polygon(p, profile) - 0.0008,
        np.array([r, r, z]) + 0.003,
        printed(rng, unroll_round(r), 0.2),
        0.5,
        r,
        holds=(Hold("body", np.array([0.0, 0.0, -0.01]), UP, r, h - 0.03),),
        opening=Opening(UP * (z + 0.0008), r - wall - 0.0008, h - 0.006, r + 0.0008),
    )


def lid(rng: np.random.Generator, opening: Opening) -> Form:
    """A lid for an opening: a low dome with a knob for wide ones, a cap with a flat top for narrow ones."""
    return _domed(rng, opening) if opening.rim_radius_m > 0.05 else _cap(rng, opening)


def _domed(rng: np.random.Generator, opening: Opening) -> Form:
    r, ring = opening.rim_radius_m + 0.002, opening.radius_m - 0.0015
    thick, dome, knob = 0.0045, rng.uniform(0.006, 0.014), rng.uniform(0.0115, 0.016)
    rise, stem = rng.uniform(0.016, 0.022), 0.0065
    top = thick + dome
    under = [[0.0, dome], [ring * 0.6, dome * 0.72], [ring - 0.0045, 0.0], [ring - 0.0045, -0.006], [ring, -0.006]]
    flange = [[ring, 0.0], [r, 0.0], [r, thick * 0.7], [ring * 0.6, dome * 0.72 + thick]]
    grip = [[stem, top], [stem, top + 0.006], [knob, top + 0.010], [knob, top + rise], [0.0, top + rise]]
    profile = np.array([*under, *flange, *grip])
    dark = glazed(rng, srgb(*rng.integers(20, 70, 3)))
    body = metallic(rng, int(rng.integers(110, 200))) if rng.random() < 0.5 else glazed(rng, ground_colours(rng)[1])
    return Form(
        lambda p: revolved_polygon(p, profile) - 0.0005,
        np.array([r, r, top + rise]) + 0.003,
        split(lambda p: top - p[..., 2], dark, body),
        0.4,
        knob,
        (0.0026, 0.0026, 0.0020),
        holds=(Hold("knob", UP * (top + (0.010 + rise) / 2), UP, knob, rise - 0.008),),
        seat=np.array([0.0, 0.0, -0.0005]),
    )


def _cap(rng: np.random.Generator, opening: Opening) -> Form:
    inner, wall, h = opening.rim_radius_m + 0.0016, 0.0040, rng.uniform(0.018, 0.024)
    r = inner + wall
    profile = np.array([[inner, -h], [r, -h], [r, 0.0045], [0.0, 0.0045], [0.0, 0.0], [inner, 0.0]])
    return Form(
        lambda p: revolved_polygon(p, profile) - 0.0005,
        np.array([r, r, h]) + 0.003,
        printed(rng, unroll_flat, 0.0),
        0.4,
        r,
        (0.0024, 0.0024, 0.0020),
        holds=(Hold("body", np.array([0.0, 0.0, -h / 2]), UP, r, h),),
        seat=np.array([0.0, 0.0, -0.0005]),
    )
