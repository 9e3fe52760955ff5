from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hoiset.builder.retarget import retarget
from hoiset.builder.retarget.level_camera import PITCHES, assumed_pitch, camera_gravity
from hoiset.builder.retarget.retarget import RetargetParams
from hoiset.builder.retarget.robot import load_robot
from hoiset.builder.retarget.root import RootParams
from hoiset.builder.retarget.root_search import SearchParams
from tests.builder.retarget.clips import made_clip

QUICK = RetargetParams(
    method="search", root=RootParams(n_sampled=24, n_final=4, rounds=1, search=SearchParams(n_roots=24, n_best=1))
)


def test_a_level_camera_sees_gravity_ahead_and_below() -> None:
    for pitch in PITCHES:
        x, y, z = camera_gravity(pitch)
        assert x == 0.0
        assert y >= 0.0
        assert z >= 0.0
        assert np.hypot(y, z) == pytest.approx(1.0)


def test_a_robot_stands_upright_before_a_level_camera() -> None:
    robot = load_robot("fr3_dual")
    motion = replace(made_clip(robot, gravity=False)[0], gravity=None)
    found = retarget(motion, robot, params=QUICK)
    gravity = camera_gravity(assumed_pitch(motion, robot))
    np.testing.assert_allclose(
        found.root[:, :3, :3] @ np.array(robot.up), np.tile(-gravity, (len(found.root), 1)), atol=1e-6
    )
    assert found.report["root"]["gravity_source"] == "level_camera"
    assert "without roll" in found.report["root"]["gravity"]


def test_without_that_a_root_may_lean_and_says_so() -> None:
    robot = load_robot("fr3_dual")
    motion = replace(made_clip(robot, gravity=False)[0], gravity=None)
    found = retarget(motion, robot, params=QUICK.model_copy(update={"level_camera": False}))
    assert "unknown" in found.report["root"]["gravity"]
    assert "gravity_source" not in found.report["root"]


def test_known_gravity_is_taken_as_it_is() -> None:
    robot = load_robot("fr3_dual")
    motion, _ = made_clip(robot, gravity=True)
    assert "known" in retarget(motion, robot, params=QUICK).report["root"]["gravity"]
