"""A robot's parallel gripper that picks a thing up and places it: what a screen for hands should not take for one.

**Convention:** gripper frame: origin between the fingertips, z from the fingertips towards the arm, x along which the
fingers close, m; world frame of :mod:`hoiset.builder.studio.stage`.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.forms import glazed, metallic
from hoiset.builder.studio.motion import minimum_jerk
from hoiset.builder.studio.objects import Prop
from hoiset.builder.studio.performance import Performance, PropTrack
from hoiset.builder.studio.shapes import round_cone, rounded_box, smooth_min
from hoiset.builder.studio.skeleton import rotation
from hoiset.builder.studio.surface_nets import Mesh, Sdf, mesh_from_sdf
from hoiset.builder.studio.texture import Texture, srgb
from hoiset.geometry import make_T
from hoiset.shards.schema import ObjectState

KINDS = ("box", "can", "jar")
"""Things that fit between its fingers and are as wide at the top as below."""
_FINGER_HALF_M = np.array([0.006, 0.011, 0.034])
_OPEN_M = 0.047
_ABOVE_M = 0.34
_PHASES = (0.04, 0.26, 0.36, 0.46, 0.62, 0.72, 0.80, 0.97)
"""Shares of the clip at which it sets off, is down, has closed, has lifted, is there, is down, is open, is gone."""


def play_gripper(
    prop: Prop,
    spots: tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]],
    bystanders: tuple[PropTrack, ...],
    time: Float[np.ndarray, "T"],
    rng: np.random.Generator,
) -> Performance:
    """Plan a pick-and-place without a hand.

    Args:
        prop: One of :data:`KINDS`; its narrow side is along y.
        spots: Where it stands at the beginning and in the end, world x and y.
        bystanders: What else is there.
        time: Frame times, s.
        rng: Source of looks and heading.
    """
    share = time / time[-1]
    steps = [minimum_jerk((share - a) / (b - a)) for a, b in pairwise(_PHASES)]
    down, close, lift, across, lower, release, leave = steps
    high, lifted = prop.extent_m[2], rng.uniform(0.07, 0.11)
    at = np.zeros((len(time), 3))
    at[:, :2] = spots[0] + across[:, None] * (spots[1] - spots[0])
    at[:, 2] = high / 2 + lifted * (lift - lower)
    yaw = rng.uniform(-0.6, 0.6)
    turned = rotation(np.array([0.0, 0.0, 1.0]), np.full(len(time), yaw))
    tips = at.copy()
    tips[:, 2] += high / 2 - min(0.035, 0.4 * high) + _ABOVE_M * (1.0 - down + leave)
    quarter = rotation(np.array([0.0, 0.0, 1.0]), np.array(np.pi / 2))
    T_world_gripper = make_T(turned @ quarter, tips)
    width = prop.extent_m[1] / 2
    gap = _OPEN_M + (width - _OPEN_M) * (close - release)
    held = (share >= _PHASES[2]) & (share <= _PHASES[5])
    state = np.where(held, ObjectState.MOVING, ObjectState.STATIC).astype(np.uint8)
    parts = _parts(rng)
    still = np.full(len(time), ObjectState.STATIC, np.uint8)
    tracks = [PropTrack(parts["palm"], T_world_gripper, still)]
    for sign in (-1.0, 1.0):
        shift = np.zeros((len(time), 3))
        shift[:, 0] = sign * (gap + _FINGER_HALF_M[0])
        tracks.append(PropTrack(parts["finger"], T_world_gripper @ make_T(np.eye(3), shift), still))
    things = (PropTrack(prop, make_T(turned, at), state), *bystanders)
    noun = prop.noun
    return Performance(
        time, (), (*things[:5], *tracks), (), "robot", f"Robot arm picks up the {noun} and places it", "pick", (noun,)
    )


def _parts(rng: np.random.Generator) -> dict[str, Prop]:
    dark, light = srgb(*rng.integers(25, 70, 3)), srgb(*rng.integers(170, 240, 3))
    body = glazed(rng, light if rng.random() < 0.6 else dark, 0.08)
    z = 2 * _FINGER_HALF_M[2]
    elbow = np.array([rng.uniform(-0.15, 0.15), 0.0, z + 0.22])
    away = elbow + np.array([rng.choice([-1.0, 1.0]) * rng.uniform(0.25, 0.5), 0.30, 0.45])

    def palm(p: np.ndarray) -> np.ndarray:
        block = rounded_box(p - np.array([0.0, 0.0, z + 0.016]), np.array([0.058, 0.026, 0.019]), 0.006)
        neck = round_cone(p, np.array([0.0, 0.0, z + 0.03]), elbow, 0.030, 0.038)
        return smooth_min(smooth_min(block, neck, 0.008), round_cone(p, elbow, away, 0.042, 0.048), 0.012)

    ends = np.stack([np.zeros(3), elbow, away])
    low, high = ends.min(0) - 0.08, ends.max(0) + 0.08
    return {
        "palm": _prop("palm", palm, low, high, 0.006, body),
        "finger": _prop(
            "finger",
            lambda p: rounded_box(p - np.array([0.0, 0.0, _FINGER_HALF_M[2]]), _FINGER_HALF_M, 0.002),
            np.array([-0.01, -0.015, -0.005]),
            np.array([0.01, 0.015, z + 0.005]),
            0.002,
            metallic(rng, int(rng.integers(60, 180))),
        ),
    }


def _prop(kind: str, sdf: Sdf, low: np.ndarray, high: np.ndarray, spacing_m: float, texture: Texture) -> Prop:
    x, y, z = (np.arange(a - 2 * spacing_m, b + 3 * spacing_m, spacing_m) for a, b in zip(low, high, strict=True))
    mesh: Mesh = mesh_from_sdf(sdf, (x, y, z))
    return Prop(kind, mesh, sdf, texture, 0.4, mesh.vertices.max(0) - mesh.vertices.min(0), 0.0)
