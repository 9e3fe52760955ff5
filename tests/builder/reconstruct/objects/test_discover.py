import numpy as np
import pytest

from hoiset.builder.reconstruct.objects.discover import discover
from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.objects.track import Cue

from ..conftest import search
from ..scenes import Thing, carried, iou, reaching, resting, scene_of, take


def found_in(shot, **params):
    scene = scene_of(shot, ObjectParams(**params))
    return discover(scene, search(shot, scene))


def test_one_moved_thing_is_one_object(carry, carry_scene, carry_search):
    objects, dropped = discover(carry_scene, carry_search)
    assert len(objects) == 1
    assert dropped == carry_search.rejected
    cue = objects[0].cue
    assert cue[0] == cue[-1] == Cue.STANDING
    held = (carry.time > 1.1) & (carry.time < 1.7)
    assert objects[0].followed[held].all()


def test_what_hardly_moves_is_dropped_with_the_reason(carry):
    objects, dropped = found_in(carry, min_travel=3.0)
    assert objects == ()
    assert any(reason.startswith("hardly_moved") for _, reason in dropped)


def test_the_template_stands_in_its_frame(carry_track):
    assert np.allclose(carry_track.affine[carry_track.template_frame], np.eye(2, 3), atol=0.2)


def test_the_moved_of_two_things_is_the_object(pair, pair_scene):
    objects, _ = discover(pair_scene, search(pair, pair_scene))
    assert len(objects) == 1
    for t in range(len(pair.time)):
        assert iou(objects[0].silhouette(t), pair.masks[0, t]) > 0.7
        assert not (objects[0].silhouette(t) & pair.masks[1, t]).any()


def test_a_hand_that_waves_beside_a_thing_finds_nothing():
    wave = take([Thing(resting(90, 70))], [reaching(carried((175, 70), (250, 80)))])
    objects, _ = found_in(wave)
    assert objects == ()


def test_a_hand_with_a_shadow_on_a_bare_table_finds_nothing():
    objects, _ = found_in(take([], [reaching(carried())], shadow=True))
    assert objects == ()


def test_a_thing_that_leaves_the_view_is_absent_after(gone, gone_scene):
    objects, _ = discover(gone_scene, search(gone, gone_scene))
    assert len(objects) == 1
    whole = gone.masks[0, 0].sum()
    for t in range(len(gone.time)):
        visible = gone.masks[0, t].sum() / whole
        if visible > 0.9:
            assert iou(objects[0].silhouette(t), gone.masks[0, t]) > 0.7
        elif visible == 0:
            assert not objects[0].silhouette(t).any()
            assert not np.nan_to_num(objects[0].quality[t]) > 0.3


def test_a_thing_that_comes_into_view_is_absent_before():
    path = carried((-110, 70), (150, 80))
    shot = take([Thing(path)], [reaching(path)])
    objects, _ = found_in(shot)
    assert len(objects) == 1
    for t in range(len(shot.time)):
        if not shot.masks[0, t].any():
            assert not objects[0].silhouette(t).any()
    assert iou(objects[0].silhouette(-1), shot.masks[0, -1]) > 0.8


@pytest.fixture(scope="module")
def both_moved():
    right, left = carried((210, 50), (280, 60)), carried((60, 50), (130, 60))
    things = [Thing(right), Thing(left, size=(36, 44), round=True, seed=2)]
    return take(things, [reaching(right), reaching(left, side=0)])


def test_two_hands_that_move_two_things_find_both(both_moved):
    objects, _ = found_in(both_moved)
    assert len(objects) == 2
    owners = [int(np.argmax([iou(o.silhouette(20), m[20]) for m in both_moved.masks])) for o in objects]
    assert sorted(owners) == [0, 1]
    for o, owner in zip(objects, owners, strict=True):
        assert min(iou(o.silhouette(t), both_moved.masks[owner, t]) for t in range(len(both_moved.time))) > 0.65


def test_no_more_objects_than_slots(both_moved):
    objects, dropped = found_in(both_moved, max_objects=1)
    assert len(objects) == 1
    assert {reason for _, reason in dropped} & {"more_objects_than_slots", "smaller_than_enough_others"}


def test_equal_input_gives_equal_bytes(carry_scene, carry_search, carry_track):
    again = discover(carry_scene, carry_search)[0][0]
    assert again.affine.tobytes() == carry_track.affine.tobytes()
    assert again.mask.tobytes() == carry_track.mask.tobytes()
