import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.objects.states import MAX_STATES, pixel_states, sample_indices, to_lab

RATE, N = 10.0, 40
TIME = np.arange(N) / RATE
GREY, RED, BLUE = (90, 90, 90), (190, 50, 50), (40, 60, 190)
MIDDLE = (12, 16)


def timeline(*spans):
    """Frames in which a block has one colour after the other: (colour, first frame)."""
    rgb = np.full((N, 24, 32, 3), 90, np.uint8)
    for colour, first in spans:
        rgb[first:, 6:18, 8:24] = colour
    return rgb


def states_of(rgb, hands=None, **params):
    hands = np.zeros(rgb.shape[:3], np.uint8) if hands is None else hands
    return pixel_states(rgb, TIME, hands, ObjectParams(**params))


def spans_at(states, y, x):
    n = states.count[y, x]
    return list(zip(states.first[:n, y, x].tolist(), states.last[:n, y, x].tolist(), strict=True))


def test_an_unchanged_pixel_has_one_state_all_along():
    states = states_of(timeline())
    assert (states.count == 1).all()
    assert (states.first[0] == 0).all()
    assert (states.last[0] == N - 1).all()
    assert (states.first[1:] == -1).all()
    assert np.isnan(states.colour[1:]).all()


def test_a_change_ends_one_state_and_begins_the_next_within_half_a_window():
    states = states_of(timeline((RED, 15)))
    (a, b), (c, d) = spans_at(states, *MIDDLE)
    assert (a, d) == (0, N - 1)
    assert 12 <= b < 15 <= c <= 17
    for k, colour in enumerate((GREY, RED)):
        expected = to_lab(np.full((1, 1, 3), colour, np.uint8))[0, 0]
        assert np.linalg.norm(states.colour[k][MIDDLE] - expected) < 1.0
    assert states.count[0, 0] == 1


def test_a_colour_that_comes_back_is_a_third_state():
    states = states_of(timeline((RED, 12), (GREY, 26)))
    assert len(spans_at(states, *MIDDLE)) == 3
    assert np.linalg.norm(states.colour[0][MIDDLE] - states.colour[2][MIDDLE]) < 1.0


def test_what_passes_faster_than_the_window_is_no_state():
    assert len(spans_at(states_of(timeline((RED, 15), (GREY, 18))), *MIDDLE)) == 1


def test_nothing_is_stable_under_a_hand():
    hands = np.zeros((N, 24, 32), np.uint8)
    hands[15:25, 6:18, 8:24] = 2
    states = states_of(timeline((RED, 15)), hands)
    assert not states.stable[15:25, 12, 16].any()
    (_, b), (c, _) = spans_at(states, *MIDDLE)
    assert b < 15
    assert c >= 25


def test_noise_within_the_limit_is_one_state_and_beyond_it_none():
    noise = np.random.default_rng(0).normal(0, 1.0, (N, 24, 32, 3))
    states = states_of(np.clip(timeline() + 2 * noise, 0, 255).astype(np.uint8))
    assert (states.count == 1).mean() > 0.99
    flicker = np.clip(timeline() + 60 * (-1) ** np.arange(N)[:, None, None, None], 0, 255).astype(np.uint8)
    assert (states_of(flicker).count == 0).all()


def test_more_changes_than_slots_keep_the_first():
    colours = [(RED, BLUE)[i % 2] for i in range(9)]
    states = states_of(timeline(*((c, 4 * (i + 1)) for i, c in enumerate(colours))), stable_s=0.25)
    assert states.count.max() == MAX_STATES
    assert spans_at(states, *MIDDLE)[0][0] == 0


@given(
    st.lists(st.floats(0.001, 0.4), min_size=0, max_size=80).map(lambda d: np.concatenate([[0.0], np.cumsum(d)])),
    st.floats(0.5, 60.0),
)
def test_sample_indices_rise_and_are_nearest_to_the_grid(time, rate):
    index = sample_indices(time, rate)
    assert (np.diff(index) > 0).all()
    assert index[0] >= 0
    assert index[-1] < len(time)
    assert len(index) <= np.floor(time[-1] * rate + 1e-6) + 1
    for at in np.arange(0.0, time[-1] + 1e-9, 1.0 / rate):
        assert np.abs(time[index] - at).min() == np.abs(time - at).min()


def test_regular_frames_are_thinned_to_the_rate():
    assert sample_indices(np.arange(90) / 30, 10.0).tolist() == list(range(0, 90, 3))


def test_a_thing_on_a_table_has_the_right_spans(carry, carry_scene):
    states = carry_scene.states
    assert states.rate_hz == pytest.approx(10.0, rel=0.1)
    x, y = 100, 60
    first, second = spans_at(states, y, x)[0], spans_at(states, y, x)[-1]
    sample = carry.time[states.frame_index]
    assert sample[first[0]] == 0.0
    # The clean look of a place ends when a hand or the thing's leaving disturbs it, and begins when both are gone.
    assert 0.4 <= sample[first[1]] <= 1.3
    assert 1.1 <= sample[second[0]] <= 2.0
    assert second[1] == len(sample) - 1
