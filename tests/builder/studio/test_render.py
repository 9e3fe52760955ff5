import cv2
import numpy as np
import pytest

from hoiset.builder.studio.develop import depth_mm, develop
from hoiset.builder.studio.meshes import Actor, dress
from hoiset.builder.studio.objects import build_prop
from hoiset.builder.studio.render import Renderer
from hoiset.builder.studio.stage import Stage, build_stage, look_at
from hoiset.geometry import invert, make_T, project, transform, unproject
from tests.builder.studio.conftest import SMALL


@pytest.fixture(scope="module")
def stage() -> Stage:
    return build_stage(SMALL, np.random.default_rng(11))


def prop_actor(kind: str = "box", code: int = 1) -> tuple[Actor, np.ndarray, np.ndarray]:
    """An actor, its vertices at rest, and its extent."""
    prop = build_prop(kind, np.random.default_rng(0))
    v = prop.mesh.vertices
    return dress(code, v, prop.mesh.faces, prop.texture, 0.1), v, prop.extent_m


def test_an_empty_set_has_the_depth_of_its_planes(stage: Stage) -> None:
    actor, rest, _ = prop_actor()
    away = rest + np.array([0.0, 0.0, -3.0])
    picture = Renderer(stage, 0).render([actor], [away])
    assert (picture.mask == 0).all()
    us, vs = np.meshgrid(np.arange(stage.width), np.arange(stage.height))
    points = unproject(stage.K, np.stack([us, vs], -1).astype(float), picture.depth_m)
    world = transform(invert(stage.T_camera_world), points.reshape(-1, 3))
    on_table, on_wall = np.abs(world[:, 2]) < 1e-6, np.abs(world[:, 1] - stage.wall_y_m) < 1e-6
    assert (on_table | on_wall).all()
    assert on_table.mean() > 0.3


def test_an_object_covers_its_projection_and_darkens_the_table(stage: Stage) -> None:
    actor, rest, extent = prop_actor()
    T = stage.T_camera_world @ make_T(np.eye(3), np.array([0.0, 0.0, extent[2] / 2]))
    posed = transform(T, rest)
    renderer = Renderer(stage, 0)
    picture = renderer.render([actor], [posed])
    uv = np.round(project(stage.K, posed)).astype(int)
    assert picture.mask[uv[:, 1], uv[:, 0]].mean() > 0.9
    assert picture.depth_m[picture.mask == 1].min() >= posed[:, 2].min() - 1e-4
    empty = renderer.render([actor], [posed - np.array([0, 0, 4.0])])
    table = cv2.dilate(picture.mask, np.ones((3, 3), np.uint8)) == 0  # outlines are mixed with the object's colour
    assert (picture.rgb[table] <= empty.rgb[table] + 1e-6).all()
    assert ((empty.rgb - picture.rgb).max(-1)[table] > 0.05).sum() > 100


def test_what_always_stands_there_looks_as_if_it_were_rendered_anew(stage: Stage) -> None:
    """The shortcut of shading what never moves once, against rendering it with everything else."""
    box, box_rest, box_extent = prop_actor("box", 1)
    mug, mug_rest, mug_extent = prop_actor("mug", 2)
    standing = stage.T_camera_world @ make_T(np.eye(3), np.array([0.05, 0.05, box_extent[2] / 2]))
    coming = stage.T_camera_world @ make_T(np.eye(3), np.array([0.0, -0.06, 0.06 + mug_extent[2] / 2]))
    posed = transform(standing, box_rest), transform(coming, mug_rest)
    anew = Renderer(stage, 0).render([box, mug], posed)
    fast = Renderer(stage, 0, [box], posed[:1]).render([mug], posed[1:])
    assert np.array_equal(anew.mask, fast.mask)
    assert np.abs(anew.depth_m - fast.depth_m).max() < 1e-6
    assert {0, 1, 2} == set(np.unique(fast.mask))
    assert np.abs(anew.rgb - fast.rgb).mean() < 0.004
    assert np.abs(anew.rgb - fast.rgb)[anew.mask == 2].mean() < 0.01


def test_colours_are_those_of_the_texture(stage: Stage) -> None:
    actor, rest, _ = prop_actor("ball")
    a, b, c = (rest[actor.faces[:, k]] for k in range(3))
    texture = build_prop("ball", np.random.default_rng(0)).texture
    for node, points in enumerate((a, b, c, (b + c) / 2, (c + a) / 2, (a + b) / 2)):
        assert np.allclose(actor.colours[:, node], texture(points), atol=1e-6)


def test_the_camera_looks_at_its_target_upright() -> None:
    T = look_at(np.array([0.3, -0.8, 0.6]), np.array([0.0, 0.1, 0.05]))
    target = transform(T, np.array([[0.0, 0.1, 0.05]]))[0]
    assert np.allclose(target[:2], 0, atol=1e-12)
    assert target[2] > 0
    assert T[1, 2] < 0
    assert np.linalg.det(T[:3, :3]) == pytest.approx(1.0)


def test_developing_keeps_order_and_adds_noise_of_the_given_size() -> None:
    grey = np.full((64, 64, 3), 0.2)
    clean = develop(grey, np.random.default_rng(0), blur_px=0.0, noise=0.0)
    noisy = develop(grey, np.random.default_rng(0), blur_px=0.0, noise=0.02)
    assert len(np.unique(clean)) == 1
    assert 2.0 < noisy.std() < 8.0
    ramp = develop(
        np.linspace(0, 1.2, 64)[None, :, None] * np.ones((1, 64, 3)), np.random.default_rng(0), blur_px=0, noise=0
    )
    assert (np.diff(ramp[0, :, 0].astype(int)) >= 0).all()


def test_depth_is_in_whole_millimetres_and_0_beyond_its_range() -> None:
    assert depth_mm(np.array([[0.5004, 0.5006, 70.0]])).tolist() == [[500, 501, 0]]
