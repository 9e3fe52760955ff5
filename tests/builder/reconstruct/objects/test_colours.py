import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hoiset.builder.reconstruct.objects.colours import N_COLOURS, colour_histogram, colour_index, similarity

pictures = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


def plain(colour):
    return np.full((8, 8, 3), colour, np.uint8)


ALL = np.ones((8, 8), bool)


@given(pictures)
def test_every_colour_has_a_bin(rgb):
    index = colour_index(rgb)
    assert index.shape == rgb.shape[:2]
    assert index.min() >= 0
    assert index.max() < N_COLOURS


@given(pictures, st.randoms(use_true_random=False))
def test_a_histogram_is_a_distribution_and_knows_no_order(rgb, random):
    mask = np.ones(rgb.shape[:2], bool)
    histogram = colour_histogram(rgb, mask)
    assert histogram.sum() == pytest.approx(1.0, abs=1e-5)
    assert (histogram >= 0).all()
    order = list(range(rgb.shape[0]))
    random.shuffle(order)
    assert np.allclose(colour_histogram(rgb[order], mask), histogram)
    assert similarity(histogram, histogram) == pytest.approx(1.0, abs=1e-5)


def test_only_masked_pixels_count():
    picture = plain((30, 140, 60))
    picture[:4] = (200, 40, 40)
    mask = ALL.copy()
    mask[:4] = False
    assert np.allclose(colour_histogram(picture, mask), colour_histogram(plain((30, 140, 60)), ALL))


def test_no_pixels_give_no_colours():
    assert colour_histogram(plain((1, 2, 3)), ~ALL).sum() == 0


def test_near_colours_are_alike_and_others_are_not():
    green, greener, skin = (colour_histogram(plain(c), ALL) for c in ((40, 140, 70), (46, 144, 78), (208, 150, 122)))
    assert similarity(green, greener) > 0.5
    assert similarity(green, skin) < 0.1
    assert similarity(green, skin) == pytest.approx(similarity(skin, green))
