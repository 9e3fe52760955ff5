import numpy as np

from hoiset.builder.reconstruct.tracks import TrackParams, finger_bend, track_hands, without_duplicates
from hoiset.builder.records import HandDetections

from .synthetic import camera, detect, hand, place, right_hand_path

CAMERA, PARAMS = camera(), TrackParams()


def still(n, at, *, left=False, curl=0.3):
    return np.repeat(place(hand(curl, left=left), np.array(at), np.zeros(3))[None], n, 0)


def crossing(n):
    """A right hand from image left to right and a left hand the other way, through each other."""
    x = np.linspace(-0.25, 0.25, n)
    right = np.stack([place(hand(0.3), np.array([v, 0.0, 0.75]), np.array([-0.2, 0, 0.5])) for v in x])
    left = np.stack([place(hand(0.3, left=True), np.array([-v, 0.03, 0.8]), np.array([-0.2, 0, -0.5])) for v in x])
    return left, right


def centre(detections, tracks, side):
    rows = np.arange(len(tracks.slot))
    return detections.landmarks_px[rows, tracks.slot[:, side]].mean(1)


def test_identities_hold_through_a_crossing():
    left, right = crossing(60)
    time = np.arange(60) / 30
    detections = detect([left, right], [0.2, 0.8], CAMERA, noise_px=0.7)
    tracks = track_hands(detections, time, PARAMS)
    for side, way in ((0, -1), (1, 1)):
        seen = tracks.slot[:, side] >= 0
        assert seen.mean() > 0.85, "while one covers the other they may count as one"
        assert np.all(way * np.diff(centre(detections, tracks, side)[seen, 0]) > 0)


def test_the_side_is_decided_over_the_clip_and_not_by_frame():
    time, right = right_hand_path(90)
    detections = detect([right], [0.9], CAMERA)
    p = detections.right_probability.copy()
    p[20:50] = 0.2
    flickering = HandDetections(detections.landmarks_px, detections.world_m, p, detections.score)
    tracks = track_hands(flickering, time, PARAMS)
    assert (tracks.slot[:, 1] >= 0).all()
    assert (tracks.slot[:, 0] < 0).all()


def test_fingers_bend_towards_the_palm():
    for left in (False, True):
        bend = finger_bend(np.stack([hand(curl, left=left) for curl in (0.1, 0.3, 0.6)]))
        assert (bend < 0).all() == left
        assert (np.diff(np.abs(bend)) > 0).all()


def test_fingers_decide_where_the_detector_is_unsure():
    time, right = right_hand_path(60)
    tracks = track_hands(detect([right], [0.45], CAMERA), time, PARAMS)
    assert (tracks.slot[:, 1] >= 0).all()
    sure = track_hands(detect([right], [0.03], CAMERA), time, PARAMS)
    assert (sure.slot[:, 0] >= 0).all()


def test_two_hands_that_the_detector_calls_by_one_name_are_still_two():
    n = 60
    a, b = still(n, [-0.2, 0, 0.8], curl=0.0), still(n, [0.2, 0, 0.8], left=True, curl=0.0)  # fingers say nothing
    detections = detect([a, b], [0.9, 0.6], CAMERA, noise_px=0.5)
    tracks = track_hands(detections, np.arange(n) / 30, PARAMS)
    assert (tracks.slot >= 0).all()
    assert centre(detections, tracks, 1)[:, 0].max() < centre(detections, tracks, 0)[:, 0].min()
    assert any("left hand" in remark for remark in tracks.fallbacks)


def test_two_detections_on_one_hand_are_one():
    time, right = right_hand_path(40)
    ghost = right + np.array([0.004, 0.0, 0.0])
    detections = detect([right, ghost], [0.9, 0.1], CAMERA, noise_px=0.5)
    tracks = track_hands(detections, time, PARAMS)
    assert ((tracks.slot >= 0).sum(1) == 1).all()


def test_of_three_hands_the_two_that_act_are_kept_and_it_is_said():
    n = 90
    time, right = right_hand_path(n)
    left = right * [-1, 1, 1] + [-0.25, 0, 0]
    other = still(n, [0.0, -0.2, 1.2], left=True)
    detections = detect([right + np.array([0.2, 0, 0]), left, other], [0.9, 0.1, 0.1], CAMERA)
    tracks = track_hands(detections, time, PARAMS)
    assert (tracks.slot >= 0).all()
    assert centre(detections, tracks, 0)[:, 0].max() < 320
    assert any("dropped" in remark for remark in tracks.fallbacks)


def test_a_short_false_hand_is_noise():
    n = 120
    time, right = right_hand_path(n)
    false = still(n, [0.3, -0.15, 1.5], left=True)
    false[20:] = np.nan
    detections = detect([right, false], [0.9, 0.3], CAMERA)
    score = np.where(detections.right_probability == 0.3, 0.6, detections.score)
    tracks = track_hands(
        HandDetections(detections.landmarks_px, detections.world_m, detections.right_probability, score), time, PARAMS
    )
    assert (tracks.slot[:, 0] < 0).all()
    assert (tracks.slot[:, 1] >= 0).all()


