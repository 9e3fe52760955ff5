import numpy as np
import pytest

from hoiset.builder.studio.body import body_of
from hoiset.builder.studio.grasp import LIMITS_RAD, Grasp
from hoiset.builder.studio.grips import grips, press
from hoiset.builder.studio.hand import Hand, build_hand
from hoiset.builder.studio.objects import Prop, build_prop
from hoiset.builder.studio.outlook import Outlook
from hoiset.builder.studio.skeleton import adult_skeleton
from hoiset.builder.studio.wrists import Place, Taker
from hoiset.geometry import invert, transform

OUTLOOK = Outlook(np.deg2rad(110.0), np.array([0.5, -1.4, 0.5]), np.array([0.0, -0.65, 0.75]))
BOUND_M = 0.005
"""How deep skin may be in a thing while it is held: flesh gives way."""
TIPS = [4, 8, 12, 16, 20]


@pytest.fixture(scope="module")
def taker(hand: Hand) -> Taker:
    return Taker(hand)


def taken(taker: Taker, prop: Prop, name: str, seeds: int = 2) -> tuple[Grasp, Place]:
    """The best grasp over a few draws of places."""
    body = body_of(prop)
    ways = [g for g in grips(prop, body, taker) if g.name == name]
    assert ways, f"a {prop.kind} has no {name} grip"
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        places = taker.survey(body, ways[0].site, ways[0].posture(rng), OUTLOOK, rng)
        found += taker.take(body, ways[0].touch, places)
    return min(found, key=lambda pair: pair[0].score)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("can", "power"), ("bottle", "power"), ("pan", "power"), ("mug", "rim"), ("bowl", "rim"), ("plate", "rim")),
        *(("spoon", "pinch"), ("knife", "pinch"), ("ball", "pinch"), ("box", "pinch")),
    ],
)
def test_fingers_touch_without_going_through(taker: Taker, hand: Hand, kind: str, name: str) -> None:
    prop = build_prop(kind, np.random.default_rng(2))
    grasp, place = taken(taker, prop, name)
    vertices, joints = hand.pose(grasp.closed)
    tips = prop.sdf(transform(grasp.T_object_wrist, joints[TIPS]))
    assert abs(tips[0]) < 0.003
    assert (np.abs(tips[1:4]) < 0.003).sum() >= 2 if name == "power" else abs(tips[1]) < 0.004
    hand_only = vertices[hand.mesh.vertices[:, 1] > -0.03]
    assert prop.sdf(transform(grasp.T_object_wrist, hand_only)).min() > -BOUND_M
    assert transform(place.T_world_wrist, hand_only)[:, 2].min() > -0.002
    assert ((grasp.closed >= LIMITS_RAD[..., 0]) & (grasp.closed <= LIMITS_RAD[..., 1])).all()
    assert ((grasp.opened >= LIMITS_RAD[..., 0]) & (grasp.opened <= LIMITS_RAD[..., 1])).all()
    assert np.allclose(place.T_world_object @ grasp.T_object_wrist, place.T_world_wrist)


def test_thumb_and_fingers_press_against_each_other(taker: Taker) -> None:
    prop = build_prop("ball", np.random.default_rng(0))
    grasp, _ = taken(taker, prop, "pinch")
    _, joints = taker.hand.pose(grasp.closed)
    at = transform(grasp.T_object_wrist, joints[TIPS[:3]])
    thumb, finger = at[0] / np.linalg.norm(at[0]), at[1:].mean(0) / np.linalg.norm(at[1:].mean(0))
    assert thumb @ finger < -0.4


def test_pressing_fingers_are_behind_what_they_push(taker: Taker) -> None:
    prop = build_prop("box", np.random.default_rng(1))
    body, way, rng = body_of(prop), np.array([0.0, 1.0, 0.0]), np.random.default_rng(0)
    grip = press(body, taker, way, (-0.9, 0.1), 0.1, 0.9)
    assert grip is not None
    places = taker.survey(body, grip.site, grip.posture(rng), OUTLOOK, rng)
    grasp, _ = taker.take(body, grip.touch, places)[0]
    _, joints = taker.hand.pose(grasp.closed)
    tips = transform(grasp.T_object_wrist, joints[TIPS[1:4]])
    assert (tips[:, 1] < -prop.extent_m[1] / 2 + 0.004).sum() >= 2
    assert np.abs(prop.sdf(tips)).min() < 0.002


def test_a_left_hand_sees_the_mirror_image(taker: Taker) -> None:
    prop = build_prop("mug", np.random.default_rng(3))
    body, points = body_of(prop), np.random.default_rng(0).uniform(-0.05, 0.05, (200, 3))
    assert np.allclose(body.mirrored().field(points * [-1, 1, 1]), body.field(points), atol=1e-6)
    grip = grips(prop, body, taker)[0]
    assert np.allclose(grip.mirrored().site.point * [-1, 1, 1], grip.site.point)


def test_a_small_hand_is_offered_less() -> None:
    small = Taker(build_hand(adult_skeleton(0.65), spacing_m=0.004))
    prop = build_prop("can", np.random.default_rng(5))
    body = body_of(prop)
    assert all(g.site.width.max() <= 0.096 * small.scale + 1e-6 for g in grips(prop, body, small) if g.name == "pinch")


def test_pinches_lie_between_opposed_surfaces() -> None:
    prop = build_prop("plate", np.random.default_rng(0))
    pinches = body_of(prop).pinches(0.02)
    assert len(pinches.width) > 50
    for sign in (-1, 1):
        ends = pinches.point + sign * pinches.axis * pinches.width[:, None] / 2
        assert np.abs(prop.sdf(ends)).max() < 0.0015


def test_the_best_places_suit_the_arm(taker: Taker) -> None:
    prop = build_prop("bowl", np.random.default_rng(0))
    body, rng = body_of(prop), np.random.default_rng(1)
    grip = grips(prop, body, taker)[0]
    places = taker.survey(body, grip.site, grip.posture(rng), OUTLOOK, rng)
    T = np.stack([p.T_world_wrist for p in places])
    assert taker.strain(T, OUTLOOK).mean() < 40.0
    again = taker.survey(body, grip.site, grip.posture(np.random.default_rng(1)), OUTLOOK, np.random.default_rng(1))
    assert [p.cost for p in again] != []
    assert np.all(np.diff([p.cost for p in places]) >= 0)
    standing = np.stack([p.T_world_object for p in places])
    assert np.allclose(standing[:, 2, 3], prop.extent_m[2] / 2)
    assert np.allclose(invert(standing) @ standing, np.eye(4))
