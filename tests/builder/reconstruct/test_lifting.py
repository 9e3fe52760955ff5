import numpy as np
import pytest

from hoiset.builder.reconstruct.lifting import (
    HAND_LENGTH_M,
    MIDDLE,
    PALM,
    TREE,
    LiftParams,
    estimate_lengths,
    lift,
    lift_cost,
    link_lengths,
    palm_depth,
    pose_bones,
)
from hoiset.geometry import project

from .synthetic import camera, right_hand_path, seen_from_crop

CAMERA = camera()
PARAMS = LiftParams()


def lengths_of(joints):
    return np.stack([np.linalg.norm(joints[..., b, :] - joints[..., a, :], axis=-1) for a, b in TREE], -1)


@pytest.fixture(scope="module")
def path():
    _, joints = right_hand_path(60)
    return joints, project(CAMERA.K, joints), np.array([seen_from_crop(X) for X in joints])


def test_the_hand_length_is_that_of_the_middle_finger():
    assert link_lengths(0.2)[MIDDLE].sum() == pytest.approx(0.2)


def test_exact_observations_give_the_joints_back(path):
    joints, pixels, world = path
    out = lift(pixels, world, CAMERA.K, link_lengths(HAND_LENGTH_M), PARAMS)
    assert np.linalg.norm(out - joints, axis=-1).mean() < 0.012
    assert np.abs(project(CAMERA.K, out) - pixels).max() < 1.5
    assert np.abs(lengths_of(out) - link_lengths(HAND_LENGTH_M)[:20]).max() < 0.002


def test_the_detectors_scale_and_origin_do_not_matter(path):
    _, pixels, world = path
    a = lift(pixels, world, CAMERA.K, link_lengths(HAND_LENGTH_M), PARAMS)
    b = lift(pixels, 0.6 * world + 3.0, CAMERA.K, link_lengths(HAND_LENGTH_M), PARAMS)
    assert np.allclose(a, b, atol=1e-6)


def test_depth_scales_with_the_hand_length(path):
    _, pixels, world = path
    a = lift(pixels, world, CAMERA.K, link_lengths(0.18), PARAMS)[..., 2].mean()
    b = lift(pixels, world, CAMERA.K, link_lengths(0.198), LiftParams(sigma_bone_m=0.0011))[..., 2].mean()
    assert b / a == pytest.approx(1.1, rel=0.01)


def test_a_depth_given_from_outside_is_kept(path):
    joints, pixels, world = path
    depth = joints[:, PALM, 2].mean(1) * 1.05
    out = lift(pixels, world, CAMERA.K, link_lengths(HAND_LENGTH_M), PARAMS, depth)
    assert np.abs(out[:, PALM, 2].mean(1) / depth - 1).max() < 0.01


def test_one_wild_joint_does_not_drag_the_hand(path):
    joints, pixels, world = path
    wild = pixels.copy()
    wild[:, 8] += 60.0
    out = lift(wild, world, CAMERA.K, link_lengths(HAND_LENGTH_M), PARAMS)
    others = [j for j in range(21) if j not in (6, 7, 8)]
    assert np.linalg.norm(out - joints, axis=-1)[:, others].mean() < 0.03


def test_one_matrix_a_frame_equals_one_for_all(path):
    joints, pixels, world = path
    K = np.repeat(CAMERA.K[None], len(joints), 0)
    lengths = link_lengths(HAND_LENGTH_M)
    assert np.array_equal(lift(pixels, world, K, lengths, PARAMS), lift(pixels, world, CAMERA.K, lengths, PARAMS))


def test_a_persons_own_proportions_are_found_as_far_as_frames_tell():
    _, joints = right_hand_path(120)
    own = link_lengths(HAND_LENGTH_M).copy()
    own[5:8] *= 1.1
    joints = pose_bones(joints, own)
    world = np.array([seen_from_crop(X) for X in joints])
    found = estimate_lengths(project(CAMERA.K, joints), world, CAMERA.K, PARAMS)
    prior = link_lengths(HAND_LENGTH_M)
    assert (found[5:8] / prior[5:8]).mean() > 1.05
    assert found[MIDDLE].sum() == pytest.approx(HAND_LENGTH_M)
    assert np.array_equal(estimate_lengths(np.zeros((0, 21, 2)), np.zeros((0, 21, 3)), CAMERA.K, PARAMS), prior)


def test_posing_bones_keeps_directions_and_wrist(path):
    joints, _, _ = path
    lengths = link_lengths(0.15)
    out = pose_bones(joints, lengths)
    assert np.allclose(lengths_of(out), lengths[:20])
    assert np.array_equal(out[:, 0], joints[:, 0])
    a, b = out[:, 6] - out[:, 5], joints[:, 6] - joints[:, 5]
    assert np.allclose(np.cross(a, b), 0.0, atol=1e-12)


def test_depth_survives_directions_that_point_along_the_line_of_sight(path):
    joints, pixels, world = path
    lengths = link_lengths(HAND_LENGTH_M)
    wrong = (world - world[:, :1]) * [0.3, 0.3, 1.0]
    wrong[..., 2] += 0.3 * np.linalg.norm(joints[..., :2] - joints[:, :1, :2], axis=-1)
    naive = lift(pixels, wrong, CAMERA.K, lengths, PARAMS)
    depth, trust = palm_depth(naive, pixels, wrong, CAMERA.K, lengths, PARAMS)
    truth = joints[:, PALM, 2].mean(1)
    assert np.abs(np.log(depth / truth)).mean() < 0.5 * np.abs(np.log(naive[:, PALM, 2].mean(1) / truth)).mean()
    assert trust.max() < 1.0
    good = lift(pixels, world, CAMERA.K, lengths, PARAMS)
    depth, trust = palm_depth(good, pixels, world, CAMERA.K, lengths, PARAMS)
    assert np.abs(np.log(depth / truth)).mean() < 0.06
    assert trust.mean() > 0.8


def test_a_wrong_focal_length_costs_more_when_it_is_too_short(path):
    joints, pixels, world = path
    lengths = link_lengths(HAND_LENGTH_M)
    K = CAMERA.K.copy()
    K[0, 0] = K[1, 1] = 0.4 * CAMERA.K[0, 0]
    costs = [
        lift_cost(lift(pixels, world, k, lengths, PARAMS), pixels, joints, k, lengths, PARAMS) for k in (CAMERA.K, K)
    ]
    assert np.median(costs[1]) > 1.3 * np.median(costs[0])
