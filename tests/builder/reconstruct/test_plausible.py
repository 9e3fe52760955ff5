from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hoiset.builder.reconstruct.hands import HandParams, reconstruct_hands
from hoiset.builder.reconstruct.plausible import PlausibleParams, Readings, choose_readings, too_fast, worth_most
from hoiset.builder.reconstruct.tracks import PALM, TrackParams
from hoiset.builder.records import HandDetections
from hoiset.geometry import angle_between, make_T, project
from hoiset.shards.schema import HandSource

from .synthetic import camera, detect, right_hand_path

CAMERA, PARAMS = camera(), PlausibleParams()
MIRRORED = [0, 1, 2, 3, 4, *range(17, 21), *range(13, 17), *range(9, 13), *range(5, 9)]
"""The joints' order as another hand's: what a detector tells where it takes the back of a hand for the other's."""


def mirrored(joints, frames):
    out = joints.copy()
    out[frames] = joints[frames][:, MIRRORED]
    return out


def misread(detections, frames, right):
    probability = detections.right_probability.copy()
    probability[frames] = right
    return HandDetections(detections.landmarks_px, detections.world_m, probability, detections.score)


def steps(time, hands, side):
    T = hands.T_camera_wrist[:, side]
    speed = np.linalg.norm(np.diff(T[:, :3, 3], axis=0), axis=-1) / np.diff(time)
    return speed, angle_between(T[1:, :3, :3], T[:-1, :3, :3]) / np.diff(time)


def spin(angles, time):
    R = Rotation.from_euler("y", np.asarray(angles, float)[:, None]).as_matrix()
    return Readings(np.asarray(time, float), np.zeros((len(R), 3)), R, np.full(len(R), np.median(np.diff(time))))


@pytest.mark.parametrize("seconds", [0.035, 0.2, 0.4])
def test_a_hand_taken_for_its_mirror_image_keeps_its_palm_where_it_was(seconds):
    time, right = right_hand_path(120)
    wrong = np.flatnonzero((time >= 2.0) & (time < 2.0 + seconds))
    detections = misread(detect([mirrored(right, wrong)], [0.9], CAMERA, noise_px=0.5), wrong, 0.05)
    hands = reconstruct_hands(detections, CAMERA, time, HandParams())
    assert (hands.source[wrong, 1] == HandSource.INFILLED).all()
    assert (np.delete(hands.source[:, 1], wrong) == HandSource.OBSERVED).all()
    assert steps(time, hands, 1)[1].max() < PARAMS.max_turn_rad_per_s
    assert np.linalg.norm(hands.joints[wrong, 1] - right[wrong], axis=-1).mean() < 0.05


def test_a_second_reading_of_the_hand_takes_the_place_of_the_mirrored_one():
    time, right = right_hand_path(120)
    wrong = np.arange(50, 62)
    good, bad = detect([right], [0.9], CAMERA), detect([mirrored(right, wrong)], [0.9], CAMERA)
    bad = misread(bad, wrong, 0.05)
    score = np.stack([np.full(120, 0.97), np.where(np.isin(np.arange(120), wrong), 0.8, 0.0)], 1)
    px, world = (np.concatenate([getattr(d, n) for d in (bad, good)], 1) for n in ("landmarks_px", "world_m"))
    both = HandDetections(px, world, np.concatenate([bad.right_probability, good.right_probability], 1), score)
    slots = np.stack([np.full(120, -1), np.zeros(120, int)], 1)
    chosen = choose_readings(both, slots, 1, time, 0.187, TrackParams(), PARAMS)
    assert np.flatnonzero(chosen == 1).tolist() == wrong.tolist()
    assert (reconstruct_hands(both, CAMERA, time, HandParams()).source[:, 1] == HandSource.OBSERVED).all()


def test_a_hand_does_not_fly_to_where_the_other_is_and_back():
    time, right = right_hand_path(120)
    right, left = right + np.array([0.2, 0, 0]), right * [-1, 1, 1] - [0.2, 0, 0]
    swapped = np.arange(60, 66)
    left[55:75] = np.nan
    there = right.copy()
    there[swapped] -= [0.4, 0, 0]
    hands = reconstruct_hands(detect([left, there], [0.1, 0.9], CAMERA), CAMERA, time, HandParams())
    assert (hands.source[swapped, 1] == HandSource.INFILLED).all()
    assert np.nanmax(steps(time, hands, 1)[0]) < PARAMS.max_speed_m_per_s
    assert np.linalg.norm(hands.joints[:, 1] - right, axis=-1).mean(1).max() < 0.08


