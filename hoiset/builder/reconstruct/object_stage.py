"""The object stage as one cacheable step: frames and hands in, plain arrays out."""

from __future__ import annotations

import json
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hoiset.builder.reconstruct.depth_pose import pose_by_depth
from hoiset.builder.reconstruct.interaction import Grasp, interact
from hoiset.builder.reconstruct.objects.anchors import find_anchors
from hoiset.builder.reconstruct.objects.discover import discover
from hoiset.builder.reconstruct.objects.evidence import ObjectTrack
from hoiset.builder.reconstruct.objects.evidence import confidence as track_confidence
from hoiset.builder.reconstruct.objects.given_masks import tracks_of_masks
from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.objects.people import PeopleMasks
from hoiset.builder.reconstruct.objects.scene import Scene, build_scene
from hoiset.builder.reconstruct.objects.standing import stand_longer
from hoiset.builder.reconstruct.pose import PosedObject, pose_object
from hoiset.builder.reconstruct.shape import Mesh
from hoiset.builder.records import Camera, Hands
from hoiset.geometry import project, transform

_IOU_FRAMES = 8


@dataclass(frozen=True)
class Objects:
    """Objects of a clip, O of them.

    Attributes:
        meshes: O closed meshes.
        pose: (T, O, 4, 4) ``T_camera_object``; NaN where absent.
        source: (T, O) uint8, :class:`hoiset.shards.schema.ObjectSource`.
        state: (T, O) uint8, :class:`hoiset.shards.schema.ObjectState`.
        contact: (T, 2, O) m.
        confidence: (O,) evidence that each is one object that hands move, 0..1.
        mask_iou: (O,) overlap of the projected mesh with the followed silhouette.
        depth_source: O strings.
        grasps: Grasp segments.
        dropped: (what, reason) of everything that was considered and not kept.
    """

    meshes: tuple[Mesh, ...]
    pose: Float[np.ndarray, "T O 4 4"]
    source: UInt8[np.ndarray, "T O"]
    state: UInt8[np.ndarray, "T O"]
    contact: Float[np.ndarray, "T 2 O"]
    confidence: Float[np.ndarray, "O"]
    mask_iou: Float[np.ndarray, "O"]
    depth_source: tuple[str, ...]
    grasps: tuple[Grasp, ...]
    dropped: tuple[tuple[str, str], ...]


def reconstruct_objects(
    rgb: UInt8[np.ndarray, "T H W 3"],
    time: Float[np.ndarray, "T"],
    hands: Hands,
    camera: Camera,
    people: PeopleMasks | None,
    params: ObjectParams,
    masks: UInt8[np.ndarray, "T H W"] | None = None,
    depth_m: Float[np.ndarray, "T H W"] | None = None,
) -> Objects:
    """Find, follow, shape and pose the objects of a clip, and judge what hands do with them.

    Args:
        rgb: Frames at the working resolution.
        time: s.
        hands: Hands in the pixels of ``camera``.
        camera: Of the clip's own resolution.
        people: Where people are, if a model says so.
        params: Thresholds.
        masks: Visible pixels of object i as i + 1, where they are known; then none are looked for.
        depth_m: z-depth, NaN where unknown; then it says how far objects are and how they turn, not the hand.
    """
    shrink = rgb.shape[2] / camera.width
    joints_2d = (hands.joints_2d.astype(np.float64) + 0.5) * shrink - 0.5
    if not np.isfinite(joints_2d).any():
        return _nothing(len(rgb), (("objects", "no_hands"),))
    K = camera.K.copy()
    K[0, 0], K[1, 1] = K[0, 0] * shrink, K[1, 1] * shrink
    K[:2, 2] = (K[:2, 2] + 0.5) * shrink - 0.5
    scene = build_scene(rgb, time, joints_2d, params)
    if masks is None:
        search = find_anchors(rgb, joints_2d, scene.size_px, scene.states, scene.plate, people, params)
        tracks, dropped = discover(scene, search)
    else:
        tracks, dropped = tracks_of_masks(scene, masks)
    joints = hands.joints.astype(np.float64)
    posed: list[PosedObject] = []
    confidences: list[float] = []
    for track in tracks:
        confidence = track_confidence(scene, track)
        track = stand_longer(track, _stand_tolerance_px(scene, track))
        obj = pose_object(scene, track, K, joints) if depth_m is None else pose_by_depth(scene, track, K, depth_m)
        if obj is None:
            dropped = (*dropped, ("followed object", "no_depth_from_a_hand"))
        else:
            posed.append(obj)
            confidences.append(confidence)
    if not posed:
        return _nothing(len(rgb), dropped)
    events = interact(scene, posed, joints)
    return Objects(
        meshes=tuple(o.mesh for o in posed),
        pose=np.stack([o.pose for o in posed], axis=1),
        source=np.stack([o.source for o in posed], axis=1),
        state=events.state,
        contact=events.contact,
        confidence=np.array(confidences),
        mask_iou=np.array([_mask_iou(scene, o, K) for o in posed]),
        depth_source=tuple(o.depth_source for o in posed),
        grasps=events.grasps,
        dropped=dropped,
    )


