"""Replays of synthetic lifts: what passes, what has to fail, and what cannot be tested."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hoiset.builder.retarget.replay.records import REASONS, ReplayParams
from hoiset.builder.retarget.replay.replay import replay_clip, replay_object
from hoiset.shards.schema import ObjectState
from tests.builder.retarget.replay.lifts import SHAPES, lift

pytest.importorskip("mujoco")
QUICK = ReplayParams(rounds=3, draws=0)
OPEN_LOOP = ReplayParams(rounds=0, draws=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bias_m", [0.0, 0.02])
def test_a_clean_lift_passes_as_it_is(shape: str, bias_m: float) -> None:
    record, _ = replay_object(lift(shape, bias_m=bias_m), 0, OPEN_LOOP)
    assert (record.status, record.tier) == ("passed", 1), record
    assert record.thresholds == {"strict": True, "middle": True, "loose": True}
    assert record.correction_m == 0.0
    assert record.without_hand_m is not None
    assert record.without_hand_m > 0.08
    assert record.contact_share is not None
    assert record.contact_share > 0.9


@pytest.mark.parametrize("shape", SHAPES)
def test_a_hand_three_centimetres_off_needs_the_search(shape: str) -> None:
    clip = lift(shape, bias_m=0.03)
    assert replay_object(clip, 0, OPEN_LOOP)[0].status == "failed"
    record, _ = replay_object(clip, 0, QUICK)
    assert (record.status, record.tier) == ("passed", 2), record
    assert record.correction_m is not None
    assert 0.0 < record.correction_m <= 0.03 + 1e-9
    assert record.open_loop["position_m"][0] > 0.05


@pytest.mark.parametrize("shape", SHAPES)
def test_a_hand_six_centimetres_off_fails(shape: str) -> None:
    record, _ = replay_object(lift(shape, bias_m=0.06), 0, QUICK)
    assert (record.status, record.tier) == ("failed", 0), record
    assert not any(record.thresholds.values())


@pytest.mark.parametrize("shape", SHAPES)
def test_a_gripper_that_never_closes_fails(shape: str) -> None:
    record, _ = replay_object(lift(shape), 0, replace(QUICK, closes=False))
    assert (record.status, record.tier) == ("failed", 0), record


@pytest.mark.parametrize("shape", SHAPES)
def test_a_hand_that_goes_the_other_way_fails(shape: str) -> None:
    record, _ = replay_object(lift(shape, opposite=True), 0, QUICK)
    assert (record.status, record.tier) == ("failed", 0), record


def test_noise_is_smoothed_away() -> None:
    assert replay_object(lift("box", noise_m=0.01), 0, OPEN_LOOP)[0].thresholds["strict"]


def test_draws_of_mass_and_friction_are_counted() -> None:
    record, _ = replay_object(lift("box"), 0, replace(OPEN_LOOP, draws=8))
    assert record.n_draws == 8
    assert record.draws_passed == 1.0
    slippery, _ = replay_object(lift("box"), 0, replace(OPEN_LOOP, draws=8, friction=0.008))
    assert slippery.draws_passed is not None
    assert 0.0 < slippery.draws_passed < 1.0


def test_the_same_at_any_number_of_threads_and_again() -> None:
    clip, params = lift("cylinder", bias_m=0.03), ReplayParams(samples=8, rounds=2, draws=4)
    first = [r.to_json() for r in replay_clip(clip, replace(params, threads=1))]
    assert first == [r.to_json() for r in replay_clip(clip, replace(params, threads=3))]
    other = [r.to_json() for r in replay_clip(clip, replace(params, seed=1))]
    assert other != first


def test_a_record_is_json_and_says_how_it_came_about() -> None:
    record, trace = replay_object(lift("box", bias_m=0.03), 0, replace(QUICK, draws=4, seed=7))
    plain = json.loads(json.dumps(record.to_json(), allow_nan=False))
    assert plain["seed"] == 7
    assert plain["mujoco"].startswith("4.")
    assert plain["mass_kg"] == pytest.approx(400 * 0.06 * 0.03 * 0.10)
    assert plain["rollouts"] == 2 + 32 * ((plain["rollouts"] - 6) // 32) + 4
    assert {c["name"] for c in plain["checks"]} == {
        "speed", "acceleration", "penetration", "contact", "drift", "overhang"
    }  # fmt: skip
    assert all(c["passed"] for c in plain["checks"])
    assert trace is not None


def test_unknown_gravity_is_found_from_what_it_stands_on() -> None:
    record, _ = replay_object(lift("box", gravity=False), 0, OPEN_LOOP)
    assert (record.status, record.gravity_source) == ("passed", "support")


def test_unknown_gravity_of_a_sphere_is_not_testable_unless_assumed() -> None:
    clip = lift("sphere", gravity=False)
    record, trace = replay_object(clip, 0, OPEN_LOOP)
    assert (record.status, record.reason, trace) == ("not_testable", "no_gravity", None)
    assert record.checks
    assumed, _ = replay_object(clip, 0, replace(OPEN_LOOP, assume_gravity=(0.0, 0.8, 0.6)))
    assert (assumed.status, assumed.gravity_source) == ("passed", "assumed")


def test_an_object_that_nobody_needs_to_move_is_not_testable() -> None:
    clip = lift("box")
    still = replace(clip, pose=np.repeat(clip.pose[:1], len(clip.time), axis=0))
    assert replay_object(still, 0, OPEN_LOOP)[0].reason == "no_motion"


def test_an_object_that_is_in_the_hand_from_the_first_frame() -> None:
    clip = lift("box")
    later = clip.time > 1.1
    cut = replace(
        clip,
        time=clip.time[later],
        **{name: getattr(clip, name)[later] for name in ("wrist", "joints", "pose", "state", "contact")},
    )
    record, _ = replay_object(cut, 0, OPEN_LOOP)
    assert (record.status, record.start) == ("passed", "held_in_place")


def _without(name: str) -> tuple:
    clip = lift("box")
    (vertices, faces), T, state = clip.meshes[0], clip.pose.copy(), clip.state.copy()  # type: ignore[misc]
    held = (clip.state == ObjectState.GRASPED_RIGHT)[:, 0]
    if name == "no_scale":
        return replace(clip, scaled=False), name
    if name == "no_mesh":
        return replace(clip, meshes=(None,)), name
    if name in ("articulated", "deformable"):
        return replace(clip, labels=("scissors" if name == "articulated" else "paper bag",)), name
    if name == "no_grasp":
        return replace(clip, state=np.ones_like(state)), name
    if name == "no_hand":
        return replace(clip, wrist=np.full_like(clip.wrist, np.nan)), name
    if name == "too_short":
        state[np.flatnonzero(held)[4:]] = ObjectState.STATIC
        return replace(clip, state=state), name
    if name == "too_long":
        return replace(clip, time=clip.time * 20), name
    if name == "flat":
        return replace(clip, meshes=((vertices * [1, 1, 0], faces),)), "bad_mesh"
    if name == "not_finite":
        return replace(clip, meshes=((vertices * np.nan, faces),)), "bad_mesh"
    if name == "many_faces":
        return replace(clip, meshes=((vertices, np.zeros((400_000, 3), int)),)), "bad_mesh"
    if name == "wrong_faces":
        return replace(clip, meshes=((vertices, faces + 99),)), "bad_mesh"
    if name == "not_rigid":
        T[:, :, 0, 0] = 7.0
        return replace(clip, pose=T), "bad_pose"
    if name == "infinite":
        T[held] = np.inf
        return replace(clip, pose=T), "no_grasp"
    if name == "far":
        T[..., :3, 3] += 1e6
        return replace(clip, pose=T), "bad_pose"
    assert name == "time"
    return replace(clip, time=np.zeros_like(clip.time)), "bad_pose"


@pytest.mark.parametrize(
    "name",
    [
        *("no_scale", "no_mesh", "articulated", "deformable", "no_grasp", "no_hand", "too_short", "too_long", "flat"),
        *("not_finite", "many_faces", "wrong_faces", "not_rigid", "infinite", "far", "time"),
    ],
)
def test_what_cannot_be_tested_says_why_and_is_not_failed(name: str) -> None:
    clip, reason = _without(name)
    record, trace = replay_object(clip, 0, OPEN_LOOP)
    assert (record.status, record.reason) == ("not_testable", reason)
    assert record.reason in REASONS
    assert trace is None
    assert record.tier is None
    json.dumps(record.to_json(), allow_nan=False)


def test_corrections_stay_small() -> None:
    with pytest.raises(ValueError, match=r"at most 0\.03 m"):
        ReplayParams(correction_m=0.05)
    with pytest.raises(ValueError, match="knots"):
        ReplayParams(knots=9)
