import functools
from collections.abc import Callable

import numpy as np
import pytest

from hoiset.builder.studio.actions import ACTIONS, cast, perform
from hoiset.builder.studio.grasp import LIMITS_RAD
from hoiset.builder.studio.hand import Hand, build_hand
from hoiset.builder.studio.objects import Prop, build_prop
from hoiset.builder.studio.outlook import View
from hoiset.builder.studio.params import StudioParams
from hoiset.builder.studio.performance import Performance
from hoiset.builder.studio.skeleton import adult_skeleton
from hoiset.builder.studio.stage import Stage, build_stage
from hoiset.geometry import angle_between, invert, transform
from hoiset.shards.schema import FINGERTIPS, ObjectState

HOLD_BOUND_M = 0.007
"""How deep a hand is in a thing at most: flesh gives way, and skinning pinches at bent joints."""
TABLE_BOUND_M = 0.006
THING_BOUND_M = 0.004
CONTACT_M = 0.003
FASTEST_M_S = 3.0
TWO_HANDED = ("hand_over", "bimanual_lift")


def cast_props(seed: int, action: str, scale: float = 1.0) -> list[Prop]:
    chosen = cast(np.random.default_rng([seed, 9]), action=action, hand_scale=scale)
    props: list[Prop | None] = []
    for k, (kind, first) in enumerate(zip(chosen.kinds, chosen.copies, strict=True)):
        rng = np.random.default_rng([seed, 5, k])
        props.append(None if kind == "lid" else props[first] if first < k else build_prop(kind, rng))
    return [p or build_prop("lid", np.random.default_rng(seed), fits=props[k + 1]) for k, p in enumerate(props)]


def play(seed: int, action: str, hand: Hand, params: StudioParams | None = None, scale: float = 1.0) -> Performance:
    stage = build_stage(params or StudioParams(), np.random.default_rng([seed, 3]))
    time = np.arange(36) / 8.0
    return perform(action, hand, stage, time, np.random.default_rng([seed, 4]), props=cast_props(seed, action, scale))


@pytest.fixture(scope="module")
def coarse() -> Hand:
    return build_hand(adult_skeleton(), spacing_m=0.0035)


@pytest.fixture(scope="module")
def clip_of(coarse: Hand) -> Callable[[str], Performance]:
    """A performance of each action, planned once."""
    return functools.cache(lambda action: play(7, action, coarse))


@pytest.fixture(scope="module", params=ACTIONS)
def played(request: pytest.FixtureRequest, clip_of: Callable[[str], Performance]) -> Performance:
    return clip_of(request.param)


def check_contact(p: Performance) -> None:
    """Some fingertip is on whatever is held, in every frame."""
    assert p.grasps
    for grasp in p.grasps:
        track = p.props[grasp.prop]
        for k in np.flatnonzero((p.time >= grasp.start_s) & (p.time <= grasp.end_s)):
            _, joints = p.hands[grasp.hand].posed(int(k))
            gap = np.abs(track.prop.sdf(transform(invert(track.T_world_object[k]), joints[list(FINGERTIPS)])))
            assert gap.min() < CONTACT_M, (p.action, k)


def check_nothing_passes_through(p: Performance) -> None:
    for k in range(0, len(p.time), 2):
        skins = [track.posed(k)[0][::2] for track in p.hands]
        for i, track in enumerate(p.props):
            T_object_world = invert(track.T_world_object[k])
            for skin in skins:
                depth = -track.prop.sdf(transform(T_object_world, skin)).min()
                assert depth < HOLD_BOUND_M, (p.action, k, track.prop.kind)
            world = transform(track.T_world_object[k], track.prop.mesh.vertices[::3])
            assert world[:, 2].min() > -0.003, (p.action, k, track.prop.kind)
            for other in p.props[:i]:
                depth = -other.prop.sdf(transform(invert(other.T_world_object[k]), world)).min()
                assert depth < THING_BOUND_M, (p.action, k, track.prop.kind, other.prop.kind)
        for skin in skins:
            assert skin[:, 2].min() > -TABLE_BOUND_M, (p.action, k)