def _stand_tolerance_px(scene: Scene, track: ObjectTrack) -> float:
    params = scene.params
    return min(
        params.stand_tolerance * min(scene.shape), params.stand_tolerance_size * float(np.sqrt(track.mask.sum()))
    )


def _nothing(n_frames: int, dropped: tuple[tuple[str, str], ...]) -> Objects:
    return Objects(
        meshes=(),
        pose=np.zeros((n_frames, 0, 4, 4)),
        source=np.zeros((n_frames, 0), np.uint8),
        state=np.zeros((n_frames, 0), np.uint8),
        contact=np.zeros((n_frames, 2, 0)),
        confidence=np.zeros(0),
        mask_iou=np.zeros(0),
        depth_source=(),
        grasps=(),
        dropped=dropped,
    )


def draw_mesh(
    vertices: Float[np.ndarray, "V 3"],
    faces: np.ndarray,
    pose: Float[np.ndarray, "4 4"],
    K: Float[np.ndarray, "3 3"],
    shape: tuple[int, int],
) -> UInt8[np.ndarray, "H W"]:
    """Silhouette (0 or 1) of a posed mesh; empty when any of it is behind the camera."""
    mask = np.zeros(shape, np.uint8)
    pixels = project(K, transform(pose, vertices))
    if np.isnan(pixels).any() or np.abs(pixels).max() > 1e5:
        return mask
    triangles = np.round(pixels[faces] * 16).astype(np.int32)
    for triangle in triangles:
        cv2.fillConvexPoly(mask, triangle, 1, shift=4)
    return mask


def _mask_iou(scene: Scene, obj: PosedObject, K: np.ndarray) -> float:
    """Mean overlap over a few frames in which the object was seen."""
    frames = np.nonzero(obj.track.followed)[0]
    if len(frames) == 0:
        return float("nan")
    scores = []
    for t in frames[np.unique(np.linspace(0, len(frames) - 1, _IOU_FRAMES).astype(int))]:
        drawn = draw_mesh(obj.mesh.vertices, obj.mesh.faces, obj.pose[t], K, scene.shape) > 0
        seen = obj.track.silhouette(int(t))
        scores.append((drawn & seen).sum() / max((drawn | seen).sum(), 1))
    return float(np.mean(scores))


def to_arrays(objects: Objects) -> dict[str, np.ndarray]:
    """Plain arrays for the cache; the inverse of :func:`from_arrays`."""
    words = {
        "dropped": objects.dropped,
        "depth_source": objects.depth_source,
        "mesh_source": [m.source for m in objects.meshes],
    }
    arrays = {
        "pose": objects.pose,
        "source": objects.source,
        "state": objects.state,
        "contact": objects.contact,
        "confidence": objects.confidence,
        "mask_iou": objects.mask_iou,
        "grasps": np.array([(g.hand, g.obj, g.start_s, g.end_s) for g in objects.grasps], float).reshape(-1, 4),
        "words": np.frombuffer(json.dumps(words).encode(), np.uint8),
    }
    for i, mesh in enumerate(objects.meshes):
        arrays |= {f"vertices_{i}": mesh.vertices, f"faces_{i}": mesh.faces, f"colours_{i}": mesh.colours}
    return arrays


def from_arrays(arrays: dict[str, np.ndarray]) -> Objects:
    """Objects from the arrays of :func:`to_arrays`."""
    words = json.loads(arrays["words"].tobytes())
    meshes = tuple(
        Mesh(arrays[f"vertices_{i}"], arrays[f"faces_{i}"], arrays[f"colours_{i}"], source)
        for i, source in enumerate(words["mesh_source"])
    )
    grasps = tuple(Grasp(int(h), int(o), float(a), float(b)) for h, o, a, b in arrays["grasps"])
    return Objects(
        meshes=meshes,
        **{k: arrays[k] for k in ("pose", "source", "state", "contact", "confidence", "mask_iou")},
        depth_source=tuple(words["depth_source"]),
        grasps=grasps,
        dropped=tuple((what, reason) for what, reason in words["dropped"]),
    )
