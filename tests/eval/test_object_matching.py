from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from hoiset.eval.object_matching import Body, mask_frames, match_objects
from hoiset.eval.reading import View
from hoiset.geometry import make_T
from hoiset.shards.glb import encode_objects
from hoiset.shards.schema import ObjectSource, ObjectState
from tests.eval import scenes as s


def cans(places: Sequence[Sequence[float]], seen: Sequence[slice] | None = None) -> View:
    """A view of cans that stand at places, m, each in some of the frames."""
    sample = s.make_truth()
    sample["objects.glb"] = encode_objects([s.can() for _ in places])
    sample["clip.json"]["objects"] = [dict(sample["clip.json"]["objects"][0]) for _ in places]
    sample["clip.json"]["grasps"] = []
    for name in ("object_pose.npy.gz", "contact.npy.gz"):
        sample[name][:] = np.nan
    sample["object_source.npy"][:] = ObjectSource.ABSENT
    sample["object_state.npy"][:] = ObjectState.ABSENT
    for slot, place in enumerate(places):
        frames = slice(None) if seen is None else seen[slot]
        sample["object_pose.npy.gz"][frames, slot] = make_T(np.eye(3), np.array(place))
        sample["object_source.npy"][frames, slot] = ObjectSource.OBSERVED
        sample["object_state.npy"][frames, slot] = ObjectState.STATIC
    return s.view(sample)


def slots(truth: View, sample: View) -> list[int]:
    bodies = [[Body(mesh) for mesh in view.meshes] for view in (truth, sample)]
    return match_objects(truth, sample, *bodies).slot.tolist()


A, B, C = (-0.1, 0, 0.8), (0.0, 0, 0.8), (0.1, 0, 0.8)


def test_copies_are_told_apart_by_their_place() -> None:
    assert slots(cans([A, B, C]), cans([C, A, B])) == [1, 2, 0]


def test_the_assignment_is_not_greedy() -> None:
    """The can between the two is nearest to B, but A has no other."""
    assert slots(cans([A, B]), cans([(-0.048, 0, 0.8), (0.04, 0, 0.8)])) == [0, 1]


def test_one_of_two_predictions_of_an_object_is_false() -> None:
    assert slots(cans([A]), cans([A, A], [slice(0, 5), slice(0, 40)])) == [1]


@pytest.mark.parametrize(("far_m", "found"), [(0.05, True), (0.12, False)])
def test_a_match_needs_overlap_or_nearness(far_m: float, found: bool) -> None:
    beside = (far_m, 0, 0.8)
    assert slots(cans([B]), cans([beside])) == ([0] if found else [-1])


def test_depth_alone_does_not_break_a_match() -> None:
    """Three times as far and as large is the same outline."""
    far = cans([(0, 0, 2.4)])
    mesh = (far.meshes[0][0] * 3, far.meshes[0][1])
    match = match_objects(cans([B]), far, [Body(cans([B]).meshes[0])], [Body(mesh)])
    assert match.slot.tolist() == [0]
    assert np.nanmin(match.iou) > 0.99


def test_false_objects_are_those_without_a_truth() -> None:
    truth, sample = cans([A]), cans([C, A, B])
    match = match_objects(truth, sample, [Body(m) for m in truth.meshes], [Body(m) for m in sample.meshes])
    assert match.slot.tolist() == [1]
    assert match.false() == [0, 2]


def test_no_object_at_all() -> None:
    assert slots(cans([A]), cans([])) == [-1]
    assert slots(cans([]), cans([A])) == []


def test_outlines_are_compared_a_few_times_a_second() -> None:
    assert len(mask_frames(s.view(s.make_truth()))) == pytest.approx(12, abs=1)
    assert len(mask_frames(s.view(s.make_truth(fps=60)))) == 12
