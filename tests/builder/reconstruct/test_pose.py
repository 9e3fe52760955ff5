from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hoiset.builder.reconstruct.objects.discover import discover
from hoiset.builder.reconstruct.objects.track import Cue
from hoiset.builder.reconstruct.pose import pose_object
from hoiset.builder.reconstruct.shape import front_depth_m
from hoiset.builder.reconstruct.smoothing import runs
from hoiset.geometry import angle_between, project, transform
from hoiset.shards.schema import ObjectSource

from .conftest import search
from .scenes import DEPTH, FOCAL, K, moved, scene_of

PX = DEPTH / FOCAL
"""What a pixel is at the table, m: 3.2 mm."""


def posed_in(shot):
    scene = scene_of(shot)
    (track,), _ = discover(scene, search(shot, scene))
    return scene, track, pose_object(scene, track, K, shot.joints)


@pytest.fixture(scope="module")
def posed(carry, carry_scene, carry_track):
    return pose_object(carry_scene, carry_track, K, carry.joints)


@pytest.fixture(scope="module")
def turned():
    return moved(turn=0.8)


@pytest.fixture(scope="module")
def nearer():
    return moved(to_depth=0.72)


def test_the_thing_is_as_far_as_the_hand_that_touches_it(carry, posed):
    assert posed.depth_source == "touching_fingertips"
    assert np.abs(posed.pose[:, 2, 3] / DEPTH - 1).max() < 0.03


def test_the_thing_is_where_it_is(carry, posed):
    error = np.linalg.norm(posed.pose[:, :2, 3] - carry.poses[0, :, :2, 3], axis=1)
    assert error.max() < 2.5 * PX
    assert np.median(error) < 1.5 * PX


def test_depth_follows_a_thing_that_comes_nearer(nearer):
    _, _, obj = posed_in(nearer)
    assert nearer.poses[0, -1, 2, 3] == pytest.approx(0.72)
    assert np.abs(obj.pose[:, 2, 3] / nearer.poses[0, :, 2, 3] - 1).max() < 0.04


def test_rotation_about_the_view_is_the_images(turned):
    _, _, obj = posed_in(turned)
    R, true = obj.pose[:, :3, :3], turned.poses[0, :, :3, :3]
    # Between any two frames, because the object's own frame is that of its template.
    found = Rotation.from_matrix(R @ R[0].T).as_euler("zyx")[:, 0]
    expected = Rotation.from_matrix(true @ true[0].T).as_euler("zyx")[:, 0]
    assert expected[-1] == pytest.approx(0.8)
    assert np.degrees(np.abs(found - expected)).max() < 8


def test_a_thing_that_is_not_turned_is_not(posed):
    R = posed.pose[:, :3, :3]
    assert np.degrees(np.abs(Rotation.from_matrix(R).as_euler("zyx")[:, 0])).max() < 4
    # A flat thing on a round mesh seems to roll as it crosses the view, by no more than the view's angle.
    assert np.degrees(angle_between(R, np.broadcast_to(np.eye(3), R.shape))).max() < 18
    assert np.degrees(angle_between(R[-1], R[0])) < 4


def test_standing_spans_have_exactly_one_pose(posed, carry_track):
    spans = runs(carry_track.cue == Cue.STANDING)
    assert len(spans) == 2
    for a, b in spans:
        assert b - a > 3
        assert (posed.pose[a:b] == posed.pose[a]).all()
        assert (posed.source[a:b] == ObjectSource.STATIC_LOCKED).all()
    assert (posed.pose[0] != posed.pose[-1]).any()


def test_poses_are_rigid_and_sources_say_whence(posed, carry_track):
    R = posed.pose[:, :3, :3]
    assert np.allclose(R @ np.swapaxes(R, 1, 2), np.eye(3), atol=1e-9)
    assert np.allclose(np.linalg.det(R), 1)
    assert (posed.source[carry_track.cue == Cue.FLOW] == ObjectSource.OBSERVED).all()


def test_every_cue_has_its_source(carry, carry_scene, carry_track):
    cue = carry_track.cue.copy()
    moving = np.nonzero(cue == Cue.FLOW)[0]
    cue[moving[5]], cue[moving[6]], cue[moving[7]] = Cue.COLOUR, Cue.HAND, Cue.LOST
    affine = carry_track.affine.copy()
    affine[-2:], cue[-2:] = np.nan, Cue.LOST
    obj = pose_object(carry_scene, replace(carry_track, cue=cue, affine=affine), K, carry.joints)
    S = ObjectSource
    assert obj.source[moving[5:8]].tolist() == [S.OBSERVED, S.HAND_BOUND, S.INFILLED]
    assert (obj.source[-2:] == S.ABSENT).all()
    assert np.isnan(obj.pose[-2:]).all()
    assert np.isfinite(obj.pose[:-2]).all()


def test_the_mesh_has_the_size_of_the_thing(posed):
    width, height, _ = posed.mesh.extent_m
    assert width == pytest.approx(44 * PX, rel=0.1)
    assert height == pytest.approx(56 * PX, rel=0.1)


def test_without_a_known_depth_there_is_no_pose(carry, carry_scene, carry_track):
    assert pose_object(carry_scene, carry_track, K, np.full_like(carry.joints, np.nan)) is None
    away = replace(carry_scene, joints_2d=carry.joints_2d + np.array([0, 400]))
    assert pose_object(away, carry_track, K, carry.joints) is None
    still = replace(carry_track, cue=np.full(len(carry_track.cue), Cue.STANDING, np.uint8))
    assert pose_object(carry_scene, still, K, carry.joints) is None


def test_depths_are_in_proportion_to_the_hands(carry, carry_scene, carry_track, posed):
    twice = pose_object(carry_scene, carry_track, K, 2 * carry.joints)
    assert np.allclose(twice.pose[:, :3, 3], 2 * posed.pose[:, :3, 3], rtol=0.02)
    assert np.allclose(twice.mesh.extent_m[:2], 2 * posed.mesh.extent_m[:2])


@pytest.mark.parametrize(("axis", "degrees"), [("y", 35.0), ("y", -35.0), ("x", 30.0)])
def test_points_that_are_seen_tilted_tilt_the_pose(carry, carry_scene, carry_track, posed, axis, degrees):
    rng = np.random.default_rng(0)
    y, x = np.nonzero(carry_track.mask)
    pick = rng.choice(len(x), 80, replace=False)
    template = np.column_stack([x, y])[pick].astype(float)
    centre = np.array([(x.min() + x.max()) / 2, (y.min() + y.max()) / 2])
    flow = carry_track.cue == Cue.FLOW
    depth = np.median(posed.pose[:, 2, 3])
    xy = (template - centre) * depth / FOCAL
    points = np.column_stack([xy, front_depth_m(posed.mesh, xy)])
    R = Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
    matches = {}
    for t in np.nonzero(flow)[0]:
        T = posed.pose[t].copy()
        T[:3, :3] = R
        matches[int(t)] = np.hstack([template, project(K, transform(T, points))]).astype(np.float32)
    obj = pose_object(carry_scene, replace(carry_track, matches=matches), K, carry.joints)
    inner = np.nonzero(flow)[0][4:-4]
    assert np.degrees(angle_between(obj.pose[inner, :3, :3], np.broadcast_to(R, (len(inner), 3, 3)))).max() < 6
    assert np.degrees(angle_between(obj.pose[0, :3, :3], np.eye(3))) < 3
