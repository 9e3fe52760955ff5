import cv2
import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.builder.reconstruct.shape import front_depth_m, inflate_silhouette

SHAPE = (120, 160)
MM = 0.001


def picture(shape=SHAPE):
    y, x = np.indices(shape)
    return np.stack([x % 256, y % 256, np.full(shape, 90)], -1).astype(np.uint8)


def ellipse(a, b, angle=0.0):
    mask = np.zeros(SHAPE, np.uint8)
    cv2.ellipse(mask, (80, 60), (a, b), angle, 0, 360, 1, -1)
    return mask > 0


def inflate(mask, thickness_min_m=0.002, **how):
    return inflate_silhouette(mask, picture(mask.shape), MM, thickness_min_m, **how)


def as_trimesh(mesh):
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


def check(mesh, mask, thickness_min_m):
    solid = as_trimesh(mesh)
    assert solid.is_watertight
    assert solid.is_winding_consistent
    assert solid.volume > 0
    assert np.isfinite(mesh.vertices).all()
    assert mesh.colours.shape == mesh.vertices.shape
    assert mesh.colours.dtype == np.uint8
    y, x = np.nonzero(mask)
    side = MM * (max(np.ptp(x), np.ptp(y)) + 1)
    assert thickness_min_m - 1e-9 <= mesh.extent_m[2] <= side + thickness_min_m
    assert np.allclose(mesh.vertices.min(0) + mesh.vertices.max(0), 0, atol=1e-12)


@pytest.mark.parametrize("radius", [20, 35, 50])
def test_a_disc_becomes_a_ball(radius):
    mask = ellipse(radius, radius)
    mesh = inflate(mask)
    check(mesh, mask, 0.002)
    r = MM * np.sqrt(mask.sum() / np.pi)
    cell = 2 * r / 24
    assert as_trimesh(mesh).volume == pytest.approx(4 / 3 * np.pi * r**3, rel=0.05)
    assert np.abs(mesh.extent_m - 2 * r).max() <= cell + 1e-9
    assert mesh.source == "inflated_silhouette"


def test_an_upright_bar_becomes_a_can():
    mask = np.zeros(SHAPE, bool)
    mask[10:110, 60:100] = True
    mesh = inflate(mask)
    check(mesh, mask, 0.002)
    assert np.abs(mesh.extent_m - [0.04, 0.1, 0.04]).max() < 0.1 / 24 + 1e-9
    middle = np.abs(mesh.vertices[:, 1]) < 0.02
    radius = np.linalg.norm(mesh.vertices[middle][:, [0, 2]], axis=1)
    assert radius.max() < 0.026


@pytest.mark.parametrize("resolution", [12, 24, 48])
def test_finer_grids_come_nearer(resolution):
    error = inflate(ellipse(50, 30), resolution=resolution).extent_m[:2] - MM * np.array([101, 61])
    assert np.abs(error).max() < 2.2 * MM * 101 / resolution


def test_lengths_are_proportional_to_the_size_of_a_pixel():
    mask = ellipse(40, 25, 30)
    small, large = (inflate_silhouette(mask, picture(), size, 0.0) for size in (MM, 3 * MM))
    assert np.allclose(3 * small.vertices, large.vertices)
    assert (small.faces == large.faces).all()


@pytest.mark.parametrize(("a", "b", "angle"), [(60, 2, 0), (60, 2, 33), (2, 50, 0), (1, 12, 0), (70, 1, 70)])
def test_thin_things_get_the_least_thickness(a, b, angle):
    mask = ellipse(a, b, angle)
    mesh = inflate(mask, 0.02)
    check(mesh, mask, 0.02)
    assert mesh.extent_m[2] == pytest.approx(0.02, rel=0.01)
    y, x = np.nonzero(mask)
    assert np.abs(mesh.extent_m[:2] - MM * (np.array([np.ptp(x), np.ptp(y)]) + 1)).max() < 0.012


def test_colours_are_those_of_the_picture():
    mask = ellipse(40, 40)
    mesh = inflate(mask)
    x = mesh.vertices[:, 0] / MM + 80
    y = mesh.vertices[:, 1] / MM + 60
    assert np.abs(mesh.colours[:, 0] - x).max() < 5
    assert np.abs(mesh.colours[:, 1] - y).max() < 5


def test_an_empty_silhouette_is_refused():
    with pytest.raises(ValueError, match="empty silhouette"):
        inflate(np.zeros(SHAPE, bool))


def test_two_halves_that_touch_at_a_corner_are_closed():
    mask = np.zeros(SHAPE, bool)
    mask[20:60, 40:80] = True
    mask[60:100, 80:120] = True
    check(inflate(mask), mask, 0.002)


def test_a_ring_keeps_its_hole():
    mask = ellipse(50, 50) & ~ellipse(25, 25)
    mesh = inflate(mask)
    check(mesh, mask, 0.002)
    assert as_trimesh(mesh).euler_number == 0


@st.composite
def blobs(draw):
    """One connected silhouette out of random discs and bars, some ragged."""
    mask = np.zeros(SHAPE, np.uint8)
    for _ in range(draw(st.integers(1, 6))):
        centre = draw(st.tuples(st.integers(0, 159), st.integers(0, 119)))
        axes = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
        cv2.ellipse(mask, centre, axes, draw(st.integers(0, 179)), 0, 360, 1, -1)
    if draw(st.booleans()):
        noise = np.random.default_rng(draw(st.integers(0, 99))).random(SHAPE)
        mask &= (cv2.GaussianBlur(noise, (0, 0), 3) > 0.485).astype(np.uint8)
    n, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if n < 2:
        return ellipse(9, 9)
    return labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())


@settings(max_examples=60, deadline=None)
@given(blobs(), st.floats(0.0005, 0.03))
def test_any_silhouette_becomes_a_closed_mesh_within_its_bounds(mask, thickness_min_m):
    check(inflate(mask, thickness_min_m), mask, thickness_min_m)


def test_the_front_is_towards_the_camera():
    mesh = inflate(ellipse(40, 40))
    depth = front_depth_m(mesh, np.array([[0.0, 0.0], [0.03, 0.0], [0.0, 0.039], [0.5, 0.0]]))
    assert depth[0] == pytest.approx(-0.04, abs=0.002)
    assert depth[0] < depth[1] < depth[2] <= 0
    assert depth[1] == pytest.approx(-np.sqrt(0.04**2 - 0.03**2), abs=0.004)
    assert abs(depth[3]) < 0.02  # beyond the outline, that of its nearest point
