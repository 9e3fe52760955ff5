from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.builder.records import HandDetections
from hoiset.builder.screen.hands import HandView, hand_runs, look_for_hands, measure_hands, split_long, view_hands
from hoiset.builder.screen.params import ScreenParams

PARAMS = ScreenParams()
H, W = 200, 400


def _view(time: np.ndarray, present: np.ndarray, speed: np.ndarray) -> HandView:
    size, joints = np.where(present, 0.2, np.nan), np.full((*present.shape, 21, 2), np.nan)
    return HandView(time, present, size, np.where(present, 0.0, np.nan), joints, size, speed)


def detections(
    centres: list[list[tuple[float, float] | None]], size: float = 40.0, score: float = 0.9
) -> HandDetections:
    """Square hands of a given side around centres, one list a frame."""
    t, n = len(centres), max(len(c) for c in centres)
    joints = np.full((t, n, 21, 2), np.nan)
    corner = np.array([[-0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]] * 7) * size
    for i, frame in enumerate(centres):
        for k, centre in enumerate(frame):
            if centre is not None:
                joints[i, k] = np.array(centre) + corner
    present = ~np.isnan(joints[..., 0, 0])
    return HandDetections(joints, np.zeros((t, n, 21, 3)), np.full((t, n), 0.5), np.where(present, score, 0.0))


def view(centres: list[list[tuple[float, float] | None]], **options: float) -> HandView:
    return view_hands(detections(centres, **options), np.arange(len(centres)) / 5, H, W, PARAMS)


def test_measures_in_fractions_of_the_short_side() -> None:
    v = view([[(100 + 4 * i, 100)] for i in range(20)])
    m = measure_hands(v, 0, 19, PARAMS)
    assert m["hand_ratio"] == 1
    assert m["hand_s"] == pytest.approx(4.0)
    assert m["hand_size"] == pytest.approx(40 * 2**0.5 / H)
    assert m["hand_speed"] == pytest.approx(4 * 5 / H)
    assert m["hand_cut_off"] == 0


def test_the_faster_of_two_hands_counts_whatever_their_slots() -> None:
    frames: list = [[(50, 100), (200 + 10 * i, 100)][:: (-1) ** i] for i in range(10)]
    assert measure_hands(view(frames), 0, 9, PARAMS)["hand_speed"] == pytest.approx(10 * 5 / H)


def test_hands_at_the_border_are_cut_off() -> None:
    assert measure_hands(view([[(10, 100)]] * 10), 0, 9, PARAMS)["hand_cut_off"] == 1
    assert measure_hands(view([[(21, 21)]] * 10), 0, 9, PARAMS)["hand_cut_off"] == 0
    assert measure_hands(view([[(W - 21, H - 21)]] * 10), 0, 9, PARAMS)["hand_cut_off"] == 0


def test_lone_and_weak_detections_do_not_count() -> None:
    lone: list = [[None]] * 5 + [[(100, 100)]] + [[None]] * 5
    assert not view(lone).seen.any()
    assert not view([[(100, 100)]] * 5, score=0.5).seen.any()
    pair: list = [[None]] * 3 + [[(100, 100)], [None], [(100, 100)]]
    assert view(pair).seen.tolist() == [False] * 3 + [True, False, True]


def test_no_hands_give_zeros_and_nans() -> None:
    v = view([[None]] * 5)
    m = measure_hands(v, 0, 4, PARAMS)
    assert (m["hand_s"], m["hand_ratio"]) == (0, 0)
    assert all(np.isnan(m[k]) for k in ("hand_size", "hand_cut_off", "hand_speed"))
    assert hand_runs(v, PARAMS) == []


def test_runs_join_over_short_gaps_only() -> None:
    hand, none = [(100.0, 100.0)], [None]
    frames: list = [none] * 4 + [hand] * 6 + [none] * 9 + [hand] * 4 + [none] * 11 + [hand] * 3
    assert hand_runs(view(frames), PARAMS) == [(4, 22), (34, 36)]


@given(st.floats(0.1, 200), st.floats(0, 50), st.lists(st.booleans(), min_size=2, max_size=400))
def test_splitting_covers_the_span_with_parts_of_bounded_length(length: float, start: float, seen: list[bool]) -> None:
    time = start + np.linspace(0, length, len(seen))
    present = np.array(seen)[:, None]
    v = _view(time, present, np.zeros(len(seen)))
    parts = split_long(start, start + length, v, PARAMS)
    assert parts[0][0] == start
    assert parts[-1][1] == start + length
    assert all(a[1] == b[0] for a, b in pairwise(parts))
    assert all(0 < b - a <= PARAMS.max_clip_s + 1e-6 for a, b in parts)


