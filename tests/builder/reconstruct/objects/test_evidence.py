from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hoiset.builder.reconstruct.objects.evidence import (
    behind_wrist,
    confidence,
    evidence,
    finger_gap,
    moved_by_hand,
    outline_contrast,
    same_way,
    velocity,
    why_no_object,
)
from hoiset.builder.reconstruct.objects.track import Cue

from ..scenes import iou

vectors = arrays(np.float64, (6, 2), elements=st.integers(-100, 100).map(float))


@given(vectors, vectors)
def test_going_the_same_way_is_mutual(a, b):
    assert (same_way(a, b) == same_way(b, a)).all()


@given(vectors, st.floats(0.3, 3.9))
def test_a_vector_goes_the_way_of_its_multiples_and_not_of_its_opposite(a, factor):
    moving = a.any(1)
    assert (same_way(a, factor * a) == moving).all()
    assert not same_way(a, -factor * a).any()
    assert not same_way(a, 6 * a).any()


@given(st.floats(-np.pi, np.pi), st.floats(0, np.pi))
def test_the_angle_between_decides(angle, turn):
    a, b = (np.array([[np.cos(x), np.sin(x)]]) for x in (angle, angle + turn))
    if turn < np.radians(60):
        assert same_way(a, b)[0]
    if turn > np.radians(75):
        assert not same_way(a, b)[0]


def test_nothing_goes_the_way_of_what_rests_or_is_absent():
    assert not same_way(np.array([[1.0, 0], [0, 0], [np.nan, 1]]), np.array([[0.0, 0], [0, 0], [1, 1]])).any()


@given(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), st.sampled_from([10.0, 15.0, 30.0, 60.0]))
def test_the_velocity_of_uniform_motion_is_exact_up_to_the_ends(v, fps):
    time = np.arange(20) / fps
    assert np.allclose(velocity(time[:, None] * v + 7, time), v, atol=1e-9)


def test_an_absent_end_leaves_no_velocity():
    time = np.arange(20) / 10
    points = np.column_stack([time, time])
    points[10] = np.nan
    assert np.nonzero(np.isnan(velocity(points, time)).any(1))[0].tolist() == [9, 11]


def test_a_track_lies_on_the_thing_in_every_frame(carry, carry_track):
    for t in range(len(carry.time)):
        assert iou(carry_track.silhouette(t), carry.masks[0, t]) > 0.75
    y, x = np.nonzero(carry.masks[0, 20])
    assert np.linalg.norm(carry_track.centroid()[20] - [x.mean(), y.mean()]) < 3


def test_an_absent_frame_has_no_silhouette(carry_track):
    affine = carry_track.affine.copy()
    affine[3] = np.nan
    track = replace(carry_track, affine=affine)
    assert not track.silhouette(3).any()
    assert np.isnan(track.centroid()[3]).all()


def test_the_gap_is_nan_without_a_hand_none_in_touch_and_large_before(carry, carry_scene, carry_track):
    frames = np.arange(len(carry.time))
    gap = finger_gap(carry_scene, carry_track, frames)
    assert np.isnan(gap[:, 0]).all()
    assert (np.isfinite(gap[:, 1]) == np.isfinite(carry.joints_2d[:, 1]).all((1, 2))).all()
    held = (carry.time > 1.0) & (carry.time < 1.8)
    assert (gap[held, 1] < 0.05).all()
    seen = np.nonzero(np.isfinite(gap[:, 1]))[0]
    assert gap[seen[-1], 1] > 0.2


def test_a_carried_thing_is_moved_by_the_hand(carry_scene, carry_track):
    assert moved_by_hand(carry_scene, carry_track) > 0.9
    assert outline_contrast(carry_scene, carry_track) > 0.8
    assert confidence(carry_scene, carry_track) > 0.9
    assert evidence(carry_track) > 0
    assert why_no_object(carry_scene, carry_track) == ""


def with_hands(scene, joints_2d):
    return replace(scene, joints_2d=joints_2d)


def test_a_hand_that_goes_elsewhere_moves_nothing(carry, carry_scene, carry_track):
    still = np.broadcast_to(carry.joints_2d[18:19], carry.joints_2d.shape).copy()
    assert moved_by_hand(with_hands(carry_scene, still), carry_track) < 0.3
    far = carry.joints_2d + np.array([0, 400])
    assert moved_by_hand(with_hands(carry_scene, far), carry_track) == 0.0
    assert "too_little_evidence" in why_no_object(with_hands(carry_scene, far), carry_track)


def test_a_patch_out_of_something_larger_has_no_outline(carry_scene, carry_track):
    small = cv2.erode(carry_track.mask.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    assert outline_contrast(carry_scene, replace(carry_track, mask=small)) < 0.3


def changed(track, **how):
    return replace(track, **how)


def test_every_reason_is_given(carry_scene, carry_track):
    n = len(carry_track.cue)
    reasons = {
        "looks_like_the_person": {"histogram": carry_scene.person},
        "not_followed": {"cue": np.full(n, Cue.STANDING, np.uint8)},
        "poorly_followed": {"quality": np.full(n, 0.2)},
        "hardly_moved": {"affine": np.broadcast_to(np.eye(2, 3), (n, 2, 3))},
    }
    for reason, how in reasons.items():
        assert why_no_object(carry_scene, changed(carry_track, **how)).startswith(reason)
    hidden = carry_track.cue.copy()
    flow = np.nonzero(hidden == Cue.FLOW)[0]
    hidden[flow[3:]] = Cue.HAND
    assert why_no_object(carry_scene, changed(carry_track, cue=hidden)) == "seen_too_little_in_motion"


def test_what_rests_has_no_evidence(carry_scene, carry_track):
    resting = changed(carry_track, cue=np.full(len(carry_track.cue), Cue.STANDING, np.uint8))
    assert evidence(resting) == 0.0
    assert confidence(carry_scene, resting) == 0.0
    assert outline_contrast(carry_scene, resting) == 0.0
    slow = changed(carry_track, affine=np.broadcast_to(np.eye(2, 3), carry_track.affine.shape))
    assert moved_by_hand(carry_scene, slow) == pytest.approx(np.nan, nan_ok=True)


@pytest.mark.parametrize("hand_sizes", [0.4, 1.0, -0.6])
def test_what_lies_up_the_arm_is_behind_the_wrist(carry_scene, carry_track, hand_sizes):
    """The same silhouette, laid at a distance from the wrist along the line from the middle knuckle."""
    joints = carry_scene.joints_2d
    h = int(np.isfinite(joints).all((2, 3)).sum(0).argmax())
    frames = np.isfinite(joints[:, h]).all((1, 2))
    along = joints[:, h, 0] - joints[:, h, 9]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    place = joints[:, h, 0] + hand_sizes * carry_scene.size_px[h] * along
    y, x = np.nonzero(carry_track.mask)
    affine = np.full((len(joints), 2, 3), np.nan)
    affine[frames] = np.eye(2, 3)
    affine[frames, :, 2] = place[frames] - (x.mean(), y.mean())
    cue = np.where(frames, Cue.FLOW, Cue.LOST).astype(np.uint8)
    sleeve = changed(carry_track, affine=affine, cue=cue, quality=np.ones(len(joints)))
    assert behind_wrist(carry_scene, sleeve) == pytest.approx(hand_sizes, abs=0.01)
    assert why_no_object(carry_scene, sleeve).startswith("behind_the_wrist") == (hand_sizes > 0)
