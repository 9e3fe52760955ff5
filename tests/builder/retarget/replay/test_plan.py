"""What is played."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from hoiset.builder.retarget.replay.bodies import body_of
from hoiset.builder.retarget.replay.hand_path import GripperPath
from hoiset.builder.retarget.replay.plan import Correction, Plan
from hoiset.builder.retarget.replay.records import ReplayParams


def make_plan(x_m: float = 0.0) -> Plan:
    """A 6 cm wide box at rest, two still grippers, the second taking over at 1 s."""
    box = trimesh.creation.box((0.06, 0.03, 0.1))
    frames = np.linspace(0.0, 2.0, 61)
    path = GripperPath(frames, np.tile([x_m, 0.0, 0.0], (61, 1)), np.tile(np.eye(3), (61, 1, 1)), np.full(61, 0.08))
    return Plan(
        body=body_of((np.asarray(box.vertices), np.asarray(box.faces)), ReplayParams()),
        frames=frames,
        reference=np.tile(np.eye(4), (61, 1, 1)),
        judged=np.ones(61, bool),
        start=np.eye(4),
        paths=(path, path),
        spans=(((0.3, 1.0),), ((1.0, 1.7),)),
    )


def fingers(plan: Plan, hand: int) -> np.ndarray:
    return plan.controls(Correction.none(2))[:, hand]


def test_grippers_open_wider_than_the_object_and_close_while_they_hold() -> None:
    plan = make_plan()
    np.testing.assert_allclose(plan.open_m, 0.05, atol=2e-3)
    during = (plan.times > 0.4) & (plan.times < 0.8)
    assert (fingers(plan, 0)[during] < 0.0).all()
    assert (fingers(plan, 0)[plan.times < 0.15] == plan.open_m[0]).all()


def test_what_is_handed_over_is_not_let_go_before_the_other_has_closed() -> None:
    plan = make_plan()
    first, second = fingers(plan, 0), fingers(plan, 1)
    assert ((first < 0.0) | (second < 0.0))[(plan.times > 0.5) & (plan.times < 1.5)].all()
    alone = replace(plan, spans=(((0.3, 1.0),), ((1.4, 1.7),)))
    assert fingers(alone, 0)[plan.times > 1.1].min() > 0.04


def test_a_gripper_that_misses_is_led_to_the_middle() -> None:
    np.testing.assert_allclose(make_plan(0.01).grasp_offsets()[0], [-0.01, 0.0, 0.0], atol=2e-3)
    np.testing.assert_allclose(make_plan().grasp_offsets(), 0.0, atol=2e-3)


@pytest.mark.parametrize("knots", [1, 2, 5])
def test_no_spline_moves_the_hand_farther_than_allowed(knots: int) -> None:
    wild = np.random.default_rng(0).uniform(-0.05, 0.05, (knots, 3))
    offsets = make_plan().offsets(wild)
    assert offsets.shape == (len(make_plan().times), 3)
    assert np.linalg.norm(offsets, axis=1).max() <= 0.03 + 1e-12
