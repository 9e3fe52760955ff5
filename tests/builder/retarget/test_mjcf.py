from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hoiset.builder.retarget.kinematics import chain, whole
from hoiset.builder.retarget.mjspec import build_spec
from hoiset.builder.retarget.robot import list_robots, load_robot
from hoiset.errors import RobotError

mujoco = pytest.importorskip("mujoco")

ARM = """
<mujoco>
  <compiler angle="radian"/>
  <worldbody>
    <body name="stand" pos="0 0 1">
      <geom type="box" size=".1 .1 .1"/>
      <body name="upper" pos="0.1 0.2 0.3" quat="0.6 0 0.8 0">
        <joint name="pan" axis="0 0.6 0.8" pos="0.05 -0.1 0.02" range="-1 2"/>
        <joint name="slide" type="slide" axis="1 0 0" range="0 0.5"/>
        <geom type="capsule" size=".03 .1"/>
        <body name="hand" pos="0 0.4 0">
          <joint name="wrist" axis="1 0 0" range="0.2 1"/>
          <geom type="sphere" size=".05"/>
          <site name="right_wrist" pos="0 0 0.1" quat="0 0.6 0 0.8"/>
          <site name="right_index_tip" pos="0 0.1 0"/>
        </body>
      </body>
    </body>
  </worldbody>
  <keyframe><key name="home" qpos="0.5 0.1 0.4"/></keyframe>
</mujoco>
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "my arm.xml"
    path.write_text(text, "utf-8")
    return path


def test_kinematics_are_those_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, ARM)
    robot = load_robot(path)
    assert robot.name == "my_arm"
    assert robot.home == (0.5, 0.1, 0.4)
    kinematics = chain(robot, robot.arm("right"))
    model = mujoco.MjModel.from_xml_path(str(path))
    data = mujoco.MjData(model)
    for q in kinematics.lower + (kinematics.upper - kinematics.lower) * np.random.default_rng(0).random((20, 3)):
        data.qpos[:] = q
        mujoco.mj_forward(model, data)
        T = kinematics.tool(q)
        np.testing.assert_allclose(T[:3, 3] + [0, 0, 1], data.site("right_wrist").xpos, atol=1e-12)
        np.testing.assert_allclose(T[:3, :3].ravel(), data.site("right_wrist").xmat, atol=1e-12)
    assert robot.finger("right", "index").base == "hand"


@pytest.mark.parametrize("name", [name for name in list_robots() if not name.startswith("leap")])
def test_a_written_robot_comes_back(name: str, tmp_path: Path) -> None:
    robot = load_robot(name)
    spec = build_spec(robot)
    spec.compile()
    back = load_robot(written(tmp_path, spec.to_xml()))
    here, there = whole(robot), whole(back)
    assert {arm.name for arm in back.arms} == {"left", "right"}
    order = [[joint.name for joint in there.dofs].index(joint.name) for joint in here.dofs]
    q = np.zeros(len(there.dofs))
    q[order] = here.home
    followers = {joint.name: joint.mimic.joint for joint in robot.moving if joint.mimic}
    names = [joint.name for joint in there.dofs]
    for follower, leader in followers.items():
        q[names.index(follower)] = q[names.index(leader)]
    T_here, T_there = here.forward(here.home), there.forward(q)
    for link in robot.links:
        np.testing.assert_allclose(
            T_there[there.links.index(link)], T_here[here.links.index(link)], atol=1e-5, err_msg=link
        )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<worldbody>", "<worldbodi>", "mujoco cannot read it"),
        ('range="0.2 1"', "", "found joint 'wrist' without limits"),
        (
            '<joint name="wrist" axis="1 0 0" range="0.2 1"/>',
            '<joint name="wrist" type="ball"/>',
            "of another kind|cannot read",
        ),
        ('axis="1 0 0" range="0.2 1"', 'axis="1 0 0" range="0.2 1" ref="0.3"', "found ref 0.3 of joint 'wrist'"),
        ('<body name="stand" pos="0 0 1">', '<body name="other"/><body name="stand" pos="0 0 1">', "found 2 bodies"),
        (
            '<geom type="box" size=".1 .1 .1"/>',
            '<joint name="x" range="0 1"/><geom size=".1"/>',
            "on the root body|cannot read",
        ),
        ("right_wrist", "palm", None),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path: Path, old: str, new: str, message: str | None) -> None:
    assert old in ARM
    text = ARM.replace(old, new)
    if message is None:
        text, message = text.replace("right_index_tip", "tip"), "found no site left_wrist, right_wrist"
    with pytest.raises(RobotError, match=message):
        load_robot(written(tmp_path, text))
