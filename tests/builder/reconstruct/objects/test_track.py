import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hoiset.builder.reconstruct.objects.track import Cue, apply, compose, follow, overlap, scale_of, warp_mask

from ..conftest import search
from ..scenes import iou, moved, scene_of

number = st.floats(-50, 50)


@st.composite
def similarities(draw):
    scale, angle = draw(st.floats(0.2, 5)), draw(st.floats(-np.pi, np.pi))
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, draw(number)], [s, c, draw(number)]])


points = arrays(np.float64, (5, 2), elements=number)


def inverse(a):
    linear = np.linalg.inv(a[:, :2])
    return np.column_stack([linear, -linear @ a[:, 2]])


@given(similarities(), similarities(), points)
def test_compose_applies_the_second_first(a, b, xy):
    assert np.allclose(apply(compose(a, b), xy), apply(a, apply(b, xy)), atol=1e-8)


@given(similarities(), points)
def test_an_inverse_undoes(a, xy):
    assert np.allclose(apply(inverse(a), apply(a, xy)), xy, atol=1e-8)
    assert np.allclose(compose(a, inverse(a)), np.eye(2, 3), atol=1e-8)


@given(similarities(), similarities())
def test_scales_multiply(a, b):
    assert scale_of(compose(a, b)) == pytest.approx(scale_of(a) * scale_of(b))
    assert np.allclose(scale_of(np.stack([a, b])), [scale_of(a), scale_of(b)])


@given(st.integers(-20, 20), st.integers(-20, 20))
def test_a_shifted_silhouette_is_the_rolled_one(dx, dy):
    mask = np.zeros((60, 80), bool)
    mask[25:35, 30:50] = True
    assert (warp_mask(mask, np.array([[1.0, 0, dx], [0, 1, dy]])) == np.roll(mask, (dy, dx), (0, 1))).all()


def test_overlap_is_of_the_smaller():
    a, b = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    a[:4], b[:2] = True, True
    assert overlap(a, b) == overlap(b, a) == 1.0
    assert overlap(a, ~a) == 0.0
    assert overlap(a, np.zeros_like(a)) == 0.0


@pytest.fixture(scope="module", params=["carry", "turned", "nearer"])
def shot(request):
    if request.param == "carry":
        return request.getfixturevalue("carry")
    return moved(turn=0.8) if request.param == "turned" else moved(to_depth=0.72)


def test_a_silhouette_is_followed_to_where_it_comes_to_rest(shot):
    scene = scene_of(shot)
    before, after = search(shot, scene).anchors
    track, reached = follow(scene, before, np.arange(before.last - 3, len(shot.time)), [after])
    assert reached is after
    assert track.frames[-1] >= after.first
    assert (track.cue[1:] == Cue.FLOW).mean() > 0.9
    for t, affine in zip(track.frames, track.affine, strict=True):
        assert iou(warp_mask(before.mask, affine), shot.masks[0, t]) > 0.75
    assert np.nanmin(track.quality) > scene.params.track_quality
    for cue, matches, affine in zip(track.cue, track.matches, track.affine, strict=True):
        assert (len(matches) > 0) == (cue == Cue.FLOW)
        if len(matches):
            assert np.median(np.linalg.norm(apply(affine, matches[:, :2]) - matches[:, 2:], axis=1)) < 2


def test_it_is_followed_backwards_as_well(carry, carry_scene, carry_search):
    before, after = carry_search.anchors
    track, _ = follow(carry_scene, after, np.arange(after.first, before.last - 1, -1))
    for t, affine in zip(track.frames, track.affine, strict=True):
        assert iou(warp_mask(after.mask, affine), carry.masks[0, t]) > 0.7


def test_following_ends_when_the_thing_is_gone(gone, gone_scene):
    (anchor,) = search(gone, gone_scene).anchors
    track, reached = follow(gone_scene, anchor, np.arange(anchor.last, len(gone.time)))
    assert reached is None
    whole = gone.masks[0, 0].sum()
    for t, affine, cue in zip(track.frames, track.affine, track.cue, strict=True):
        if gone.masks[0, t].sum() > 0.9 * whole:
            assert iou(warp_mask(anchor.mask, affine), gone.masks[0, t]) > 0.7
        if not gone.masks[0, t].any():
            assert cue == Cue.LOST
    assert track.cue[-1] == Cue.LOST
    out = np.nonzero(~gone.masks[0].any((1, 2)))[0][0]
    assert track.frames[-1] <= out + 1 + round(0.5 * 15) + 1
    assert track.frames[-1] < len(gone.time) - 5


def test_a_thing_that_vanishes_where_it_stands_is_not_seen_there(carry, carry_scene, carry_search):
    before, _ = carry_search.anchors
    # Begun at a moment at which the place is already bare.
    t0 = int(np.nonzero(carry.time > 2.4)[0][0])
    track, _ = follow(carry_scene, before, np.arange(t0, len(carry.time)))
    assert (track.cue[1:] == Cue.LOST).all()
    assert not (track.quality[1:] > 0.3).any()


def test_equal_input_gives_equal_bytes(carry_scene, carry_search):
    before, _ = carry_search.anchors
    a, b = (follow(carry_scene, before, np.arange(before.last, before.last + 12))[0] for _ in range(2))
    assert a.affine.tobytes() == b.affine.tobytes()
