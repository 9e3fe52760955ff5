from __future__ import annotations

import numpy as np
import pytest

from hoiset.builder.retarget.kinematics import chain, whole
from hoiset.builder.retarget.reach import arms_of, reaches, rotation_vector, single, turn_between
from hoiset.builder.retarget.robot import list_robots, load_robot
from hoiset.errors import RobotError

Rotation = pytest.importorskip("scipy.spatial.transform").Rotation


def test_arms_that_share_the_waist_are_one_group_and_others_stand_alone() -> None:
    assert [arm.name for arm in arms_of(load_robot("g1"))] == ["left_waist", "right_waist"]
    (g1,) = reaches(load_robot("g1"))
    assert g1.sides == (0, 1)
    assert len(g1.home) == 17
    assert [reach.sides for reach in reaches(load_robot("fr3_dual"))] == [(0,), (1,)]
    assert reaches(load_robot("leap_right")) == ()


@pytest.mark.parametrize("name", list_robots())
def test_tools_stand_where_the_whole_robot_has_them(name: str) -> None:
    robot = load_robot(name)
    everything = whole(robot)
    for reach in reaches(robot):
        share = np.random.default_rng(0).random(len(reach.home))
        q = reach.lower + share * (reach.upper - reach.lower)
        full = everything.home.copy()
        full[reach.dofs] = q
        poses = dict(zip(everything.links, everything.forward(full), strict=True))
        arms = [arm for side in reach.sides for arm in arms_of(robot) if arm.side == ("left", "right")[side]]
        T, J = reach.tools_and_jacobian(q)
        np.testing.assert_allclose(T, reach.tools(q), atol=1e-14)
        for place, arm in enumerate(arms):
            np.testing.assert_allclose(T[place], poses[arm.link] @ arm.tool.matrix, atol=1e-12)
        step = 1e-6 * np.random.default_rng(1).normal(size=len(q))
        ahead, behind = reach.tools(q + step), reach.tools(q - step)
        np.testing.assert_allclose(J[:, :3] @ step, (ahead - behind)[:, :3, 3] / 2, atol=1e-11)
        moved = reach.errors(behind, ahead)
        np.testing.assert_allclose(reach.slopes(T, J) @ step, moved / 2, atol=1e-11)


def test_five_joints_follow_an_axis_that_the_robots_file_names() -> None:
    assert {reach.tasks for reach in reaches(load_robot("xlerobot"))} == {("z",)}
    assert {reach.tasks for reach in reaches(load_robot("fr3_dual"))} == {("pose",)}
    with pytest.raises(RobotError, match="expected pose, x, y or z"):
        single(chain(load_robot("g1"), load_robot("g1").arm("left")), "w")  # type: ignore[arg-type]


def test_rotation_vectors_up_to_half_a_turn() -> None:
    vectors = np.random.default_rng(0).normal(size=(200, 3))
    vectors *= (np.linspace(0, np.pi - 1e-3, 200) / np.linalg.norm(vectors, axis=-1))[:, None]
    np.testing.assert_allclose(rotation_vector(Rotation.from_rotvec(vectors).as_matrix()), vectors, atol=1e-9)
    half = np.pi * np.array([[1.0, 0, 0], [0, 0.6, 0.8], [-0.6, 0, 0.8]])
    R = Rotation.from_rotvec(half).as_matrix()
    np.testing.assert_allclose(Rotation.from_rotvec(rotation_vector(R)).as_matrix(), R, atol=1e-9)
    assert not rotation_vector(np.eye(3)).any()


def test_a_turn_takes_one_vector_to_the_other_even_to_its_opposite() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 50, 3))
    a, b = a / np.linalg.norm(a, axis=-1, keepdims=True), b / np.linalg.norm(b, axis=-1, keepdims=True)
    b[0] = -a[0]
    turned = np.einsum("nij,nj->ni", Rotation.from_rotvec(turn_between(a, b)).as_matrix(), a)
    np.testing.assert_allclose(turned, b, atol=1e-9)
