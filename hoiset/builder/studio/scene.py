"""What is in front of the camera in the clip of a seed: set, cast and performance, before anything is rendered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.actions import Cast, cast, perform
from hoiset.builder.studio.hand import Hand, build_hand
from hoiset.builder.studio.objects import Prop, build_prop
from hoiset.builder.studio.params import OBJECT_KINDS, PART_KINDS, StudioParams
from hoiset.builder.studio.performance import Performance
from hoiset.builder.studio.skeleton import adult_skeleton
from hoiset.builder.studio.skin import paint_hand
from hoiset.builder.studio.stage import Stage, build_stage

_CLOSED_BY_LIDS = ("pot", "jar")


@dataclass(frozen=True)
class Scene:
    """A clip before it is filmed; its primary hand is a right one.

    Attributes:
        stage: Camera, surroundings and light.
        performance: What moves.
        albedo: (V, 3) linear RGB of the hands' vertices.
        gloss: (V,) strength of their highlight.
        mirrored: Whether the whole clip is mirrored in x once it is filmed.
    """

    stage: Stage
    performance: Performance
    albedo: Float[np.ndarray, "V 3"]
    gloss: Float[np.ndarray, "V"]
    mirrored: bool


def plan_scene(seed: int, params: StudioParams) -> Scene:
    """Draw everything that ``params`` leaves open and plan the performance.

    Args:
        seed: Equal seeds and parameters give equal scenes; so do those that differ in ``handedness`` alone, but for
            :attr:`Scene.mirrored`.
        params: What to fix.

    Raises:
        ValueError: ``seed`` is negative, or the action does not exist or does not suit the object.
    """
    if seed < 0:
        raise ValueError(f"found seed {seed}, expected 0 or more: choose a non-negative seed")
    left = np.random.default_rng([seed, 0]).random() < 0.5
    hand, (albedo, gloss) = draw_hand(seed, params)
    chosen = _cast(seed, params)
    stage = build_stage(params, np.random.default_rng([seed, 3]))
    time = params.frame_times(chosen.duration_s if params.own_pace else params.duration_s)
    performance = perform(
        chosen.action, hand, stage, time, np.random.default_rng([seed, 4]), props=build_props(seed, chosen)
    )
    mirrored = bool(left) if params.handedness is None else params.handedness == "left"
    return Scene(stage, performance, albedo, gloss, mirrored)


def draw_hand(seed: int, params: StudioParams) -> tuple[Hand, tuple[np.ndarray, np.ndarray]]:
    """A hand of random looks, with albedo and gloss of its vertices."""
    draw = np.random.default_rng([seed, 1])
    sleeve = bool(draw.random() < 0.6) if params.sleeve is None else params.sleeve
    scale = draw.uniform(0.94, 1.06)
    start, girth = draw.uniform(0.05, 0.11), draw.uniform(0.93, 1.08)
    skeleton = adult_skeleton(scale if params.hand_scale is None else params.hand_scale)
    hand = build_hand(skeleton, girth=girth, sleeve_start_m=start if sleeve else None)
    return hand, paint_hand(hand, draw)


def _cast(seed: int, params: StudioParams) -> Cast:
    action: Any = params.action  # `cast` says which there are
    chosen = cast(
        np.random.default_rng([seed, 6]),
        action=action,
        kinds=OBJECT_KINDS + PART_KINDS,
        handled=params.object_kind,
        hand_scale=params.hand_scale or 1.0,
    )
    if params.bystanders:
        return chosen
    n = chosen.n_handled
    return Cast(chosen.action, chosen.kinds[:n], chosen.copies[:n], n, chosen.duration_s)


def build_props(seed: int, chosen: Cast) -> list[Prop]:
    """The things of a cast; copies are one and the same thing."""
    built: dict[int, Prop] = {}
    for at, kind in sorted(enumerate(chosen.kinds), key=lambda entry: entry[1] == "lid"):
        if chosen.copies[at] == at:
            rng = np.random.default_rng([seed, 2, at])
            built[at] = build_prop(kind, rng, fits=_vessel(chosen.kinds, built, at, rng) if kind == "lid" else None)
    return [built[first] for first in chosen.copies]


def _vessel(kinds: Sequence[str], built: dict[int, Prop], lid: int, rng: np.random.Generator) -> Prop:
    """The pot or jar next to a lid in the cast; for a lid that lies about alone, one that is not shown."""
    near = sorted((abs(at - lid), at) for at in built if kinds[at] in _CLOSED_BY_LIDS)
    return built[near[0][1]] if near else build_prop("pot", rng)
