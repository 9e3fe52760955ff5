"""Which columns an export has, and how they are made of windows.

**Convention:** hands are left, right; poses are nine numbers, position (m) and the rotation's first two columns; finger
joints are in the wrist frame of the same time. All are in the camera's frame, OpenCV's (x right, y down, z forward).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Shaped

from hoiset import geometry
from hoiset.errors import DatasetError
from hoiset.loaders.features import Feature, Moments
from hoiset.loaders.rotations import pose_to_9d

Actions = Literal["absolute", "delta"]
CAMERA = "observation.images.camera"
STATE, OBJECTS, ACTION = "observation.state", "observation.environment_state", "action"
FRAME = "source.frame"
DEFAULT_COLUMNS = ("timestamp", "frame_index", "episode_index", "index", "task_index")

_HANDS = ("left", "right")
_POSE = ("x", "y", "z", "r11", "r21", "r31", "r12", "r22", "r32")
_FINGERS = tuple(f"{finger}{i}" for finger in ("thumb", "index", "middle", "ring", "little") for i in range(1, 5))


@dataclass(frozen=True)
class Column:
    """One column of the frames' table.

    Attributes:
        name: LeRobot's name of the feature.
        dtype: ``float32``, ``int64`` or ``bool``.
        names: Of its elements.
        doc: Meaning, in one line.
        mask: The column that says which of equal parts of it are there; ``""`` = all are.
    """

    name: str
    dtype: str
    names: tuple[str, ...]
    doc: str
    mask: str = ""


@dataclass(frozen=True)
class Layout:
    """What every frame of an export holds.

    Attributes:
        fps: Frames a second, of all clips.
        actions: What ``action`` is: the next pose in the camera's frame, or the motion to it in the wrist's.
        n_objects: Slots of objects; 0 leaves their columns out.
    """

    fps: int
    actions: Actions
    n_objects: int

    def __post_init__(self) -> None:
        if not 1 <= self.fps <= 1000:
            raise DatasetError(f"found fps={self.fps}, expected 1 .. 1000 frames a second")
        if self.actions not in get_args(Actions):
            raise DatasetError(f"found actions={self.actions!r}, expected {' or '.join(get_args(Actions))}")

    @property
    def keys(self) -> tuple[str, ...]:
        """Of the windows that :meth:`rows` is made of, now."""
        of_objects = ("object_pose_9d", "object_state") if self.n_objects else ()
        return ("time", "hand_wrist", "hand_joints_local", "hand_source", "grasp", FRAME, *of_objects)

    @property
    def columns(self) -> tuple[Column, ...]:
        """In the order of the table; LeRobot's own come behind them."""
        hands = tuple(f"{hand}_wrist_{n}" for hand in _HANDS for n in _POSE)
        joints = {hand: tuple(f"{hand}_{j}_{axis}" for j in _FINGERS for axis in "xyz") for hand in _HANDS}
        state = tuple(n for i, hand in enumerate(_HANDS) for n in (*hands[9 * i : 9 * i + 9], *joints[hand]))
        slots = tuple(f"object{i}" for i in range(self.n_objects))
        action = {
            "absolute": "the same one frame later",
            "delta": "T_wrist_wristnext, the wrist's motion to the next frame, and the fingers there",
        }[self.actions]
        poses = tuple(f"{slot}_{n}" for slot in slots for n in _POSE)
        of_objects = (
            Column(OBJECTS, "float32", poses, "T_camera_object", "mask.object"),
            Column("mask.object", "bool", slots, "whether the object's pose is there"),
            Column("object.state", "int64", slots, "absent, static, moving, grasped_left, grasped_right, grasped_both"),
        )
        return (
            Column(STATE, "float32", state, "T_camera_wrist and finger joints in the wrist frame, m", "mask.hand"),
            Column(ACTION, "float32", state, action, "mask.action"),
            Column("mask.hand", "bool", _HANDS, "whether the hand is there"),
            Column("mask.action", "bool", _HANDS, "whether it is there in the next frame; false in the last frame"),
            Column("hand.source", "int64", _HANDS, "absent, observed, infilled"),
            Column("hand.grasp", "int64", _HANDS, "1 where it holds an object"),
            *(of_objects if slots else ()),
            Column(FRAME, "int64", ("frame",), "the clip's frame whose picture and codes these are"),
        )

    def rows(self, found: Mapping[str, np.ndarray]) -> dict[str, Shaped[np.ndarray, "N D"]]:
        """Columns of a clip; what is absent is NaN. The last frame's action is to stay, and its mask false.

        Args:
            found: What :meth:`hoiset.loaders.WindowDataset.of_clip` gives for :attr:`keys`, (N, 1, ...).
        """
        T, fingers = found["hand_wrist"][:, 0], found["hand_joints_local"][:, 0, :, 1:]
        there = (found["hand_wrist_mask"] & found["hand_joints_local_mask"])[:, 0]
        following = np.minimum(np.arange(len(T)) + 1, len(T) - 1)
        goal = T[following]
        if self.actions == "delta":
            goal, goal_there = (geometry.invert(T) @ goal).astype(np.float32), there & there[following]
        else:
            goal_there = there[following]
        out = {
            STATE: _hands(T, fingers, there),
            ACTION: _hands(goal, fingers[following], goal_there),
            "mask.hand": there,
            "mask.action": goal_there & (following > np.arange(len(T)))[:, None],
            "hand.source": found["hand_source"][:, 0].astype(np.int64),
            "hand.grasp": found["grasp"][:, 0].astype(np.int64),
            FRAME: found[FRAME][:, 0],
        }
        if self.n_objects:
            slots = slice(0, self.n_objects)
            out[OBJECTS] = found["object_pose_9d"][:, 0, slots].reshape(len(T), -1)
            out["mask.object"] = found["object_pose_9d_mask"][:, 0, slots]
            out["object.state"] = found["object_state"][:, 0, slots].astype(np.int64)
        return {column.name: out[column.name] for column in self.columns}

    def feature_info(self, picture: tuple[int, int] | None) -> dict[str, dict[str, Any]]:
        """``features`` of ``info.json``.

        Args:
            picture: (height, width) of the video, px; ``None`` without one.
        """
        out: dict[str, dict[str, Any]] = {
            c.name: {"dtype": c.dtype, "shape": [len(c.names)], "names": list(c.names)} for c in self.columns
        }
        if picture is not None:
            names = ("height", "width", "codec", "pix_fmt", "is_depth_map", "fps", "channels")
            known = (*picture, "h264", "yuv420p", False, self.fps, 3)
            about = {f"video.{name}": value for name, value in zip(names, known, strict=True)}
            shape = {"dtype": "video", "shape": [*picture, 3], "names": ["height", "width", "channels"]}
            out[CAMERA] = {**shape, "info": {**about, "has_audio": False}}
        for name in DEFAULT_COLUMNS:
            out[name] = {"dtype": "float32" if name == "timestamp" else "int64", "shape": [1], "names": None}
        return out


def _hands(T: np.ndarray, fingers: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(N, 2, 4, 4), (N, 2, 20, 3) and (N, 2) -> (N, 138); a hand of which a part is absent is absent."""
    both = np.concatenate([pose_to_9d(T), fingers.reshape(*fingers.shape[:2], -1)], -1)
    return np.where(there[..., None], both, np.float32(np.nan)).reshape(len(both), -1)


def _nearest_frame(at: Moments) -> np.ndarray:
    return at.places.nearest[..., None].astype(np.int64)


SOURCE_FRAME = Feature(FRAME, ("time",), _nearest_frame, "(1,) i8: number of the nearest frame")
"""What a window lacks: which frame its pictures are of."""
