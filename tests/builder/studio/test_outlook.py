import numpy as np

from hoiset.builder.studio.distance_field import DistanceField
from hoiset.builder.studio.objects import build_prop
from hoiset.builder.studio.outlook import Outlook, View
from hoiset.builder.studio.params import StudioParams
from hoiset.builder.studio.stage import build_stage
from hoiset.geometry import make_T, project, transform


def view() -> View:
    return View.of(build_stage(StudioParams(), np.random.default_rng(0)))


def test_an_arm_between_hand_and_camera_hides_the_hand() -> None:
    prop = build_prop("mug", np.random.default_rng(0))
    field, surface = DistanceField(prop), prop.mesh.vertices[::400]
    joints = np.zeros((21, 3))
    joints[1:] = np.stack([np.linspace(-0.03, 0.03, 20), np.linspace(0.05, 0.18, 20), np.zeros(20)], -1)
    palm_down = make_T(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.3, 0.2]))
    away = make_T(np.eye(3), np.array([0.0, 0.0, 5.0]))
    above = Outlook(0.0, np.array([0.0, 1.5, 0.2]), np.array([0.0, 0.2, 1.2]))
    behind = Outlook(0.0, np.array([0.0, 1.5, 0.2]), np.array([0.0, 1.5, 0.25]))
    hidden = [o.hidden(joints, palm_down, field, away, surface) + o.averted(palm_down) for o in (above, behind)]
    assert hidden[0] < 0.35
    assert hidden[1] > hidden[0] + 0.4


def test_averted_is_the_same_one_by_one_and_together() -> None:
    outlook = Outlook(0.0, np.array([0.0, -1.5, 0.5]), np.array([0.1, -0.6, 0.7]))
    poses = make_T(np.stack([np.eye(3), np.diag([1.0, -1.0, -1.0])]), np.array([[0.0, 0, 0.1], [0.1, 0, 0.2]]))
    assert np.allclose(outlook.averted(poses), [outlook.averted(T) for T in poses])
    assert outlook.averted(poses[1]) < outlook.averted(poses[0])  # a palm that faces up shows no back of the hand


def test_spots_are_on_the_table_and_in_view() -> None:
    seen = view()
    spots = seen.spots(np.random.default_rng(0), 200)
    assert len(spots) > 50
    assert (spots[:, 2] == 0).all()
    assert seen.within(spots).all()
    assert (spots[:, 1] < seen.wall_y_m).all()


def test_the_mirrored_view_sees_mirrored_points_where_the_view_sees_points() -> None:
    seen = view()
    points = np.random.default_rng(1).uniform(-0.3, 0.3, (50, 3))
    a = project(seen.K, transform(seen.T_camera_world, points))
    b = project(seen.K, transform(seen.mirrored().T_camera_world, points * [-1, 1, 1]))
    assert np.allclose(a, b)
    assert np.allclose(seen.mirrored().camera * [-1, 1, 1], seen.camera)
