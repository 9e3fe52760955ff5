import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hoiset.builder.reconstruct.objects.plane_maps import apply, compose, overlap, scale_of, warp_mask
from hoiset.builder.reconstruct.objects.track import Cue, follow

from ..conftest import search
from ..scenes import DEPTH, LEFT_S, SKIN, TAKEN_S, Take, Thing, carried, ease, iou, moved, reaching, scene_of, take

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


def smeared(shot: Take, o: int, start_s: float, end_s: float) -> Take:
    """One thing without its pattern for a while, as quick motion smears it: nothing is left that flow could follow."""
    rgb = shot.rgb.copy()
    for t in np.flatnonzero((shot.time >= start_s) & (shot.time < end_s)):
        skin = np.abs(rgb[t].astype(int) - SKIN).sum(-1) < 60
        rgb[t][shot.masks[o, t] & ~skin] = (60, 160, 60)
    return shot.part(rgb=rgb)


def followed(shot: Take, o: int) -> list[float]:
    """Overlap with the truth of a thing that is followed from where it stands at first, in every frame."""
    scene = scene_of(shot)
    (first,) = (a for a in search(shot, scene).anchors if a.first < 5 and iou(a.mask, shot.masks[o, 0]) > 0.6)
    track, _ = follow(scene, first, np.arange(first.last - 2, len(shot.time)))
    return [iou(warp_mask(first.mask, a), shot.masks[o, t]) for t, a in zip(track.frames, track.affine, strict=True)]


@pytest.mark.parametrize(("x", "y"), [(110, 40), (125, 55), (140, 100)])
def test_what_a_hand_takes_along_is_not_left_behind_on_a_sleeve_of_its_colours(x, y):
    def sleeve(t):
        return x, -60 + (ease(t, TAKEN_S, TAKEN_S + 0.25) - ease(t, 2.6, 2.9)) * (y + 60), 0.3, DEPTH

    path = carried()
    shot = take([Thing(sleeve, (70, 90)), Thing(path)], [reaching(path)])
    assert min(followed(smeared(shot, 1, TAKEN_S + 0.25, TAKEN_S + 0.6), 1)) > 0.6


def test_what_falls_does_not_stay_with_the_hand_that_let_it_go():
    held = carried(b=(205, 45))

    def falls(t):
        x, y, angle, z = held(t)
        return x, y + 80 * np.clip((t - LEFT_S) / 0.25, 0, 1) ** 2, angle, z

    shot = take([Thing(falls)], [reaching(held)])
    assert min(followed(smeared(shot, 0, LEFT_S - 0.05, LEFT_S + 0.3), 0)) > 0.7


def test_equal_input_gives_equal_bytes(carry_scene, carry_search):
    before, _ = carry_search.anchors
    a, b = (follow(carry_scene, before, np.arange(before.last, before.last + 12))[0] for _ in range(2))
    assert a.affine.tobytes() == b.affine.tobytes()
