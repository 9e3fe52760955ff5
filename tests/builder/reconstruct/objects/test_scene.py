import numpy as np

from hoiset.builder.reconstruct.objects.colours import colour_histogram, similarity
from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.objects.scene import build_scene

from ..scenes import FOCAL, HEIGHT, SKIN, WIDTH, iou


def test_sizes_and_rate(carry, carry_scene):
    assert carry_scene.shape == (HEIGHT, WIDTH)
    assert abs(carry_scene.fps - 15.0) < 1e-6
    assert np.isnan(carry_scene.size_px[0])
    assert 0.12 * FOCAL / 0.9 < carry_scene.size_px[1] < 0.22 * FOCAL / 0.9


def test_foreground_is_the_thing_and_the_hand(carry, carry_scene):
    alone = carry_scene.foreground(2)
    assert iou(alone, carry.masks[0, 2]) > 0.85
    with_hand = carry_scene.foreground(20)
    true = np.abs(carry.rgb[20] - carry.table).mean(-1) > 25
    assert iou(with_hand, true) > 0.8
    assert carry.masks[0, 20][with_hand].mean() < 0.7  # there is a hand, too
    assert (carry_scene.foreground(2) == alone).all()


def test_grey_is_the_frames(carry, carry_scene):
    assert np.abs(carry_scene.grey(5).astype(float) - carry.rgb[5] @ [0.299, 0.587, 0.114]).max() <= 1


def test_the_person_has_the_colours_of_skin_and_not_of_the_thing(carry, carry_scene):
    skin = colour_histogram(np.full((4, 4, 3), SKIN, np.uint8), np.ones((4, 4), bool))
    thing = colour_histogram(carry.rgb[0], carry.masks[0, 0])
    assert similarity(carry_scene.person, skin) > 0.5
    assert similarity(carry_scene.person, thing) < 0.2
    assert abs(carry_scene.person.sum() - 1) < 1e-5


def test_masks_are_those_of_the_hand(carry, carry_scene):
    present = np.isfinite(carry.joints_2d).all((2, 3))
    assert ((carry_scene.hand_masks == 2).any((1, 2)) == present[:, 1]).all()
    assert not (carry_scene.hand_masks == 1).any()


def test_a_scene_without_a_hand_has_no_person(carry):
    nobody = np.full_like(carry.joints_2d, np.nan)
    scene = build_scene(carry.rgb, carry.time, nobody, ObjectParams())
    assert not scene.hand_masks.any()
    assert not scene.person.any()
