from dataclasses import replace

import numpy as np
import pytest

from hoiset.builder.reconstruct.interaction import Grasp, contact_distance, interact, moving_frames
from hoiset.builder.reconstruct.objects.discover import discover
from hoiset.builder.reconstruct.pose import pose_object
from hoiset.geometry import transform
from hoiset.shards.schema import FINGERTIPS, ObjectState

from .conftest import search
from .scenes import LEFT_S, TAKEN_S, Actor, K, Thing, carried, ease, moved, reaching, scene_of, take

S = ObjectState


def acted(shot):
    """(objects, interaction) of a take with exact hands."""
    scene = scene_of(shot)
    tracks, _ = discover(scene, search(shot, scene))
    objects = [pose_object(scene, t, K, shot.joints) for t in tracks]
    assert None not in objects
    return scene, objects, interact(scene, objects, shot.joints)


@pytest.fixture(scope="module")
def carried_one(carry):
    return acted(carry)


@pytest.fixture(scope="module", params=["carry", "turned", "fast"])
def one(request):
    if request.param == "carry":
        return request.getfixturevalue("carry")
    if request.param == "turned":
        return moved(turn=0.8)
    path = carried()
    return take([Thing(path)], [reaching(path)], fps=30.0)


def test_the_right_hand_grasps_from_the_taking_to_the_leaving(one):
    _, _, events = acted(one)
    (grasp,) = events.grasps
    assert (grasp.hand, grasp.obj) == (1, 0)
    assert grasp.start_s == pytest.approx(TAKEN_S, abs=0.25)
    assert grasp.end_s == pytest.approx(LEFT_S, abs=0.25)
    state, time = events.state[:, 0], one.time
    assert (state[(time > TAKEN_S + 0.25) & (time < LEFT_S - 0.25)] == S.GRASPED_RIGHT).all()
    assert (state[(time < TAKEN_S - 0.25) | (time > LEFT_S + 0.25)] == S.STATIC).all()
    assert set(state) <= {S.STATIC, S.MOVING, S.GRASPED_RIGHT}


def test_a_grasp_is_the_run_of_its_states(carry, carried_one):
    _, _, events = carried_one
    held = carry.time[events.state[:, 0] == S.GRASPED_RIGHT]
    assert events.grasps == (Grasp(1, 0, held[0], held[-1]),)


def test_the_left_hand_is_told_from_the_right():
    path = carried()
    _, _, events = acted(take([Thing(path)], [reaching(path, side=0)]))
    assert [g.hand for g in events.grasps] == [0]
    assert set(events.state[:, 0]) == {S.STATIC, S.GRASPED_LEFT}


def test_a_hand_that_only_rests_on_a_thing_does_not_yet_grasp_it():
    def at(t):
        away = 1 - ease(t, 0.55, 0.92) + ease(t, 2.7, 3.0)
        x, y, _, z = late(t)
        return None if away >= 1 else (x, y + 16 + 130 * away, 0.0, z)

    def late(t):
        return carried()(t - 0.8)

    _, _, events = acted(take([Thing(late)], [Actor(at)], seconds=3.8))
    (grasp,) = events.grasps
    assert grasp.start_s == pytest.approx(TAKEN_S + 0.8, abs=0.25)
    assert grasp.end_s == pytest.approx(LEFT_S + 0.8, abs=0.25)


def test_a_hand_that_stays_while_a_thing_passes_does_not_grasp_it(carry, carried_one):
    scene, objects, _ = carried_one
    there = int(np.nonzero(carry.time >= 1.4)[0][0])
    still = replace(scene, joints_2d=np.repeat(carry.joints_2d[there : there + 1], len(carry.time), axis=0))
    joints = np.repeat(carry.joints[there : there + 1], len(carry.time), axis=0)
    events = interact(still, objects, joints)
    assert events.grasps == ()
    assert S.MOVING in events.state


def test_a_grasp_leads_the_motion_by_its_parameter(carry, carried_one):
    scene, objects, _ = carried_one
    start = {}
    for lead in (0.0, 0.2):
        params = scene.params.model_copy(update={"grasp_lead_s": lead})
        start[lead] = interact(replace(scene, params=params), objects, carry.joints).grasps[0].start_s
    assert 0.05 < start[0.0] - start[0.2] <= 0.2 + 1e-6


