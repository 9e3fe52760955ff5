from __future__ import annotations

import numpy as np
import pytest

from hoiset.builder.retarget.robot import load_robot
from hoiset.builder.retarget.root_frames import clip_frame, densest, levelled, mean_rotation, rounded_problem
from hoiset.builder.retarget.root_refine import exp_twist
from hoiset.builder.retarget.root_score import root_problem
from tests.builder.retarget.clips import made_clip, moved, random_pose


@pytest.mark.parametrize("gravity", [True, False])
def test_a_clips_frame_moves_with_it(gravity: bool) -> None:
    motion, _ = made_clip(load_robot("xlerobot"), gravity=gravity)
    T = random_pose(np.random.default_rng(7))
    again = moved(motion, T)
    frame, frame_moved = clip_frame(motion.wrist, motion.gravity), clip_frame(again.wrist, again.gravity)
    np.testing.assert_allclose(frame_moved, T @ frame, atol=1e-12)
    np.testing.assert_allclose(frame[:3, :3] @ frame[:3, :3].T, np.eye(3), atol=1e-12)
    if motion.gravity is not None:
        np.testing.assert_allclose(frame[:3, 2], -motion.gravity, atol=1e-12)


def test_a_clip_in_its_own_frame_is_the_same_to_the_bit() -> None:
    motion, _ = made_clip(load_robot("xlerobot"))
    again = moved(motion, random_pose(np.random.default_rng(7)))
    a, b = (
        rounded_problem(root_problem(m, load_robot("xlerobot")), clip_frame(m.wrist, m.gravity))
        for m in (motion, again)
    )
    np.testing.assert_array_equal(a.wrist, b.wrist)
    np.testing.assert_array_equal(a.gravity, b.gravity)


def test_a_frame_is_found_where_hands_point_against_gravity() -> None:
    wrist = np.tile(np.eye(4), (3, 2, 1, 1))
    frame = clip_frame(wrist, np.array([0.0, -1.0, 0.0]))
    np.testing.assert_allclose(frame[:3, 2], [0.0, 1.0, 0.0])
    assert np.linalg.det(frame[:3, :3]) == pytest.approx(1.0)


def test_levelled_takes_up_against_gravity() -> None:
    R = np.array([random_pose(np.random.default_rng(i))[:3, :3] for i in range(20)])
    up = np.array([0.0, 0.0, -1.0])
    for gravity in (np.array([0.6, 0.0, 0.8]), R[0] @ up, -R[1] @ up):
        np.testing.assert_allclose(levelled(R, up, gravity) @ up, np.tile(-gravity, (20, 1)), atol=1e-9)
    np.testing.assert_allclose(levelled(R, up, -R[1] @ up)[1], R[1], atol=1e-9)


def test_mean_rotation_is_the_middle() -> None:
    turns = exp_twist(np.array([[0, 0, 0, 0, 0, a] for a in (-0.3, 0.1, 0.5)]))[:, :3, :3]
    np.testing.assert_allclose(mean_rotation(turns), turns[1], atol=1e-12)


def test_densest_names_clusters_by_size_and_averages_nothing() -> None:
    rng = np.random.default_rng(0)
    near = exp_twist(np.concatenate([0.03 * rng.normal(size=(30, 3)), 0.05 * rng.normal(size=(30, 3))], 1))
    far = near[:10].copy()
    far[:, 0, 3] += 5.0
    alone = np.eye(4)[None].copy()
    alone[0, 1, 3] = -9.0
    poses = np.concatenate([alone, far, near])
    kept = densest(poses, 3, near_m=0.15, near_rad=0.5)
    assert kept[0] >= 11
    assert 1 <= kept[1] < 11
    assert kept[2] == 0
    assert len(densest(poses, 50)) < len(poses)
