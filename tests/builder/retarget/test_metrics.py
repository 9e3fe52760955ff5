"""Measures of a trajectory, against paths whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hoiset.builder.retarget import RobotMotion, load_robot
from hoiset.builder.retarget.metrics import log_dimensionless_jerk, measure, worst_speed_share

ROBOT = load_robot("fr3_dual")
N = 40
TIME = np.arange(N) / 20.0
SEEN = np.ones((N, 2), bool)


def motion(**parts: Any) -> RobotMotion:
    q = np.tile(np.array(ROBOT.home), (N, 1))
    source = np.ones((N, 2), np.uint8)
    residual = np.full((N, 2, 2), (0.002, 0.01))
    whole = RobotMotion("fr3_dual", (), q, np.tile(np.eye(4), (N, 1, 1)), source, residual)
    return replace(whole, **parts)


def test_rates_count_every_frame_with_a_target() -> None:
    source = np.ones((N, 2), np.uint8)
    source[:10, 0], source[:5, 1] = 3, 0
    residual = np.full((N, 2, 2), (0.002, 0.01))
    residual[:10, 0], residual[:5, 1] = (0.1, 0.5), np.nan
    seen = SEEN.copy()
    seen[:5, 1] = False
    found = measure(motion(source=source, residual=residual), ROBOT, TIME, seen)
    assert found.ik_rate == pytest.approx(65 / 75)
    assert found.position_m == pytest.approx((10 * 0.1 + 65 * 0.002) / 75)
    assert found.rotation_converged_rad == pytest.approx(0.01)
    assert found.excluded_share == 0


def test_a_frame_that_was_not_tried_is_told() -> None:
    source, residual = np.ones((N, 2), np.uint8), np.full((N, 2, 2), 0.001)
    source[:8, 1], residual[:8, 1] = 0, np.nan
    assert measure(motion(source=source, residual=residual), ROBOT, TIME, SEEN).excluded_share == 8 / 80


def test_a_failure_counts_as_unreached() -> None:
    lost = motion(
        q=np.full((N, len(ROBOT.dofs)), np.nan),
        source=np.full((N, 2), 3, np.uint8),
        residual=np.full((N, 2, 2), np.nan),
    )
    found = measure(lost, ROBOT, TIME, SEEN).to_json()
    assert (found["ik_rate"], found["excluded_share"]) == (0.0, 0.0)
    assert found["position_m"] is found["manipulability"] is found["limit_margin"] is None


def test_speed_is_a_share_of_the_joints_own_limit() -> None:
    q = np.tile(np.array(ROBOT.home), (N, 1))
    q[20:, 3] += 0.05
    assert worst_speed_share(q, TIME, ROBOT) == pytest.approx(0.05 * 20 / ROBOT.dofs[3].velocity)
    assert worst_speed_share(q[::2], TIME[::2], ROBOT) == pytest.approx(0.05 * 10 / ROBOT.dofs[3].velocity)


def test_smoothness_does_not_depend_on_the_frame_rate() -> None:
    def path(rate: float) -> float:
        time = np.arange(int(4 * rate)) / rate
        return log_dimensionless_jerk(np.stack([np.sin(2 * time), np.cos(3 * time)], 1), time)

    assert path(30) == pytest.approx(path(60), abs=0.1)
    assert path(30) == pytest.approx(path(120), abs=0.1)
    time = np.arange(120) / 30
    shaking = np.stack([np.sin(2 * time) + 0.01 * np.sin(40 * time), np.cos(3 * time)], 1)
    assert log_dimensionless_jerk(shaking, time) < path(30) - 1


def test_smoothness_looks_at_the_longest_stretch() -> None:
    time = np.arange(120) / 30
    q = np.sin(2 * time)[:, None]
    holed = q.copy()
    holed[[5, 100]] = np.nan
    assert log_dimensionless_jerk(holed, time) == log_dimensionless_jerk(q[6:100], time[6:100])
    assert np.isnan(log_dimensionless_jerk(q[:3], time[:3]))
    assert np.isnan(log_dimensionless_jerk(np.ones((60, 1)), time[:60]))


def test_margins_and_manipulability_at_rest() -> None:
    found = measure(motion(), ROBOT, TIME, SEEN)
    home = np.array(ROBOT.home)
    lower, upper = (np.array([getattr(joint, limit) for joint in ROBOT.dofs]) for limit in ("lower", "upper"))
    arm = [i for i, joint in enumerate(ROBOT.dofs) if "joint" in joint.name and "finger" not in joint.name]
    margins = (np.minimum(home - lower, upper - home) / ((upper - lower) / 2))[arm]
    assert found.limit_margin == pytest.approx(margins.min(), abs=0.05)
    assert 0.01 < found.manipulability < 1
