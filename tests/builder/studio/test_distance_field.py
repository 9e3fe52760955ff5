import numpy as np
import pytest

from hoiset.builder.studio.distance_field import DistanceField
from hoiset.builder.studio.objects import build_prop


@pytest.mark.parametrize("kind", ["bottle", "plate", "spoon"])
def test_the_field_agrees_with_the_distance_function(kind: str) -> None:
    prop = build_prop(kind, np.random.default_rng(0))
    field = DistanceField(prop, spacing_m=0.002)
    p = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, 3)) * (prop.extent_m + 0.05)
    true, found = prop.sdf(p), field(p)
    near = np.abs(true) < 0.01
    assert np.abs(found - true)[near].max() < 0.0012
    assert ((found < 0) == (true < 0))[np.abs(true) > 0.001].all()


def test_outward_is_the_surface_normal() -> None:
    prop = build_prop("ball", np.random.default_rng(0))
    p = prop.mesh.vertices[::97]
    assert ((DistanceField(prop).outward(p) * p).sum(-1) / np.linalg.norm(p, axis=-1) > 0.98).all()
