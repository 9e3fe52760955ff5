import numpy as np
import pytest

from hoiset.builder.reconstruct.objects.people import PeopleMasks

PEOPLE = PeopleMasks(np.array([0, 10, 20]), np.stack([np.full((18, 32), p, np.uint8) for p in (0, 255, 100)]))
MASK = np.zeros((180, 320), bool)
MASK[40:90, 100:160] = True


@pytest.mark.parametrize(
    ("first", "last", "expected"), [(0, 5, 0.0), (8, 12, 1.0), (0, 10, 0.5), (0, 30, 1 / 3), (12, 13, 1.0), (40, 50, 0)]
)
def test_share_is_the_mean_of_the_span_or_its_nearest_frame(first, last, expected):
    assert PEOPLE.share(MASK, first, last) == pytest.approx(expected)


def test_share_is_of_the_silhouette_alone():
    probability = np.zeros((1, 180, 320), np.uint8)
    probability[0, :, 130:] = 200
    people = PeopleMasks(np.array([0]), probability)
    assert people.share(MASK, 0, 1) == pytest.approx(0.5)
    assert people.share(np.zeros_like(MASK), 0, 1) == 0.0
