"""Does a sample match the schema? One list of checks, used when a sample is written and when a dataset is verified."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from hoiset.errors import SchemaError
from hoiset.shards.robots import robot_values
from hoiset.shards.schema import (
    DEFAULT_LAYERS,
    KEY_PATTERN,
    MAX_KEY_LENGTH,
    MAX_OBJECTS,
    HandSource,
    Member,
    ObjectSource,
    ObjectState,
    Sample,
    json_fields,
    layers,
    members,
    robots_among,
)

ROTATION_TOLERANCE = 1e-3
GRASP_HANDS = ("left", "right", "both")
_CODES = {"hand_source.npy": HandSource, "object_source.npy": ObjectSource, "object_state.npy": ObjectState}
_LEAVES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "bool": (bool, np.bool_),
    "int32": (int, np.integer),
    "float64": (float, int, np.floating, np.integer),
}


@dataclass(frozen=True)
class Mismatch:
    """One place where a sample is not what the schema says."""

    member: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.member}: found {self.found}, expected {self.expected}"


def validate_sample(sample: Sample, layer_names: tuple[str, ...] | None = None, *, key: str | None = None) -> None:
    """Check a sample against the schema.

    Args:
        sample: Member name -> value.
        layer_names: Layers whose members must be there, core and video by default; members of others are not looked at.
        key: The key that it will be written under; by default that of its ``clip.json``.

    Raises:
        SchemaError: With the member, what was found and what was expected.
    """
    for mismatch in mismatches(sample, layer_names, key=key):
        raise SchemaError(str(mismatch))


def mismatches(
    sample: Sample, layer_names: tuple[str, ...] | None = None, *, key: str | None = None
) -> Iterator[Mismatch]:
    """All mismatches of a sample; values are judged only when their structure is right. Arguments as above."""
    try:
        known = {layer: members(layer, robots_among(sample)) for layer in layers()}
    except ValueError as error:
        yield Mismatch("robots.json", str(error), "names that no member has")
        return
    wanted = [m for layer in layer_names or DEFAULT_LAYERS for m in known[layer]]
    structure = [*_key_mismatches(sample, key), *(x for m in wanted for x in _member_mismatches(sample, m))]
    extra = set(sample) - {m.name for of_layer in known.values() for m in of_layer}
    structure += [Mismatch(name, "a member that the schema does not know", "no such member") for name in sorted(extra)]
    if not structure and any(m.layer == "core" for m in wanted):
        structure = list(_length_mismatches(sample, wanted))
    yield from structure
    if not structure and any(m.layer == "core" for m in wanted):
        yield from _clip_values(sample["clip.json"])
        yield from _time_values(sample["time.npy"])
        yield from _code_values(sample)
        yield from _hand_values(sample)
        yield from _object_values(sample)
    if not structure and any(m.name == "robots.json" for m in wanted):
        yield from (Mismatch(*found) for found in robot_values(sample))


def _key_mismatches(sample: Sample, key: str | None) -> Iterator[Mismatch]:
    clip = sample.get("clip.json")
    own = clip.get("key") if isinstance(clip, dict) else None
    for candidate in (key, own):
        if candidate is not None and not (
            isinstance(candidate, str) and re.fullmatch(KEY_PATTERN, candidate) and len(candidate) <= MAX_KEY_LENGTH
        ):
            yield Mismatch("clip.json", f"key {candidate!r}", f"1 to {MAX_KEY_LENGTH} characters of {KEY_PATTERN}")
    if isinstance(clip, dict) and own is None:
        yield Mismatch("clip.json", "no key", "a key")
    if key is not None and own is not None and key != own:
        yield Mismatch("clip.json", f"key {own!r}", f"{key!r}, the name of its files")


def _member_mismatches(sample: Sample, member: Member) -> Iterator[Mismatch]:
    if member.name not in sample:
        yield Mismatch(member.name, "no such member", "every member of the schema")
        return
    value = sample[member.name]
    if member.shape is not None:
        shape = ", ".join(str(n) for n in member.shape)
        expected = f"an array of {member.dtype} ({shape}) with T >= 1"
        if not isinstance(value, np.ndarray):
            yield Mismatch(member.name, type(value).__name__, expected)
        elif value.dtype.str != member.dtype or not _fits(value.shape, member.shape):
            yield Mismatch(member.name, f"{value.dtype.str} {value.shape}", expected)
    elif member.name.endswith(".json"):
        yield from _struct_mismatches(value, json_fields(member.name), member.name, "")
    elif not isinstance(value, (bytes, bytearray, memoryview)) or not len(value):
        yield Mismatch(member.name, f"{type(value).__name__} of no bytes", "bytes")


def _fits(shape: tuple[int, ...], wanted: tuple[int | str, ...]) -> bool:
    if len(shape) != len(wanted):
        return False
    return all(n >= 1 if isinstance(w, str) else n == w for n, w in zip(shape, wanted, strict=True))


def _struct_mismatches(value: Any, fields: Any, member: str, where: str) -> Iterator[Mismatch]:
    """Structs have exactly their fields, lists are lists; leaves, and lists of numbers, may be null."""
    at = f" at {where}" if where else ""
    if isinstance(fields, dict):
        if not isinstance(value, dict):
            yield Mismatch(member, f"{type(value).__name__}{at}", "a struct")
            return
        for name in sorted(set(fields) ^ set(value), key=str):
            yield Mismatch(member, f"{'no' if name in fields else 'an unknown'} field {name!r}{at}", ", ".join(fields))
        for name in fields.keys() & value.keys():
            yield from _struct_mismatches(value[name], fields[name], member, f"{where}.{name}".lstrip("."))
    elif isinstance(fields, list):
        if value is None and fields == ["float64"]:
            return
        if not isinstance(value, (list, tuple, np.ndarray)):
            yield Mismatch(member, f"{type(value).__name__}{at}", "a list")
            return
        for i, item in enumerate(value):
            yield from _struct_mismatches(item, fields[0], member, f"{where}[{i}]")
    elif value is not None:
        wrong = not isinstance(value, _LEAVES[fields]) or (isinstance(value, bool) and fields != "bool")
        if wrong or (fields == "float64" and np.isinf(value)):
            yield Mismatch(member, f"{value!r}{at}", f"{fields} or null")


def _length_mismatches(sample: Sample, wanted: list[Member]) -> Iterator[Mismatch]:
    n_frames = len(sample["time.npy"])
    for m in wanted:
        if m.is_array and len(sample[m.name]) != n_frames:
            yield Mismatch(m.name, f"{len(sample[m.name])} frames", f"{n_frames}, as time.npy")


def _clip_values(clip: dict[str, Any]) -> Iterator[Mismatch]:
    camera, n_objects = clip["camera"], len(clip["objects"])
    K = camera["K"]
    if [len(row or ()) for row in K] != [3, 3, 3] or not all(_is_finite(x) for row in K for x in row):
        yield Mismatch("clip.json", f"camera.K {K}", "3 x 3 finite values")
    gravity = camera["gravity"]
    if gravity is not None and not (len(gravity) == 3 and all(_is_finite(x) for x in gravity)):
        yield Mismatch("clip.json", f"camera.gravity {gravity}", "3 finite values, or null where it is unknown")
    if not (camera["width"] or 0) > 0 or not (camera["height"] or 0) > 0:
        yield Mismatch("clip.json", f"camera {camera['width']} x {camera['height']}", "a size in px")
    if n_objects > MAX_OBJECTS:
        yield Mismatch("clip.json", f"{n_objects} objects", f"at most {MAX_OBJECTS}")
    if not clip["source"]["uid"]:
        yield Mismatch("clip.json", "no source.uid", "the id of the source video")
    for i, grasp in enumerate(clip["grasps"]):
        start, end, index = grasp["start_s"], grasp["end_s"], grasp["object"]
        if grasp["hand"] not in GRASP_HANDS or index is None or not 0 <= index < n_objects:
            yield Mismatch("clip.json", f"grasps[{i}] {grasp}", f"a hand of {GRASP_HANDS} and an object < {n_objects}")
        elif not (_is_finite(start) and _is_finite(end) and -1e-6 <= start <= end):
            yield Mismatch("clip.json", f"grasps[{i}] from {start} to {end}", "0 <= start_s <= end_s")


def _is_finite(value: Any) -> bool:
    return value is not None and bool(np.isfinite(value))


def _time_values(time: Float[np.ndarray, "T"]) -> Iterator[Mismatch]:
    if time[0] != 0.0 or not np.isfinite(time).all() or not (np.diff(time) > 0).all():
        yield Mismatch("time.npy", f"times from {time[0]} to {time[-1]}", "finite, strictly increasing from 0")


def _code_values(sample: Sample) -> Iterator[Mismatch]:
    for name, enum in _CODES.items():
        worst = int(sample[name].max())
        if worst > max(enum):
            yield Mismatch(name, f"code {worst}", f"0 to {int(max(enum))}")


def _hand_values(sample: Sample) -> Iterator[Mismatch]:
    source = sample["hand_source.npy"]
    present, observed = source != HandSource.ABSENT, source == HandSource.OBSERVED
    for name in ("hand_joints.npy.gz", "hand_wrist.npy.gz"):
        yield from _marks(name, sample[name], present, must=present, mark="hand_source.npy")
    yield from _marks(
        "hand_joints_2d.npy.gz", sample["hand_joints_2d.npy.gz"], present, must=observed, mark="hand_source.npy"
    )
    yield from _marks("hand_mano.npy.gz", sample["hand_mano.npy.gz"], present, must=None, mark="hand_source.npy")
    yield from _rigid("hand_wrist.npy.gz", sample["hand_wrist.npy.gz"][present])
    score = sample["hand_score.npy"]
    if not (np.isfinite(score).all() and (score >= 0).all() and (score <= 1).all() and (score[~present] == 0).all()):
        yield Mismatch("hand_score.npy", f"{np.nanmin(score)} to {np.nanmax(score)}", "0..1, and 0 where absent")


def _object_values(sample: Sample) -> Iterator[Mismatch]:
    source, state = sample["object_source.npy"], sample["object_state.npy"]
    present, n_objects = source != ObjectSource.ABSENT, len(sample["clip.json"]["objects"])
    if present[:, n_objects:].any():
        slot = n_objects + int(np.argmax(present[:, n_objects:].any(0)))
        yield Mismatch("object_source.npy", f"slot {slot} in use", f"only the {n_objects} objects of clip.json")
    wrong = int((present != (state != ObjectState.ABSENT)).sum())
    if wrong:
        yield Mismatch("object_state.npy", f"{wrong} entries at odds with object_source.npy", "absent in both or none")
    yield from _marks(
        "object_pose.npy.gz", sample["object_pose.npy.gz"], present, must=present, mark="object_source.npy"
    )
    yield from _rigid("object_pose.npy.gz", sample["object_pose.npy.gz"][present])
    both = (sample["hand_source.npy"] != HandSource.ABSENT)[:, :, None] & present[:, None, :]
    yield from _marks(
        "contact.npy.gz", sample["contact.npy.gz"][..., None], both, must=both, mark="hand and object source"
    )


def _marks(
    name: str, values: np.ndarray, may: Bool[np.ndarray, "..."], *, must: Bool[np.ndarray, "..."] | None, mark: str
) -> Iterator[Mismatch]:
    """Values are wholly finite or wholly NaN per entry: finite where they must be, NaN where they may not be."""
    tail = tuple(range(may.ndim, values.ndim))
    finite, absent = np.isfinite(values).all(tail), np.isnan(values).all(tail)
    for count, found, expected in (
        (int((~finite & ~absent).sum()), "partly finite", "all finite or all NaN"),
        (int((~absent & ~may).sum()), "finite", f"NaN where {mark} says absent"),
        (0 if must is None else int((absent & must).sum()), "NaN", f"finite where {mark} says present"),
    ):
        if count:
            yield Mismatch(name, f"{count} entries {found}", expected)


def _rigid(name: str, T: Float[np.ndarray, "N 4 4"]) -> Iterator[Mismatch]:
    T = T[np.isfinite(T).all((1, 2))].astype(np.float64)
    if not len(T):
        return
    R = T[:, :3, :3]
    error = np.abs(R @ R.transpose(0, 2, 1) - np.eye(3)).max((1, 2))
    error = np.maximum(error, np.abs(T[:, 3] - [0, 0, 0, 1]).max(1))
    bad = (error > ROTATION_TOLERANCE) | (np.linalg.det(R) < 0)
    if bad.any():
        yield Mismatch(
            name, f"{int(bad.sum())} poses that are not rigid (worst error {error.max():.2g})", "orthonormal, det +1"
        )
