from __future__ import annotations

import numpy as np
import pytest

from hoiset.builder.retarget.finger_tracks import track_hands, track_tips
from hoiset.builder.retarget.pinching import TipTask
from hoiset.builder.retarget.robot import load_robot
from hoiset.builder.retarget.robot_hands import hands_of

TIME = np.arange(40) / 30


def task_of(name: str, place: int, *, pinched: bool) -> TipTask:
    hand = hands_of(load_robot(name))[place]
    rng = np.random.default_rng(place)
    middle, size = (hand.bounds.lower + hand.bounds.upper) / 2, hand.bounds.upper - hand.bounds.lower
    phase = 2 * np.pi * rng.uniform(0.1, 0.4, len(middle)) * TIME[:, None] + rng.uniform(0, 6, len(middle))
    targets = hand.tips(middle + 0.15 * size * np.sin(phase))
    span = 0.3 * (targets[:, 1:] - targets[:, :1])
    weight = np.zeros((len(TIME), len(hand.fingers) - 1))
    if pinched:
        weight[10:20, 0] = 5.0
    return TipTask(hand, targets, span, weight)


@pytest.mark.parametrize("name", ["g1", "robonaut2"])
def test_hands_side_by_side_move_as_each_alone(name: str) -> None:
    tasks = [task_of(name, 0, pinched=True), task_of(name, 1, pinched=False)]
    together = track_hands(tasks, TIME)
    for task, q in zip(tasks, together, strict=True):
        alone = track_tips(task.hand, task.targets, task.span, task.weight, TIME)
        np.testing.assert_allclose(q, alone, atol=1e-7)


def test_no_hands_are_no_work() -> None:
    assert track_hands([], TIME) == []
