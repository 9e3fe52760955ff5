from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hoiset.builder.reconstruct.depth_pose import pose_by_depth
from hoiset.builder.reconstruct.objects.given_masks import tracks_of_masks
from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.objects.scene import Scene, build_scene
from hoiset.builder.studio import RgbdCamera, Solid
from hoiset.geometry import angle_between, invert, make_T, transform

from .scenes import FOCAL, HEIGHT, WIDTH, K, ease
from .synthetic import hand, place

N, FPS = 36, 15.0
SIZE_M = (0.14, 0.10, 0.06)


@dataclass(frozen=True)
class BoxTake:
    """A box in front of a wall, its masks and depth, and a hand that stays in a corner."""

    rgb: np.ndarray
    masks: np.ndarray
    depth_m: np.ndarray
    poses: np.ndarray

    @property
    def scene(self) -> Scene:
        """As the object stage sees it."""
        joints = place(hand(), np.array([0.3, 0.24, 0.9]), np.zeros(3))
        uv = joints @ K.T
        joints_2d = np.full((N, 2, 21, 2), np.nan)
        joints_2d[:, 1] = uv[:, :2] / uv[:, 2:]
        return build_scene(self.rgb, np.arange(N) / FPS, joints_2d, ObjectParams())


def textured(mesh: trimesh.Trimesh, seed: int, cell_m: float) -> Solid:
    """Every vertex in the random colour of the cell that it lies in."""
    cells = np.floor(mesh.vertices / cell_m + 1e-6).astype(int)
    _, which = np.unique(cells, axis=0, return_inverse=True)
    palette = np.random.default_rng(seed).uniform(0.05, 0.9, (which.max() + 1, 3))
    return Solid(np.asarray(mesh.vertices, float), np.asarray(mesh.faces), palette[which.ravel()])


def film(turn: np.ndarray, move: np.ndarray) -> BoxTake:
    """From 0.6 to 1.6 s the box is turned by a rotation vector about its middle, and moved."""
    box = trimesh.creation.box(SIZE_M)
    while box.edges_unique_length.max() > 0.005:
        box = box.subdivide()
    wall = trimesh.creation.box((3.0, 2.0, 0.01)).subdivide().subdivide().subdivide().subdivide()
    solids = (textured(box, 1, 0.014), textured(wall, 2, 0.2))
    camera = RgbdCamera(K, WIDTH, HEIGHT)
    tilt = Rotation.from_euler("xyz", [0.5, -0.5, 0.15])
    poses, frames = [], []
    for t in np.arange(N) / FPS:
        s = ease(float(t), 0.6, 1.6)
        R = (Rotation.from_rotvec(s * turn) * tilt).as_matrix()
        poses.append(make_T(R, np.array([-0.12, -0.03, 0.8]) + s * move))
        frames.append(camera.render([(solids[0], poses[-1]), (solids[1], make_T(np.eye(3), np.array([0, 0, 1.1])))]))
    noise = np.random.default_rng(0).normal(0, 1.5, (N, HEIGHT, WIDTH, 3))
    return BoxTake(
        np.clip(np.stack([f.rgb for f in frames]) + noise, 0, 255).astype(np.uint8),
        np.stack([np.where(f.mask == 1, 1, 0) for f in frames]).astype(np.uint8),
        np.stack([np.where(f.depth_m > 0, f.depth_m, np.nan) for f in frames]),
        np.stack(poses),
    )


def errors(take: BoxTake, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the motion since the first frame: distance of the true box's middle, m, and rotation, rad."""
    true, found = take.poses @ invert(take.poses[0]), pose @ invert(pose[0])
    middle = take.poses[0, :3, 3]
    at = [np.stack([transform(T, middle[None])[0] for T in way]) for way in (true, found)]
    return np.linalg.norm(at[1] - at[0], axis=1), angle_between(true[:, :3, :3], found[:, :3, :3])


def posed(take: BoxTake, depth_m: np.ndarray):
    (track,), _ = tracks_of_masks(scene := take.scene, take.masks)
    return pose_by_depth(scene, track, K, depth_m)


@pytest.fixture(scope="module")
def turned() -> BoxTake:
    return film(np.array([0.1, 0.35, 0.5]), np.array([0.22, 0.05, -0.08]))


@pytest.fixture(scope="module")
def found(turned: BoxTake):
    return posed(turned, turned.depth_m)


def test_a_rigid_motion_is_followed(turned: BoxTake, found) -> None:
    distance, angle = errors(turned, found.pose)
    assert np.median(distance) < 0.003
    assert distance.max() < 0.008
    assert np.degrees(np.median(angle)) < 0.5
    assert np.degrees(angle.max()) < 2.0


def test_what_stands_does_not_move(turned: BoxTake, found) -> None:
    # Smoothing reaches a tenth of a second into what stands.
    for still in (found.pose[:7], found.pose[-8:]):
        assert np.abs(still - still[0]).max() < 2e-4


def test_the_box_is_where_its_front_is(turned: BoxTake, found) -> None:
    assert found.depth_source == "depth_map"
    pixel_m = 0.8 / FOCAL
    assert np.linalg.norm(found.pose[:, :2, 3] - turned.poses[:, :2, 3], axis=1).max() < 6 * pixel_m
    # How deep it is behind what is seen of it is a guess from its outline.
    assert np.abs(found.pose[:, 2, 3] - turned.poses[:, 2, 3]).max() < 0.5 * max(SIZE_M)


def test_it_is_as_far_as_the_depth_map_says(turned: BoxTake, found) -> None:
    farther = posed(turned, 1.2 * turned.depth_m)
    np.testing.assert_allclose(farther.pose[:, 2, 3] / found.pose[:, 2, 3], 1.2, rtol=0.01)


def test_holes_in_the_depth_map_are_no_depth(turned: BoxTake) -> None:
    holes = np.random.default_rng(0).uniform(size=turned.depth_m.shape) < 0.4
    distance, angle = errors(turned, posed(turned, np.where(holes, np.nan, turned.depth_m)).pose)
    assert np.median(distance) < 0.005
    assert np.degrees(np.median(angle)) < 2.5


def test_nothing_without_a_depth_where_it_stands(turned: BoxTake) -> None:
    assert posed(turned, np.full_like(turned.depth_m, np.nan)) is None


def test_depth_at_another_resolution(turned: BoxTake, found) -> None:
    fine = np.repeat(np.repeat(turned.depth_m, 2, axis=1), 2, axis=2)
    np.testing.assert_allclose(posed(turned, fine).pose[:, :3, 3], found.pose[:, :3, 3], atol=0.004)
