from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.errors import SchemaError
from hoiset.shards.schema import DEFAULT_LAYERS, empty_arrays, members
from hoiset.shards.validate import mismatches, validate_sample
from tests.factories import make_clip, make_sample


@pytest.fixture(scope="module")
def sample() -> dict[str, Any]:
    return make_sample("clip", n_objects=2)


def changed(sample: dict[str, Any], member: str, index: Any, value: float) -> dict[str, Any]:
    array = sample[member].copy()
    array[index] = value
    return {**sample, member: array}


def reworded(sample: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**sample, "clip.json": {**sample["clip.json"], **fields}}


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 99), st.integers(1, 9), st.integers(0, 8))
def test_every_sample_of_the_factory_is_valid(seed: int, n_frames: int, n_objects: int) -> None:
    validate_sample(make_sample("clip", seed, n_frames, n_objects))


def test_a_clip_in_which_nothing_was_found_is_valid() -> None:
    core = {"clip.json": make_clip("clip", n_objects=0), **empty_arrays(4), "objects.glb": b"glTF"}
    core["time.npy"] = np.arange(4.0)
    validate_sample(core, ("core",))


@pytest.mark.parametrize("member", [m.name for layer in DEFAULT_LAYERS for m in members(layer)])
def test_a_missing_member_is_named(sample: dict[str, Any], member: str) -> None:
    with pytest.raises(SchemaError, match=member):
        validate_sample({k: v for k, v in sample.items() if k != member})


def test_an_unknown_member_is_named(sample: dict[str, Any]) -> None:
    with pytest.raises(SchemaError, match=r"depth\.npy"):
        validate_sample({**sample, "depth.npy": np.zeros(3)})


def test_only_the_asked_layers_are_judged(sample: dict[str, Any]) -> None:
    validate_sample({"rgb.mp4": b"x"}, ("video",), key="clip")
    validate_sample({k: v for k, v in sample.items() if k != "rgb.mp4"}, ("core",))


@pytest.mark.parametrize("key", ["a.b", "", "a/b", "é", "a" * 81, "a\n", None, 3])
def test_bad_keys_are_refused(sample: dict[str, Any], key: object) -> None:
    with pytest.raises(SchemaError, match="key"):
        validate_sample(reworded(sample, key=key))


def test_a_key_that_is_not_that_of_the_file_is_refused(sample: dict[str, Any]) -> None:
    with pytest.raises(SchemaError, match=r"found key 'clip', expected 'other'"):
        validate_sample(sample, key="other")


DAMAGE: dict[str, tuple[str, Any, float]] = {
    "one NaN in an observed hand": ("hand_joints.npy.gz", (0, 1, 3, 2), np.nan),
    "a whole observed hand NaN": ("hand_joints.npy.gz", (0, 1), np.nan),
    "finite where absent": ("hand_joints.npy.gz", (0, 0), 0.0),
    "infinite": ("hand_joints_2d.npy.gz", (0, 1, 0, 0), np.inf),
    "2D joints missing where observed": ("hand_joints_2d.npy.gz", (0, 1), np.nan),
    "mano half there": ("hand_mano.npy.gz", (0, 1, 0), 0.0),
    "score where absent": ("hand_score.npy", (0, 0), 0.5),
    "score above one": ("hand_score.npy", (0, 1), 1.5),
    "unknown hand source": ("hand_source.npy", (0, 1), 3),
    "unknown object state": ("object_state.npy", (0, 0), 6),
    "state without pose": ("object_state.npy", (0, 5), 1),
    "pose without state": ("object_state.npy", (0, 0), 0),
    "an object that clip.json does not know": ("object_source.npy", (0, 2), 1),
    "pose missing": ("object_pose.npy.gz", (0, 0), np.nan),
    "stretched wrist": ("hand_wrist.npy.gz", (0, 1, 0, 0), 2.0),
    "bottom row": ("object_pose.npy.gz", (0, 0, 3, 0), 0.1),
    "contact missing": ("contact.npy.gz", (0, 1, 0), np.nan),
    "contact with an absent hand": ("contact.npy.gz", (0, 0, 0), 0.1),
    "time does not start at 0": ("time.npy", (0,), 0.01),
    "time stands still": ("time.npy", (3,), 2 / 15.0),
    "time NaN": ("time.npy", (3,), np.nan),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_wrong_values_are_found(sample: dict[str, Any], name: str) -> None:
    member, index, value = DAMAGE[name]
    found = list(mismatches(changed(sample, member, index, value)))
    assert member in {m.member for m in found}
    assert all(m.found and m.expected for m in found)


def test_a_mirrored_rotation_is_found(sample: dict[str, Any]) -> None:
    pose = sample["object_pose.npy.gz"].copy()
    pose[0, 0, :3, 0] *= -1
    assert "object_pose.npy.gz" in {m.member for m in mismatches({**sample, "object_pose.npy.gz": pose})}


@pytest.mark.parametrize("member", ["hand_joints.npy.gz", "time.npy", "object_state.npy"])
def test_wrong_type_shape_and_length_are_found(sample: dict[str, Any], member: str) -> None:
    for wrong in (np.zeros(sample[member].shape, np.int32), sample[member][..., None], sample[member][1:], [1], None):
        assert list(mismatches({**sample, member: wrong}))


WORDS: dict[str, dict[str, Any]] = {
    "missing field": {"quality": {}},
    "unknown field": {"extra": 1},
    "not a struct": {"text": "push"},
    "not a list": {"objects": None},
    "wrong leaf": {"dropped": [{"what": 1, "reason": "x"}]},
    "bool where a number stands": {"source": {"uid": "u", "url": "", "start_s": True, "end_s": 1.0, "licence": ""}},
    "no uid": {"source": {"uid": "", "url": "", "start_s": 0.0, "end_s": 1.0, "licence": ""}},
    "grasp of no object": {"grasps": [{"hand": "right", "object": 2, "start_s": 0.0, "end_s": 1.0}]},
    "grasp by no hand": {"grasps": [{"hand": "foot", "object": 0, "start_s": 0.0, "end_s": 1.0}]},
    "grasp backwards": {"grasps": [{"hand": "left", "object": 0, "start_s": 1.0, "end_s": 0.0}]},
}


@pytest.mark.parametrize("name", WORDS)
def test_wrong_structs_are_found(sample: dict[str, Any], name: str) -> None:
    assert {m.member for m in mismatches(reworded(sample, **WORDS[name]))} >= {"clip.json"}


def test_a_bad_camera_is_found(sample: dict[str, Any]) -> None:
    camera = sample["clip.json"]["camera"]
    for change in (
        {"K": [[1.0]]},
        {"K": [[1.0, 0.0, None]] * 3},
        {"K": [None] * 3},
        {"K": None},
        {"width": 0},
        {"gravity": []},
        {"gravity": [0, 1, None]},
    ):
        assert list(mismatches(reworded(sample, camera={**camera, **change})))


def test_unknown_leaves_may_be_null(sample: dict[str, Any]) -> None:
    text = dict.fromkeys(sample["clip.json"]["text"]) | {"objects": [], "objects_source": []}
    validate_sample(reworded(sample, text=text))
