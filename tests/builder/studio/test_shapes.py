import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from hoiset.builder.studio.shapes import revolved_polygon, round_cone, rounded_box, smooth_min

coordinate = st.floats(-0.1, 0.1)
point = st.tuples(coordinate, coordinate, coordinate).map(np.array)


@settings(max_examples=50, deadline=None)
@given(p=point, q=point)
def test_no_shape_grows_faster_than_the_distance(p: np.ndarray, q: np.ndarray) -> None:
    profile = np.array([[0, -0.03], [0.04, -0.03], [0.05, 0.03], [0.02, 0.03], [0.02, 0.0], [0, 0.0]])
    shapes = (
        lambda x: round_cone(x, np.zeros(3), np.array([0.0, 0.05, 0.0]), 0.01, 0.01),
        lambda x: rounded_box(x, np.array([0.03, 0.02, 0.05]), 0.004),
        lambda x: revolved_polygon(x, profile),
    )
    for shape in shapes:
        assert abs(shape(p) - shape(q)) <= np.linalg.norm(p - q) + 1e-9


def test_a_revolved_polygon_agrees_with_points_on_its_surface() -> None:
    profile = np.array([[0, -0.03], [0.04, -0.03], [0.04, 0.03], [0, 0.03]])
    t = np.linspace(0, 1, 200)
    edge = np.concatenate([np.stack([0.04 * t, np.full(200, s)], -1) for s in (-0.03, 0.03)])
    edge = np.concatenate([edge, np.stack([np.full(200, 0.04), -0.03 + 0.06 * t], -1)])
    p = np.random.default_rng(0).uniform(-0.07, 0.07, (300, 3))
    flat = np.stack([np.hypot(p[:, 0], p[:, 1]), p[:, 2]], -1)
    inside = (flat[:, 0] < 0.04) & (np.abs(flat[:, 1]) < 0.03)
    found = revolved_polygon(p, profile)
    assert np.allclose(np.abs(found), cdist(flat, edge).min(-1), atol=3e-4)
    assert ((found < 0) == inside).all()


def test_a_smooth_union_lies_below_both_by_at_most_a_quarter_of_its_radius() -> None:
    a, b = np.random.default_rng(1).uniform(-0.02, 0.02, (2, 500))
    joined = smooth_min(a, b, 0.008)
    assert (joined <= np.minimum(a, b) + 1e-12).all()
    assert (joined >= np.minimum(a, b) - 0.002 - 1e-12).all()
