import numpy as np
import pytest

from hoiset.builder.screen.gates import GATES as SCREEN_GATES
from hoiset.builder.studio.footage import POSITIVE, kind_of, shoot
from hoiset.builder.studio.negatives import GATES, NEGATIVES, render_negative
from hoiset.builder.studio.uneventful import no_hand_scene, robot_scene, self_moving_scene
from hoiset.geometry import project, transform
from hoiset.shards.schema import ObjectState
from hoiset.shards.validate import validate_sample
from tests.builder.studio.conftest import small

TINY = small(width_px=96, height_px=72, rate_hz=4.0, action="pick_place")


def test_every_kind_comes_once_in_forty_nine_and_names_a_gate_of_the_screen() -> None:
    for first in (0, 500):
        kinds = [kind_of(seed) for seed in range(first, first + 49)]
        assert sorted(k for k in kinds if k != POSITIVE) == sorted(NEGATIVES)
    assert {gate for gate in GATES.values() if gate} <= set(SCREEN_GATES)


def test_nothing_moves_where_there_is_no_hand() -> None:
    performance = no_hand_scene(3, TINY).performance
    assert not performance.hands
    assert len(performance.props) >= 1
    for track in performance.props:
        assert np.ptp(track.T_world_object, axis=0).max() == 0
        assert track.T_world_object[0, 2, 3] == pytest.approx(track.prop.extent_m[2] / 2)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_a_resting_hand_neither_moves_nor_touches_what_moves_by_itself(seed: int) -> None:
    scene = self_moving_scene(seed, TINY)
    performance = scene.performance
    (hand,), thing = performance.hands, performance.props[0]
    moving = thing.state == ObjectState.MOVING
    assert 0 < moving.sum() < len(moving)
    assert np.linalg.norm(thing.T_world_object[-1, :2, 3] - thing.T_world_object[0, :2, 3]) > 0.1
    skin, joints = hand.posed(0)
    assert 0 <= skin[:, 2].min() < 0.002
    uv = project(scene.stage.K, transform(scene.stage.T_camera_world, joints))
    assert ((uv >= 0) & (uv < [96, 72])).all()
    for k in range(len(performance.time)):
        skin, posed = hand.posed(k)
        assert np.abs(posed - joints).max() < 0.002
        local = (skin - thing.T_world_object[k, :3, 3]) @ thing.T_world_object[k, :3, :3]
        assert thing.prop.sdf(local).min() > 0.002
    assert not performance.grasps


def test_a_gripper_closes_on_what_it_lifts() -> None:
    performance = robot_scene(1, TINY).performance
    assert not performance.hands
    thing = performance.props[0]
    fingers = [track for track in performance.props if track.prop.kind == "finger"]
    assert len(fingers) == 2
    held = np.flatnonzero(thing.state == ObjectState.MOVING)
    assert thing.T_world_object[held, 2, 3].max() > thing.T_world_object[0, 2, 3] + 0.05
    for finger in fingers:
        k = held[len(held) // 2]
        world = transform(finger.T_world_object[k], finger.prop.mesh.vertices)
        local = (world - thing.T_world_object[k, :3, 3]) @ thing.T_world_object[k, :3, :3]
        assert -0.002 < thing.prop.sdf(local).min() < 0.003


@pytest.mark.slow
def test_a_cut_has_a_span_on_either_side() -> None:
    negative = render_negative(2, "cut", TINY)
    (a, cut), (after, b) = negative.spans
    assert a == 0.0
    assert cut == after
    assert b == negative.time[-1]
    step = np.abs(np.diff(negative.rgb.astype(float), axis=0)).mean((1, 2, 3))
    assert negative.time[int(step.argmax()) + 1] == pytest.approx(cut)
    assert negative.gate == ""


def test_what_moves_by_itself_has_a_truth_and_a_gate() -> None:
    footage = shoot(5, "self_moving", TINY)
    assert footage.gate == "no_hand_motion"
    assert footage.spans == ()
    assert footage.sample is not None
    validate_sample(footage.sample, ("core", "video", "scene"))
    assert (footage.sample["object_state.npy"][:, 0] == ObjectState.MOVING).any()
    assert not footage.sample["clip.json"]["objects"][0]["manipulated"]


def test_a_kind_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="rain"):
        render_negative(0, "rain", TINY)
