from __future__ import annotations

import cv2
import numpy as np
import pytest

from hoiset.builder.reconstruct.objects.mask_registration import agreement, lay_onto
from hoiset.builder.reconstruct.objects.plane_maps import apply, warp_mask

SHAPE = (180, 320)
CORNERS = np.array([[80, 60], [140, 60], [140, 110], [80, 110]], float)


@pytest.fixture
def template() -> np.ndarray:
    """A mug: a body with a handle, so that it lies one way only."""
    mask = np.zeros(SHAPE, np.uint8)
    cv2.rectangle(mask, (80, 60), (125, 110), 1, -1)
    cv2.circle(mask, (127, 85), 14, 1, -1)
    return mask > 0


def similarity(turn_deg: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    out = cv2.getRotationMatrix2D((110, 85), turn_deg, scale)
    out[:, 2] += shift
    return out


def off_px(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(apply(a, CORNERS) - apply(b, CORNERS), axis=1).max())


@pytest.mark.parametrize(("turn", "scale", "shift"), [(0, 1, (9, -6)), (12, 1.05, (6, 4)), (-15, 0.93, (-8, 3))])
def test_a_whole_silhouette_is_laid_to_a_pixel(template, turn, scale, shift) -> None:
    true = similarity(turn, scale, shift)
    nothing = np.zeros(SHAPE, bool)
    found = lay_onto(template, warp_mask(template, true), nothing, np.eye(2, 3))
    assert off_px(found, true) < 1.5
    assert agreement(template, warp_mask(template, true), nothing, found) > 0.95


def test_what_a_hand_hides_does_not_pull(template) -> None:
    true = similarity(6, 1.0, (10, 5))
    hidden = np.zeros(SHAPE, bool)
    hidden[:, :112] = True
    seen = warp_mask(template, true) & ~hidden
    found = lay_onto(template, seen, hidden, similarity(0, 1.0, (8, 4)))
    assert off_px(found, true) < 4.0
    assert agreement(template, seen, hidden, found) > 0.9
    assert agreement(template, seen, np.zeros(SHAPE, bool), found) < 0.7


def test_with_little_in_sight_it_is_shifted_and_does_not_turn(template) -> None:
    hidden = np.ones(SHAPE, bool)
    hidden[60:112, 128:150] = False
    seen = warp_mask(template, similarity(0, 1.0, (3, 0))) & ~hidden
    found = lay_onto(template, seen, hidden, np.eye(2, 3))
    np.testing.assert_allclose(found[:, :2], np.eye(2), atol=1e-12)
    assert abs(found[0, 2] - 3) < 1.5


def test_with_nothing_in_sight_the_guess_stays(template) -> None:
    guess = similarity(3, 1.0, (1, 1))
    np.testing.assert_array_equal(lay_onto(template, np.zeros(SHAPE, bool), np.ones(SHAPE, bool), guess), guess)
