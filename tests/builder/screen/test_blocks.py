from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.builder.screen.blocks import BlockPicture
from tests.builder.screen.scenes import plain_table
from tests.clips import textured

STILL = np.eye(3)[:2]


def gray(frame: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (0, 0), 1.0).astype(np.float32)


def moved_by(dx: float, dy: float, turn: float = 0.0, zoom: float = 1.0) -> np.ndarray:
    c, s = zoom * np.cos(turn), zoom * np.sin(turn)
    linear = np.array([[c, -s], [s, c]])
    middle = np.array([159.5, 89.5])
    return np.column_stack([linear, middle - linear @ middle + (dx, dy)])


@settings(max_examples=20, deadline=None)
@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(-0.002, 0.002), st.floats(0.998, 1.002))
def test_a_small_motion_is_measured_and_held_to_be_true(dx: float, dy: float, turn: float, zoom: float) -> None:
    picture, motion = gray(textured(180, 320, 0)), moved_by(dx, dy, turn, zoom)
    there = cv2.warpAffine(picture, motion, (320, 180), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    blocks = BlockPicture(picture)
    found = blocks.align(there, STILL)
    corners = np.array([[0, 0, 1], [319, 0, 1], [0, 179, 1], [319, 179, 1]])
    np.testing.assert_allclose(corners @ found.T, corners @ motion.T, atol=0.25)
    assert blocks.compare(there, found).holds


@pytest.mark.parametrize("by", [(4.0, 0.0), (0.0, 4.0), (-3.0, 3.0), (30.0, 10.0)])
def test_stillness_is_not_held_to_be_true_of_a_shifted_picture(by: tuple[float, float]) -> None:
    world = textured(260, 400, 0)
    x, y = (40 - round(v) for v in by)
    blocks = BlockPicture(gray(world[40:220, 40:360]))
    assert not blocks.compare(gray(world[y : y + 180, x : x + 320]), STILL).holds


def test_along_a_faint_grain_stillness_is_told_from_a_shift() -> None:
    still, shifted = (plain_table(0.4, lambda t, dx=dx: (dx * (t > 0), 0.0), arm=False) for dx in (0.0, 2.0))
    blocks = BlockPicture(gray(still[0]))
    assert blocks.compare(gray(still[1]), STILL).holds
    evidence = blocks.compare(gray(shifted[1]), STILL)
    assert evidence.share > 0.5  # across the grain nothing changed,
    assert evidence.votes[2] > 0.9
    assert evidence.votes[0] < 0.3  # along it most blocks prefer a shift
    assert evidence.refuted


def test_a_quarter_that_stays_in_place_is_enough_and_less_is_not() -> None:
    a, b = textured(180, 320, 0), textured(180, 320, 1)
    blocks = BlockPicture(gray(a))
    for width, holds in ((200, True), (290, False)):
        covered = a.copy()
        covered[:, :width] = b[:, :width]
        assert blocks.compare(gray(covered), STILL).holds is holds


@pytest.mark.parametrize("value", [0, 127, 255])
def test_blocks_without_texture_say_nothing(value: int) -> None:
    flat = np.full((180, 320), value, np.float32)
    textured_blocks, flat_blocks = BlockPicture(gray(textured(180, 320, 0))), BlockPicture(flat)
    assert not flat_blocks.compare(flat, STILL).holds
    assert not flat_blocks.compare(flat, STILL).legible.any()
    assert not textured_blocks.compare(flat, STILL).holds


def test_light_over_a_block_is_no_change() -> None:
    picture = gray(textured(180, 320, 0)) / 2
    assert BlockPicture(picture).compare(picture + 20, STILL).share == 1.0
