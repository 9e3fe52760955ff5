from __future__ import annotations

import numpy as np
import pytest

from hoiset.eval.pooling import pool
from hoiset.eval.tally import mean_of, share_of


def test_clips_weigh_by_their_time() -> None:
    fast, slow = mean_of(np.full(60, 0.010), 1 / 60), mean_of(np.full(15, 0.030), 1 / 15)
    found = pool([{"hand_mpjpe_mm": fast}, {"hand_mpjpe_mm": slow}])["hand_mpjpe_mm"]
    assert found["value"] == pytest.approx(20.0)
    assert (found["n"], found["clips"]) == (75, 2)
    assert found["low"] == pytest.approx(10.0)
    assert found["high"] == pytest.approx(30.0)


def test_one_clip_has_no_interval_and_none_has_no_value() -> None:
    found = pool([{"hand_recall": share_of(3.0, 4.0)}, {}])
    assert found["hand_recall"] == {"value": 0.75, "low": None, "high": None, "n": 4, "clips": 1}
    assert found["object_recall"] == {"value": None, "low": None, "high": None, "n": 0, "clips": 0}
    assert pool([{"hand_recall": share_of(0.0, 0.0)}])["hand_recall"]["value"] is None
