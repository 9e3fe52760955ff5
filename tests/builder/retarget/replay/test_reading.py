"""Samples as clips to replay."""

from __future__ import annotations

import numpy as np

from hoiset.builder.retarget.replay.reading import clip_of
from hoiset.builder.retarget.replay.replay import replay_clip
from tests.factories import make_sample


def test_a_sample_of_the_schema_is_a_clip() -> None:
    clip = clip_of(make_sample("clip", n_objects=2))
    assert clip.key == "clip"
    assert clip.pose.shape == (8, 2, 4, 4)
    assert clip.contact.shape == (8, 2, 2)
    assert len(clip.meshes) == len(clip.labels) == len(clip.sided) == 2
    assert clip.gravity is None
    assert clip.scaled


def test_a_damaged_mesh_file_costs_the_objects_alone() -> None:
    sample = make_sample("clip", n_objects=2) | {"objects.glb": b"glTF of no kind"}
    records = replay_clip(clip_of(sample))
    assert len(records) == 2
    assert {record.status for record in records} == {"not_testable"}


def test_a_clip_without_scale() -> None:
    sample = make_sample("clip")
    sample["clip.json"]["camera"]["scale_source"] = "absent"
    assert replay_clip(clip_of(sample))[0].reason == "no_scale"


def test_a_clip_without_objects() -> None:
    assert replay_clip(clip_of(make_sample("clip", n_objects=0))) == ()


def test_gravity_is_read() -> None:
    sample = make_sample("clip")
    sample["clip.json"]["camera"]["gravity"] = [0.0, 1.0, 0.0]
    found = clip_of(sample).gravity
    assert found is not None
    np.testing.assert_array_equal(found, [0.0, 1.0, 0.0])
