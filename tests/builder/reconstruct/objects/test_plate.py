import numpy as np
import pytest

from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.objects.plate import foreground

from ..scenes import Thing, carried, reaching, scene_of, take

PARAMS = ObjectParams()


def error(scene, shot, where):
    """Mean difference of the plate from the bare table, 0..255."""
    return float(np.abs(scene.plate.rgb[where].astype(float) - shot.table[where]).mean())


def test_the_table_is_found_under_both_places_of_a_moved_thing(carry, carry_scene):
    for t in (0, -1):
        under = carry.masks[0, t]
        assert error(carry_scene, carry, under) < 3.0
        assert np.abs(carry.rgb[t][under] - carry.table[under]).mean() > 30  # it could have been taken for the table
    assert error(carry_scene, carry, np.ones_like(under)) < 2.0


def test_no_trace_of_the_hand_is_left(carry, carry_scene):
    difference = np.abs(carry_scene.plate.rgb.astype(float) - carry.table).mean(-1)
    assert np.percentile(difference, 99.9) < 12


@pytest.mark.parametrize(("a", "b", "t"), [((150, 70), (420, 80), 0), ((-100, 70), (150, 80), -1)])
def test_the_table_is_found_where_a_thing_only_leaves_or_only_arrives(a, b, t):
    path = carried(a, b)
    shot = take([Thing(path)], [reaching(path)])
    scene = scene_of(shot)
    assert error(scene, shot, shot.masks[0, t]) < 3.0


def test_what_never_moves_belongs_to_the_plate(pair, pair_scene):
    still = pair.masks[1, 0]
    assert np.abs(pair_scene.plate.rgb[still].astype(float) - pair.rgb[0][still]).mean() < 5
    assert not pair_scene.plate.changed[still].any()


def test_changed_pixels_are_those_of_both_places(carry, carry_scene):
    changed = carry_scene.plate.changed
    both = carry.masks[0, 0] | carry.masks[0, -1]
    assert changed[both].mean() > 0.9
    assert changed[~both].mean() < 0.05


def look(lightness, a=2.0, b=8.0):
    return np.full((4, 5, 3), (lightness, a, b), np.float32)


@pytest.mark.parametrize(
    ("lab", "expected"),
    [
        (look(60), False),
        (look(63), False),
        (look(48), False),  # a shadow: 0.8 of the light
        (look(40), True),  # too dark for one
        (look(75), True),  # brighter
        (look(60, a=14.0), True),
        (look(50, a=14.0), True),  # darker, and of another hue
    ],
)
def test_foreground_is_what_differs_by_more_than_noise_or_a_shadow(lab, expected):
    assert (foreground(lab, look(60), PARAMS) == expected).all()


def test_foreground_of_many_frames_is_that_of_each(carry_scene):
    lab, plate = carry_scene.states.lab[:3], carry_scene.plate.lab
    assert (foreground(lab, plate, PARAMS) == np.stack([foreground(x, plate, PARAMS) for x in lab])).all()
