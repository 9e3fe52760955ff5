"""What a window can hold: members as they are, and small functions of them.

**Convention:** ``T_a_b`` maps points of b to a, as everywhere. *Now* is the time that a window is placed at. Poses come
as (4, 4) matrices or, under the name with ``_9d``, as position (m) and the rotation's first two columns
(:func:`hoiset.loaders.rotations.pose_to_9d`). Where something is absent a pose is NaN as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from jaxtyping import Float

from hoiset import geometry
from hoiset.loaders.clip_cache import ClipValues
from hoiset.loaders.interpolation import KINDS, Kind, Places, interpolate, locate
from hoiset.loaders.rotations import pose_to_9d
from hoiset.shards.schema import MAX_OBJECTS, ObjectState


@dataclass(frozen=True)
class Moments:
    """A clip at the times of a window, or of many windows at once.

    Attributes:
        clip: The members that the feature named.
        kinds: Item name -> how it goes between frames.
        places: (*B, n) of the window's times.
        now_s: (*B, 1) the time each window is placed at, s.
        before_s: (*B, n) one step before each time, s; see :func:`steps_before`.
        slot: Of the object that ``object=`` chose, or ``None``.
    """

    clip: ClipValues
    kinds: dict[str, Kind]
    places: Places
    now_s: Float[np.ndarray, "*B 1"]
    before_s: Float[np.ndarray, "*B n"]
    slot: int | None

    def then(self, name: str) -> np.ndarray:
        """(*B, n, ...) of a member at the window's times."""
        return interpolate(self.clip.arrays[name], self.places, self.kinds[name])

    def present(self, name: str, entities: int) -> np.ndarray:
        """(*B, n, ...) which hands or objects of a member are there, as :func:`presence` of :meth:`then` would say."""
        known = self.clip.present
        if name not in known:
            known[name] = presence(name, self.clip.arrays[name], 1 + entities)
        if self.kinds[name] == "nearest":
            return known[name][self.places.nearest]
        there = known[name][self.places.low]
        return there if self.places.on_frames else there & known[name][self.places.high]

    def now(self, name: str) -> np.ndarray:
        """(*B, 1, ...) of a member now."""
        return interpolate(self.clip.arrays[name], locate(self.clip.time, self.now_s), self.kinds[name])

    @cached_property
    def before_places(self) -> Places:
        """Places one step before."""
        return locate(self.clip.time, self.before_s)

    def before(self, name: str) -> np.ndarray:
        """(*B, n, ...) of a member one step before each of the window's times."""
        return interpolate(self.clip.arrays[name], self.before_places, self.kinds[name])


@dataclass(frozen=True)
class Feature:
    """A key of a window.

    Attributes:
        name: The key.
        members: Item names of the array members it is made of.
        value: Makes it, (*B, n, ...). A function of a module, so that it can be sent to workers.
        doc: Shape of one step, meaning, unit and frame.
        entities: How many axes after the time axis count hands or objects; ``<key>_mask`` says which are there.
            ``None`` = no mask.
        needs_before: Whether a step whose beginning lies outside of the clip is padding, too.
        needs_object: Whether it is about the object that ``object=`` chooses.
        is_member: Whether it is a member as it is.
    """

    name: str
    members: tuple[str, ...]
    value: Callable[[Moments], np.ndarray]
    doc: str
    entities: int | None = None
    needs_before: bool = False
    needs_object: bool = False
    is_member: bool = False


