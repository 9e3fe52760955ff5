from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.builder.screen.params import ScreenParams
from hoiset.builder.screen.static_camera import CameraTrack, StaticSpan, least_shift, static_spans, track_camera
from tests.builder.screen.scenes import HEIGHT, circling, plain_table, scene

PARAMS = ScreenParams()
FPS = 5.0


def spans(frames: list[np.ndarray]) -> tuple[list[StaticSpan], float]:
    time = np.arange(len(frames)) / FPS
    track = track_camera(frames, time, PARAMS)
    return static_spans(track, time, PARAMS), least_shift(track, time, PARAMS)


def test_a_still_camera_is_one_span_whatever_the_hand_does() -> None:
    (span,), _ = spans(scene(8, lambda t: (160 + 130 * np.sin(3 * t), 90 + 60 * np.cos(2 * t)), fps=FPS))
    assert (span.first, span.last) == (0, 39)
    assert span.shift < 0.002


@settings(max_examples=10, deadline=None)
@given(st.floats(-6, 6), st.floats(-6, 6))
def test_the_measured_shift_is_the_true_one(dx: float, dy: float) -> None:
    frames = scene(1, lambda _: None, lambda t: (0, 0) if t < 0.5 else (round(dx), round(dy)), fps=FPS)
    track = track_camera(frames, np.arange(len(frames)) / FPS, PARAMS)
    got = track.shift[-1] * HEIGHT
    np.testing.assert_allclose(got, np.broadcast_to([round(dx), round(dy)], (9, 2)), atol=0.3)


def test_a_nudge_divides_the_span() -> None:
    frames = scene(8, circling, lambda t: (0, 0) if t < 3.9 else (4, 2), fps=FPS)
    (a, b), _ = spans(frames)
    assert (a.first, a.last, b.first, b.last) == (0, 19, 20, 39)


def test_a_shake_ends_a_span_even_if_the_camera_comes_back() -> None:
    frames = scene(8, circling, lambda t: (0, 0) if not 3.9 < t < 4.5 else (5, 0), fps=FPS)
    found, _ = spans(frames)
    assert [(s.first, s.last) for s in found] == [(0, 19), (23, 39)]


def test_a_still_part_after_a_pan_is_found() -> None:
    found, _ = spans(scene(10, circling, lambda t: (60 * min(t, 5.0) - 150, 0), fps=FPS))
    (span,) = found
    assert span.first in (25, 26)
    assert span.last == 49


@pytest.mark.parametrize("speed_px", [2.0, 10.0, 60.0, 400.0])
def test_a_moving_camera_has_no_span(speed_px: float) -> None:
    found, least = spans(
        scene(6, circling, lambda t: (min(190.0, speed_px * t) - 95 + 3 * np.sin(9 * t), 0), fps=FPS)[:20]
    )
    assert found == []
    assert PARAMS.max_camera_shift < least <= 1


def test_a_short_cover_does_not_divide_a_span_but_a_long_one_does() -> None:
    frames = scene(10, lambda _: None, fps=FPS)
    black = np.zeros_like(frames[0])
    short = frames[:20] + [black] * 5 + frames[25:]
    assert [(s.first, s.last) for s in spans(short)[0]] == [(0, 49)]
    long = frames[:15] + [black] * 15 + frames[30:]
    assert [(s.first, s.last) for s in spans(long)[0]] == [(0, 14), (30, 49)]


def test_light_that_changes_is_no_motion() -> None:
    frames = scene(6, circling, fps=FPS)
    dimmed = [(f * (0.6 if i >= 15 else 1.0)).astype(np.uint8) for i, f in enumerate(frames)]
    assert [(s.first, s.last) for s in spans(dimmed)[0]] == [(0, 29)]


def test_a_logo_does_not_hide_a_moving_camera() -> None:
    frames = scene(4, lambda _: None, lambda t: (20 * t, 0), fps=FPS)
    for image in frames:
        image[8:40, 8:70] = np.kron(np.indices((8, 31)).sum(0) % 2, np.ones((4, 2)))[..., None] * 255
    assert spans(frames)[0] == []


def test_a_picture_without_texture_cannot_be_judged() -> None:
    found, least = spans([np.full((180, 320, 3), 127, np.uint8)] * 20)
    assert found == []
    assert np.isnan(least)


def test_an_arm_over_a_plain_table_is_no_motion() -> None:
    (span,), _ = spans(plain_table(5))
    assert (span.first, span.last) == (0, 24)
    assert span.shift < 0.004


@pytest.mark.parametrize("angle", [0.0, 0.8, 1.57])
@pytest.mark.parametrize("arm", [False, True])
def test_a_slow_pan_of_a_plain_table_is_motion(angle: float, arm: bool) -> None:
    speed_px = 0.015 * HEIGHT
    found, least = spans(
        plain_table(4, lambda t: (speed_px * t * np.cos(angle), speed_px * t * np.sin(angle)), arm=arm)
    )
    assert found == []
    assert least == pytest.approx(0.03, abs=0.004)  # over the two seconds that a clip lasts at least


def test_a_nudge_along_the_grain_divides_the_span() -> None:
    found, _ = spans(plain_table(8, lambda t: (0.0, 0.0) if t < 3.9 else (4.0, 0.0)))
    assert [(s.first, s.last) for s in found] == [(0, 19), (20, 39)]


def test_a_picture_in_which_everything_changes_cannot_be_judged() -> None:
    rng = np.random.default_rng(0)
    found, least = spans([rng.integers(0, 255, (HEIGHT, 320, 3), np.uint8) for _ in range(20)])
    assert found == []
    assert np.isnan(least)


def test_what_was_seen_of_a_motion_counts_where_the_rest_is_lost() -> None:
    shift = np.full((20, 9, 2), np.nan)
    shift[:4] = np.linspace(0, 0.04, 4)[:, None, None]
    track = CameraTrack(shift, np.zeros(20))
    assert least_shift(track, np.arange(20) / FPS, PARAMS) == pytest.approx(0.04 * np.sqrt(2))
    shift[:4] /= 100
    assert np.isnan(least_shift(track, np.arange(20) / FPS, PARAMS))


def test_a_change_of_scenery_before_a_still_camera_is_no_motion() -> None:
    """Things that are carried away for good take their corners with them; the rest still says that the camera stood."""
    frames = scene(12, lambda _: None, fps=FPS)
    for i, image in enumerate(frames):
        image[:, : min(200, 4 * i)] = 128  # two thirds of the picture are covered bit by bit
    (span,), _ = spans(frames)
    assert (span.first, span.last) == (0, 59)


def test_the_same_frames_give_the_same_track() -> None:
    frames, time = scene(4, fps=FPS), np.arange(20) / FPS
    a, b = track_camera(frames, time, PARAMS), track_camera(frames, time, PARAMS)
    np.testing.assert_array_equal(a.shift, b.shift)
