"""Schema v2: the one place that knows which members a sample has.

Writer, reader, verify, index, the Hub features and the docs are generated from :data:`SCHEMA`. A sample is a clip;
every clip of a version has exactly the same members, and absence is a value (NaN, an ``absent`` code, an empty list),
never a missing file. Which robots a version has is its recipe's choice: their members follow :data:`ROBOT_SCHEMA`.

**Convention:** metres, radians, seconds, pixels. Camera frame: OpenCV (x right, y down, z forward). ``T_a_b`` maps
points of b to a. Pixel (0, 0) is the centre of the top-left pixel. Hands axis: 0 = left, 1 = right. Joints: wrist, then
thumb, index, middle, ring, little, each from palm to tip.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Literal

import numpy as np

SCHEMA_VERSION = "2"
N_HANDS = 2
N_JOINTS = 21
MAX_OBJECTS = 8
FINGERTIPS = (4, 8, 12, 16, 20)
PARTITIONS = ("train", "validation", "test")
DEFAULT_LAYERS = ("core", "video")
"""What a version has unless its recipe says otherwise."""
MASK_LEFT_HAND = 9
MASK_RIGHT_HAND = 10
"""Codes of ``masks.mkv`` beside 1 .. ``MAX_OBJECTS``, which are the object's slot plus one."""
MESH_TOLERANCE_M = 0.0005
"""Distance that decimation may put between a mesh of ``objects.glb`` and the one that was reconstructed."""
KEY_PATTERN = r"[A-Za-z0-9_-]+"
MAX_KEY_LENGTH = 78
"""A key and the longest member name must fit into the 100 characters of a USTAR name."""


class HandSource(IntEnum):
    """Where a frame's hand comes from."""

    ABSENT = 0
    OBSERVED = 1
    INFILLED = 2


class ObjectSource(IntEnum):
    """Where a frame's object pose comes from."""

    ABSENT = 0
    OBSERVED = 1
    STATIC_LOCKED = 2
    HAND_BOUND = 3
    INFILLED = 4


class ObjectState(IntEnum):
    """What is happening to an object in a frame."""

    ABSENT = 0
    STATIC = 1
    MOVING = 2
    GRASPED_LEFT = 3
    GRASPED_RIGHT = 4
    GRASPED_BOTH = 5


class RobotSource(IntEnum):
    """Where a frame of a robot's arm comes from.

    ``ABSENT``: there is no hand to follow, or the robot has no arm for it. ``CONVERGED``: within tolerance of its
    target. ``INTERPOLATED``: between converged frames near in time. ``UNREACHABLE``: the nearest that was found,
    outside of tolerance; NaN where nothing was found.
    """

    ABSENT = 0
    CONVERGED = 1
    INTERPOLATED = 2
    UNREACHABLE = 3


Layer = Literal["core", "video", "scene", "robots", "robot_video"]
Sample = Mapping[str, Any]
"""Member name -> value: ndarray for arrays, dict for ``.json``, bytes for everything else."""


@dataclass(frozen=True)
class Member:
    """One file of a sample.

    Attributes:
        name: Member name, the part of the file name after the key and the first dot.
        layer: The series of tars it lives in.
        dtype: numpy dtype string of an array, else ``None``.
        shape: Shape of an array, with ``"T"`` for the number of frames and ``"dof"`` for that of a robot's joints.
        doc: Meaning, unit and frame, in one line.
    """

    name: str
    layer: str
    dtype: str | None
    shape: tuple[int | str, ...] | None
    doc: str

    @property
    def is_array(self) -> bool:
        """Whether the member is an array."""
        return self.dtype is not None


ARRAY_SUFFIXES = (".npy", ".npy.gz")
"""Arrays of a few bytes a frame are plain; the others are gzipped each for itself, so that one can be read alone."""


def _array(name: str, dtype: str, shape: tuple[int | str, ...], doc: str) -> Member:
    return Member(f"{name}.npy", "core", dtype, shape, doc)


def _packed(name: str, dtype: str, shape: tuple[int | str, ...], doc: str) -> Member:
    return Member(f"{name}.npy.gz", "core", dtype, shape, doc)


