"""One rendered clip with exact ground truth in the schema's own terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8, UInt16

import hoiset
from hoiset.builder.studio.hand import Hand, build_hand
from hoiset.builder.studio.motion import Motion, plan_motion
from hoiset.builder.studio.objects import Prop, build_prop
from hoiset.builder.studio.params import OBJECT_KINDS, StudioParams
from hoiset.builder.studio.render import Actor, Renderer, depth_mm, develop
from hoiset.builder.studio.skeleton import adult_skeleton
from hoiset.builder.studio.skin import paint_hand
from hoiset.builder.studio.stage import Stage, build_stage
from hoiset.geometry import project, transform, wrist_frame
from hoiset.shards.schema import FINGERTIPS, HandSource, ObjectSource, ObjectState, Sample, empty_arrays
from hoiset.video import encode_mp4

MASK_OBJECT = 1
MASK_LEFT_HAND = 9
MASK_RIGHT_HAND = 10
LICENCE = "CC0-1.0"
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


@dataclass(frozen=True)
class _World:
    """Everything that a clip is made of, as a right hand; a left-handed clip is its mirror image."""

    stage: Stage
    hand: Hand
    prop: Prop
    motion: Motion
    left: bool
    actors: list[Actor]
    hand_vertices: np.ndarray
    joints: np.ndarray
    T_camera_object: np.ndarray


def render_clip(seed: int, params: StudioParams | None = None) -> StudioClip:
    """Model, move and render one clip: a hand picks up an object and places it.

    Equal arguments give equal bytes. A left-handed clip is the exact mirror image of the right-handed one of the same seed.

    Args:
        seed: Draws everything that ``params`` leaves open.
        params: Size, duration, and what to fix.

    Raises:
        ValueError: ``seed`` is negative.
    """
    if seed < 0:
        raise ValueError(f"found seed {seed}, expected 0 or more: choose a non-negative seed")
    params = params or StudioParams()
    world = _build_world(seed, params)
    renderer = Renderer(world.stage, seed)
    grain = np.random.default_rng([seed, 5])
    blur_px = params.blur_fraction * min(params.width_px, params.height_px)
    rgb, depth, masks = [], [], []
    for k in range(len(world.motion.time)):
        posed = [world.hand_vertices[k], transform(world.T_camera_object[k], world.prop.mesh.vertices)]
        picture = renderer.render(world.actors, posed)
        rgb.append(develop(picture.rgb, grain, blur_px=blur_px, noise=params.noise_fraction))
        depth.append(depth_mm(picture.depth_m))
        masks.append(picture.mask)
    frames = _mirrored(np.stack(rgb), world.left)
    return _assemble(seed, params, world, frames, _mirrored(np.stack(depth), world.left), _mirrored(np.stack(masks), world.left))


def _mirrored(images: np.ndarray, left: bool) -> np.ndarray:
    return np.ascontiguousarray(images[:, :, ::-1]) if left else images


def _build_world(seed: int, params: StudioParams) -> _World:
    draw = np.random.default_rng([seed, 1])
    left = bool(draw.random() < 0.5)
    kind = OBJECT_KINDS[int(draw.integers(len(OBJECT_KINDS)))]
    sleeve = bool(draw.random() < 0.6)
    left = left if params.handedness is None else params.handedness == "left"
    kind = params.object_kind or kind
    sleeve = sleeve if params.sleeve is None else params.sleeve
    skeleton = adult_skeleton(draw.uniform(0.94, 1.06))
    start = draw.uniform(0.05, 0.11)
    hand = build_hand(skeleton, girth=draw.uniform(0.93, 1.08), sleeve_start_m=start if sleeve else None)
    albedo, gloss = paint_hand(hand, draw)
    prop = build_prop(kind, np.random.default_rng([seed, 2]))
    stage = build_stage(params, np.random.default_rng([seed, 3]))
    motion = plan_motion(hand, prop, stage, params, np.random.default_rng([seed, 4]))
    code = MASK_LEFT_HAND if left else MASK_RIGHT_HAND
    n = len(prop.mesh.vertices)
    actors = [
        Actor(code, hand.mesh.vertices, hand.faces, albedo, None, gloss, _SKIN_GLOW),
        Actor(MASK_OBJECT, prop.mesh.vertices, prop.mesh.faces, None, prop.texture, np.full(n, prop.gloss), np.zeros(3)),
    ]
    vertices, joints = [], []
    for k in range(len(motion.time)):
        T = stage.T_camera_world @ motion.T_world_wrist[k]
        skin, bones = hand.pose(motion.angles[k], motion.R_wrist_forearm[k])
        vertices.append(transform(T, skin))
        joints.append(transform(T, bones))
    T_camera_object = stage.T_camera_world @ motion.T_world_object
    return _World(stage, hand, prop, motion, left, actors, np.stack(vertices), np.stack(joints), T_camera_object)


def _assemble(
    seed: int, params: StudioParams, world: _World, rgb: np.ndarray, depth: np.ndarray, masks: np.ndarray
) -> StudioClip:
    """Mirror what must be mirrored and write the truth down."""
    flip = np.array([-1.0, 1.0, 1.0]) if world.left else np.ones(3)
    mesh, motion = world.prop.mesh, world.motion
    T_camera_object = _MIRROR @ world.T_camera_object @ _MIRROR if world.left else world.T_camera_object
    faces = mesh.faces[:, ::-1] if world.left else mesh.faces
    hand_faces = world.hand.faces[:, ::-1] if world.left else world.hand.faces
    vertices, joints = mesh.vertices * flip, world.joints * flip
    truth = _truth_arrays(params, world, joints, T_camera_object, vertices, faces)
    truth["objects.glb"] = _glb(world.prop, vertices, faces, flip)
    truth["rgb.mp4"] = encode_mp4(rgb, motion.time, crf=params.crf)
    truth["clip.json"] = _clip_json(seed, world, truth, flip)
    return StudioClip(
        rgb=rgb,
        time=motion.time,
        truth=truth,
        depth=depth,
        masks=masks,
        joints=joints,
        hand_vertices=world.hand_vertices * flip,
        hand_faces=hand_faces,
        object_vertices=vertices,
        object_faces=faces,
        handedness="left" if world.left else "right",
    )


def _truth_arrays(
    params: StudioParams, world: _World, joints: np.ndarray, T_camera_object: np.ndarray, vertices: np.ndarray, faces: np.ndarray
) -> dict[str, Any]:
    motion, stage, side = world.motion, world.stage, 0 if world.left else 1
    out: dict[str, Any] = empty_arrays(len(motion.time))
    uv = project(stage.K, joints)
    inside = ((uv > -0.5) & (uv < np.array([stage.width, stage.height]) - 0.5)).all(-1)
    seen = inside.mean(-1) >= params.hand_in_view_fraction
    out["time.npy"][:] = motion.time
    out["hand_joints.npy"][seen, side] = joints[seen]
    out["hand_joints_2d.npy"][seen, side] = uv[seen]
    out["hand_wrist.npy"][seen, side] = wrist_frame(joints, left=world.left)[seen]
    out["hand_source.npy"][seen, side] = HandSource.OBSERVED
    out["hand_score.npy"][seen, side] = 1.0
    held = ObjectState.GRASPED_LEFT if world.left else ObjectState.GRASPED_RIGHT
    out["object_pose.npy"][:, 0] = T_camera_object
    out["object_source.npy"][:, 0] = ObjectSource.OBSERVED
    out["object_state.npy"][:, 0] = np.where(motion.held, held, ObjectState.STATIC)
    tips = joints[:, FINGERTIPS, :]
    out["contact.npy"][seen, side, 0] = fingertip_distance(tips, T_camera_object, vertices, faces)[seen]
    return out


def fingertip_distance(
    tips: Float[np.ndarray, "T 5 3"],
    T_camera_object: Float[np.ndarray, "T 4 4"],
    vertices: Float[np.ndarray, "N 3"],
    faces: np.ndarray,
) -> Float[np.ndarray, "T"]:
    """Least distance of any fingertip to a mesh, m.

    Args:
        tips: Fingertips, camera frame, m.
        T_camera_object: Poses of the mesh.
        vertices: Mesh vertices in the object's frame, m.
        faces: Triangles.
    """
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor(np.ascontiguousarray(vertices, np.float32)), o3d.core.Tensor(np.ascontiguousarray(faces, np.uint32))
    )
    local = transform(np.linalg.inv(T_camera_object), tips)
    return scene.compute_distance(o3d.core.Tensor(local.astype(np.float32))).numpy().astype(np.float64).min(-1)


def _glb(prop: Prop, vertices: np.ndarray, faces: np.ndarray, flip: np.ndarray) -> bytes:
    import trimesh

    colours = np.clip(np.where(prop.texture(vertices * flip) <= 0, 0, prop.texture(vertices * flip)), 0, 1) ** (1 / 2.2)
    rgba = np.concatenate([np.round(colours * 255), np.full((len(vertices), 1), 255)], -1).astype(np.uint8)
    mesh = trimesh.Trimesh(vertices, faces, vertex_colors=rgba, process=False)
    scene = trimesh.Scene()
    scene.add_geometry(mesh, node_name="object_0", geom_name="object_0")
    data = scene.export(file_type="glb")
    return bytes(data)


def _clip_json(seed: int, world: _World, truth: dict[str, Any], flip: np.ndarray) -> dict[str, Any]:
    stage, motion, prop = world.stage, world.motion, world.prop
    side = "left" if world.left else "right"
    held = np.flatnonzero(motion.held)
    seen = truth["hand_source.npy"][:, 0 if world.left else 1] > 0
    grasps = [{"hand": side, "object": 0, "start_s": float(motion.time[held[0]]), "end_s": float(motion.time[held[-1]])}]
    return {
        "key": clip_key(seed),
        "source": {"uid": clip_key(seed), "url": "", "start_s": 0.0, "end_s": float(motion.time[-1]), "licence": LICENCE},
        "camera": {
            "K": stage.K.tolist(),
            "width": stage.width,
            "height": stage.height,
            "focal_source": "given",
            "gravity": (stage.gravity * flip).tolist(),
            "gravity_source": "given",
            "scale_source": "given",
        },
        "text": {
            "action": action_sentence(prop.kind),
            "verb": "pick",
            "verb_source": "given",
            "objects": [prop.kind],
            "summary": f"A {side} hand reaches for a {prop.kind}, lifts it, places it elsewhere on the table and leaves.",
        },
        "objects": [
            {
                "label": prop.kind,
                "label_source": "given",
                "extent_m": [float(x) for x in prop.extent_m],
                "mesh_source": "given",
                "depth_source": "given",
                "manipulated": True,
                "confidence": 1.0,
            }
        ],
        "grasps": grasps if len(held) else [],
        "dropped": [],
        "quality": {
            "score": 1.0,
            "hand_valid_ratio": float(seen.mean()),
            "hand_infilled_ratio": 0.0,
            "hand_reprojection": 0.0,
            "object_visible_ratio": 1.0,
            "object_mask_iou": 1.0,
        },
        "provenance": {
            "hoiset": hoiset.__version__,
            "recipe": "",
            "recipe_digest": "",
            "profile": "studio",
            "stages": [],
            "fallbacks": [],
        },
    }


def clip_key(seed: int) -> str:
    """Key and source id of the clip of a seed."""
    return f"studio-{seed:06d}"


def action_sentence(kind: str) -> str:
    """What happens in a clip, in words."""
    return f"Pick up the {kind} and place it"