def check_states(p: Performance) -> None:
    """Still where static, bound to the wrist where grasped, as the grasps say."""
    for i, track in enumerate(p.props):
        step = np.abs(np.diff(track.T_world_object, axis=0)).max((1, 2))
        still = track.state == ObjectState.STATIC
        assert step[still[1:] & still[:-1]].max(initial=0.0) < 1e-9, p.action
        by = np.zeros((2, len(p.time)), bool)
        for grasp in (g for g in p.grasps if g.prop == i):
            hand = p.hands[grasp.hand]
            on = (p.time >= grasp.start_s) & (p.time <= grasp.end_s)
            by[0 if hand.left else 1] |= on
            bound = invert(hand.T_world_wrist[on]) @ track.T_world_object[on]
            assert np.abs(bound - bound[0]).max() < 1e-6, p.action
            assert np.abs(hand.angles[on] - hand.angles[on][0]).max() < 1e-6
        told = np.where(by.all(0), ObjectState.GRASPED_BOTH, ObjectState.STATIC)
        told = np.where(by[0] & ~by[1], ObjectState.GRASPED_LEFT, told)
        told = np.where(by[1] & ~by[0], ObjectState.GRASPED_RIGHT, told)
        assert (track.state == told).all(), (p.action, i)


def check_paths(p: Performance) -> None:
    """Within joints' limits, and no teleports."""
    dt = np.diff(p.time)
    for hand in p.hands:
        assert (hand.angles >= LIMITS_RAD[..., 0] - 1e-9).all()
        assert (hand.angles <= LIMITS_RAD[..., 1] + 1e-9).all()
        assert (np.linalg.norm(np.diff(hand.T_world_wrist[:, :3, 3], axis=0), axis=-1) / dt).max() < FASTEST_M_S
        R = hand.T_world_wrist[:, :3, :3]
        assert np.allclose(np.linalg.det(R), 1.0)
        assert (angle_between(R[1:], R[:-1]) / dt).max() < 12.0
    for track in p.props:
        assert (np.linalg.norm(np.diff(track.T_world_object[:, :3, 3], axis=0), axis=-1) / dt).max() < FASTEST_M_S


def test_what_is_held_is_touched(played: Performance) -> None:
    check_contact(played)


def test_nothing_passes_through_anything(played: Performance) -> None:
    check_nothing_passes_through(played)


def test_states_agree_with_motion(played: Performance) -> None:
    check_states(played)


def test_paths_are_within_limits_and_without_jumps(played: Performance) -> None:
    check_paths(played)


def test_hands_and_words_are_those_of_the_action(played: Performance) -> None:
    assert [h.left for h in played.hands] == ([False, True] if played.action in TWO_HANDED else [False])
    assert played.verb
    assert all(noun in played.sentence.lower() for noun in played.nouns)
    moved = [np.abs(t.T_world_object - t.T_world_object[0]).max() > 0.01 for t in played.props]
    assert moved == [True] + [False] * (len(played.props) - 1)


def test_pushed_and_slid_things_stay_on_the_table(clip_of: Callable[[str], Performance]) -> None:
    for action in ("push", "slide"):
        track = clip_of(action).props[0]
        assert np.ptp(track.T_world_object[:, 2, 3]) < 1e-9
        assert np.linalg.norm(np.ptp(track.T_world_object[:, :3, 3], axis=0)) > 0.08


def test_a_thing_that_is_turned_on_the_table_keeps_its_axis(coarse: Hand) -> None:
    stage, time = build_stage(StudioParams(), np.random.default_rng(1)), np.arange(36) / 8.0
    for seed in range(6):
        bowl = build_prop("bowl", np.random.default_rng(seed))
        track = perform("rotate", coarse, stage, time, np.random.default_rng(seed), props=[bowl]).props[0]
        if np.ptp(track.T_world_object[:, 2, 3]) < 1e-9:
            assert np.abs(np.ptp(track.T_world_object[:, :2, 3], axis=0)).max() < 0.002
            assert angle_between(track.T_world_object[0, :3, :3], track.T_world_object[-1, :3, :3]) > 0.4
            return
    raise AssertionError("no bowl was turned on the table in six clips")


def test_a_poured_vessel_tilts_over_the_other(clip_of: Callable[[str], Performance]) -> None:
    p = clip_of("pour")
    source, target = p.props[:2]
    up = source.T_world_object[:, 2, 2]
    k = int(up.argmin())
    assert np.arccos(up[k]) > np.deg2rad(55)
    assert np.arccos(np.clip(up[[0, -1]], -1, 1)).max() < 1.5
    assert source.prop.opening is not None
    assert target.prop.opening is not None
    lip = transform(source.T_world_object[k], source.prop.opening.centre[None])[0]
    mouth = transform(target.T_world_object[k], target.prop.opening.centre[None])[0]
    assert np.linalg.norm((lip - mouth)[:2]) < target.prop.opening.radius_m + source.prop.opening.rim_radius_m
    assert lip[2] > mouth[2]


