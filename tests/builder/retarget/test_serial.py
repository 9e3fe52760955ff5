import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hoiset.builder.retarget.fingers import hands_of
from hoiset.builder.retarget.kinematics import Kinematics, whole
from hoiset.builder.retarget.reach import joined, reaches, rotation_vector, turn_between
from hoiset.builder.retarget.robot import Joint, Mimic, Pose, Robot, load_robot
from hoiset.builder.retarget.serial import Chains, Tools, turn_onto

ROBOTS = ("g1", "fr3_dual", "robonaut2", "xlerobot", "leap_right")


def expected(chains: tuple[Kinematics, ...], T_base: np.ndarray, columns: list, q: np.ndarray) -> Tools:
    """The obvious way, one chain after another."""
    p, R, J = [], [], np.zeros((len(chains), 6, q.shape[-1], len(q)))
    for arm, (kinematics, T, mine) in enumerate(zip(chains, T_base, columns, strict=True)):
        pose, slope = kinematics.tool_and_jacobian(q[:, mine])
        pose = T @ pose
        p.append(pose[:, :3, 3].T)
        R.append(pose[:, :3, :3].transpose(2, 1, 0))
        for half in (0, 3):
            J[arm, half : half + 3][:, mine] = (T[:3, :3] @ slope[:, half : half + 3]).transpose(1, 2, 0)
    return Tools(np.stack(p), np.stack(R), J)


def assert_alike(found: Tools, wanted: Tools) -> None:
    for name in ("position", "rotation", "slope"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), atol=1e-12, err_msg=name)


@pytest.mark.parametrize("name", ROBOTS)
def test_arms_and_fingers_stand_and_move_as_the_plain_kinematics_say(name: str) -> None:
    robot, rng = load_robot(name), np.random.default_rng(0)
    groups = [(reach.chains, reach.T_root_base, reach.columns, len(reach.dofs)) for reach in reaches(robot)]
    groups += [(hand.chains, hand.T_wrist_base, hand.columns, len(hand.dofs)) for hand in hands_of(robot)]
    for chains, T_base, columns, n_dofs in groups:
        q = rng.uniform(-2, 2, (9, n_dofs))
        wanted = expected(chains, T_base, list(columns), q)
        serial = Chains(chains, T_base, columns, n_dofs)
        assert_alike(serial.tools(q.T), wanted)
        own = np.stack([q.T] * len(chains))
        assert_alike(serial.tools_apart(own), wanted)
        np.testing.assert_array_equal(serial.tools(q.T, "places").slope, serial.tools(q.T).slope[:, :3])
        assert serial.tools(q.T, "none").slope.size == 0
        rows = np.array([0, len(chains) - 1, 0])
        np.testing.assert_array_equal(serial.only(rows).tools(q.T).slope, serial.tools(q.T).slope[rows])


def test_sliding_following_and_fixed_joints_count_beside_longer_chains() -> None:
    def joint(name: str, parent: str, kind: str, axis: tuple, **more: object) -> Joint:
        origin = Pose((0.1, -0.2, 0.3), (0.8, 0.36, 0.0, 0.48))
        return Joint(
            name=name,
            kind=kind,
            parent=parent,
            child=f"{name}_link",
            origin=origin,
            axis=axis,
            lower=-3.0,
            upper=3.0,
            **more,
        )

    joints = (
        joint("a", "root", "prismatic", (0.0, 1.0, 0.0)),
        joint("b", "a_link", "fixed", (0.0, 0.0, 1.0)),
        joint("c", "b_link", "revolute", (0.6, 0.0, 0.8)),
        joint("d", "c_link", "revolute", (-1.0, 0.0, 0.0), mimic=Mimic("c", -0.5, 0.2)),
        joint("e", "d_link", "prismatic", (0.0, 0.0, -1.0), mimic=Mimic("c", 0.1, 0.0)),
        joint("f", "e_link", "fixed", (0.0, 0.0, 1.0)),
    )
    robot = Robot(name="test", title="test", root="root", joints=joints, home=(0.0, 0.0))
    long, short = Kinematics(robot, "root", joints), Kinematics(robot, "a_link", joints[1:3], Pose((0.0, 0.0, 0.1)))
    q = np.random.default_rng(1).uniform(-1, 1, (7, 2))
    columns = [np.array([0, 1]), np.array([1])]
    T_base = np.stack([np.eye(4), long.forward(np.array([0.2, 0.1]))[1]])
    assert_alike(Chains((long, short), T_base, columns, 2).tools(q.T), expected((long, short), T_base, columns, q))


def test_a_robots_other_joints_do_not_move_a_tool() -> None:
    robot = load_robot("g1")
    kinematics, reach = whole(robot), joined(robot, (0, 1))
    q = np.random.default_rng(2).uniform(-1, 1, (4, len(kinematics.dofs)))
    every = np.arange(len(kinematics.dofs))
    found = Chains((kinematics,), np.eye(4)[None], [every], len(every)).tools(q.T)
    assert_alike(found, expected((kinematics,), np.eye(4)[None], [every], q))
    assert len(reach.dofs) < len(every)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e-9, 1.0, np.pi - 1e-9, np.pi]))
def test_turns_are_those_of_rotation_vectors(seed: int, angle: float) -> None:
    rng = np.random.default_rng(seed)

    own = Rotation.random(random_state=rng).as_matrix()
    axis = rng.normal(size=3)
    wanted = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix() @ own
    whole_turn = turn_onto(own.T[..., None], wanted.T[..., None])[:, 0]
    taken = Rotation.from_rotvec(whole_turn).as_matrix() @ own
    np.testing.assert_allclose(taken, wanted, atol=1e-6)
    assert np.linalg.norm(whole_turn) == pytest.approx(np.linalg.norm(rotation_vector(wanted @ own.T)), abs=1e-6)
    one = turn_onto(own.T[:1, :, None], wanted.T[:1, :, None])[:, 0]
    np.testing.assert_allclose(Rotation.from_rotvec(one).apply(own[:, 0]), wanted[:, 0], atol=1e-6)
    assert np.linalg.norm(one) == pytest.approx(np.linalg.norm(turn_between(own[:, 0], wanted[:, 0])), abs=1e-6)
