import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hoiset.builder.studio import RgbdCamera, Solid
from hoiset.geometry import invert, make_T, project, transform, unproject

WIDTH, HEIGHT = 96, 72
K = np.array([[90.0, 0.0, 47.5], [0.0, 95.0, 35.5], [0.0, 0.0, 1.0]])


@pytest.fixture(scope="module")
def camera() -> RgbdCamera:
    return RgbdCamera(K, WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def ball() -> Solid:
    return Solid.of(trimesh.creation.icosphere(subdivisions=5, radius=0.1))


@pytest.fixture(scope="module")
def crate() -> Solid:
    return Solid.of(trimesh.creation.box((0.2, 0.12, 0.08)))


def at(x: float, y: float, z: float, turn: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    return make_T(Rotation.from_rotvec(turn).as_matrix(), np.array([x, y, z]))


def rays() -> np.ndarray:
    us, vs = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    return unproject(K, np.stack([us, vs], -1).astype(float), np.ones((HEIGHT, WIDTH)))


def test_depth_and_normals_of_a_ball_are_those_of_the_sphere(camera: RgbdCamera, ball: Solid) -> None:
    centre = np.array([0.03, -0.02, 0.6])
    frame = camera.render([(ball, at(*centre))])
    d = rays()
    b, dd = d @ centre, (d * d).sum(-1)
    inside = b**2 - dd * (centre @ centre - 0.1**2)
    depth = (b - np.sqrt(np.maximum(inside, 0.0))) / dd
    sure = inside > 2e-4  # not at the silhouette, where the mesh is a polygon
    assert sure.sum() > 300
    assert (frame.mask[sure] == 1).all()
    assert np.abs(frame.depth_m[sure] - depth[sure]).max() < 5e-4
    normals = (d * depth[..., None] - centre)[sure] / 0.1
    assert (frame.normals[sure] * normals).sum(-1).min() > 0.995
    clear = inside < -2e-4
    assert (frame.mask[clear] == 0).all()
    assert (frame.depth_m[clear] == 0).all()
    assert np.isnan(frame.normals[clear]).all()
    assert (frame.rgb[clear] == 0).all()
    assert frame.rgb[sure].min() > 0


def test_a_wall_in_front_of_the_camera_has_the_depth_of_its_plane(camera: RgbdCamera) -> None:
    wall = Solid.of(trimesh.creation.box((4.0, 4.0, 0.01)))
    T = at(0.0, 0.0, 1.0, (0.4, -0.3, 0.1))
    frame = camera.render([(wall, T)])
    normal, point = T[:3, 2], T[:3, 3] - 0.005 * T[:3, 2]
    depth = (point @ normal) / (rays() @ normal)
    assert (frame.mask == 1).all()
    assert np.allclose(frame.depth_m, depth, atol=1e-5)
    assert np.allclose(frame.normals, -normal, atol=1e-5)


def test_the_nearer_of_two_is_seen(camera: RgbdCamera, ball: Solid, crate: Solid) -> None:
    frame = camera.render([(ball, at(0, 0, 0.7)), (crate, at(0, 0, 0.4))])
    centre = HEIGHT // 2, WIDTH // 2
    assert frame.mask[centre] == 2
    assert frame.depth_m[centre] == pytest.approx(0.36, abs=1e-4)
    assert camera.render([]).mask.max() == 0
    assert camera.render([(ball, at(0, 0, -0.7))]).mask.max() == 0


def test_flow_is_that_of_the_points_under_the_pixels(camera: RgbdCamera, ball: Solid, crate: Solid) -> None:
    before = [(ball, at(-0.1, 0.0, 0.6)), (crate, at(0.12, 0.02, 0.5, (0.2, 0.3, 0.0)))]
    after = [(ball, at(-0.08, 0.03, 0.65, (0.0, 0.1, 0.2))), (crate, at(0.12, 0.02, 0.5, (0.2, 0.3, 0.25)))]
    frame, flow = camera.render(before), camera.flow(before, after)
    assert np.array_equal(np.isfinite(flow).all(-1), frame.mask > 0)
    for number, ((_, T_before), (_, T_after)) in enumerate(zip(before, after, strict=True), 1):
        v, u = np.nonzero(frame.mask == number)
        assert len(v) > 200
        pixels = np.stack([u, v], -1).astype(float)
        points = unproject(K, pixels, frame.depth_m[v, u])
        moved = project(K, transform(T_after @ invert(T_before), points))
        assert np.abs(pixels + flow[v, u] - moved).max() < 0.01


def test_flow_follows_a_surface_that_is_deformed(camera: RgbdCamera, ball: Solid) -> None:
    T = at(0, 0, 0.6)
    wider = ball.deformed(ball.vertices * [1.2, 1.0, 1.0])
    flow = camera.flow([(ball, T)], [(wider, T)])
    row = flow[HEIGHT // 2, :, 0]
    seen = np.flatnonzero(np.isfinite(row))
    assert np.abs(row[seen] - 0.2 * (seen - K[0, 2])).max() < 0.05


def test_a_standing_scene_has_no_flow(camera: RgbdCamera, crate: Solid) -> None:
    placed = [(crate, at(0, 0, 0.5, (0.5, 0.2, 0.1)))]
    flow = camera.flow(placed, placed)
    assert np.nanmax(np.abs(flow)) < 1e-3


def test_vertex_colours_are_seen(camera: RgbdCamera) -> None:
    mesh = trimesh.creation.box((0.2, 0.2, 0.02))
    mesh.visual.vertex_colors = np.tile([255, 0, 0, 255], (8, 1))
    frame = camera.render([(Solid.of(mesh), at(0, 0, 0.5))])
    r, g, b = frame.rgb[HEIGHT // 2, WIDTH // 2]
    assert r > 250
    assert g == b == 0


def test_what_cannot_be_rendered_is_refused(camera: RgbdCamera, ball: Solid, crate: Solid) -> None:
    with pytest.raises(ValueError, match="expected"):
        RgbdCamera(np.eye(4), 4, 4)
    with pytest.raises(ValueError, match="0 x 4"):
        RgbdCamera(K, 0, 4)
    with pytest.raises(ValueError, match="expected the same"):
        camera.flow([(ball, np.eye(4))], [(crate, np.eye(4))])
    with pytest.raises(ValueError, match="not among"):
        Solid(np.zeros((3, 3)), np.array([[0, 1, 3]]), np.zeros((3, 3)))
    with pytest.raises(ValueError, match="at most 255"):
        camera.render([(ball, np.eye(4))] * 256)