def test_a_stirring_tip_goes_round_inside_the_vessel(clip_of: Callable[[str], Performance]) -> None:
    p = clip_of("stir")
    tool, vessel = p.props[:2]
    assert vessel.prop.opening is not None
    end = tool.prop.mesh.vertices[tool.prop.mesh.vertices[:, 0].argmax()]
    tip = np.stack([transform(T, end[None])[0] for T in tool.T_world_object])
    mouth = transform(vessel.T_world_object[0], vessel.prop.opening.centre[None])[0]
    inside = (tip[:, 2] < mouth[2]) & (np.linalg.norm(tip[:, :2] - mouth[:2], axis=-1) < vessel.prop.opening.radius_m)
    assert inside.sum() >= 8
    assert np.ptp(tip[inside][:, :2], axis=0).min() > 0.005


def test_a_lid_ends_beside_what_it_closed(clip_of: Callable[[str], Performance]) -> None:
    p = clip_of("open_lid")
    lid, base = p.props[:2]
    gap = np.linalg.norm((lid.T_world_object[:, :3, 3] - base.T_world_object[:, :3, 3])[:, :2], axis=-1)
    assert gap[0] < 0.02
    assert gap[-1] > (lid.prop.extent_m[0] + base.prop.extent_m[1]) / 2 - 0.01
    assert lid.T_world_object[-1, 2, 3] == pytest.approx(lid.prop.extent_m[2] / 2, abs=1e-6)


def test_a_thing_is_passed_from_right_to_left(clip_of: Callable[[str], Performance]) -> None:
    state = clip_of("hand_over").props[0].state
    order = [int(s) for s, before in zip(state[1:], state, strict=False) if s != before]
    right, both, left = ObjectState.GRASPED_RIGHT, ObjectState.GRASPED_BOTH, ObjectState.GRASPED_LEFT
    assert order == [right, both, left, ObjectState.STATIC]


def test_equal_arguments_give_equal_performances(coarse: Hand) -> None:
    a, b = (play(12, "push", coarse) for _ in range(2))
    assert np.array_equal(a.hands[0].T_world_wrist, b.hands[0].T_world_wrist)
    assert np.array_equal(a.hands[0].angles, b.hands[0].angles)
    assert all(np.array_equal(x.T_world_object, y.T_world_object) for x, y in zip(a.props, b.props, strict=True))
    assert (a.sentence, a.grasps) == (b.sentence, b.grasps)


def test_unknown_actions_and_missing_things_are_errors(coarse: Hand) -> None:
    stage = build_stage(StudioParams(), np.random.default_rng(0))
    time, rng = np.arange(10) / 5, np.random.default_rng(0)
    with pytest.raises(ValueError, match="found action 'juggle'"):
        perform("juggle", coarse, stage, time, rng, props=[])
    with pytest.raises(ValueError, match="found 0 things for pour, expected at least 2"):
        perform("pour", coarse, stage, time, rng, props=[])


def in_view_share(p: Performance, stage: Stage) -> float:
    """Share of the joints of holding hands that are in the image."""
    view, inside = View.of(stage), []
    for grasp in p.grasps:
        for k in np.flatnonzero((p.time >= grasp.start_s) & (p.time <= grasp.end_s)):
            inside.append(view.within(p.hands[grasp.hand].posed(int(k))[1]).mean())
    return float(np.mean(inside))


@pytest.mark.parametrize("elevation", [25.0, 80.0])
def test_low_and_high_cameras_see_the_hands(coarse: Hand, elevation: float) -> None:
    params = StudioParams(elevation_rad=float(np.deg2rad(elevation)))
    stage = build_stage(params, np.random.default_rng([2, 3]))
    assert in_view_share(play(2, "pick_place", coarse, params), stage) > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("seed", range(20, 26))
def test_many_seeds(action: str, seed: int) -> None:
    scale = float(np.random.default_rng(seed).uniform(0.68, 1.08))
    p = play(seed, action, build_hand(adult_skeleton(scale), spacing_m=0.0035), scale=scale)
    check_contact(p)
    check_states(p)
    check_paths(p)
