"""Ground truth made from nothing, and builds that differ from it by a known amount; no pixels."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import trimesh

from hoiset import geometry
from hoiset.eval.reading import View, make_view
from hoiset.shards.glb import decode_objects, encode_objects
from hoiset.shards.index import write_index
from hoiset.shards.schema import ARRAY_SUFFIXES, HandSource, ObjectSource, ObjectState, empty_arrays
from hoiset.shards.writer import UnitWriter
from tests.factories import make_clip

FPS, N_FRAMES = 15.0, 45
WIDTH, HEIGHT = 640, 480
K = np.array([[600.0, 0.0, 319.5], [0.0, 600.0, 239.5], [0.0, 0.0, 1.0]])
HELD = slice(15, 30)
TOOL, CAN = 0, 1
RIGHT, LEFT = 1, 0
Sample = dict[str, Any]


def rest_hand(*, left: bool) -> np.ndarray:
    """(21, 3) a flat hand about its wrist, m: fingers up (-y in the image), spread."""
    joints = np.zeros((21, 3))
    for finger in range(5):
        way = np.array([np.sin(0.35 * (finger - 2)), -np.cos(0.35 * (finger - 2)), 0.1 * finger])
        for bone in range(4):
            joints[1 + 4 * finger + bone] = way * (0.06 + 0.025 * bone)
    return joints * ([-1, 1, 1] if left else [1, 1, 1])


def tool() -> trimesh.Trimesh:
    """A shape without any symmetry: a head across the end of a handle, and a knob."""
    head = trimesh.creation.box((0.08, 0.02, 0.02), trimesh.transformations.translation_matrix((0.02, 0.06, 0)))
    knob = trimesh.creation.box((0.015, 0.015, 0.03), trimesh.transformations.translation_matrix((0, 0.01, 0.02)))
    return trimesh.util.concatenate([trimesh.creation.box((0.02, 0.12, 0.015)), head, knob])


def can() -> trimesh.Trimesh:
    """A cylinder: any turn about its axis looks the same."""
    return trimesh.creation.cylinder(0.03, 0.1, sections=64)


def make_truth(
    uid: str = "a.mp4", *, hands: tuple[int, ...] = (RIGHT, LEFT), fps: float = FPS, shift: float = 0.0
) -> Sample:
    """A clip of 3 s: hands pass by, the right one takes the tool from 1 to 2 s while the can stands.

    Args:
        uid: Of the source video; the key follows it.
        hands: Which hands are there.
        fps: Frames a second.
        shift: Moves everything to the right, m: another clip.
    """
    n = round(N_FRAMES * fps / FPS)
    time = np.arange(n) / fps
    arrays = empty_arrays(n)
    arrays["time.npy"][:] = time
    for side in hands:
        way = np.stack([0.1 * time + shift + (0.0 if side == RIGHT else -0.35), 0.02 * time, 0.7 + 0.05 * time], -1)
        joints = rest_hand(left=side == LEFT) + way[:, None]
        _set_hand(arrays, slice(None), side, joints)
    held = (time > 0.999) & (time < 1.999)
    turn = np.clip(time - 1.0, 0, 1) * 1.2
    for slot, (place, mesh_turns) in enumerate((((0.0, 0.12, 0.8), True), ((0.2, 0.15, 0.9), False))):
        moved = np.stack([np.clip(time - 1, 0, 1) * 0.1, 0 * time, 0 * time], -1) if mesh_turns else 0.0
        R = np.stack([_about_z(a if mesh_turns else 0.0) for a in turn])
        arrays["object_pose.npy.gz"][:, slot] = geometry.make_T(
            R, np.array(place) + np.array([shift, 0.0, 0.0]) + moved
        )
        arrays["object_source.npy"][:, slot] = ObjectSource.OBSERVED
        arrays["object_state.npy"][:, slot] = ObjectState.STATIC
        for side in hands:
            arrays["contact.npy.gz"][:, side, slot] = 0.08
    arrays["object_state.npy"][held, TOOL] = ObjectState.GRASPED_RIGHT
    if RIGHT in hands:
        arrays["contact.npy.gz"][held, RIGHT, TOOL] = 0.004
    clip = make_clip(uid.replace(".", "_"), n, 2)
    clip["source"] |= {"uid": uid, "start_s": 0.0, "end_s": float(n / fps)}
    clip["camera"] |= {"K": K.tolist(), "width": WIDTH, "height": HEIGHT}
    held_times = time[held]
    clip["grasps"] = [
        {"hand": "right", "object": TOOL, "start_s": float(held_times[0]), "end_s": float(held_times[-1])}
    ]
    return {"clip.json": clip, **arrays, "objects.glb": encode_objects([tool(), can()])}


def _about_z(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def _set_hand(arrays: Mapping[str, Any], frames: Any, side: int, joints: np.ndarray) -> None:
    arrays["hand_joints.npy.gz"][frames, side] = joints
    arrays["hand_joints_2d.npy.gz"][frames, side] = geometry.project(K, joints)
    arrays["hand_wrist.npy.gz"][frames, side] = geometry.wrist_frame(joints, left=side == LEFT)
    arrays["hand_source.npy"][frames, side] = HandSource.OBSERVED
    arrays["hand_score.npy"][frames, side] = 1.0


def perturbed(sample: Sample, change: Callable[[Sample], None] | None = None) -> Sample:
    """A copy, changed in place by a function."""
    out = copy.deepcopy(sample)
    if change is not None:
        change(out)
    return out


def move_hands(sample: Sample, by: Sequence[float]) -> None:
    """Shift all joints and wrists, m; the 2D joints stay."""
    sample["hand_joints.npy.gz"] += np.asarray(by, np.float32)
    sample["hand_wrist.npy.gz"][..., :3, 3] += np.asarray(by, np.float32)


def swap_hands(sample: Sample, frames: slice) -> None:
    """Call left right and right left."""
    for name in (
        "hand_joints.npy.gz",
        "hand_joints_2d.npy.gz",
        "hand_wrist.npy.gz",
        "hand_source.npy",
        "hand_score.npy",
    ):
        sample[name][frames] = sample[name][frames][:, ::-1].copy()


def lose_hand(sample: Sample, frames: slice, side: int) -> None:
    """A hand that is not found in some frames."""
    for name in ("hand_joints.npy.gz", "hand_joints_2d.npy.gz", "hand_wrist.npy.gz", "contact.npy.gz"):
        sample[name][frames, side] = np.nan
    sample["hand_source.npy"][frames, side] = HandSource.ABSENT
    sample["hand_score.npy"][frames, side] = 0.0


def drop_object(sample: Sample, slot: int) -> None:
    """An object that is not found: those after it move up."""
    n = len(sample["clip.json"]["objects"])
    keep = [i for i in range(n) if i != slot]
    for name, axis in (
        ("object_pose.npy.gz", 1),
        ("object_source.npy", 1),
        ("object_state.npy", 1),
        ("contact.npy.gz", 2),
    ):
        kept = np.take(sample[name], keep, axis).copy()
        blank = empty_arrays(len(sample["time.npy"]))[name]
        blank[(slice(None),) * axis + (slice(0, n - 1),)] = kept
        sample[name] = blank
    sample["objects.glb"] = encode_objects([decode_objects(sample["objects.glb"])[i] for i in keep])
    sample["clip.json"]["objects"].pop(slot)
    names = {old: new for new, old in enumerate(keep)}
    sample["clip.json"]["grasps"] = [
        {**g, "object": names[g["object"]]} for g in sample["clip.json"]["grasps"] if g["object"] != slot
    ]


def add_object(sample: Sample, place: Sequence[float]) -> None:
    """A can that is not there stands at a place, m."""
    slot = len(sample["clip.json"]["objects"])
    sample["object_pose.npy.gz"][:, slot] = geometry.make_T(np.eye(3), np.asarray(place))
    sample["object_source.npy"][:, slot] = ObjectSource.OBSERVED
    sample["object_state.npy"][:, slot] = ObjectState.STATIC
    sample["contact.npy.gz"][:, :, slot] = np.where(sample["hand_source.npy"] > 0, 0.5, np.nan)
    sample["objects.glb"] = encode_objects([*decode_objects(sample["objects.glb"]), can()])
    sample["clip.json"]["objects"].append(dict(sample["clip.json"]["objects"][0]))


def change_frame(sample: Sample, slot: int, T_new_old: np.ndarray) -> None:
    """Another frame for a mesh that stays where it is."""
    meshes = decode_objects(sample["objects.glb"])
    meshes[slot].apply_transform(T_new_old)
    sample["objects.glb"] = encode_objects(meshes)
    sample["object_pose.npy.gz"][:, slot] = sample["object_pose.npy.gz"][:, slot].astype(float) @ geometry.invert(
        T_new_old
    )


def cut(sample: Sample, first: int, last: int, *, early_s: float = 0.0) -> Sample:
    """The frames ``first`` to ``last - 1`` as a clip of their own, its span starting ``early_s`` before the first."""
    out = copy.deepcopy(sample)
    for name, value in sample.items():
        if name.endswith(ARRAY_SUFFIXES):
            out[name] = value[first:last].copy()
    time = sample["time.npy"]
    start = float(time[first])
    out["time.npy"] = out["time.npy"] - start
    end = float(time[last - 1])
    clip = out["clip.json"]
    clip["key"] = f"{clip['key']}-{first}"
    clip["source"]["start_s"] += start - early_s
    clip["source"]["end_s"] = clip["source"]["start_s"] + end - start + 1 / FPS
    clip["grasps"] = [
        {**g, "start_s": max(g["start_s"], start) - start, "end_s": min(g["end_s"], end) - start}
        for g in clip["grasps"]
        if g["start_s"] <= end and g["end_s"] >= start
    ]
    return out


def write_dataset(root: Path, samples: Sequence[Sample], version: str = "v2") -> Path:
    """A finished dataset of the core layer, without a card."""
    with UnitWriter(root, version, "train", 0, ("core",)) as unit:
        for sample in samples:
            unit.add(sample)
    write_index(root, version, unit.rows)
    return root


def write_candidates(root: Path, rows: Sequence[tuple[str, float, float, str]]) -> None:
    """``screen/candidates.parquet`` of (uid, start_s, end_s, gate)."""
    columns = dict(zip(("uid", "start_s", "end_s", "gate"), zip(*rows, strict=True), strict=True))
    buffer = io.BytesIO()
    pq.write_table(pa.table({name: list(values) for name, values in columns.items()}), buffer)
    (root / "screen").mkdir(parents=True)
    (root / "screen" / "candidates.parquet").write_bytes(buffer.getvalue())


def view(sample: Sample) -> View:
    """As an evaluation reads it."""
    return make_view(sample)
