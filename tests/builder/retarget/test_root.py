from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from hoiset.builder.retarget.records import HandMotion
from hoiset.builder.retarget.robot import load_robot
from hoiset.builder.retarget.root import RootParams, choose_root, network_digest
from hoiset.builder.retarget.root_score import root_problem, score_roots
from hoiset.errors import RobotError
from hoiset.geometry import wrist_frame
from tests.builder.retarget.clips import made_clip, moved, random_pose

pytest.importorskip("torch")
pytest.importorskip("safetensors")

ROBOTS = ("g1", "fr3_dual", "robonaut2", "xlerobot")
QUICK = RootParams(n_frames=6, n_proposed=8, n_sampled=16, n_sampled_beside=8, n_final=3, n_polish=8)


@pytest.mark.parametrize("name", ROBOTS)
@pytest.mark.parametrize("method", ["network", "search", "both"])
def test_a_robots_own_motion_is_reached_whole(name: str, method: str) -> None:
    robot = load_robot(name)
    motion, _ = made_clip(robot, seed=11)
    choice = choose_root(motion, robot, method=method, params=QUICK)  # type: ignore[arg-type]
    assert choice.T_camera_root.shape == (30, 4, 4)
    assert (choice.T_camera_root == choice.T_camera_root[0]).all()
    assert score_roots(root_problem(motion, robot), choice.T_camera_root[:1]).rate[0] == 1.0
    up = choice.T_camera_root[0, :3, :3] @ np.array(robot.up)
    np.testing.assert_allclose(up, -np.array(motion.gravity), atol=1e-6)
    assert json.loads(json.dumps(choice.report)) == choice.report
    assert choice.report["rate"] == 1.0
    assert choice.report["moving"] is False
    np.testing.assert_allclose(choice.hypotheses[0], choice.T_camera_root[0])


@pytest.mark.parametrize("gravity", [True, False])
def test_the_root_follows_the_clip_wherever_the_camera_stands(gravity: bool) -> None:
    robot = load_robot("g1")
    motion, _ = made_clip(robot, gravity=gravity)
    T = random_pose(np.random.default_rng(5))
    here, there = (choose_root(m, robot, params=QUICK).T_camera_root for m in (motion, moved(motion, T)))
    np.testing.assert_allclose(there, T @ here, atol=1e-6)


def test_a_seed_gives_one_root() -> None:
    robot = load_robot("g1")
    motion, _ = made_clip(robot)
    a, b, c = (choose_root(motion, robot, seed=seed, params=QUICK) for seed in (0, 0, 1))
    assert a.T_camera_root.tobytes() == b.T_camera_root.tobytes()
    assert a.hypotheses.tobytes() == b.hypotheses.tobytes()
    assert a.report == b.report
    assert a.hypotheses.tobytes() != c.hypotheses.tobytes()


def test_gaps_and_a_hand_that_never_appears() -> None:
    robot = load_robot("g1")
    motion, _ = made_clip(robot)
    wrist = motion.wrist.copy()
    wrist[:, 0] = np.nan
    wrist[5:20, 1] = np.nan
    choice = choose_root(dataclasses.replace(motion, wrist=wrist), robot, params=QUICK)
    assert choice.T_camera_root.shape == (30, 4, 4)
    assert choice.report["rate"] == 1.0


def test_one_frame_is_enough() -> None:
    robot = load_robot("g1")
    motion, _ = made_clip(robot)
    one = HandMotion(motion.time[:1], motion.wrist[:1], motion.joints[:1], motion.gravity)
    assert choose_root(one, robot, params=QUICK).report["rate"] == 1.0


def test_unknown_gravity_is_said() -> None:
    robot = load_robot("g1")
    motion, _ = made_clip(robot, gravity=False)
    assert "unknown" in choose_root(motion, robot, params=QUICK).report["gravity"]


def test_a_robot_without_a_network_is_searched_for_and_that_is_said() -> None:
    robot = dataclasses.replace(load_robot("xlerobot"), name="mine")
    motion, _ = made_clip(robot)
    choice = choose_root(motion, robot, params=QUICK)
    assert choice.report["network"] == "none for this robot: search alone"
    assert choice.report["origin"] == "search"
    with pytest.raises(RobotError, match="found no root network for mine"):
        choose_root(motion, robot, method="network", params=QUICK)


def test_what_cannot_be_is_refused() -> None:
    robot = load_robot("fr3_dual")
    motion, _ = made_clip(robot)
    with pytest.raises(RobotError, match="found method 'guess'"):
        choose_root(motion, robot, method="guess")  # type: ignore[arg-type]
    with pytest.raises(RobotError, match="found a base that does not move"):
        choose_root(motion, robot, moving_root=True)
    nobody = HandMotion(motion.time, np.full_like(motion.wrist, np.nan), motion.joints)
    with pytest.raises(RobotError, match="found no frame with a hand"):
        choose_root(nobody, robot)


@pytest.mark.parametrize("name", ROBOTS)
def test_real_hands_are_reached(name: str, shared_data: Path) -> None:
    from hoiset.eval.adapters.arctic import read_arctic

    recording = read_arctic(shared_data / "arctic").trajectory
    frames = slice(180, 360, 6)
    joints = recording.joints[frames]
    wrist = np.stack([wrist_frame(joints[:, 0], left=True), wrist_frame(joints[:, 1], left=False)], 1)
    motion = HandMotion(recording.time[frames], wrist, joints, recording.gravity)
    assert choose_root(motion, load_robot(name)).report["rate"] >= 0.95


def test_networks_are_told_apart_by_their_weights() -> None:
    digests = [network_digest(load_robot(name)) for name in ROBOTS]
    assert all(len(digest) == 64 for digest in digests)
    assert len(set(digests)) == len(ROBOTS)
    assert network_digest(dataclasses.replace(load_robot("g1"), name="mine")) == ""
