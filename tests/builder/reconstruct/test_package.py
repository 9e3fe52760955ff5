from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.builder.reconstruct.decimation import distance
from hoiset.builder.reconstruct.object_stage import Objects, reconstruct_objects
from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.package import StageRecord, make_sample, quality
from hoiset.builder.records import Clip, Hands, SourceVideo
from hoiset.shards.glb import decode_objects
from hoiset.shards.schema import DEFAULT_LAYERS, MESH_TOLERANCE_M, HandSource, members
from hoiset.shards.validate import validate_sample

PROVENANCE = {"hoiset": "1", "recipe": "v2", "recipe_digest": "0" * 8, "profile": "cpu"}
STAGES = [StageRecord("hands", "1", "pnp", "0" * 8)]
VIDEO = SourceVideo("a/b.mp4", Path("b.mp4"), action="Push the green box.", objects=("green box",), licence="CC0-1.0")
CLIP = Clip("clip_00", VIDEO, 1.0, 4.0, "train")


def nobody(n_frames):
    return Hands(
        np.full((n_frames, 2, 21, 3), np.nan),
        np.full((n_frames, 2, 21, 2), np.nan),
        np.full((n_frames, 2, 4, 4), np.nan),
        np.zeros((n_frames, 2), np.uint8),
        np.zeros((n_frames, 2)),
    )


def nothing(n_frames):
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
        dropped=(("objects", "no_hands"),),
    )


@pytest.fixture(scope="module")
def objects(carry):
    return reconstruct_objects(carry.rgb, carry.time, carry.hands, carry.camera, None, ObjectParams())


def sample_of(shot, hands, objects, clip=CLIP, camera=None):
    return make_sample(clip, shot.time, camera or shot.camera, hands, objects, b"mp4", STAGES, PROVENANCE)


def test_a_full_sample_is_valid_and_has_every_member(carry, objects):
    sample = sample_of(carry, carry.hands, objects)
    validate_sample(sample, key="clip_00")
    assert set(sample) == {m.name for layer in DEFAULT_LAYERS for m in members(layer)}
    assert np.allclose(sample["object_pose.npy.gz"][:, 0], objects.pose[:, 0], equal_nan=True)
    assert np.isnan(sample["object_pose.npy.gz"][:, 1:]).all()
    assert np.allclose(sample["hand_joints.npy.gz"], carry.joints, equal_nan=True, atol=1e-6)
    (mesh,) = decode_objects(sample["objects.glb"])
    made = objects.meshes[0]
    written = replace(made, vertices=np.asarray(mesh.vertices), faces=np.asarray(mesh.faces))
    assert distance(made, written) <= MESH_TOLERANCE_M + 1e-6
    assert len(written.faces) < len(made.faces)


def test_the_words_and_the_source_are_the_clips(carry, objects):
    clip = sample_of(carry, carry.hands, objects)["clip.json"]
    assert clip["key"] == "clip_00"
    assert clip["source"] == {"uid": "a/b.mp4", "url": None, "start_s": 1.0, "end_s": 4.0, "licence": "CC0-1.0"}
    assert clip["text"]["verb"] == "push"
    (described,) = clip["objects"]
    assert described["label"] == clip["text"]["objects"][0]
    assert described["label_source"] == "order_of_nouns"
    assert described["manipulated"] is True
    assert described["extent_m"] == objects.meshes[0].extent_m.tolist()
    (grasp,) = clip["grasps"]
    assert (grasp["hand"], grasp["object"]) == ("right", 0)
    assert clip["provenance"]["stages"] == [vars(s) for s in STAGES]
    assert clip["provenance"]["recipe"] == "v2"


@pytest.mark.parametrize(
    ("nouns", "fields", "source"),
    [
        (("green box",), (), ["given"]),
        (("green box", "lid"), ("brief", "detailed"), ["brief", "detailed"]),
        (("green box", " "), ("brief", "brief"), ["given"]),
        ((), (), ["action"]),
    ],
)
def test_every_noun_says_where_it_comes_from(carry, nouns, fields, source):
    clip = replace(CLIP, video=replace(VIDEO, objects=nouns, objects_source=fields))
    sample = sample_of(carry, nobody(len(carry.time)), nothing(len(carry.time)), clip)
    text = sample["clip.json"]["text"]
    assert text["objects_source"] == source
    assert len(text["objects"]) == len(source)


