"""Turn a clip's reconstruction into a sample of the schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from hoiset.builder.reconstruct.decimation import decimate
from hoiset.builder.reconstruct.object_stage import Objects
from hoiset.builder.reconstruct.shape import Mesh
from hoiset.builder.records import Camera, Clip, Hands, SourceVideo
from hoiset.builder.words import Words, parse_action
from hoiset.geometry import project
from hoiset.shards.glb import encode_objects
from hoiset.shards.schema import MAX_OBJECTS, HandSource, Sample, empty_arrays

_REPROJECTION_WORST = 0.25


@dataclass(frozen=True)
class StageRecord:
    """One stage of a clip's provenance."""

    name: str
    version: str
    backend: str
    digest: str


def make_sample(
    clip: Clip,
    time: Float[np.ndarray, "T"],
    camera: Camera,
    hands: Hands,
    objects: Objects,
    rgb_mp4: bytes,
    stages: Sequence[StageRecord],
    provenance: dict[str, Any],
) -> Sample:
    """All members of the core and video layers.

    Args:
        clip: What was reconstructed.
        time: s from the clip's start.
        camera: Of the frames in ``rgb_mp4``.
        hands: Hands.
        objects: At most ``MAX_OBJECTS``, in slot order.
        rgb_mp4: The encoded clip.
        stages: What ran.
        provenance: ``hoiset``, ``recipe``, ``recipe_digest``, ``profile`` of the build.
    """
    arrays = empty_arrays(len(time))
    arrays["time.npy"][:] = time
    arrays["hand_joints.npy.gz"][:] = hands.joints
    arrays["hand_joints_2d.npy.gz"][:] = hands.joints_2d
    arrays["hand_wrist.npy.gz"][:] = hands.T_camera_wrist
    arrays["hand_source.npy"][:] = hands.source
    arrays["hand_score.npy"][:] = hands.score
    n = min(len(objects.meshes), MAX_OBJECTS)
    arrays["object_pose.npy.gz"][:, :n] = objects.pose[:, :n]
    arrays["object_source.npy"][:, :n] = objects.source[:, :n]
    arrays["object_state.npy"][:, :n] = objects.state[:, :n]
    arrays["contact.npy.gz"][:, :, :n] = objects.contact[:, :, :n]
    words = parse_action(clip.video.action, clip.video.objects)
    return {
        **arrays,
        "clip.json": {
            "key": clip.key,
            "source": {
                "uid": clip.video.uid,
                "url": clip.video.url or None,
                "start_s": clip.start_s,
                "end_s": clip.end_s,
                "licence": clip.video.licence or None,
            },
            "camera": _camera(camera),
            "text": {
                "action": clip.video.action or None,
                "verb": words.verb or None,
                "verb_source": words.verb_source,
                "objects": list(words.objects),
                "objects_source": _objects_source(clip.video, words),
                "summary": clip.video.summary or None,
            },
            "objects": _objects(objects, words, n),
            "grasps": [
                {"hand": ("left", "right")[g.hand], "object": g.obj, "start_s": g.start_s, "end_s": g.end_s}
                for g in objects.grasps
            ],
            "dropped": [{"what": what, "reason": reason} for what, reason in objects.dropped],
            "quality": quality(camera, hands, objects),
            "provenance": {
                **provenance,
                "stages": [vars(s) for s in stages],
                "fallbacks": list(hands.fallbacks),
            },
        },
        "objects.glb": encode_objects([_trimesh(decimate(m)) for m in objects.meshes[:n]]),
        "rgb.mp4": rgb_mp4,
    }


def _objects_source(video: SourceVideo, words: Words) -> list[str]:
    """Where each noun comes from: the source's field where it says so, else ``given`` by it or read from ``action``."""
    if not any(noun.strip() for noun in video.objects):
        return ["action"] * len(words.objects)
    told = video.objects_source
    return list(told) if len(told) == len(words.objects) else ["given"] * len(words.objects)


def _camera(camera: Camera) -> dict[str, Any]:
    known = bool(np.isfinite(camera.gravity).all())
    return {
        "K": camera.K.tolist(),
        "width": camera.width,
        "height": camera.height,
        "focal_source": camera.focal_source,
        "gravity": camera.gravity.tolist() if known else None,
        "gravity_source": camera.gravity_source,
        "scale_source": camera.scale_source,
    }


def _objects(objects: Objects, words: Words, n: int) -> list[dict[str, Any]]:
    """Descriptions by slot; the sentence's nouns go to the objects in order of evidence, one each."""
    out = []
    for i in range(n):
        named = i < len(words.objects)
        out.append(
            {
                "label": words.objects[i] if named else "object",
                "label_source": "order_of_nouns" if named else "absent",
                "extent_m": objects.meshes[i].extent_m.tolist(),
                "mesh_source": objects.meshes[i].source,
                "depth_source": objects.depth_source[i],
                "manipulated": bool((objects.state[:, i] > 1).any()),
                "confidence": float(objects.confidence[i]),
            }
        )
    return out


def quality(camera: Camera, hands: Hands, objects: Objects) -> dict[str, float | None]:
    """What a user filters on, each 0..1 (``hand_reprojection`` is a share of the hand's size in the image).

    ``score`` is the product of the hands' part (frames with a hand, infilled ones counting half, less for reprojection
    up to a quarter of a hand) and the objects' part (how often they are seen, how well their meshes cover what is
    seen, and how sure it is that they are objects): 0 without an object, since there is no interaction to learn from.
    """
    present = hands.source > 0
    valid = float(present.any(1).mean())
    infilled = float((hands.source == HandSource.INFILLED).sum() / max(present.sum(), 1))
    observed = hands.source == HandSource.OBSERVED
    reprojection = None
    if observed.any():
        seen = hands.joints_2d[observed].astype(float)
        distance = np.linalg.norm(project(camera.K, hands.joints[observed].astype(float)) - seen, axis=-1).mean(-1)
        reprojection = float(np.median(distance / np.maximum((seen.max(1) - seen.min(1)).max(-1), 1.0)))
    score = valid * (1 - 0.5 * infilled) * (1 - min((reprojection or 0.0) / _REPROJECTION_WORST, 1.0))
    visible = iou = None
    if not objects.meshes:
        score = 0.0
    else:
        visible = float((objects.source > 0).mean())
        iou = float(np.nanmean(objects.mask_iou))
        score *= visible * iou * float(objects.confidence.mean())
    return {
        "score": score,
        "hand_valid_ratio": valid,
        "hand_infilled_ratio": infilled,
        "hand_reprojection": reprojection,
        "object_visible_ratio": visible,
        "object_mask_iou": iou,
    }


def _trimesh(mesh: Mesh) -> Any:
    import trimesh

    return trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=mesh.colours, process=False)
