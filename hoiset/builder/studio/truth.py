"""The ground truth of a rendered clip, in the schema's own terms.

**Convention:** camera frame of the clip as it is seen: a left-handed clip is already mirrored here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

import hoiset
from hoiset.builder.studio.meshes import distance_to_mesh
from hoiset.builder.studio.motion import Motion
from hoiset.builder.studio.objects import Prop
from hoiset.builder.studio.stage import Stage
from hoiset.geometry import invert, project, transform, wrist_frame
from hoiset.shards.schema import FINGERTIPS, HandSource, ObjectSource, ObjectState, empty_arrays

LICENCE = "CC0-1.0"


@dataclass(frozen=True)
class Played:
    """What happened in a clip.

    Attributes:
        stage: Camera and set, before mirroring.
        prop: The object, before mirroring.
        motion: The motion, before mirroring.
        left: Whether the clip is mirrored: a left hand acts.
        joints: (T, 21, 3) joints of the acting hand, camera frame, m.
        T_camera_object: (T, 4, 4).
        vertices: (N, 3) the object's mesh in its own frame, m.
        faces: (M, 3) outwards.
    """

    stage: Stage
    prop: Prop
    motion: Motion
    left: bool
    joints: Float[np.ndarray, "T 21 3"]
    T_camera_object: Float[np.ndarray, "T 4 4"]
    vertices: Float[np.ndarray, "N 3"]
    faces: Int[np.ndarray, "M 3"]

    @property
    def flip(self) -> Float[np.ndarray, "3"]:
        """Signs that mirroring gives to x, y and z."""
        return np.array([-1.0 if self.left else 1.0, 1.0, 1.0])


def truth_members(seed: int, played: Played, hand_in_view_fraction: float) -> dict[str, Any]:
    """All members of the schema but the video.

    Args:
        seed: Of the clip; gives its key.
        played: What happened.
        hand_in_view_fraction: Least share of joints in the image for the hand to count as observed.
    """
    out = _arrays(played, hand_in_view_fraction)
    out["objects.glb"] = _glb(played)
    out["clip.json"] = _clip_json(seed, played, out)
    return out


def _arrays(played: Played, hand_in_view_fraction: float) -> dict[str, Any]:
    motion, stage, side, joints = played.motion, played.stage, 0 if played.left else 1, played.joints
    out: dict[str, Any] = empty_arrays(len(motion.time))
    uv = project(stage.K, joints)
    inside = ((uv > -0.5) & (uv < np.array([stage.width, stage.height]) - 0.5)).all(-1)
    seen = inside.mean(-1) >= hand_in_view_fraction
    out["time.npy"][:] = motion.time
    out["hand_joints.npy"][seen, side] = joints[seen]
    out["hand_joints_2d.npy"][seen, side] = uv[seen]
    out["hand_wrist.npy"][seen, side] = wrist_frame(joints, left=played.left)[seen]
    out["hand_source.npy"][seen, side] = HandSource.OBSERVED
    out["hand_score.npy"][seen, side] = 1.0
    held = ObjectState.GRASPED_LEFT if played.left else ObjectState.GRASPED_RIGHT
    out["object_pose.npy"][:, 0] = played.T_camera_object
    out["object_source.npy"][:, 0] = ObjectSource.OBSERVED
    out["object_state.npy"][:, 0] = np.where(motion.held, held, ObjectState.STATIC)
    tips = joints[:, FINGERTIPS, :]
    out["contact.npy"][seen, side, 0] = fingertip_distance(tips, played.T_camera_object, played.vertices, played.faces)[
        seen
    ]
    return out


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

    vertices, faces = played.vertices, played.faces
    colours = np.clip(played.prop.texture(vertices * played.flip), 0, 1) ** (1 / 2.2)
    rgba = np.concatenate([np.round(colours * 255), np.full((len(vertices), 1), 255)], -1).astype(np.uint8)
    mesh = trimesh.Trimesh(vertices, faces, vertex_colors=rgba, process=False)
    scene = trimesh.Scene()
    scene.add_geometry(mesh, node_name="object_0", geom_name="object_0")
    data = scene.export(file_type="glb")
    return bytes(data)


def _clip_json(seed: int, played: Played, arrays: dict[str, Any]) -> dict[str, Any]:
    stage, motion, prop = played.stage, played.motion, played.prop
    side = "left" if played.left else "right"
    held = np.flatnonzero(motion.held)
    seen = arrays["hand_source.npy"][:, 0 if played.left else 1] > 0
    grasps = [
        {"hand": side, "object": 0, "start_s": float(motion.time[held[0]]), "end_s": float(motion.time[held[-1]])}
    ]
    return {
        "key": clip_key(seed),
        "source": {
            "uid": clip_key(seed),
            "url": "",
            "start_s": 0.0,
            "end_s": float(motion.time[-1]),
            "licence": LICENCE,
        },
        "camera": {
            "K": stage.K.tolist(),
            "width": stage.width,
            "height": stage.height,
            "focal_source": "given",
            "gravity": (stage.gravity * played.flip).tolist(),
            "gravity_source": "given",
            "scale_source": "given",
        },
        "text": {
            "action": action_sentence(prop.kind),
            "verb": "pick",
            "verb_source": "given",
            "objects": [prop.kind],
            "summary": f"A {side} hand reaches for a {prop.kind}, lifts it, places it elsewhere and leaves.",
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
