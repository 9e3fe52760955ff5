from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hoiset.builder.retarget.fingers import fit_fingers
from hoiset.builder.retarget.pinching import Pinching, TipTask
from hoiset.builder.retarget.robot import load_robot
from hoiset.builder.retarget.robot_hands import hands_of


@pytest.mark.parametrize("name", ["leap_right", "g1", "robonaut2"])
def test_slopes_are_those_of_the_cost_and_curvature_is_no_less_than_nothing(name: str) -> None:
    hand, rng = hands_of(load_robot(name))[0], np.random.default_rng(0)
    n_fingers, n = len(hand.fingers), len(hand.dofs)
    targets = hand.tips(rng.uniform(hand.bounds.lower, hand.bounds.upper, (3, n)))
    targets[1, 0] = np.nan
    task = TipTask(hand, targets, rng.normal(0, 0.02, (3, n_fingers - 1, 3)), rng.uniform(0, 5, (3, n_fingers - 1)))
    wishes, q = Pinching(task), rng.uniform(hand.bounds.lower, hand.bounds.upper, (3, n))[None]

    def cost(q: np.ndarray) -> np.ndarray:
        return wishes(q, np.arange(1))[0]

    _, g, H = wishes(q, np.arange(1))
    numeric = np.stack([(cost(q + step) - cost(q - step)) / 2e-7 for step in 1e-7 * np.eye(n)], -1)
    np.testing.assert_allclose(g, numeric, rtol=1e-4, atol=1e-2 * np.abs(numeric).max() / 1e3)
    whole = np.tril(H) + np.tril(H, -1).swapaxes(-1, -2)
    assert np.linalg.eigvalsh(whole).min() > -1e-9 * np.abs(whole).max()


@pytest.mark.parametrize("name", ["leap_right", "robonaut2"])
def test_a_real_hands_pinches_are_kept_within_a_millimetre_for_the_most_part(name: str, shared_data: Path) -> None:
    path = shared_data / "retarget/hand_gestures_joints.npz"
    joints = np.full((90, 2, 21, 3), np.nan)
    joints[:, 1] = np.load(path)["joints"][300:390]
    fit = fit_fingers(load_robot(name), joints, np.arange(90) / 30)
    gaps = np.abs(fit.pinch[np.isfinite(fit.pinch)])
    assert len(gaps) > 20
    assert np.median(gaps) < 1e-3
