from __future__ import annotations

import numpy as np
import pytest

from hoiset.builder.retarget.mjspec import add_robot, build_spec, joint_positions, set_positions
from hoiset.builder.retarget.robot import Pose, Robot, list_robots, load_robot
from hoiset.errors import RobotError

mujoco = pytest.importorskip("mujoco")


def contacts(robot: Robot, q: np.ndarray) -> set[tuple[str, ...]]:
    """Pairs of links whose shapes run into each other."""
    model = build_spec(robot).compile()
    data = mujoco.MjData(model)
    set_positions(model, data, robot, q)
    mujoco.mj_forward(model, data)
    return {
        tuple(sorted(model.body(model.geom_bodyid[geom]).name for geom in (contact.geom1, contact.geom2)))
        for contact in data.contact
        if contact.dist < 0
    }


@pytest.mark.parametrize("name", list_robots())
def test_nothing_touches_at_home(name: str) -> None:
    robot = load_robot(name)
    assert contacts(robot, np.array(robot.home)) == set()


@pytest.mark.parametrize("name", list_robots())
def test_only_links_next_to_each_other_may_overlap(name: str) -> None:
    robot = load_robot(name)
    for pair in robot.exclude:
        ways = [{joint.name for joint in robot.path(robot.root, link) if joint.kind != "fixed"} for link in pair]
        assert len(ways[0] ^ ways[1]) <= 3, pair


def test_arms_that_run_into_each_other_touch() -> None:
    robot = load_robot("g1")
    q = dict(zip([joint.name for joint in robot.dofs], robot.home, strict=True))
    q |= {"left_shoulder_yaw_joint": -1.2, "right_shoulder_yaw_joint": 1.2}
    pairs = contacts(robot, np.array(list(q.values())))
    assert any({link.split("_")[0] for link in pair} == {"left", "right"} for pair in pairs)


def test_several_robots_stand_in_one_scene() -> None:
    robot = load_robot("xlerobot")
    spec = mujoco.MjSpec()
    add_robot(spec, robot, prefix="a/")
    add_robot(spec, robot, prefix="b/", root=Pose((0.0, 2.0, 0.0)))
    model = spec.compile()
    data = mujoco.MjData(model)
    q = np.array(robot.home)
    q[0] = 0.7
    set_positions(model, data, robot, q, prefix="b/")
    mujoco.mj_forward(model, data)
    assert data.qpos[model.joint("a/Rotation_L").qposadr[0]] == 0
    assert data.qpos[model.joint("b/Rotation_L").qposadr[0]] == 0.7
    np.testing.assert_allclose(data.body("b/base_link").xpos, [0.0, 2.0, 0.0])
    with pytest.raises(RobotError, match="found a body 'a/base_link' in the scene already"):
        add_robot(spec, robot, prefix="a/")


def test_model_has_the_limits_and_the_couplings() -> None:
    robot = load_robot("fr3_dual")
    model = build_spec(robot).compile()
    for joint in robot.moving:
        np.testing.assert_array_equal(model.joint(joint.name).range, [joint.lower, joint.upper])
    assert model.neq == 2
    positions = joint_positions(robot, np.array(robot.home))
    assert positions["left_fr3_finger_joint2"] == positions["left_fr3_finger_joint1"] == 0.02
    with pytest.raises(RobotError, match=r"shape \(3,\), expected \(16,\)"):
        joint_positions(robot, np.zeros(3))