SCHEMA: tuple[Member, ...] = (
    Member("clip.json", "core", None, None, "words, source, camera, objects, grasps, quality, provenance"),
    _array("time", "<f8", ("T",), "seconds from the clip's start"),
    _packed("hand_joints", "<f4", ("T", 2, 21, 3), "joints, camera frame, m"),
    _packed("hand_joints_2d", "<f4", ("T", 2, 21, 2), "joints in the image, px"),
    _packed("hand_wrist", "<f4", ("T", 2, 4, 4), "T_camera_wrist"),
    _packed(
        "hand_mano", "<f4", ("T", 2, 61), "MANO orientation 3, pose 45, shape 10, translation 3; NaN without a model"
    ),
    _array("hand_source", "|u1", ("T", 2), "0 absent, 1 observed, 2 infilled"),
    _array("hand_score", "<f4", ("T", 2), "confidence 0..1, 0 where absent"),
    _packed("object_pose", "<f4", ("T", 8, 4, 4), "T_camera_object"),
    _array("object_source", "|u1", ("T", 8), "0 absent, 1 observed, 2 static_locked, 3 hand_bound, 4 infilled"),
    _array(
        "object_state", "|u1", ("T", 8), "0 absent, 1 static, 2 moving, 3 grasped_left, 4 grasped_right, 5 grasped_both"
    ),
    _packed("contact", "<f4", ("T", 2, 8), "least fingertip-to-surface distance, m"),
    Member(
        "objects.glb",
        "core",
        None,
        None,
        "one mesh per object (node object_<i>), decimated to within 0.5 mm, in the object's frame, m",
    ),
    Member("rgb.mp4", "video", None, None, "H.264, yuv420p, GOP at most 8, no B-frames; frame i is time[i]"),
    Member("depth.mkv", "scene", None, None, "FFV1, 16 bit: z-depth in mm, 0 = unknown; frame i is time[i]"),
    Member(
        "masks.mkv",
        "scene",
        None,
        None,
        "FFV1, 8 bit: 0 nothing, 1..8 the object of slot 0..7, 9 left and 10 right hand with arm; frame i is time[i]",
    ),
    Member("robots.json", "robots", None, None, "which robots, their joints and limits, what chose the root, metrics"),
)
"""Members that do not depend on a recipe's choice of robots."""

ROBOT = "<robot>"
"""Stands for a robot's name in :data:`ROBOT_SCHEMA`."""
ROBOT_PATTERN = r"[a-z][a-z0-9_]*"
ROBOT_SCHEMA: tuple[Member, ...] = (
    Member(
        f"{ROBOT}_q.npy.gz", "robots", "<f4", ("T", "dof"), "joint positions, rad or m; NaN without a hand to follow"
    ),
    Member(f"{ROBOT}_root.npy.gz", "robots", "<f4", ("T", 4, 4), "T_camera_root, NaN where none was found"),
    Member(
        f"{ROBOT}_source.npy",
        "robots",
        "|u1",
        ("T", 2),
        "left and right arm: 0 absent, 1 converged, 2 interpolated, 3 unreachable",
    ),
    Member(
        f"{ROBOT}_residual.npy.gz",
        "robots",
        "<f4",
        ("T", 2, 2),
        "distance of the arm's tool from the wrist, m, and angle, rad; NaN without a target",
    ),
    Member(f"{ROBOT}_sim.mp4", "robot_video", None, None, "the clip beside the robot, seen by the clip's camera"),
)
"""Members that a version has once for every robot of its recipe."""

ROBOT_FIELDS: dict[str, Any] = {
    "robots": [
        {
            "robot": "string",
            "title": "string",
            "model": "string",
            "model_digest": "string",
            "joints": ["string"],
            "lower": ["float64"],
            "upper": ["float64"],
            "velocity": ["float64"],
            "failure": "string",
            "video": "string",
            "root_source": "string",
            "root_score": "float64",
            "gravity_source": "string",
            "tolerance": {"position_m": "float64", "rotation_rad": "float64"},
            "metrics": {
                "ik_rate": "float64",
                "position_m": "float64",
                "rotation_rad": "float64",
                "position_converged_m": "float64",
                "rotation_converged_rad": "float64",
                "limit_margin": "float64",
                "manipulability": "float64",
                "log_dimensionless_jerk": "float64",
                "worst_speed_share": "float64",
                "excluded_share": "float64",
            },
            "report": "string",
        }
    ],
    "versions": [{"package": "string", "version": "string"}],
    "stages": [{"name": "string", "version": "string", "backend": "string", "digest": "string"}],
}
"""The struct in ``robots.json``, as :data:`CLIP_FIELDS`; robots are sorted by name.

``failure`` is why a robot has no trajectory, ``video`` what drew it or why nothing could (null where none is wanted),
``report`` JSON.
"""