def steps_before(deltas: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Where the step to each time starts: at the time before it.

    The first step is as long as the second; a single one starts now.
    """
    if len(deltas) == 1:
        return np.zeros(1)
    return np.concatenate([[2 * deltas[0] - deltas[1]], deltas[:-1]])


def member_feature(name: str) -> Feature:
    """A member as a key, by its item name."""
    entities = 2 if name == "contact" else 1 if name.startswith(("hand_", "object_")) else None
    if entities is None and name.endswith(("_q", "_root")):
        entities = 0
    return Feature(name, (name,), partial(_member, name), f"the member {name}", entities, is_member=True)


def kind_of(name: str) -> Kind | None:
    """How a member goes between frames; of a robot's members by their endings; ``None`` where nothing says it."""
    if name in KINDS:
        return KINDS[name]
    ends: dict[str, Kind] = {"_q": "linear", "_root": "pose", "_source": "nearest", "_residual": "linear"}
    return next((kind for end, kind in ends.items() if name.endswith(end)), None)


def presence(name: str, value: np.ndarray, leading: int) -> np.ndarray:
    """What is there, over the first ``leading`` axes: all numbers behind them finite; codes and scores other than 0."""
    there = np.isfinite(value) if value.dtype.kind == "f" and name != "hand_score" else value != 0
    return there.reshape(*value.shape[:leading], -1).all(-1)


def _compose(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    T = a @ b
    T[np.isnan(T).any((-1, -2))] = np.nan
    return T.astype(np.float32)


def _member(name: str, at: Moments) -> np.ndarray:
    return at.then(name)


def _as_9d(pose: Callable[[Moments], np.ndarray], at: Moments) -> np.ndarray:
    return pose_to_9d(pose(at))


def _relative(at: Moments) -> np.ndarray:
    return _compose(geometry.invert(at.now("hand_wrist")), at.then("hand_wrist"))


def _delta(at: Moments) -> np.ndarray:
    return _compose(geometry.invert(at.before("hand_wrist")), at.then("hand_wrist"))


def _target(at: Moments) -> np.ndarray:
    poses = at.then("object_pose")
    return poses[..., at.slot, :, :] if at.slot is not None else np.full_like(poses[..., 0, :, :], np.nan)


def _in_object(at: Moments) -> np.ndarray:
    return _compose(geometry.invert(_target(at))[..., None, :, :], at.then("hand_wrist"))


def _joints_in(T_wrist: np.ndarray, joints: np.ndarray) -> np.ndarray:
    return geometry.transform(geometry.invert(T_wrist), joints).astype(np.float32)


def _joints_local(at: Moments) -> np.ndarray:
    return _joints_in(at.then("hand_wrist"), at.then("hand_joints"))


def _joints_relative(at: Moments) -> np.ndarray:
    return _joints_in(at.now("hand_wrist"), at.then("hand_joints"))


def _grasp(at: Moments) -> np.ndarray:
    state = at.then("object_state")
    hands = (ObjectState.GRASPED_LEFT, ObjectState.GRASPED_RIGHT)
    return np.stack([((state == h) | (state == ObjectState.GRASPED_BOTH)).any(-1) for h in hands], -1).astype(np.uint8)


def _pose(
    name: str, members: tuple[str, ...], value: Callable[[Moments], np.ndarray], doc: str, entities: int, **needs: bool
) -> tuple[Feature, ...]:
    lead = "" if not entities else "2, " if name.startswith("hand") else f"{MAX_OBJECTS}, "
    nine = Feature(f"{name}_9d", members, partial(_as_9d, value), f"({lead}9) f4: {doc}", entities, **needs)
    if name in KINDS:  # the matrices are a member
        return (nine,)
    return Feature(name, members, value, f"({lead}4, 4) f4: {doc}", entities, **needs), nine


WRIST, OBJECTS = ("hand_wrist",), ("object_pose",)

FEATURES: dict[str, Feature] = {
    feature.name: feature
    for feature in (
        *_pose("hand_wrist", WRIST, partial(_member, "hand_wrist"), "T_camera_wrist", 1),
        *_pose("hand_wrist_relative", WRIST, _relative, "T_wristnow_wrist, from the same hand's wrist now", 1),
        *_pose("hand_wrist_delta", WRIST, _delta, "T_wristbefore_wrist, one step's motion", 1, needs_before=True),
        *_pose("hand_wrist_object", WRIST + OBJECTS, _in_object, "T_object_wrist of the object", 1, needs_object=True),
        *_pose("object_pose", OBJECTS, partial(_member, "object_pose"), "T_camera_object", 1),
        *_pose("target_pose", OBJECTS, _target, "T_camera_object of the object", 0, needs_object=True),
        Feature(
            "hand_joints_local",
            ("hand_joints", "hand_wrist"),
            _joints_local,
            "(2, 21, 3) f4: joints in the wrist frame of the same time, m",
            1,
        ),
        Feature(
            "hand_joints_relative",
            ("hand_joints", "hand_wrist"),
            _joints_relative,
            "(2, 21, 3) f4: joints in the same hand's wrist frame now, m",
            1,
        ),
        Feature("grasp", ("object_state",), _grasp, "(2) u1: 1 where a hand grasps an object"),
    )
}  # fmt: skip
"""Derived keys by name."""
