import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.builder.studio.motion import Circling, Submove, ThingPath, minimum_jerk


@given(x=st.floats(-2, 3))
def test_minimum_jerk_is_monotone_symmetric_and_bounded(x: float) -> None:
    y, later = minimum_jerk(np.array([x, x + 0.01]))
    assert 0.0 <= y <= later <= 1.0
    assert minimum_jerk(np.array(1.0 - x)) == pytest.approx(1.0 - y, abs=1e-9)


def test_minimum_jerk_starts_and_ends_at_rest() -> None:
    step = 1e-4
    assert minimum_jerk(np.array(step)) < 1e-8
    assert 1.0 - minimum_jerk(np.array(1.0 - step)) < 1e-8


def test_submoves_add_up() -> None:
    up, aside = np.array([0.0, 0.0, 0.1]), np.array([0.2, 0.0, 0.0])
    path = ThingPath(np.eye(4), (Submove(0.0, 1.0, up), Submove(0.5, 1.5, aside), Submove(1.0, 2.0, -up)))
    T = path(np.array([0.0, 0.75, 2.0]))
    assert np.allclose(T[0], np.eye(4))
    assert np.allclose(T[2, :3, 3], aside)
    assert T[1, 2, 3] == pytest.approx(0.1 * float(minimum_jerk(np.array(0.75))))


def test_a_turn_there_and_back_is_no_turn() -> None:
    turn = np.array([0.3, 0.9, -0.2])
    path = ThingPath(np.eye(4), (Submove(0.0, 1.0, turn=turn), Submove(1.0, 2.0, turn=-turn)))
    half, end = path(np.array([1.0, 2.0]))
    assert np.allclose(end, np.eye(4))
    assert np.arccos((np.trace(half[:3, :3]) - 1) / 2) == pytest.approx(np.linalg.norm(turn))


def test_circling_returns_and_keeps_its_radius() -> None:
    circling = Circling(1.0, 3.0, 0.02, 2.0, 0.5)
    offset = circling.offset(np.array([0.0, 1.0, 2.0, 3.0, 9.0]))
    assert np.allclose(offset[[0, 1, 3, 4]], 0.0)
    assert np.linalg.norm(offset[2]) == pytest.approx(0.02)