CLIP_FIELDS: dict[str, Any] = {
    "key": "string",
    "source": {"uid": "string", "url": "string", "start_s": "float64", "end_s": "float64", "licence": "string"},
    "camera": {
        "K": [["float64"]],
        "width": "int32",
        "height": "int32",
        "focal_source": "string",
        "gravity": ["float64"],
        "gravity_source": "string",
        "scale_source": "string",
    },
    "text": {
        "action": "string",
        "verb": "string",
        "verb_source": "string",
        "objects": ["string"],
        "objects_source": ["string"],
        "summary": "string",
    },
    "objects": [
        {
            "label": "string",
            "label_source": "string",
            "extent_m": ["float64"],
            "mesh_source": "string",
            "depth_source": "string",
            "manipulated": "bool",
            "confidence": "float64",
        }
    ],
    "grasps": [{"hand": "string", "object": "int32", "start_s": "float64", "end_s": "float64"}],
    "dropped": [{"what": "string", "reason": "string"}],
    "quality": {
        "score": "float64",
        "hand_valid_ratio": "float64",
        "hand_infilled_ratio": "float64",
        "hand_reprojection": "float64",
        "object_visible_ratio": "float64",
        "object_mask_iou": "float64",
    },
    "provenance": {
        "hoiset": "string",
        "recipe": "string",
        "recipe_digest": "string",
        "profile": "string",
        "stages": [{"name": "string", "version": "string", "backend": "string", "digest": "string"}],
        "fallbacks": ["string"],
    },
}
"""The struct in ``clip.json``: leaf values are Arrow type names, ``[x]`` is a list of x.

Any leaf may be null, and so may a list of numbers (``gravity``) as a whole; every struct and every other list is there.
"""


def members(layer: str, robots: Sequence[str] = ()) -> tuple[Member, ...]:
    """The members of one layer, in file order (sorted by name, as they stand in the tar).

    Args:
        layer: Of the schema.
        robots: Names of the version's robots.

    Raises:
        ValueError: A robot's name would give a member the name of another.
    """
    of_robots = [m for robot in robots for m in robot_members(robot)]
    return tuple(sorted((m for m in (*SCHEMA, *of_robots) if m.layer == layer), key=lambda m: m.name))


def robot_members(robot: str) -> tuple[Member, ...]:
    """The members of one robot.

    Raises:
        ValueError: Its name is not like :data:`ROBOT_PATTERN`, or a member of the schema has one of theirs.
    """
    found = tuple(replace(m, name=m.name.replace(ROBOT, robot)) for m in ROBOT_SCHEMA)
    if robot != ROBOT and not re.fullmatch(ROBOT_PATTERN, robot):
        raise ValueError(f"found a robot named {robot!r}, expected a name like {ROBOT_PATTERN}")
    if taken := {m.name for m in found} & {m.name for m in SCHEMA}:
        raise ValueError(f"found a robot named {robot!r}, expected another name: {', '.join(taken)} is taken")
    return found


def robots_among(names: Collection[str]) -> tuple[str, ...]:
    """The robots whose joint positions or videos are among member names, sorted."""
    endings = tuple(m.name.removeprefix(ROBOT) for m in ROBOT_SCHEMA if "_q." in m.name or m.layer != "robots")
    stems = {name.removesuffix(ending) for name in names for ending in endings if name.endswith(ending)}
    return tuple(sorted(stem for stem in stems if re.fullmatch(ROBOT_PATTERN, stem)))


def json_fields(name: str) -> dict[str, Any]:
    """What the struct of a ``.json`` member holds."""
    return ROBOT_FIELDS if name == "robots.json" else CLIP_FIELDS


def layers() -> tuple[str, ...]:
    """All layers of the schema, in the order of the table."""
    return tuple(dict.fromkeys(m.layer for m in (*SCHEMA, *ROBOT_SCHEMA)))


def empty_arrays(n_frames: int) -> dict[str, np.ndarray]:
    """All array members of a clip in which nothing was found.

    Args:
        n_frames: T, the number of frames.

    Returns:
        Member name -> array: floats are NaN (``hand_score`` is 0), codes are 0 (absent).
    """
    out: dict[str, np.ndarray] = {}
    for m in SCHEMA:
        if m.dtype is None or m.shape is None:
            continue
        shape = tuple(n_frames if s == "T" else int(s) for s in m.shape)
        fill = np.nan if m.dtype.startswith("<f") and m.name != "hand_score.npy" else 0
        out[m.name] = np.full(shape, fill, dtype=m.dtype)
    return out