def test_an_object_without_a_noun_is_an_object(carry, objects):
    silent = replace(CLIP, video=replace(VIDEO, action="", objects=()))
    sample = sample_of(carry, carry.hands, objects, silent)
    validate_sample(sample)
    clip = sample["clip.json"]
    assert (clip["objects"][0]["label"], clip["objects"][0]["label_source"]) == ("object", "absent")
    assert clip["text"]["action"] is None


@pytest.mark.parametrize("with_hands", [True, False])
def test_a_sample_with_nothing_in_it_is_valid(carry, with_hands):
    n = len(carry.time)
    sample = sample_of(carry, carry.hands if with_hands else nobody(n), nothing(n))
    validate_sample(sample)
    clip = sample["clip.json"]
    assert clip["objects"] == clip["grasps"] == []
    assert clip["dropped"] == [{"what": "objects", "reason": "no_hands"}]
    assert clip["quality"]["object_visible_ratio"] is None
    assert (clip["quality"]["hand_valid_ratio"] > 0) == with_hands
    assert decode_objects(sample["objects.glb"]) == []


def test_more_objects_than_slots_are_cut(carry, objects):
    many = replace(
        objects,
        meshes=objects.meshes * 9,
        depth_source=objects.depth_source * 9,
        grasps=(),
        **{k: np.repeat(getattr(objects, k), 9, axis=1) for k in ("pose", "source", "state")},
        contact=np.repeat(objects.contact, 9, axis=2),
        confidence=np.repeat(objects.confidence, 9),
        mask_iou=np.repeat(objects.mask_iou, 9),
    )
    sample = sample_of(carry, carry.hands, many)
    validate_sample(sample)
    assert len(sample["clip.json"]["objects"]) == 8


def test_known_gravity_is_kept_and_unknown_is_null(carry):
    n = len(carry.time)
    assert sample_of(carry, nobody(n), nothing(n))["clip.json"]["camera"]["gravity"] is None
    camera = replace(carry.camera, gravity=np.array([0.0, 1.0, 0.0]), gravity_source="given")
    sample = sample_of(carry, nobody(n), nothing(n), camera=camera)
    validate_sample(sample)
    assert sample["clip.json"]["camera"]["gravity"] == [0.0, 1.0, 0.0]


def test_fallbacks_are_recorded(carry, objects):
    hands = replace(carry.hands, fallbacks=("side guessed",))
    assert sample_of(carry, hands, objects)["clip.json"]["provenance"]["fallbacks"] == ["side guessed"]


def test_quality_of_exact_hands(carry, objects):
    q = quality(carry.camera, carry.hands, objects)
    present = (carry.hands.source > 0).any(1).mean()
    assert q["hand_valid_ratio"] == pytest.approx(present)
    assert q["hand_infilled_ratio"] == 0
    assert q["hand_reprojection"] < 1e-6
    assert q["object_visible_ratio"] == 1.0
    assert q["score"] == pytest.approx(present * q["object_mask_iou"] * objects.confidence[0])


def test_worse_hands_and_objects_score_less(carry, objects):
    best = quality(carry.camera, carry.hands, objects)["score"]
    shifted = replace(carry.hands, joints_2d=carry.joints_2d + 5)
    filled = replace(carry.hands, source=np.where(carry.hands.source > 0, HandSource.INFILLED, 0).astype(np.uint8))
    for hands in (shifted, filled):
        assert quality(carry.camera, hands, objects)["score"] < 0.95 * best
    half = replace(objects, source=np.where(np.arange(len(carry.time)) % 2, 0, objects.source[:, 0])[:, None])
    for worse in (half, replace(objects, mask_iou=np.array([0.4])), replace(objects, confidence=np.array([0.55]))):
        assert quality(carry.camera, carry.hands, worse)["score"] < 0.95 * best


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 60), st.booleans())
def test_quality_is_always_within_0_and_1(carry, objects, seed, noise, with_objects):
    rng = np.random.default_rng(seed)
    source = np.where(carry.hands.source > 0, rng.integers(1, 3, carry.hands.source.shape), 0).astype(np.uint8)
    hands = replace(carry.hands, joints_2d=carry.joints_2d + rng.normal(0, noise, carry.joints_2d.shape), source=source)
    for key, value in quality(carry.camera, hands, objects if with_objects else nothing(len(carry.time))).items():
        if value is None:
            assert key.startswith(("object", "hand_reprojection"))
        else:
            assert value >= 0
            assert value <= 1 or key == "hand_reprojection"
