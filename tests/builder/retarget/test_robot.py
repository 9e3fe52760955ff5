from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from hoiset.builder.retarget.robot import Joint, Robot, list_robots, load_robot
from hoiset.builder.retarget.robot_file import quat_of_rpy, read_robot
from hoiset.errors import RobotError

FACTS = {
    "g1": ("unitree_g1", ("",)),
    "fr3_dual": ("franka_fr3", ("left_", "right_")),
    "xlerobot": ("xlerobot", ("",)),
    "leap_left": ("leap_hand_left", ("",)),
    "leap_right": ("leap_hand_right", ("",)),
    "robonaut2": ("robonaut2", ("",)),
}

SMALL = """
name = "small"
title = "Small"
root = "base"
source = "nowhere"
licence = "none"

[home]
turn = 0.5

[[arms]]
name = "right"
side = "right"
base = "base"
link = "hand"
tool = { xyz = [0.1, 0.0, 0.0] }

[[joints]]
name = "turn"
type = "revolute"
parent = "base"
child = "hand"
xyz = [0.0, 0.0, 0.3]
axis = [0.0, 0.0, 1.0]
limits = [-1.0, 1.0]

[[shapes]]
link = "hand"
kind = "capsule"
ends = [[0.0, 0.0, 0.0], [0.2, 0.0, 0.0]]
radius = 0.03
"""


def test_the_package_brings_the_robots_that_it_says() -> None:
    assert set(list_robots()) == set(FACTS)
    for name in list_robots():
        robot = load_robot(name)
        assert robot.name == name
        assert robot.source
        assert robot.licence
        assert robot.caution


@pytest.mark.parametrize("name", FACTS)
def test_numbers_are_those_of_the_published_models(name: str, shared_data: Path) -> None:
    file, prefixes = FACTS[name]
    facts = json.loads((shared_data / "robots" / f"{file}.json").read_text("utf-8"))
    joints = {joint.name: joint for joint in load_robot(name).joints}
    for prefix in prefixes:
        for fact in facts["joints"]:
            joint = joints.pop(prefix + fact["name"])
            assert (joint.kind, joint.parent, joint.child) == (
                fact["type"],
                prefix + fact["parent"],
                prefix + fact["child"],
            )
            assert joint.origin.xyz == pytest.approx(fact["xyz"], abs=0)
            assert joint.origin.quat == pytest.approx(quat_of_rpy(fact["rpy"]), abs=0)
            if joint.kind != "fixed":
                assert joint.axis == pytest.approx(fact["axis"], abs=0)
                assert (joint.lower, joint.upper) == (fact["lower"], fact["upper"])
                assert joint.velocity == (fact.get("velocity") or math.inf)
            assert (joint.mimic is not None) == ("mimic" in fact)
    assert all(joint.name.endswith("_mount") for joint in joints.values())


def test_a_robot_of_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(SMALL, "utf-8")
    robot = load_robot(path)
    assert robot.links == ("base", "hand")
    assert robot.home == (0.5,)
    assert robot.joints[0].velocity == math.inf
    shape = robot.shapes[0]
    assert shape.size == (0.03, 0.1)
    assert shape.pose.matrix[:3, 2] == pytest.approx([1, 0, 0])
    assert shape.pose.matrix[:3, 3] == pytest.approx([0.1, 0, 0])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('root = "base"', 'root = "base', "found no TOML"),
        ('title = "Small"', "", "title: found nothing, expected a value"),
        ('title = "Small"', 'titel = "Small"\ntitle = ""', "titel: found an unknown field"),
        ("turn = 0.5", "turn = 1.5", r"found home 1.5 of joint 'turn', expected \[-1.0, 1.0\]"),
        ("turn = 0.5", "tern = 0.5", "found home of tern, expected joints"),
        ('parent = "base"', 'parent = "hip"', "found parent 'hip', expected the root 'base'"),
        ('parent = "base"', 'parent = "hand"', "found parent 'hand', expected the root 'base'"),
        ('child = "hand"', 'child = "base"', "found child 'base' again"),
        ("axis = [0.0, 0.0, 1.0]", "axis = [0.0, 0.0, 2.0]", "expected a unit vector"),
        ("limits = [-1.0, 1.0]", "limits = [1.0, -1.0]", "expected two finite ones, lower first"),
        ("limits = [-1.0, 1.0]", "limits = [-inf, 1.0]", "expected two finite ones"),
        ("limits = [-1.0, 1.0]", "", "found limits None of a revolute joint"),
        ("limits = [-1.0, 1.0]", "limits = [-1.0, 1.0]\nvelocity = 0.0", "found velocity 0.0, expected more than 0"),
        ("xyz = [0.0, 0.0, 0.3]", "xyz = [0.0, nan, 0.3]", "not finite"),
        ("xyz = [0.0, 0.0, 0.3]", "rpy = [0, 0, 0]\nquat = [1, 0, 0, 0]", "found both rpy and quat"),
        ("xyz = [0.0, 0.0, 0.3]", "quat = [1, 1, 0, 0]", "expected a unit quaternion"),
        ('side = "right"', 'side = "middle"', "side: found 'middle'"),
        ('base = "base"', 'base = "hand"\n', None),
        ('link = "hand"\ntool', 'link = "palm"\ntool', "found link 'palm' of 'right'"),
        ("radius = 0.03", "radius = -0.03", "expected 2 above 0, m"),
        ("radius = 0.03", "", "expected size, or for a capsule or cylinder"),
        ('link = "hand"\nkind', 'link = "foot"\nkind', "found a capsule on 'foot'"),
        ("[home]", 'exclude = [["base", "tail"]]\n[home]', "found exclude"),
        ("[home]", "up = [0.0, 0.0, 2.0]\n[home]", "found up"),
        ('type = "revolute"', 'type = "revolute"\nmimic = { joint = "turn" }', "that it follows 'turn'|home of turn"),
    ],
)
def test_bad_files_say_what_is_wrong(old: str, new: str, message: str | None) -> None:
    assert old in SMALL
    text = SMALL.replace(old, new, 1)
    if message is None:
        assert read_robot(text, "small.toml").arms[0].base == "hand"
        return
    with pytest.raises(RobotError, match=message):
        read_robot(text, "small.toml")


def test_unknown_robots_name_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(RobotError, match="found no robot 'r2d2', expected one of fr3_dual, g1, "):
        load_robot("r2d2")
    with pytest.raises(RobotError, match="found no robot"):
        load_robot(tmp_path / "none.toml")
    with pytest.raises(RobotError, match="found no robot"):
        load_robot("../robots/g1")


def test_chains_are_looked_up_by_name_and_direction() -> None:
    robot = load_robot("g1")
    assert [joint.name for joint in robot.path("pelvis", "torso_link")] == [
        "waist_yaw_joint",
        "waist_roll_joint",
        "waist_pitch_joint",
    ]
    with pytest.raises(RobotError, match="found no way from 'left_elbow_link' outwards to 'torso_link'"):
        robot.path("left_elbow_link", "torso_link")
    with pytest.raises(RobotError, match="found no arm 'third', expected one of: left, right"):
        robot.arm("third")
    with pytest.raises(RobotError, match="found no finger 'ring', expected one of: thumb, index, middle"):
        robot.finger("left", "ring")


def test_two_joints_of_one_name_are_an_error() -> None:
    joints = (Joint("a", "fixed", "base", "x"), Joint("a", "fixed", "base", "y"))
    with pytest.raises(RobotError, match="'a': found twice"):
        Robot("twice", "twice", "base", joints)
