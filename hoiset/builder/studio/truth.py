"""The ground truth of a rendered clip, in the schema's own terms.

**Convention:** camera frame of the clip as it is seen: a mirrored clip is already mirrored here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

import hoiset
from hoiset.builder.studio.meshes import distance_to_mesh
from hoiset.builder.studio.objects import Prop
from hoiset.builder.studio.performance import MIRROR, HandTrack, Performance, PropTrack
from hoiset.builder.studio.skeleton import bone_poses, posed_joints
from hoiset.builder.studio.stage import Stage
from hoiset.geometry import invert, project, transform, wrist_frame
from hoiset.shards.schema import FINGERTIPS, MAX_OBJECTS, HandSource, ObjectSource, ObjectState, empty_arrays

LICENCE = "CC0-1.0"
_FLIP = np.array([-1.0, 1.0, 1.0])
_MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])
_OTHER_HAND = {ObjectState.GRASPED_LEFT: ObjectState.GRASPED_RIGHT, ObjectState.GRASPED_RIGHT: ObjectState.GRASPED_LEFT}


@dataclass(frozen=True)
class FilmedHand:
    """A hand as the camera sees it, in view or not.

    Attributes:
        left: Whether it is a left hand.
        joints: (T, 21, 3) camera frame, m.
        faces: (F, 3) outwards.
        track: Before the camera.
        T_camera_world: (4, 4) of the camera before mirroring.
        flip: (3,) signs that mirroring gives to x, y and z.
    """

    left: bool
    joints: Float[np.ndarray, "T 21 3"]
    faces: Int[np.ndarray, "F 3"]
    track: HandTrack
    T_camera_world: Float[np.ndarray, "4 4"]
    flip: Float[np.ndarray, "3"]

    def vertices(self, frame: int) -> Float[np.ndarray, "V 3"]:
        """Its skin in a frame, camera frame, m."""
        return transform(self.T_camera_world, self.track.posed(frame)[0]) * self.flip

    @property
    def side(self) -> int:
        """Its index on the schema's hands axis."""
        return 0 if self.left else 1

    @property
    def name(self) -> str:
        """``left`` or ``right``."""
        return ("left", "right")[self.side]


@dataclass(frozen=True)
class FilmedProp:
    """A thing as the camera sees it.

    Attributes:
        prop: The thing before mirroring.
        vertices: (N, 3) its mesh in its own frame, m.
        faces: (M, 3) outwards.
        T_camera_object: (T, 4, 4).
        state: (T,) :class:`hoiset.shards.schema.ObjectState`.
    """

    prop: Prop
    vertices: Float[np.ndarray, "N 3"]
    faces: Int[np.ndarray, "M 3"]
    T_camera_object: Float[np.ndarray, "T 4 4"]
    state: UInt8[np.ndarray, "T"]


@dataclass(frozen=True)
class Played:
    """What happened in a clip.

    Attributes:
        stage: Camera and set, before mirroring.
        performance: Before mirroring.
        mirrored: Whether the clip is mirrored in x.
        hands: In the order of the performance.
        props: In the order of the performance; their index is their slot.
    """

    stage: Stage
    performance: Performance
    mirrored: bool
    hands: tuple[FilmedHand, ...]
    props: tuple[FilmedProp, ...]


def played(stage: Stage, performance: Performance, *, mirrored: bool) -> Played:
    """What a camera sees of a performance, mirrored where asked for."""
    hands = tuple(_hand(stage, track, mirrored) for track in performance.hands)
    props = tuple(_prop(stage, track, mirrored) for track in performance.props[:MAX_OBJECTS])
    return Played(stage, performance, mirrored, hands, props)


def _hand(stage: Stage, track: HandTrack, mirrored: bool) -> FilmedHand:
    flip = _FLIP if mirrored else np.ones(3)
    skeleton = track.hand.skeleton
    in_wrist = posed_joints(skeleton, bone_poses(skeleton, track.angles, track.R_wrist_forearm))
    joints = transform(track.T_world_wrist, in_wrist * (MIRROR if track.left else np.ones(3)))
    left = track.left != mirrored
    faces = track.hand.faces[:, ::-1] if left else track.hand.faces
    return FilmedHand(left, transform(stage.T_camera_world, joints) * flip, faces, track, stage.T_camera_world, flip)


def _prop(stage: Stage, track: PropTrack, mirrored: bool) -> FilmedProp:
    T, mesh, state = stage.T_camera_world @ track.T_world_object, track.prop.mesh, track.state
    if not mirrored:
        return FilmedProp(track.prop, mesh.vertices, mesh.faces, T, state)
    swapped = np.array([_OTHER_HAND.get(s, s) for s in ObjectState], np.uint8)[state]
    return FilmedProp(track.prop, mesh.vertices * _FLIP, mesh.faces[:, ::-1], _MIRROR @ T @ _MIRROR, swapped)


def truth_members(
    seed: int, played: Played, hand_in_view_fraction: float, masks: UInt8[np.ndarray, "T H W"]
) -> dict[str, Any]:
    """All members of the schema's core layer.

    Args:
        seed: Of the clip; gives its key.
        played: What happened.
        hand_in_view_fraction: Least share of joints in the image for a hand to count as observed.
        masks: Of the rendered frames.
    """
    out = _arrays(played, hand_in_view_fraction)
    out["objects.glb"] = _glb(played)
    out["clip.json"] = _clip_json(seed, played, out, _visible(played, masks))
    return out


