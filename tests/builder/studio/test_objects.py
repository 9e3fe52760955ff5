import numpy as np
import pytest

from hoiset.builder.studio.objects import Prop, build_prop
from hoiset.builder.studio.params import OBJECT_KINDS, PART_KINDS
from tests.builder.studio.conftest import edge_counts


def make(kind: str, seed: int) -> Prop:
    rng = np.random.default_rng(seed)
    return build_prop(kind, rng, fits=build_prop(("pot", "jar")[seed % 2], rng) if kind == "lid" else None)


@pytest.mark.parametrize("kind", OBJECT_KINDS + PART_KINDS)
@pytest.mark.parametrize("seed", range(2))
def test_objects_are_closed_centred_and_on_their_distance_function(kind: str, seed: int) -> None:
    prop = make(kind, seed)
    vertices, faces = prop.mesh.vertices, prop.mesh.faces
    assert (edge_counts(faces) == 2).all()
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    assert (a * np.cross(b, c)).sum() / 6 > 1.5e-5
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


@pytest.mark.parametrize("kind", OBJECT_KINDS + PART_KINDS)
def test_holds_are_in_the_thing_and_as_wide_as_they_say(kind: str) -> None:
    prop = make(kind, 4)
    for hold in prop.holds:
        assert np.linalg.norm(hold.axis) == pytest.approx(1.0)
        across = np.cross(hold.axis, [0.0, 0.0, 1.0] if abs(hold.axis[2]) < 0.9 else [0.0, 1.0, 0.0])
        across = across if hold.across is None else hold.across
        across /= np.linalg.norm(across)
        beyond = prop.sdf(hold.centre + np.stack([across, -across]) * (hold.radius_m + 0.006))
        assert (beyond > 0).all(), hold.name


@pytest.mark.parametrize("vessel", ["pot", "jar"])
def test_a_lid_rests_on_its_vessel_and_does_not_go_through_it(vessel: str) -> None:
    rng = np.random.default_rng(3)
    below = build_prop(vessel, rng)
    lid = build_prop("lid", rng, fits=below)
    assert below.opening is not None
    assert lid.seat is not None
    closed = lid.mesh.vertices + (below.opening.centre - lid.seat)
    gap = below.sdf(closed)
    assert gap.min() > -5e-4
    assert gap.min() < 1e-3


def test_a_lid_without_something_to_close_is_an_error() -> None:
    with pytest.raises(ValueError, match="fits"):
        build_prop("lid", np.random.default_rng(0))
