"""One rendered clip with exact ground truth in the schema's own terms."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8, UInt16

from hoiset.builder.studio.develop import depth_mm, develop
from hoiset.builder.studio.hand import Hand, build_hand
from hoiset.builder.studio.meshes import Actor
from hoiset.builder.studio.motion import Motion, plan_motion
from hoiset.builder.studio.objects import build_prop
from hoiset.builder.studio.params import OBJECT_KINDS, StudioParams
from hoiset.builder.studio.render import Renderer
from hoiset.builder.studio.skeleton import adult_skeleton
from hoiset.builder.studio.skin import paint_hand
from hoiset.builder.studio.stage import Stage, build_stage
from hoiset.builder.studio.truth import Played, truth_members
from hoiset.geometry import transform
from hoiset.shards.schema import Sample
from hoiset.video import encode_mp4

MASK_OBJECT = 1
MASK_LEFT_HAND = 9
MASK_RIGHT_HAND = 10
_THREADS = 2
_SKIN_GLOW = np.array([0.34, 0.15, 0.09])
_MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])


@dataclass(frozen=True)
class StudioClip:
    """A rendered clip.

    Attributes:
        rgb: (T, H, W, 3) uint8.
        time: (T,) s.
        truth: Every member of the schema, exact; ``rgb.mp4`` is the encoded clip.
        depth: (T, H, W) uint16 z-depth, mm.
        masks: (T, H, W) uint8: 0 = set, 1.. = objects in the truth's order, 9 = left and 10 = right hand with forearm.
        joints: (T, 21, 3) joints of the acting hand in every frame, camera frame, m, in view or not.
        hand_vertices: (T, V, 3) its skin, camera frame, m.
        hand_faces: (F, 3).
        object_vertices: (N, 3) the object's mesh in its own frame, m.
        object_faces: (M, 3).
        handedness: Which hand acts: ``left`` or ``right``.
    """

    rgb: UInt8[np.ndarray, "T H W 3"]
    time: Float[np.ndarray, "T"]
    truth: Sample
    depth: UInt16[np.ndarray, "T H W"]
    masks: UInt8[np.ndarray, "T H W"]
    joints: Float[np.ndarray, "T 21 3"]
    hand_vertices: Float[np.ndarray, "T V 3"]
    hand_faces: np.ndarray
    object_vertices: Float[np.ndarray, "N 3"]
    object_faces: np.ndarray
    handedness: str


def render_clip(seed: int, params: StudioParams | None = None) -> StudioClip:
    """Model, move and render one clip: a hand picks up an object and places it.

    Equal arguments give equal bytes. A left-handed clip mirrors the right-handed one of the same seed exactly:
    everything is planned and rendered as a right hand, then images and geometry are mirrored in x.

    Args:
        seed: Draws everything that ``params`` leaves open.
        params: Size, duration, and what to fix.

    Raises:
        ValueError: ``seed`` is negative.
    """
    if seed < 0:
        raise ValueError(f"found seed {seed}, expected 0 or more: choose a non-negative seed")
    params = _settled(seed, params or StudioParams())
    left = params.handedness == "left"
    hand, paint = _cast_hand(seed, params)
    prop = build_prop(params.object_kind or OBJECT_KINDS[0], np.random.default_rng([seed, 2]))
    stage = build_stage(params, np.random.default_rng([seed, 3]))
    motion = plan_motion(hand, prop, stage, params, np.random.default_rng([seed, 4]))
    vertices, joints = _posed_hand(hand, stage, motion)
    T_camera_object = stage.T_camera_world @ motion.T_world_object
    code = MASK_LEFT_HAND if left else MASK_RIGHT_HAND
    gloss = np.full(len(prop.mesh.vertices), prop.gloss)
    actors = [
        Actor(code, hand.mesh.vertices, hand.faces, paint[0], None, paint[1], _SKIN_GLOW),
        Actor(MASK_OBJECT, prop.mesh.vertices, prop.mesh.faces, None, prop.texture, gloss, np.zeros(3)),
    ]
    posed = [[v, transform(T, prop.mesh.vertices)] for v, T in zip(vertices, T_camera_object, strict=True)]
    rgb, depth, masks = (_mirrored(x, left) for x in _film(seed, params, stage, actors, posed))
    flip = np.array([-1.0, 1.0, 1.0]) if left else np.ones(3)
    played = Played(
        stage=stage,
        prop=prop,
        motion=motion,
        left=left,
        joints=joints * flip,
        T_camera_object=_MIRROR @ T_camera_object @ _MIRROR if left else T_camera_object,
        vertices=prop.mesh.vertices * flip,
        faces=prop.mesh.faces[:, ::-1] if left else prop.mesh.faces,
    )
    truth = truth_members(seed, played, params.hand_in_view_fraction)
    truth["rgb.mp4"] = encode_mp4(rgb, motion.time, crf=params.crf)
    return StudioClip(
        rgb=rgb,
        time=motion.time,
        truth=truth,
        depth=depth,
        masks=masks,
        joints=played.joints,
        hand_vertices=vertices * flip,
        hand_faces=hand.faces[:, ::-1] if left else hand.faces,
        object_vertices=played.vertices,
        object_faces=played.faces,
        handedness="left" if left else "right",
    )


def _settled(seed: int, params: StudioParams) -> StudioParams:
    """The parameters with everything drawn that they leave open."""
    draw = np.random.default_rng([seed, 0])
    left, kind, sleeve = draw.random() < 0.5, OBJECT_KINDS[int(draw.integers(len(OBJECT_KINDS)))], draw.random() < 0.6
    return params.model_copy(
        update={
            "handedness": params.handedness or ("left" if left else "right"),
            "object_kind": params.object_kind or kind,
            "sleeve": bool(sleeve) if params.sleeve is None else params.sleeve,
        }
    )


def _cast_hand(seed: int, params: StudioParams) -> tuple[Hand, tuple[np.ndarray, np.ndarray]]:
    """A hand of random size and looks, with albedo and gloss of its vertices."""
    draw = np.random.default_rng([seed, 1])
    skeleton = adult_skeleton(draw.uniform(0.94, 1.06))
    start, girth = draw.uniform(0.05, 0.11), draw.uniform(0.93, 1.08)
    hand = build_hand(skeleton, girth=girth, sleeve_start_m=start if params.sleeve else None)
    return hand, paint_hand(hand, draw)


def _posed_hand(hand: Hand, stage: Stage, motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """Skin (T, V, 3) and joints (T, 21, 3) in the camera frame."""
    vertices, joints = [], []
    for k in range(len(motion.time)):
        T = stage.T_camera_world @ motion.T_world_wrist[k]
        skin, bones = hand.pose(motion.angles[k], motion.R_wrist_forearm[k])
        vertices.append(transform(T, skin))
        joints.append(transform(T, bones))
    return np.stack(vertices), np.stack(joints)


def _film(
    seed: int, params: StudioParams, stage: Stage, actors: list[Actor], posed: list[list[np.ndarray]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colour, depth and masks of every frame; frames are independent of each other, so two are rendered at a time."""
    renderer = Renderer(stage, seed)
    blur_px = params.blur_fraction * min(params.width_px, params.height_px)

    def shoot(k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        picture = renderer.render(actors, posed[k])
        grain = np.random.default_rng([seed, 5, k])
        rgb = develop(picture.rgb, grain, blur_px=blur_px, noise=params.noise_fraction)
        return rgb, depth_mm(picture.depth_m), picture.mask

    with ThreadPoolExecutor(_THREADS) as pool:
        rgb, depth, masks = zip(*pool.map(shoot, range(len(posed))), strict=True)
    return np.stack(rgb), np.stack(depth), np.stack(masks)


def _mirrored(images: np.ndarray, left: bool) -> np.ndarray:
    return np.ascontiguousarray(images[:, :, ::-1]) if left else images
