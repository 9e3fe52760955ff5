from __future__ import annotations

import numpy as np
import pytest

from hoiset.builder.records import HandDetections
from hoiset.builder.screen.hands import HandView, view_hands
from hoiset.builder.screen.near_hands import measure_near_hands
from hoiset.builder.screen.params import ScreenParams

H, W, N = 180, 320, 20
SKIN, STEEL, TABLE = (205, 160, 135), (150, 152, 155), (90, 110, 90)


def hand(i: int) -> np.ndarray:
    """(21, 2) joints of an upright hand that moves to the right, wrist below."""
    x = 80.0 + 6 * i
    fingers = [(x + 6 * (k - 2), 90 - 9.0 * j) for k in range(5) for j in range(4)]
    return np.array([(x, 110.0), *fingers])


def picture(i: int, colour: tuple[int, int, int], thing: float | None) -> np.ndarray:
    """A hand with its arm from below, and a thing right above it at an offset, if there is any."""
    out = np.full((H, W, 3), TABLE, np.uint8)
    x = 80 + 6 * i
    out[55:115, x - 16 : x + 17] = colour
    out[110:, x - 14 : x + 15] = colour
    if thing is not None:
        at = round(x + thing)
        out[30:50, at - 12 : at + 12] = (220, 40, 40)
    return out


def view() -> HandView:
    joints = np.stack([hand(i) for i in range(N)])[:, None]
    found = HandDetections(joints, np.zeros((N, 1, 21, 3)), np.full((N, 1), 0.5), np.full((N, 1), 0.9))
    return view_hands(found, np.arange(N) / 5, H, W, ScreenParams())


def test_a_hand_that_gestures_moves_nothing_but_itself_and_its_arm() -> None:
    found = measure_near_hands([picture(i, SKIN, None) for i in range(N)], view(), 0, N - 1)
    assert found["object_motion"] < ScreenParams().min_object_motion
    assert found["hand_skin"] > 0.9


def test_what_a_hand_carries_is_seen_to_move() -> None:
    found = measure_near_hands([picture(i, SKIN, 0.0) for i in range(N)], view(), 0, N - 1)
    assert found["object_motion"] > 2 * ScreenParams().min_object_motion


def test_what_lies_there_does_not_move() -> None:
    lies = [picture(i, SKIN, 40.0 - 6 * i) for i in range(N)]
    assert measure_near_hands(lies, view(), 0, N - 1)["object_motion"] < ScreenParams().min_object_motion


@pytest.mark.parametrize("colour", [(90, 56, 37), (141, 85, 36), (198, 134, 66), (241, 194, 155), (255, 219, 190)])
def test_skin_of_any_tone_counts(colour: tuple[int, int, int]) -> None:
    frames = [picture(i, colour, None) for i in range(N)]
    assert measure_near_hands(frames, view(), 0, N - 1)["hand_skin"] > 0.9


def test_steel_is_no_skin() -> None:
    frames = [picture(i, STEEL, None) for i in range(N)]
    assert measure_near_hands(frames, view(), 0, N - 1)["hand_skin"] < 0.05


def test_without_hands_nothing_is_known() -> None:
    none = HandDetections(
        np.full((5, 1, 21, 2), np.nan), np.zeros((5, 1, 21, 3)), np.full((5, 1), 0.5), np.zeros((5, 1))
    )
    seen = view_hands(none, np.arange(5) / 5, H, W, ScreenParams())
    assert np.isnan(list(measure_near_hands([picture(0, SKIN, None)] * 5, seen, 0, 4).values())).all()