@pytest.mark.parametrize(("metres", "kept"), [(0.16, True), (0.9, False)])
def test_a_reading_is_left_out_that_the_hand_would_have_to_fly_to(metres, kept):
    n, away = 30, np.arange(12, 15)
    place = np.zeros((n, 2))
    place[away, 0] = metres  # 4.8 m/s from one frame to the next, or too far for all of the frames away
    readings = Readings(np.arange(n) / 30, place, np.broadcast_to(np.eye(3), (n, 3, 3)), np.full(n, 1 / 30))
    assert (worth_most(readings, PARAMS)[away] == kept).all()
    assert np.delete(worth_most(readings, PARAMS), away).all()


def test_an_outlier_of_several_frames_is_no_observation():
    time, right = right_hand_path(120)
    turned = right.copy()
    wrong = np.arange(40, 44)  # longer than a median over neighbours can tell
    about = right[wrong].mean(1, keepdims=True)
    turned[wrong] = (right[wrong] - about) * [-1, -1, 1] + about
    hands = reconstruct_hands(detect([turned], [0.9], CAMERA), CAMERA, time, HandParams())
    assert (hands.source[wrong, 1] == HandSource.INFILLED).all()
    assert steps(time, hands, 1)[1].max() < PARAMS.max_turn_rad_per_s
    assert np.linalg.norm(hands.joints[wrong, 1] - right[wrong], axis=-1).mean() < 0.05


def test_what_a_hand_cannot_have_crossed_is_not_filled():
    time, right = right_hand_path(120)
    there = right.copy()
    there[:60] -= [0.3, 0, 0]
    there[60:] += [0.3, 0, 0]
    there[56:62] = np.nan
    hands = reconstruct_hands(detect([there], [0.9], CAMERA), CAMERA, time, HandParams())
    assert (hands.source[56:62, 1] == HandSource.ABSENT).all()
    assert (hands.source[:50, 1] == HandSource.OBSERVED).all()
    assert (hands.source[70:, 1] == HandSource.OBSERVED).all()


@pytest.mark.parametrize("rate_hz", [10, 30, 60])
def test_what_is_kept_does_not_hang_on_the_frame_rate(rate_hz):
    time = np.arange(int(2 * rate_hz)) / rate_hz
    wrong = (time >= 0.95) & (time < 1.25)
    readings = spin(np.where(wrong, np.pi, 0.0) + 2.0 * time, time)
    worth = readings.worth * np.where(wrong, PARAMS.least_agreement, 1.0)
    kept = worth_most(Readings(readings.time, readings.place, readings.rotation, worth), PARAMS, slack_rad=1.0)
    assert (kept == ~wrong).all()


def test_quick_turns_of_a_hand_are_all_kept():
    time = np.arange(60) / 30
    readings = spin(1.2 * np.sin(10.0 * time), time)  # 12 rad/s at most
    assert worth_most(readings, PARAMS, slack_rad=PARAMS.slack_rad).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-3.0, 3.0), min_size=2, max_size=25), st.integers(0, 2**31))
def test_what_is_kept_is_within_what_hands_do(angles, seed):
    rng = np.random.default_rng(seed)
    time = np.cumsum(rng.uniform(0.01, 0.1, len(angles)))
    readings = spin(angles, time)
    readings = Readings(time, rng.normal(0, 0.2, (len(angles), 3)), readings.rotation, readings.worth)
    kept = np.flatnonzero(worth_most(readings, PARAMS))
    assert len(kept)
    T = make_T(readings.rotation, readings.place)
    for a, b in pairwise(kept):
        if time[b] - time[a] <= PARAMS.horizon_s:
            assert not too_fast(time[[a, b]], T[[a, b]], PARAMS).any()


def test_a_filled_hand_is_where_the_disbelieved_reading_has_its_palm():
    time, right = right_hand_path(120)
    right = right + 0.06 * np.sin(9.0 * time)[:, None, None] * np.array([0.0, 1.0, 0.0])
    wrong = np.arange(50, 62)
    detections = misread(detect([mirrored(right, wrong)], [0.9], CAMERA), wrong, 0.05)
    hands = reconstruct_hands(detections, CAMERA, time, HandParams())
    assert (hands.source[wrong, 1] == HandSource.INFILLED).all()
    seen, truth = (project(CAMERA.K, j[:, list(PALM)].mean(1)) for j in (hands.joints[:, 1], right))
    assert np.linalg.norm(seen - truth, axis=-1)[wrong].max() < 12.0
