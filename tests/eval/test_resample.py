from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hoiset.eval.reading import View
from hoiset.eval.resample import align_start, covered, nearest, resample
from hoiset.geometry import angle_between
from hoiset.shards.schema import ObjectState
from tests.eval import scenes as s


def at(times: np.ndarray) -> View:
    """A sample whose frames stand at given times of its file."""
    truth = s.make_truth()
    sample = s.cut(truth, 0, len(times))
    sample["time.npy"] = times - times[0]
    sample["clip.json"]["source"]["start_s"] = float(times[0])
    return s.view(sample)


@given(
    st.lists(st.floats(-10, 10), min_size=1, max_size=20, unique=True),
    st.lists(st.floats(-11, 11), min_size=1, max_size=20),
)
def test_nearest_is_the_nearest(grid: list[float], times: list[float]) -> None:
    grid = sorted(grid)
    found = nearest(np.array(grid), np.array(times))
    for i, t in zip(found, times, strict=True):
        assert abs(grid[i] - t) == min(abs(g - t) for g in grid)


def test_poses_lie_between_and_codes_do_not() -> None:
    truth = s.view(s.make_truth())
    times = np.array([16.25, 16.75, 29.4, 29.6]) / s.FPS
    here, sample = resample(truth, at(times))
    np.testing.assert_allclose(here.time, times)
    np.testing.assert_allclose(here.joints[:, s.RIGHT, 0, 0], 0.1 * times, atol=1e-6)
    np.testing.assert_allclose(here.joints[:, s.RIGHT, 0, 2], 0.7 + 0.05 * times, atol=1e-6)
    expected = Rotation.from_rotvec(np.outer(np.minimum(times - 1, 1) * 1.2, [0, 0, 1])).as_matrix()
    assert angle_between(here.pose[:, s.TOOL, :3, :3], expected).max() < 1e-3
    held = here.state[:, s.TOOL] == ObjectState.GRASPED_RIGHT
    assert held.tolist() == [True, True, True, False]
    assert len(sample.time) == 4


def test_a_frame_of_the_truth_is_taken_as_it_is() -> None:
    truth = s.view(s.make_truth())
    here, _ = resample(truth, truth)
    for name in ("joints", "wrist", "pose", "contact", "state"):
        np.testing.assert_array_equal(getattr(here, name), getattr(truth, name))


def test_nothing_is_made_up_beside_an_absent_frame() -> None:
    truth = s.make_truth()
    s.lose_hand(truth, slice(10, 20), s.RIGHT)
    times = np.array([9.4, 9.6, 19.4, 19.6]) / s.FPS
    here, _ = resample(s.view(truth), at(times))
    assert here.hand[:, s.RIGHT].tolist() == [True, False, False, True]
    assert np.isfinite(here.joints[:, s.RIGHT]).all((1, 2)).tolist() == [True, False, False, True]
    np.testing.assert_array_equal(here.joints[0, s.RIGHT], s.view(truth).joints[9, s.RIGHT])


def test_frames_outside_the_truth_are_left_out() -> None:
    truth = s.view(s.make_truth())
    _, sample = resample(truth, at(np.array([2.9, 2.95, 3.0, 3.1])))
    np.testing.assert_allclose(sample.time, [2.9, 2.95])


@pytest.mark.parametrize(("start", "step", "moved"), [(0.05, 1, True), (0.05, 2, True), (0.05, 1.13, False)])
def test_the_first_frame_is_the_first_one_after_the_cut(start: float, step: float, moved: bool) -> None:
    truth = s.view(s.make_truth())
    sample = at(start + np.arange(8) * step / s.FPS)
    found = align_start(sample, truth)
    assert found.time[0] == pytest.approx(1 / s.FPS if moved else start)
    assert found.start_s == pytest.approx(found.time[0])


def test_coverage_counts_a_frame_as_long_as_it_lasts() -> None:
    truth = s.view(s.make_truth(fps=60.0))
    slow = at(np.arange(10, 20) / s.FPS)
    seen = covered(truth, [slow])
    assert truth.time[seen][0] == pytest.approx(10 / s.FPS - 2 / 60)
    assert truth.time[seen][-1] == pytest.approx(19 / s.FPS + 3 / 60)
    assert not covered(truth, []).any()