def _arrays(played: Played, hand_in_view_fraction: float) -> dict[str, Any]:
    out: dict[str, Any] = empty_arrays(len(played.performance.time))
    out["time.npy"][:] = played.performance.time
    for slot, thing in enumerate(played.props):
        out["object_pose.npy.gz"][:, slot] = thing.T_camera_object
        out["object_source.npy"][:, slot] = ObjectSource.OBSERVED
        out["object_state.npy"][:, slot] = thing.state
    for hand in played.hands:
        uv = project(played.stage.K, hand.joints)
        seen = _in_image(uv, played.stage).mean(-1) >= hand_in_view_fraction
        side = hand.side
        out["hand_joints.npy.gz"][seen, side] = hand.joints[seen]
        out["hand_joints_2d.npy.gz"][seen, side] = uv[seen]
        out["hand_wrist.npy.gz"][seen, side] = wrist_frame(hand.joints, left=hand.left)[seen]
        out["hand_source.npy"][seen, side] = HandSource.OBSERVED
        out["hand_score.npy"][seen, side] = 1.0
        tips = hand.joints[:, FINGERTIPS, :]
        for slot, thing in enumerate(played.props):
            distance = fingertip_distance(tips, thing.T_camera_object, thing.vertices, thing.faces)
            out["contact.npy.gz"][seen, side, slot] = distance[seen]
    return out


def _in_image(uv: Float[np.ndarray, "T 21 2"], stage: Stage) -> Bool[np.ndarray, "T 21"]:
    return np.all((uv > -0.5) & (uv < np.array([stage.width, stage.height]) - 0.5), axis=-1)


def _visible(played: Played, masks: np.ndarray) -> float:
    """Share of frames in which a handled thing shows at least one pixel, over the handled things."""
    handled = sorted({grasp.prop for grasp in played.performance.grasps})
    return float(np.mean([(masks == slot + 1).any((1, 2)).mean() for slot in handled])) if handled else 1.0


def fingertip_distance(
    tips: Float[np.ndarray, "T 5 3"],
    T_camera_object: Float[np.ndarray, "T 4 4"],
    vertices: Float[np.ndarray, "N 3"],
    faces: Int[np.ndarray, "M 3"],
) -> Float[np.ndarray, "T"]:
    """Least distance of any fingertip to a mesh, m.

    Args:
        tips: Fingertips, camera frame, m.
        T_camera_object: Poses of the mesh.
        vertices: Mesh vertices in the object's frame, m.
        faces: Triangles.
    """
    return distance_to_mesh(transform(invert(T_camera_object), tips), vertices, faces).min(-1)


def _glb(played: Played) -> bytes:
    import trimesh

    scene = trimesh.Scene()
    flip = _FLIP if played.mirrored else np.ones(3)
    for slot, thing in enumerate(played.props):
        colours = np.clip(thing.prop.texture(thing.vertices * flip), 0, 1) ** (1 / 2.2)
        alpha = np.full((len(thing.vertices), 1), 255)
        rgba = np.concatenate([np.round(colours * 255), alpha], -1).astype(np.uint8)
        mesh = trimesh.Trimesh(thing.vertices, thing.faces, vertex_colors=rgba, process=False)
        scene.add_geometry(mesh, node_name=f"object_{slot}", geom_name=f"object_{slot}")
    return bytes(scene.export(file_type="glb"))


def _clip_json(seed: int, played: Played, arrays: dict[str, Any], visible: float) -> dict[str, Any]:
    stage, performance = played.stage, played.performance
    end_s = float(performance.time[-1])
    seen = (arrays["hand_source.npy"] > 0).any(-1)
    gravity = stage.gravity * (_FLIP if played.mirrored else np.ones(3))
    return {
        "key": clip_key(seed),
        "source": {"uid": clip_key(seed), "url": "", "start_s": 0.0, "end_s": end_s, "licence": LICENCE},
        "camera": {
            "K": stage.K.tolist(),
            "width": stage.width,
            "height": stage.height,
            "focal_source": "given",
            "gravity": gravity.tolist(),
            "gravity_source": "given",
            "scale_source": "given",
        },
        "text": {
            "action": performance.sentence,
            "verb": performance.verb,
            "verb_source": "given",
            "objects": list(performance.nouns),
            "objects_source": ["given"] * len(performance.nouns),
            "summary": _summary(played),
        },
        "objects": [_object(played, slot) for slot in range(len(played.props))],
        "grasps": [
            {"hand": played.hands[g.hand].name, "object": g.prop, "start_s": g.start_s, "end_s": g.end_s}
            for g in performance.grasps
        ],
        "dropped": [],
        "quality": {
            "score": 1.0,
            "hand_valid_ratio": float(seen.mean()),
            "hand_infilled_ratio": 0.0,
            "hand_reprojection": 0.0,
            "object_visible_ratio": visible,
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


def _object(played: Played, slot: int) -> dict[str, Any]:
    prop = played.props[slot].prop
    return {
        "label": prop.noun,
        "label_source": "given",
        "extent_m": [float(x) for x in prop.extent_m],
        "mesh_source": "given",
        "depth_source": "given",
        "manipulated": any(grasp.prop == slot for grasp in played.performance.grasps),
        "confidence": 1.0,
    }


def _summary(played: Played) -> str:
    """The sentence with the hands that act and the things that only stand there."""
    acting = sorted({played.hands[grasp.hand].name for grasp in played.performance.grasps})
    who = {0: "no hand", 1: f"a {''.join(acting)} hand", 2: "both hands"}[len(acting)]
    idle = len(played.props) - len({grasp.prop for grasp in played.performance.grasps})
    beside = f", {idle} other thing{'s' if idle > 1 else ''} in view" if idle else ""
    return f"{played.performance.sentence}: {who}{beside}."


def clip_key(seed: int) -> str:
    """Key and source id of the clip of a seed."""
    return f"studio-{seed:06d}"
