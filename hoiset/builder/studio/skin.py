"""The looks of a hand: skin tone, knuckles, creases, palm, nails and sleeve, per vertex of the rest mesh."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.hand import Hand
from hoiset.builder.studio.skeleton import N_FINGERS
from hoiset.builder.studio.texture import fractal, mix, srgb

_TONES = ((240, 196, 170), (224, 172, 138), (200, 144, 108), (160, 108, 76), (122, 80, 56))


def skin_tone(rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """A skin tone from fair to dark, linear RGB."""
    at = rng.uniform(0, len(_TONES) - 1)
    k = min(int(at), len(_TONES) - 2)
    return mix(srgb(*_TONES[k]), srgb(*_TONES[k + 1]), np.array(at - k))


def paint_hand(hand: Hand, rng: np.random.Generator) -> tuple[Float[np.ndarray, "V 3"], Float[np.ndarray, "V"]]:
    """Linear RGB albedo and gloss of every vertex.

    Args:
        hand: The rest mesh.
        rng: Source of tone, blotches and cloth.
    """
    v, n, sk = hand.mesh.vertices, hand.normals, hand.skeleton
    seed = int(rng.integers(1 << 30))
    tone = skin_tone(rng)
    palm_tone = mix(tone, srgb(236, 180, 158), np.array(0.35))
    inner = np.clip(n[:, 2] * 1.6 + 0.1, 0.0, 1.0)
    colour = tone + (palm_tone - tone) * inner[:, None]
    colour *= (0.90 + 0.20 * fractal(v * 70.0, seed, 3))[:, None]
    redness = np.zeros(len(v))
    crease = np.zeros(len(v))
    for f in range(N_FINGERS):
        along = np.cross(sk.pads[f], sk.bend_axes[f])
        for k in range(3):
            joint = sk.joints[1 + 4 * f + k]
            if f == 0 and k == 0:
                continue
            d = v - joint
            near = np.exp(-((d**2).sum(-1)) / (2 * 0.0085**2))
            outside = np.clip(-(n @ sk.pads[f]), 0.0, 1.0)
            redness += near * outside * 0.9
            for shift in (-0.0022, 0.0, 0.0022) if k > 0 else (0.0,):
                line = np.exp(-(((d @ along) - shift) ** 2) / (2 * 0.00055**2))
                crease += line * near * (0.5 + 0.5 * np.abs(n @ sk.pads[f])) * (1.0 if k > 0 else 0.4)
        redness += np.exp(-((v - sk.joints[4 + 4 * f]) ** 2).sum(-1) / (2 * 0.009**2)) * 0.7
    colour = colour * (1.0 - np.clip(redness, 0, 1)[:, None] * np.array([0.06, 0.24, 0.22]))
    colour = colour * (1.0 - 0.38 * np.clip(crease, 0, 1)[:, None])
    gloss = np.full(len(v), 0.07)
    nail = _nails(hand)
    colour = colour + (mix(tone, srgb(246, 206, 196), np.array(0.6)) * 1.06 - colour) * nail[:, None]
    gloss += 0.28 * nail
    if hand.is_sleeve.any():
        cloth = srgb(*rng.integers(25, 210, 3))
        weave = 0.75 + 0.5 * fractal(v * np.array([300.0, 120.0, 300.0]), seed + 9, 3)
        stripe = np.where(np.sin(v[:, 1] * rng.uniform(150, 400)) > 0.6, rng.uniform(0.55, 1.0), 1.0)
        colour = np.where(hand.is_sleeve[:, None], cloth * (weave * stripe)[:, None], colour)
        gloss = np.where(hand.is_sleeve, 0.0, gloss)
    return np.clip(colour, 0.0, 1.0), gloss


def _nails(hand: Hand) -> Float[np.ndarray, "V"]:
    """How much of each vertex is nail: an ellipse on the back of each last bone."""
    v, n, sk = hand.mesh.vertices, hand.normals, hand.skeleton
    out = np.zeros(len(v))
    ends = sk.bone_ends()[:, 3]
    for f in range(N_FINGERS):
        along = np.cross(sk.pads[f], sk.bend_axes[f])
        r = sk.tip_radius_m[f]
        d = v - (ends[f] - sk.pads[f] * r - along * 0.0008)
        a, b = d @ along / (r * 0.95), d @ sk.bend_axes[f] / (r * 0.80)
        inside = np.clip((1.12 - np.sqrt(a**2 + b**2)) / 0.2, 0.0, 1.0)
        out += inside * (n @ sk.pads[f] < -0.05) * (np.abs(d @ sk.pads[f]) < r)
    return np.clip(out, 0.0, 1.0)
