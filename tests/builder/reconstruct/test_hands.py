import numpy as np
import pytest

from hoiset.builder.reconstruct.hands import HandParams, reconstruct_hands
from hoiset.builder.reconstruct.lifting import TREE
from hoiset.builder.records import HandDetections
from hoiset.geometry import project, wrist_frame
from hoiset.shards.schema import HandSource

from .synthetic import camera, detect, right_hand_path

CAMERA, PARAMS = camera(), HandParams()


def bones(joints):
    return np.stack([np.linalg.norm(joints[..., b, :] - joints[..., a, :], axis=-1) for a, b in TREE], -1)


@pytest.fixture(scope="module")
def both():
    time, right = right_hand_path(120)
    left = right * [-1, 1, 1] - [0.15, 0, 0]
    return time, left, right + np.array([0.15, 0, 0])


@pytest.fixture(scope="module")
def hands(both):
    time, left, right = both
    return reconstruct_hands(detect([left, right], [0.1, 0.9], CAMERA, noise_px=1.0), CAMERA, time, PARAMS)


def test_both_hands_are_found_where_they_are(both, hands):
    for side, truth in enumerate(both[1:]):
        assert (hands.source[:, side] == HandSource.OBSERVED).all()
        assert np.linalg.norm(hands.joints[:, side] - truth, axis=-1).mean() < 0.03
        relative = (hands.joints[:, side] - hands.joints[:, side, :1]) - (truth - truth[:, :1])
        assert np.linalg.norm(relative, axis=-1).mean() < 0.015


def test_bone_lengths_are_those_of_one_person(hands):
    lengths = bones(hands.joints)
    assert np.ptp(lengths, axis=(0, 1)).max() < 1e-6
    assert lengths[0, 0, 8:12].sum() == pytest.approx(PARAMS.lifting.hand_length_m, rel=1e-6)


def test_joints_project_onto_the_smoothed_observation(hands):
    error = np.linalg.norm(project(CAMERA.K, hands.joints) - hands.joints_2d, axis=-1)
    size = np.ptp(hands.joints_2d, axis=2).max(-1)
    assert np.percentile(error / size[..., None], 95) < 0.1


def test_wrist_poses_are_orthonormal_and_those_of_the_joints(hands):
    R = hands.T_camera_wrist[..., :3, :3]
    assert np.allclose(R @ np.swapaxes(R, -1, -2), np.eye(3), atol=1e-9)
    assert np.allclose(np.linalg.det(R), 1.0)
    assert np.allclose(hands.T_camera_wrist[:, 0], wrist_frame(hands.joints[:, 0], left=True))


def test_smoothing_does_not_lag(both, hands):
    # Depth is ambiguous to a scale; the motion across the image is not.
    seen, truth = hands.joints_2d[:, 1, 9, 0], project(CAMERA.K, both[2])[:, 9, 0]
    shifts = range(-3, 4)
    errors = [np.abs(np.roll(seen, s)[10:-10] - truth[10:-10]).mean() for s in shifts]
    assert shifts[int(np.argmin(errors))] == 0


def test_short_gaps_are_filled_and_marked_and_long_ones_are_not(both):
    time, _, right = both
    seen = right.copy()
    seen[30:40] = np.nan  # 0.37 s between the frames around it
    seen[70:95] = np.nan  # 0.87 s
    hands = reconstruct_hands(detect([seen], [0.9], CAMERA), CAMERA, time, PARAMS)
    source = hands.source[:, 1]
    assert (source[30:40] == HandSource.INFILLED).all()
    assert (source[70:95] == HandSource.ABSENT).all()
    assert np.isnan(hands.joints[70:95, 1]).all()
    assert np.isnan(hands.joints_2d[70:95, 1]).all()
    assert np.isnan(hands.T_camera_wrist[70:95, 1]).all()
    assert (hands.score[70:95, 1] == 0).all()
    assert 0 < hands.score[35, 1] < 0.6 * hands.score[29, 1]
    assert np.linalg.norm(hands.joints[30:40, 1] - right[30:40], axis=-1).mean() < 0.06
    assert np.allclose(hands.joints_2d[30:40, 1], project(CAMERA.K, hands.joints[30:40, 1]))
    assert not np.isnan(hands.joints[(source > 0), 1]).any()


def test_a_gap_at_either_end_is_not_invented(both):
    time, _, right = both
    seen = right.copy()
    seen[:5], seen[-5:] = np.nan, np.nan
    source = reconstruct_hands(detect([seen], [0.9], CAMERA), CAMERA, time, PARAMS).source[:, 1]
    assert (source[:5] == 0).all()
    assert (source[-5:] == 0).all()


def test_teleports_and_flipped_frames_are_replaced(both):
    time, _, right = both
    clean = detect([right], [0.9], CAMERA)
    px = clean.landmarks_px.copy()
    px[50, 0] += 120.0
    px[80, 0] = 2 * px[80, 0].mean(0) - px[80, 0]
    hands = reconstruct_hands(
        HandDetections(px, clean.world_m, clean.right_probability, clean.score), CAMERA, time, PARAMS
    )
    assert hands.source[[50, 80], 1].tolist() == [HandSource.INFILLED] * 2
    assert np.linalg.norm(hands.joints[[50, 80], 1] - right[[50, 80]], axis=-1).mean() < 0.05


def test_nobody_is_no_error():
    n = 4
    empty = HandDetections(
        np.full((n, 1, 21, 2), np.nan), np.full((n, 1, 21, 3), np.nan), np.full((n, 1), 0.5), np.zeros((n, 1))
    )
    hands = reconstruct_hands(empty, CAMERA, np.arange(n) / 30, PARAMS)
    assert (hands.source == 0).all()
    assert np.isnan(hands.joints).all()
    assert hands.joints.shape == (n, 2, 21, 3)


def test_one_frame_is_enough():
    _, right = right_hand_path(1)
    hands = reconstruct_hands(detect([right], [0.9], CAMERA), CAMERA, np.zeros(1), PARAMS)
    assert hands.joints.shape == (1, 2, 21, 3)


def test_equal_input_gives_equal_bytes(both):
    time, left, right = both
    detections = detect([left, right], [0.1, 0.9], CAMERA, noise_px=1.0)
    a, b = (reconstruct_hands(detections, CAMERA, time, PARAMS) for _ in range(2))
    assert a.joints.tobytes() == b.joints.tobytes()
