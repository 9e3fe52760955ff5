import numpy as np
import pytest

from hoiset.builder.studio.objects import build_prop
from hoiset.builder.studio.params import OBJECT_KINDS
from tests.builder.studio.conftest import edge_counts


@pytest.mark.parametrize("kind", OBJECT_KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_objects_are_closed_centred_and_on_their_distance_function(kind: str, seed: int) -> None:
    prop = build_prop(kind, np.random.default_rng(seed))
    vertices, faces = prop.mesh.vertices, prop.mesh.faces
    assert (edge_counts(faces) == 2).all()
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    assert (a * np.cross(b, c)).sum() / 6 > 5e-5
    assert np.allclose(vertices.max(0), prop.extent_m / 2)
    assert np.allclose(vertices.min(0), -prop.extent_m / 2)
    assert np.abs(prop.sdf(vertices)).max() < 2e-4
    colours = prop.texture(vertices)
    assert colours.shape == vertices.shape
    assert colours.min() >= 0
    assert colours.std(0).max() > 0.02


def test_equal_seeds_give_equal_objects_and_others_do_not() -> None:
    a, b, c = (build_prop("mug", np.random.default_rng(s)) for s in (5, 5, 6))
    assert np.array_equal(a.mesh.vertices, b.mesh.vertices)
    assert not np.allclose(a.extent_m, c.extent_m)


def test_a_mug_is_hollow_and_a_box_is_not() -> None:
    mug, box = (build_prop(k, np.random.default_rng(0)) for k in ("mug", "box"))
    body = mug.mesh.vertices[:, 0].min() + mug.grip_radius_m
    assert mug.sdf(np.array([body, 0.0, 0.0])) > 0.02
    assert box.sdf(np.zeros(3)) < -0.02