def test_a_long_span_is_split_where_no_hand_is_seen() -> None:
    time = np.arange(150) / 5  # 30 s: the even mark is at 15 s
    present = np.ones((150, 1), bool)
    present[80:84] = False  # 16.0 .. 16.6 s
    v = _view(time, present, np.full(150, 0.5))
    assert split_long(0.0, 30.0, v, PARAMS) == [(0.0, 16.0), (16.0, 30.0)]


class _Counting:
    """A hand in the frames whose first pixel is bright; remembers how many frames it saw."""

    name, version = "counting", "1"

    def __init__(self) -> None:
        self.seen = 0

    def detect(self, rgb: Iterable[np.ndarray], *, video: bool) -> HandDetections:
        assert not video
        bright = np.array([image[0, 0, 0] > 127 for image in rgb])
        self.seen += len(bright)
        joints = np.where(bright[:, None, None, None], np.ones((1, 1, 21, 2)), np.nan)
        n = len(bright)
        return HandDetections(joints, np.zeros((n, 1, 21, 3)), np.full((n, 1), 0.5), 0.9 * bright[:, None])


def _frames(bright: np.ndarray) -> list[np.ndarray]:
    return [np.full((4, 4, 3), 200 if b else 0, np.uint8) for b in bright]


def test_frames_without_hands_are_looked_at_now_and_then() -> None:
    detector = _Counting()
    time = np.arange(60) / 5
    found = look_for_hands(detector, _frames(np.zeros(60, bool)), time, PARAMS)
    assert (detector.seen, found.score.shape, found.score.max()) == (20, (60, 1), 0.0)


@pytest.mark.parametrize("start", range(10, 14))
def test_the_least_visit_of_a_hand_is_seen_whole_wherever_it_falls(start: int) -> None:
    detector = _Counting()
    bright = np.zeros(100, bool)
    bright[start : start + round(PARAMS.min_hand_s * PARAMS.sample_fps)] = True
    found = look_for_hands(detector, _frames(bright), np.arange(100) / 5, PARAMS)
    assert (found.score[:, 0] > 0).tolist() == bright.tolist()
    assert detector.seen < 60


class _Near:
    """Sees a hand only where the picture is a view of some part of it, at the view's (80, 160)."""

    name, version = "near", "1"

    def __init__(self) -> None:
        self.whole = self.close = 0

    def detect(self, rgb: Iterable[np.ndarray], *, video: bool) -> HandDetections:
        images = list(rgb)
        close = np.array([image.shape[0] == image.shape[1] for image in images])
        self.whole, self.close = self.whole + int((~close).sum()), self.close + int(close.sum())
        joints = np.where(close[:, None, None, None], np.broadcast_to([80.0, 160.0], (1, 1, 21, 2)), np.nan)
        n = len(images)
        return HandDetections(joints, np.zeros((n, 1, 21, 3)), np.full((n, 1), 0.5), 0.9 * close[:, None])


def _walking(n: int) -> list[np.ndarray]:
    """A bright square that walks along a wall of 640x360 px, 12 px a frame."""
    out = np.full((n, 360, 640, 3), 60, np.uint8)
    for i in range(n):
        out[i, 160:200, 100 + 12 * i : 140 + 12 * i] = 200
    return list(out)


def test_a_hand_that_is_too_small_in_the_whole_is_seen_close_by() -> None:
    rgb = _walking(20)
    found = look_for_hands(_Near(), rgb, np.arange(20) / 5, PARAMS)
    assert (found.score[:, 0] > 0).all()
    for i in range(1, 19):  # the square around what moves begins a quarter of its side left of the hand
        x, y = found.landmarks_px[i, 0, 0]
        assert abs(x - (120 + 12 * i - 0.25 * 0.4 * 360)) < 8
        assert abs(y - 180) < 8


def test_close_looks_are_for_frames_that_show_no_hand_and_something_that_moves() -> None:
    still = _Near()
    look_for_hands(still, _walking(1) * 20, np.arange(20) / 5, PARAMS)
    assert still.close == 0
    counting = _Counting()
    bright = np.zeros(20, bool)
    bright[::2] = True
    look_for_hands(counting, _frames(bright), np.arange(20) / 5, PARAMS)
    assert counting.seen == 20 + 10
