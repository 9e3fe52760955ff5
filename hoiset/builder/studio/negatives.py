"""Videos that pass 1 should not keep, or not as they are, and what it should say of each.

==============  ==================  ==================================================================
kind            first failed gate   what it shows
==============  ==================  ==================================================================
slow_pan        camera_moves        hands at work, the camera turns slowly
shake           camera_moves        hands at work, the camera is held in a hand
zoom            camera_moves        hands at work, the lens zooms
cut             (passes)            two scenes spliced: each is to be kept on its own
no_hand         no_hands            things that stand there
self_moving     no_hand_motion      a hand rests on the table while a thing moves by itself
robot_gripper   no_hands            a robot's gripper picks a thing up and places it
==============  ==================  ==================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8

from hoiset.builder.studio.clip import film
from hoiset.builder.studio.moving_camera import CameraPath, moved, shake, slow_pan, widened, zoom
from hoiset.builder.studio.params import StudioParams
from hoiset.builder.studio.scene import plan_scene
from hoiset.builder.studio.uneventful import no_hand_scene, robot_scene, self_moving_scene

NEGATIVES = ("slow_pan", "shake", "zoom", "cut", "no_hand", "self_moving", "robot_gripper")
GATES = {
    "slow_pan": "camera_moves",
    "shake": "camera_moves",
    "zoom": "camera_moves",
    "cut": "",
    "no_hand": "no_hands",
    "self_moving": "no_hand_motion",
    "robot_gripper": "no_hands",
}
_OTHER_SEED = 1_000_003
_CUT_PART_S = (2.6, 3.0)
_CAMERAS: dict[str, Callable[..., CameraPath]] = {"slow_pan": slow_pan, "shake": shake, "zoom": zoom}


@dataclass(frozen=True)
class Negative:
    """A rendered negative.

    Attributes:
        rgb: (T, H, W, 3).
        time: (T,) s.
        action: Words that may come with such a video.
        nouns: Things that the words name.
        gate: First gate that it should fail, or ``""``.
        spans: What pass 1 should keep, s.
    """

    rgb: UInt8[np.ndarray, "T H W 3"]
    time: Float[np.ndarray, "T"]
    action: str
    nouns: tuple[str, ...]
    gate: str
    spans: tuple[tuple[float, float], ...]


def render_negative(seed: int, kind: str, params: StudioParams) -> Negative:
    """Render the negative of a seed; that of ``self_moving`` has a truth beside.

    Args:
        seed: Draws what ``params`` leaves open.
        kind: One of :data:`NEGATIVES`.
        params: As for a clip.

    Raises:
        ValueError: No such kind.
    """
    if kind in _CAMERAS:
        return _with_camera(seed, kind, params)
    if kind == "cut":
        return _cut(seed, params)
    scenes = {"no_hand": no_hand_scene, "self_moving": self_moving_scene, "robot_gripper": robot_scene}
    if kind not in scenes:
        raise ValueError(f"found kind {kind!r}, expected one of {', '.join(NEGATIVES)}")
    scene = scenes[kind](seed, params)
    rgb = film(seed, params, scene)[0]
    said = scene.performance
    return Negative(rgb, said.time, said.sentence, said.nouns, GATES[kind], ())


def _with_camera(seed: int, kind: str, params: StudioParams) -> Negative:
    scene = plan_scene(seed, params)
    said, stage = scene.performance, scene.stage
    path = _CAMERAS[kind](stage, said.time, np.random.default_rng([seed, 10]))
    wide = replace(scene, stage=widened(stage))
    rgb = film(seed, params, wide, lens=lambda k, picture: moved(stage, path, k, picture))[0]
    return Negative(rgb, said.time, said.sentence, said.nouns, GATES[kind], ())


def _cut(seed: int, params: StudioParams) -> Negative:
    """Two clips of the same size and rate from different scenes, one after the other."""
    draw = np.random.default_rng([seed, 10])
    films, lengths, scenes = [], [], []
    for part in (seed, seed + _OTHER_SEED):
        fixed = {"width_px": params.width_px, "height_px": params.height_px, "rate_hz": params.rate_hz}
        here = params if part == seed else StudioParams.varied(part).model_copy(update=fixed)
        here = here.model_copy(update={"own_pace": False, "duration_s": float(draw.uniform(*_CUT_PART_S))})
        scene = plan_scene(part, here)
        films.append(film(part, here, scene)[0])
        lengths.append(len(scene.performance.time))
        scenes.append(scene)
    time = np.arange(sum(lengths)) / params.rate_hz
    first, second = (scene.performance for scene in scenes)
    cut_s = lengths[0] / params.rate_hz
    spans = ((0.0, cut_s), (cut_s, float(time[-1])))
    action = f"{first.sentence}, then {second.sentence[0].lower()}{second.sentence[1:]}"
    return Negative(np.concatenate(films), time, action, (*first.nouns, *second.nouns), GATES["cut"], spans)
