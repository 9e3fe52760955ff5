import numpy as np
import pytest

from hoiset.builder.reconstruct.objects.anchors import describe, find_anchors, refine_silhouette
from hoiset.builder.reconstruct.objects.colours import colour_histogram, similarity
from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.objects.people import PeopleMasks

from ..conftest import search
from ..scenes import DEPTH, Actor, Thing, carried, ease, iou, reaching, resting, scene_of, take


def anchors_of(shot, people=None, **params):
    scene = scene_of(shot, ObjectParams(**params))
    return find_anchors(shot.rgb, shot.joints_2d, scene.size_px, scene.states, scene.plate, people, scene.params)


def test_both_places_of_a_moved_thing_are_found_with_their_silhouettes(carry, carry_search):
    before, after = carry_search.anchors
    assert iou(before.mask, carry.masks[0, 0]) > 0.9
    assert iou(after.mask, carry.masks[0, -1]) > 0.9
    assert (before.first, after.last) == (0, len(carry.time) - 1)
    # The hand comes at 0.9 s and is gone at 2.3 s; between these the places are not seen free and whole.
    assert 0.4 <= carry.time[before.last] <= 1.2
    assert 1.7 <= carry.time[after.first] <= 2.4
    assert (before.leaves, before.arrives) == (1, -1)
    assert (after.leaves, after.arrives) == (-1, 1)


def test_anchors_show_the_thing_without_the_hand(carry, carry_search):
    truth = colour_histogram(carry.rgb[0], carry.masks[0, 0])
    for anchor, t in zip(carry_search.anchors, (0, -1), strict=True):
        assert similarity(anchor.histogram, truth) > 0.95
        assert np.abs(anchor.image[anchor.mask].astype(float) - carry.rgb[t][anchor.mask]).mean() < 6
        assert anchor.area == anchor.mask.sum()
        assert 0.95 < anchor.solidity < 1.1
        assert f"frames {anchor.first}-{anchor.last}" in describe(anchor)


@pytest.mark.parametrize("side", [0, 1])
def test_the_hand_that_takes_is_the_one_that_is_there(side):
    path = carried()
    other = Actor(lambda t: (40, 130 + 6 * np.sin(6 * t), 0.0, DEPTH), 1 - side)
    found = anchors_of(take([Thing(path, round=True)], [reaching(path, side=side), other])).anchors
    assert [(a.leaves, a.arrives) for a in found] == [(side, -1), (-1, side)]


def test_what_leaves_the_view_has_one_place(gone, gone_scene):
    (only,) = search(gone, gone_scene).anchors
    assert iou(only.mask, gone.masks[0, 0]) > 0.9
    assert (only.leaves, only.arrives) == (1, -1)


def test_a_thing_that_nobody_moves_is_no_anchor(pair, pair_scene):
    found = search(pair, pair_scene).anchors
    assert len(found) == 2
    assert not any((a.mask & pair.masks[1, 0]).any() for a in found)


def test_what_goes_without_a_hand_near_it_is_no_anchor():
    far = Actor(lambda t: (290, 120 + 5 * np.sin(5 * t), 0.0, 1.5))
    assert anchors_of(take([Thing(carried((60, 60), (130, 60)))], [far])).anchors == ()


def hovering(t):
    """Comes, stays beside the thing for a second, and goes."""
    away = 1 - ease(t, 0.4, 0.7) + ease(t, 1.9, 2.2)
    return None if away >= 1 else (175, 75 + 130 * away, 0.0, DEPTH)


@pytest.fixture(scope="module")
def overshadowed():
    return take([Thing(resting(90, 70))], [Actor(hovering)], shadow=True)


def test_a_soft_shadow_is_no_anchor(overshadowed):
    assert anchors_of(overshadowed).anchors == ()


def test_the_shadow_could_have_been_one(overshadowed):
    assert len(anchors_of(overshadowed, shadow_ratio=0.999).anchors) > 0


def test_a_person_is_no_anchor(carry):
    n, shape = len(carry.time), carry.rgb.shape[1:3]
    everybody = PeopleMasks(np.arange(0, n, 8), np.full((len(range(0, n, 8)), *shape), 255, np.uint8))
    found = anchors_of(carry, everybody)
    assert found.anchors == ()
    assert {reason for _, reason in found.rejected} == {"is_a_person"}
    nobody = PeopleMasks(everybody.frame_index, np.zeros_like(everybody.probability))
    assert len(anchors_of(carry, nobody).anchors) == 2


def test_what_is_too_large_for_a_hand_is_dropped_with_the_reason(carry):
    found = anchors_of(carry, max_extent_hands=0.5)
    assert found.anchors == ()
    assert {reason for _, reason in found.rejected} == {"too_large_for_a_hand"}


def test_what_the_border_cuts_off_is_dropped_with_the_reason():
    path = carried((-6, 70), (110, 80))
    found = anchors_of(take([Thing(path)], [reaching(path)]))
    assert [a.first > 0 for a in found.anchors] == [True]
    assert "cut_off_by_the_border" in {reason for _, reason in found.rejected}


def test_small_things_are_below_the_limit(carry):
    assert anchors_of(carry, min_area=0.1).anchors == ()


@pytest.mark.parametrize("grow", [-4, 4])
def test_a_rough_silhouette_is_sharpened(carry, carry_scene, grow):
    true = carry.masks[0, 0]
    y, x = np.nonzero(true)
    rough = np.zeros_like(true)
    rough[y.min() - grow : y.max() + grow + 1, x.min() - grow : x.max() + grow + 1] = True
    assert iou(rough, true) < 0.8
    refined = refine_silhouette(carry.rgb[0], carry_scene.plate.rgb, rough, carry_scene.params)
    assert iou(refined, true) > 0.9


def test_nothing_is_left_of_a_silhouette_on_bare_table(carry, carry_scene):
    plate = carry_scene.plate.rgb
    assert refine_silhouette(plate, plate, carry.masks[0, 0], carry_scene.params) is None
