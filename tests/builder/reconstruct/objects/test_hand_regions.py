import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hoiset.builder.reconstruct.objects.hand_regions import (
    forearm_mask,
    gap_to_mask,
    hand_mask,
    hand_size_px,
    palm_mask,
)

SHAPE = (60, 80)
anywhere = arrays(np.float64, (2, 21, 2), elements=st.floats(-300, 400))


@pytest.fixture
def joints(carry):
    """Both hands of one frame: the left one absent."""
    return carry.joints_2d[20]


@given(anywhere, st.lists(st.booleans(), min_size=2, max_size=2))
def test_masks_have_the_codes_of_present_hands_wherever_these_are(joints, present):
    joints = np.where(np.array(present)[:, None, None], joints, np.nan)
    codes = {0} | {h + 1 for h in range(2) if present[h]}
    size = np.array([50.0, 50.0])
    for mask in (hand_mask(joints, size, SHAPE), palm_mask(joints, SHAPE), forearm_mask(joints, size, SHAPE)):
        assert mask.shape == SHAPE
        assert set(np.unique(mask)) <= codes


def test_the_hand_covers_its_joints_and_not_much_else(carry, joints):
    size = hand_size_px(carry.joints_2d)
    mask = hand_mask(joints, size, carry.rgb.shape[1:3])
    x, y = np.round(joints[1]).astype(int).T
    assert (mask[y, x] == 2).all()
    assert set(np.unique(mask)) == {0, 2}
    assert 0.15 * size[1] ** 2 < (mask > 0).sum() < size[1] ** 2


def test_the_palm_is_part_of_the_hand(carry, joints):
    shape = carry.rgb.shape[1:3]
    palm = palm_mask(joints, shape) > 0
    hand = hand_mask(joints, hand_size_px(carry.joints_2d), shape) > 0
    assert palm.any()
    assert (hand | ~palm).all()
    assert palm.sum() < 0.7 * hand.sum()
    x, y = np.round(joints[1, [8, 12, 16, 20]]).astype(int).T
    assert not palm[y, x].any()


def test_the_forearm_goes_from_the_wrist_away_from_the_fingers(carry, joints):
    arm = forearm_mask(joints, hand_size_px(carry.joints_2d), carry.rgb.shape[1:3])
    wrist = joints[1, 0]
    away = wrist - joints[1, 9]
    away = away / np.linalg.norm(away)
    before, after = np.round(wrist - 8 * away).astype(int), np.round(wrist + 8 * away).astype(int)
    assert arm[before[1], before[0]] == 0
    assert arm[after[1], after[0]] == 2


def test_a_hand_without_a_direction_has_no_forearm():
    assert not forearm_mask(np.full((2, 21, 2), 20.0), np.array([10.0, 10.0]), SHAPE).any()


def test_the_size_is_that_of_most_frames_and_nan_for_nobody():
    joints = np.full((10, 2, 21, 2), np.nan)
    joints[:, 1] = np.random.default_rng(0).uniform(0, 1, (21, 2)) * [30, 50]
    joints[0, 1] *= 9
    joints[3, 1] = np.nan
    size = hand_size_px(joints)
    assert np.isnan(size[0])
    assert size[1] == pytest.approx(np.ptp(joints[1, 1, :, 1]))


@given(
    arrays(np.float64, (3, 21, 2), elements=st.floats(-100, 200)),
    st.tuples(st.integers(0, 50), st.integers(0, 70), st.integers(1, 30)),
)
def test_the_gap_is_the_least_distance_from_joint_to_silhouette(joints, box):
    top, left, side = box
    mask = np.zeros(SHAPE, np.uint8)
    mask[top : top + side, left : left + side] = 1
    pixels = np.argwhere(mask)[:, ::-1]
    true = np.linalg.norm(joints[:, :, None] - pixels, axis=-1).min((1, 2))
    found = gap_to_mask(joints, mask)
    # Outside the image the way is measured by way of the border, so it may be longer, never shorter.
    inside = ((joints >= 0) & (joints <= [SHAPE[1] - 1, SHAPE[0] - 1])).all((1, 2))
    assert (found >= true - 1.6 - 0.03 * true).all()
    assert (np.abs(found - true) <= 1.6 + 0.03 * true)[inside].all()


def test_the_gap_of_an_absent_hand_is_nan():
    joints = np.full((2, 21, 2), np.nan)
    joints[1] = 5.0
    gap = gap_to_mask(joints, np.ones(SHAPE, np.uint8))
    assert np.isnan(gap[0])
    assert gap[1] == 0
