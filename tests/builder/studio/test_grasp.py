import numpy as np
import pytest

from hoiset.builder.studio.distance_field import DistanceField
from hoiset.builder.studio.grasp import APPROACH_STEPS_M, GraspPlanner
from hoiset.builder.studio.hand import Hand
from hoiset.builder.studio.objects import build_prop
from hoiset.builder.studio.outlook import Outlook
from hoiset.builder.studio.params import OBJECT_KINDS
from hoiset.builder.studio.skeleton import rotation
from hoiset.geometry import invert, make_T, transform

OUTLOOK = Outlook(np.deg2rad(110.0), np.array([0.5, -1.4, 0.5]), np.array([0.0, -0.65, 0.55]))


@pytest.mark.parametrize("kind", OBJECT_KINDS)
def test_fingers_touch_the_object_without_going_through_it(hand: Hand, kind: str) -> None:
    prop = build_prop(kind, np.random.default_rng(2))
    field = DistanceField(prop)
    planner = GraspPlanner(hand)
    grasp = planner.plan(prop, field, planner.survey(prop, field, OUTLOOK, np.random.default_rng(0)))[0]
    standing = make_T(rotation(np.array([0.0, 0, 1]), np.array(grasp.object_yaw)), [0, 0, prop.extent_m[2] / 2])
    T_object_wrist = invert(standing) @ grasp.T_world_wrist
    vertices, joints = hand.pose(grasp.closed)
    tips = prop.sdf(transform(T_object_wrist, joints[[4, 8, 12, 16, 20]]))
    assert abs(tips[0]) < 0.003
    assert (np.abs(tips[1:4]) < 0.003).sum() >= 2
    assert prop.sdf(transform(T_object_wrist, vertices)).min() > -0.004
    assert transform(grasp.T_world_wrist, joints)[:, 2].min() > 0.0
    opened, _ = hand.pose(grasp.opened)
    fingers = opened[hand.mesh.vertices[:, 1] > 0.0]
    for distance in APPROACH_STEPS_M:
        clear = prop.sdf(transform(T_object_wrist, fingers - distance * grasp.approach))
        assert clear.min() > -0.004


def test_the_distance_field_agrees_with_the_distance_function() -> None:
    prop = build_prop("bottle", np.random.default_rng(0))
    p = np.random.default_rng(0).uniform(-0.5, 0.5, (2000, 3)) * (prop.extent_m + 0.06)
    assert np.abs(DistanceField(prop)(p) - prop.sdf(p)).max() < 0.001


def test_an_arm_between_hand_and_camera_hides_the_hand() -> None:
    prop = build_prop("mug", np.random.default_rng(0))
    field, surface = DistanceField(prop), prop.mesh.vertices[::400]
    joints = np.zeros((21, 3))
    joints[1:] = np.stack([np.linspace(-0.03, 0.03, 20), np.linspace(0.05, 0.18, 20), np.zeros(20)], -1)
    palm_down = make_T(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.3, 0.2]))
    away = make_T(np.eye(3), np.array([0.0, 0.0, 5.0]))
    above = Outlook(0.0, np.array([0.0, 1.5, 0.2]), np.array([0.0, 0.2, 1.2])).hidden(
        joints, palm_down, field, away, surface
    )
    behind = Outlook(0.0, np.array([0.0, 1.5, 0.2]), np.array([0.0, 1.5, 0.25])).hidden(
        joints, palm_down, field, away, surface
    )
    assert above < 0.35
    assert behind > above + 0.4
