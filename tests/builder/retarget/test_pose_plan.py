from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.builder.retarget.pose_plan import HURRIED, MISS_M, MISSED, plan_poses


def longest(q: np.ndarray, miss: np.ndarray, time: np.ndarray, velocity: np.ndarray) -> float:
    """By trying every choice of one solution or none in every frame."""
    best = 0.0
    for choice in itertools.product(range(-1, q.shape[1]), repeat=len(q)):
        frames = [t for t, k in enumerate(choice) if k >= 0]
        if any(miss[t, choice[t]] > MISS_M for t in frames):
            continue
        worth = sum(1.0 - MISSED * miss[t, choice[t]] / MISS_M for t in frames)
        for a, b in itertools.pairwise(frames):
            share = (np.abs(q[a, choice[a]] - q[b, choice[b]]) / velocity).max() / (time[b] - time[a])
            worth += -np.inf if share > 1 else -HURRIED * share
        best = max(best, worth)
    return best


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_a_plan_is_as_long_as_the_longest_of_all_and_keeps_to_speeds(seed: int, n_frames: int) -> None:
    rng = np.random.default_rng(seed)
    q, miss = rng.uniform(-1, 1, (n_frames, 3, 2)), rng.uniform(0, 1.3 * MISS_M, (n_frames, 3))
    miss[rng.random(miss.shape) < 0.2] = np.inf
    time, velocity = np.cumsum(rng.uniform(0.1, 0.6, n_frames)), np.array([2.0, 3.0])
    plan = plan_poses(q, miss, time, velocity, np.array([2.0, 2.0]))
    wanted = longest(q, miss, time, velocity)
    # What lies further back than the slowest range takes is free of hurry.
    assert wanted - 1e-9 <= plan.worth <= wanted + HURRIED * n_frames
    assert (np.diff(plan.frames) > 0).all()
    steps = np.abs(np.diff(plan.q, axis=0)) / velocity
    assert (steps.max(-1, initial=0.0) <= np.diff(time[plan.frames]) + 1e-9).all()
    for frame, row in zip(plan.frames, plan.q, strict=True):
        assert (row == q[frame][miss[frame] <= MISS_M]).all(-1).any()


def test_nothing_in_reach_is_an_empty_plan() -> None:
    plan = plan_poses(np.zeros((4, 2, 5)), np.full((4, 2), np.inf), np.arange(4.0), np.ones(5), np.ones(5))
    assert plan.worth == 0.0
    assert plan.q.shape == (0, 5)


def test_one_frame_is_given_up_for_many() -> None:
    q, time = np.zeros((9, 1, 1)), np.arange(9) / 10
    q[4] = 3.0
    plan = plan_poses(q, np.zeros((9, 1)), time, np.array([4.0]), np.array([6.0]))
    assert plan.frames.tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
