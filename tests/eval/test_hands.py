from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.eval import definitions as d
from hoiset.eval.hands import CURVE_M, hand_sums, match_hands
from hoiset.eval.metrics import HAND_MATCH_SHARE, value_of
from hoiset.eval.reading import View
from tests.eval import scenes as s


def brute_force(truth: View, sample: View) -> np.ndarray:
    """Frame by frame: every way to pair hands, most pairs first, then the closest."""
    out = np.full(truth.hand.shape, -1)
    for t in range(len(truth.time)):
        best: tuple[int, float] = (0, 0.0)
        for way in permutations(range(2)):
            kept, cost = {}, 0.0
            for true, pred in enumerate(way):
                if truth.hand[t, true] and sample.hand[t, pred]:
                    apart = np.linalg.norm(truth.joints_2d[t, true] - sample.joints_2d[t, pred], axis=-1).mean()
                    if apart <= HAND_MATCH_SHARE * np.ptp(truth.joints_2d[t, true], axis=0).max():
                        kept[true], cost = pred, cost + apart
            if (len(kept), -cost) > best:
                best = (len(kept), -cost)
                out[t] = [kept.get(h, -1) for h in range(2)]
    return out


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_matching_is_the_best_way_to_pair_hands(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, sample = s.view(s.make_truth()), s.view(s.make_truth())
    moved = []
    for view in (truth, sample):
        hand = rng.random(view.hand.shape) < 0.7
        joints_2d = view.joints_2d + rng.normal(0, 0.25, (*view.hand.shape, 1, 2))
        moved.append(replace(view, hand=hand, joints_2d=np.where(hand[..., None, None], joints_2d, np.nan)))
    np.testing.assert_array_equal(match_hands(*moved).slot, brute_force(*moved))


def test_a_hand_elsewhere_is_not_found() -> None:
    truth = s.view(s.make_truth())
    extent = np.ptp(truth.joints_2d[0, s.RIGHT], axis=0).max()
    for share, found in ((0.49, True), (0.51, False)):
        sample = replace(truth, joints_2d=truth.joints_2d + np.array([share * extent, 0.0]))
        assert match_hands(truth, sample).found[0, s.RIGHT] == found


def test_sums_are_those_of_the_definitions() -> None:
    truth = s.view(s.make_truth())
    noise = np.random.default_rng(0).normal(0, 0.02, truth.joints.shape)
    sample = replace(truth, joints=truth.joints + noise)
    sums = hand_sums(truth, sample, match_hands(truth, sample))
    pred, true = sample.joints.reshape(-1, 21, 3), truth.joints.reshape(-1, 21, 3)
    relative = d.joint_distances(d.root_relative(pred), d.root_relative(true))
    aligned = d.joint_distances(d.procrustes_aligned(pred, true), true)
    expected = {
        "hand_auc_50mm": d.auc(relative, 0.05),
        "hand_pa_auc_50mm": d.auc(aligned, 0.05),
        "hand_pck_20mm": d.pck(relative, np.array([0.02]))[0],
        "hand_pa_mpjpe_mm": d.pa_mpjpe(pred, true).mean(),
        "hand_mpjpe_mm": d.mpjpe(pred, true).mean(),
    }
    for name, value in expected.items():
        assert value_of("mean", sums[name]) == pytest.approx(value), name
    curve = sums["curve_pa"]
    np.testing.assert_allclose(curve[:-1] / curve[-1], d.pck(aligned, CURVE_M))


def test_motion_is_not_measured_across_a_gap() -> None:
    truth = s.view(s.make_truth(hands=(s.RIGHT,)))
    lost = s.make_truth(hands=(s.RIGHT,))
    s.lose_hand(lost, slice(20, 21), s.RIGHT)
    sample = s.view(lost)
    sums = hand_sums(truth, sample, match_hands(truth, sample))
    assert sums["hand_acceleration_error_m_s2"][-1] == (20 - 2) + (24 - 2)
    assert sums["hand_jitter_m_s3"][-1] == (20 - 3) + (24 - 3)