@pytest.fixture(scope="module")
def two_handed():
    path = carried((110, 70), (190, 80))
    return take([Thing(path, size=(70, 50))], [reaching(path, (24, 14)), reaching(path, (-24, 14), side=0)])


def test_two_hands_that_carry_grasp_both(two_handed):
    _, _, events = acted(two_handed)
    assert sorted(g.hand for g in events.grasps) == [0, 1]
    middle = (two_handed.time > 1.2) & (two_handed.time < 1.6)
    assert (events.state[middle, 0] == S.GRASPED_BOTH).all()


@pytest.mark.parametrize("side", [0, 1])
def test_a_far_hand_that_goes_along_in_the_image_does_not_grasp(side):
    path = carried((110, 70), (190, 80))
    near, far = reaching(path, (-6, 14), side=side), reaching(path, (26, 30), side=1 - side, depth=1.7)
    _, objects, events = acted(take([Thing(path, size=(60, 50))], [far, near]))
    assert len(objects) == 1
    assert {g.hand for g in events.grasps} == {side}
    assert S.GRASPED_BOTH not in events.state


def test_contact_is_known_where_hand_and_object_are(carry, carried_one):
    _, (obj,), events = carried_one
    hand = np.isfinite(carry.joints).all((2, 3))
    assert (np.isfinite(events.contact[:, :, 0]) == hand & (obj.source > 0)[:, None]).all()


def test_contact_is_small_in_touch_and_large_apart(carry, carried_one):
    _, _, events = carried_one
    contact = events.contact[:, 1, 0]
    assert contact[(carry.time > TAKEN_S) & (carry.time < LEFT_S)].max() < 0.02
    seen = np.nonzero(np.isfinite(contact))[0]
    assert contact[seen[-1]] > 0.05
    assert contact[seen[-1]] > contact[seen[-2]] > contact[seen[-3]]


def test_contact_is_the_least_distance_to_the_surface(carry, carried_one):
    _, (obj,), _ = carried_one
    found = contact_distance(obj, carry.joints)
    surface = np.concatenate([obj.mesh.vertices, obj.mesh.vertices[obj.mesh.faces].mean(1)])
    for t in np.nonzero(np.isfinite(found[:, 1]))[0][::5]:
        tips = carry.joints[t, 1, list(FINGERTIPS)]
        distance = np.linalg.norm(transform(obj.pose[t], surface)[:, None] - tips, axis=-1)
        assert found[t, 1] == pytest.approx(distance.min(), abs=1e-9)


def test_contact_with_an_absent_object_is_unknown(carry, carried_one):
    _, (obj,), _ = carried_one
    pose = obj.pose.copy()
    pose[20:25] = np.nan
    found = contact_distance(replace(obj, pose=pose), carry.joints)
    assert np.isnan(found[20:25]).all()
    assert np.isfinite(found[19, 1])


def test_an_absent_object_has_no_state(gone):
    _, (obj,), events = acted(gone)
    assert (events.state[:, 0] == S.ABSENT).tolist() == (obj.source == 0).tolist()
    assert (events.state[-5:, 0] == S.ABSENT).all()
    assert np.isnan(events.contact[-5:]).all()


def test_it_moves_while_it_is_moved(carry, carried_one):
    scene, (obj,), _ = carried_one
    moving = moving_frames(scene, obj)
    time = carry.time
    assert moving[(time > TAKEN_S + 0.15) & (time < LEFT_S - 0.15)].all()
    assert not moving[(time < TAKEN_S - 0.15) | (time > LEFT_S + 0.2)].any()


def test_a_thing_that_goes_by_itself_moves_and_nobody_grasps(carry, carried_one):
    scene, (obj,), _ = carried_one
    nobody = replace(scene, joints_2d=np.full_like(scene.joints_2d, np.nan))
    events = interact(nobody, [obj], np.full_like(carry.joints, np.nan))
    assert events.grasps == ()
    assert set(events.state[:, 0]) == {S.STATIC, S.MOVING}
    assert np.isnan(events.contact).all()


def test_no_objects_have_no_states(carry, carry_scene):
    events = interact(carry_scene, [], carry.joints)
    assert events.state.shape == (len(carry.time), 0)
    assert events.contact.shape == (len(carry.time), 2, 0)
    assert events.grasps == ()
