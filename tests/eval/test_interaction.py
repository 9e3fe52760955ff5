from __future__ import annotations

import numpy as np

from hoiset.eval.interaction import Grasped, grasp_sums
from hoiset.eval.metrics import value_of


def f1(pred: list[Grasped], true: list[Grasped], name: str = "grasp_f1_250ms") -> float:
    return float(value_of("f1", grasp_sums(pred, true, 1 / 15)[name]))


def test_hand_object_and_both_ends_must_be_right() -> None:
    true = [Grasped(0, "left", 1.0, 2.0)]
    assert f1([Grasped(0, "left", 1.25, 1.75)], true) == 1.0
    assert f1([Grasped(0, "left", 1.1, 1.9)], true, "grasp_f1_100ms") == 1.0
    assert f1([Grasped(0, "left", 1.25, 1.75)], true, "grasp_f1_100ms") == 0.0
    for wrong in (Grasped(0, "right", 1, 2), Grasped(1, "left", 1, 2), Grasped("false-0-1", "left", 1, 2)):
        assert f1([wrong], true) == 0.0
    assert f1([Grasped(0, "left", 1, 1.4), Grasped(0, "left", 1.5, 2)], true) == 0.0


def test_missed_and_false_grasps_count() -> None:
    true = [Grasped(0, "left", 1, 2), Grasped(0, "left", 3, 4)]
    assert f1([true[0]], true) == 2 / 3
    assert f1([*true, Grasped("false-0-1", "right", 1, 2)], true) == 4 / 5
    assert np.isnan(f1([], []))


def test_a_grasp_goes_on_in_the_next_sample_only_without_a_gap() -> None:
    true = [Grasped(0, "left", 1, 3)]
    parts = [Grasped(0, "left", 1, 2, 0), Grasped(0, "left", 2 + 1 / 15, 3, 1)]
    assert f1(parts, true) == 1.0
    apart = [parts[0], Grasped(0, "left", 2.2, 3, 1)]
    assert f1(apart, true) == 0.0
    same_sample = [parts[0], Grasped(0, "left", 2 + 1 / 15, 3, 0)]
    assert f1(same_sample, true) == 0.0
