"""One rendered clip with exact ground truth in the schema's own terms."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8, UInt16

from hoiset.builder.studio.develop import depth_mm, develop, exposure
from hoiset.builder.studio.meshes import Actor, dress
from hoiset.builder.studio.params import StudioParams
from hoiset.builder.studio.render import Renderer
from hoiset.builder.studio.scene import Scene, plan_scene
from hoiset.builder.studio.truth import FilmedHand, FilmedProp, played, truth_members
from hoiset.geometry import transform
from hoiset.shards.schema import MASK_LEFT_HAND, MASK_RIGHT_HAND, MAX_OBJECTS, Sample
from hoiset.video import encode_mp4

Lens = Callable[[int, np.ndarray], np.ndarray]
_THREADS = 2
_SKIN_GLOW = np.array([0.34, 0.15, 0.09])


@dataclass(frozen=True)
class StudioClip:
    """A rendered clip.

    Attributes:
        rgb: (T, H, W, 3) uint8.
        time: (T,) s.
        truth: Every member of the schema's layers core and video, exact; ``rgb.mp4`` is the encoded clip.
        depth: (T, H, W) uint16 z-depth, mm.
        masks: (T, H, W) uint8: 0 = set, 1.. = objects in the truth's order, 9 = left and 10 = right hand with forearm.
        hands: In the order of the performance, the acting one first; in view or not.
        props: In the truth's order.
    """

    rgb: UInt8[np.ndarray, "T H W 3"]
    time: Float[np.ndarray, "T"]
    truth: Sample
    depth: UInt16[np.ndarray, "T H W"]
    masks: UInt8[np.ndarray, "T H W"]
    hands: tuple[FilmedHand, ...]
    props: tuple[FilmedProp, ...]


def render_clip(seed: int, params: StudioParams | None = None) -> StudioClip:
    """Model, move and render one clip of hands that handle things.

    Equal arguments give equal bytes. A left-handed clip mirrors the right-handed one of the same seed exactly:
    everything is planned and rendered with a right primary hand, then images and geometry are mirrored in x.

    Args:
        seed: Draws everything that ``params`` leaves open.
        params: Size, duration, and what to fix; by default one hand picks up one thing and places it.

    Raises:
        ValueError: ``seed`` is negative, or the action does not exist or does not suit the object.
    """
    params = params or StudioParams()
    return film_clip(seed, params, plan_scene(seed, params))


def film_clip(seed: int, params: StudioParams, scene: Scene) -> StudioClip:
    """Render a scene with its truth.

    Args:
        seed: Of shadows and noise, and of the clip's key.
        params: Of the camera's quality.
        scene: What to film.
    """
    happened = played(scene.stage, scene.performance, mirrored=scene.mirrored)
    rgb, depth, masks = film(seed, params, scene)
    truth = truth_members(seed, happened, params.hand_in_view_fraction, masks)
    truth["rgb.mp4"] = encode_mp4(rgb, scene.performance.time, crf=params.crf)
    return StudioClip(rgb, scene.performance.time, truth, depth, masks, happened.hands, happened.props)


def film(seed: int, params: StudioParams, scene: Scene, lens: Lens | None = None) -> tuple[np.ndarray, ...]:
    """Colour (T, h, w, 3), depth (T, H, W) in mm and masks (T, H, W) of every frame, mirrored where the scene is.

    Frames are independent of each other, so two are rendered at a time.

    Args:
        seed: Of shadows and noise.
        params: Of the camera's quality.
        scene: What to film.
        lens: Makes (h, w, 3) linear RGB of a frame's number and its (H, W, 3) linear RGB, before blur and noise.
    """
    stage, time = scene.stage, scene.performance.time
    seen = played(stage, scene.performance, mirrored=False)
    hands = [_skin(scene, hand) for hand in seen.hands]
    things = _things(seen.props)
    moving = [slot for slot, thing in enumerate(seen.props) if np.ptp(thing.T_camera_object, axis=0).any()]
    still = [slot for slot in range(len(seen.props)) if slot not in moving]
    stood = [transform(seen.props[slot].T_camera_object[0], seen.props[slot].vertices) for slot in still]
    renderer = Renderer(stage, seed, [things[slot] for slot in still], stood)
    actors = [*hands, *(things[slot] for slot in moving)]
    blur_px = params.blur_fraction * min(stage.width, stage.height)
    gains = exposure(time, params.exposure_drift, np.random.default_rng([seed, 9]))

    def shoot(k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        posed = [hand.vertices(k) for hand in seen.hands]
        posed += [transform(seen.props[slot].T_camera_object[k], seen.props[slot].vertices) for slot in moving]
        picture = renderer.render(actors, posed)
        grain = np.random.default_rng([seed, 5, k])
        light = picture.rgb if lens is None else lens(k, picture.rgb)
        rgb = develop(light * gains[k], grain, blur_px=blur_px, noise=params.noise_fraction)
        return rgb, depth_mm(picture.depth_m), picture.mask

    with ThreadPoolExecutor(_THREADS) as pool:
        films = [np.stack(frames) for frames in zip(*pool.map(shoot, range(len(time))), strict=True)]
    rgb, depth, masks = (np.ascontiguousarray(f[:, :, ::-1]) for f in films) if scene.mirrored else films
    return rgb, depth, masks


def _skin(scene: Scene, hand: FilmedHand) -> Actor:
    code = MASK_LEFT_HAND if hand.left != scene.mirrored else MASK_RIGHT_HAND
    return dress(code, hand.track.hand.mesh.vertices, hand.faces, scene.albedo, scene.gloss, _SKIN_GLOW)


def _things(props: tuple[FilmedProp, ...]) -> list[Actor]:
    return [
        dress(1 + slot, thing.vertices, thing.faces, thing.prop.texture, thing.prop.gloss)
        for slot, thing in enumerate(props[:MAX_OBJECTS])
    ]