def test_one_reading_as_a_small_hand_does_not_split_a_hand():
    n = 30
    at = still(n, [0.0, 0.0, 0.8], left=True)
    detections = detect([at], [0.05], CAMERA)
    px, right = detections.landmarks_px.copy(), detections.right_probability.copy()
    middle = px[20, 0].mean(0)
    px[20, 0] = middle + 0.6 * (px[20, 0] - middle)
    px[21:, 0] = px[21:, 0].mean(1, keepdims=True) + 1.1 * (px[21:, 0] - px[21:, 0].mean(1, keepdims=True))
    right[20:] = 0.98  # of itself the rest would be a right hand, and a short one
    tracks = track_hands(HandDetections(px, detections.world_m, right, detections.score), np.arange(n) / 10, PARAMS)
    assert (tracks.slot[:, 0] >= 0).all()
    assert (tracks.slot[:, 1] < 0).all()


def test_the_smaller_hand_is_noise_only_where_it_is_worth_less():
    n = 60
    near, far = still(n, [-0.15, 0.0, 0.5]), still(n, [0.2, 0.0, 1.1], left=True)
    for seen, kept in ((n, True), (n // 4, False)):
        one, other = near.copy(), far.copy()
        (one if kept else other)[n // 4 :] = np.nan
        detections = detect([one, other], [0.9, 0.1], CAMERA)
        score = np.where(detections.right_probability == 0.1, 0.85, detections.score)
        found = HandDetections(detections.landmarks_px, detections.world_m, detections.right_probability, score)
        tracks = track_hands(found, np.arange(n) / 30, PARAMS)
        assert (tracks.slot[:, 0] >= 0).sum() == (seen if kept else 0)


def test_a_hand_misread_for_a_while_is_not_the_other_one_that_comes_in_elsewhere():
    n = 60
    right, left = still(n, [-0.2, 0, 0.8], curl=0.0), still(n, [0.25, 0, 0.8], left=True, curl=0.0)
    right[8:18], right[36:], left[:30] = np.nan, np.nan, np.nan
    seen = detect([right, left], [0.9, 0.05], CAMERA)
    misread = (np.arange(n) >= 18)[:, None] & (seen.right_probability == 0.9)
    p = np.where(misread, 0.3, seen.right_probability)
    tracks = track_hands(HandDetections(seen.landmarks_px, seen.world_m, p, seen.score), np.arange(n) / 30, PARAMS)
    assert ((tracks.slot[:, 1] >= 0) == np.isfinite(right[:, 0, 0])).all()
    assert ((tracks.slot[:, 0] >= 0) == np.isfinite(left[:, 0, 0])).all()


def test_frames_stand_as_long_as_they_last():
    """Two frames at 10 Hz show a hand for 0.2 s; at 30 Hz they are noise."""
    for rate_hz, kept in ((10.0, True), (30.0, False)):
        hand_alone = still(20, [0.0, 0.0, 0.8])
        hand_alone[2:] = np.nan
        tracks = track_hands(detect([hand_alone], [0.9], CAMERA), np.arange(20) / rate_hz, PARAMS)
        assert (tracks.slot >= 0).any() == kept


def test_a_hand_that_comes_back_is_the_same_hand():
    n = 90
    time, right = right_hand_path(n)
    right[40:55] = np.nan
    tracks = track_hands(detect([right], [0.8], CAMERA), time, PARAMS)
    assert ((tracks.slot[:, 1] >= 0) == ~np.isnan(right[:, 0, 0])).all()


def test_the_same_seconds_at_another_frame_rate_give_the_same_identities():
    for n in (30, 60, 120):
        left, right = crossing(n)
        detections = detect([left, right], [0.2, 0.8], CAMERA)
        tracks = track_hands(detections, np.linspace(0, 2, n), PARAMS)
        assert (tracks.slot >= 0).mean() > 0.85
        assert centre(detections, tracks, 1)[-1, 0] > centre(detections, tracks, 0)[-1, 0]


def test_no_detections_are_no_hands():
    empty = HandDetections(
        np.full((5, 1, 21, 2), np.nan), np.full((5, 1, 21, 3), np.nan), np.full((5, 1), 0.5), np.zeros((5, 1))
    )
    tracks = track_hands(empty, np.arange(5) / 30, PARAMS)
    assert (tracks.slot == -1).all()
    assert tracks.fallbacks == ()


def test_duplicates_keep_the_surer():
    px = np.random.default_rng(0).uniform(0, 50, (3, 21, 2))
    px[1] = px[0] + 1.0
    px[2] = px[0] + 200.0
    assert without_duplicates(px, np.array([0.7, 0.9, 0.8]), PARAMS) == [1, 2]
