import numpy as np
import pytest

from hoiset.builder.studio.grasp import RELAXED_RAD
from hoiset.builder.studio.hand import Hand, build_hand
from hoiset.builder.studio.skeleton import FOREARM, PALM, adult_skeleton
from hoiset.builder.studio.skin import paint_hand
from tests.builder.studio.conftest import edge_counts


def test_the_mesh_is_closed_and_surrounds_the_joints(hand: Hand) -> None:
    import open3d as o3d

    assert (edge_counts(hand.faces) % 2 == 0).all()
    scene = o3d.t.geometry.RaycastingScene()
    vertices, faces = hand.mesh.vertices.astype(np.float32), hand.faces.astype(np.uint32)
    scene.add_triangles(o3d.core.Tensor(vertices), o3d.core.Tensor(faces))
    signed = scene.compute_signed_distance(o3d.core.Tensor(hand.skeleton.joints.astype(np.float32))).numpy()
    tips = [4, 8, 12, 16, 20]
    inner = np.setdiff1d(np.arange(21), tips)
    assert (signed[inner] < -0.004).all()
    assert np.abs(signed[tips]).max() < 0.0015


def test_weights_are_smooth_shares(hand: Hand) -> None:
    assert np.allclose(hand.weights.sum(-1), 1.0)
    assert hand.weights.min() >= 0.0
    edges = hand.faces[:, :2]
    assert np.abs(hand.weights[edges[:, 0]] - hand.weights[edges[:, 1]]).max() < 0.7
    for bone in range(17):
        assert (hand.weights[:, bone] > 0.7).sum() > 20, bone


def test_the_rest_pose_is_the_rest_mesh(hand: Hand) -> None:
    vertices, joints = hand.pose(np.zeros((5, 4)))
    assert np.allclose(vertices, hand.mesh.vertices, atol=1e-12)
    assert np.allclose(joints, hand.skeleton.joints, atol=1e-12)


def test_bent_fingers_keep_the_skin_at_the_joints(hand: Hand) -> None:
    vertices, joints = hand.pose(RELAXED_RAD + 0.4)
    for tip in (4, 8, 12, 16, 20):
        assert np.linalg.norm(vertices - joints[tip], axis=-1).min() < 0.003
    palm = hand.weights[:, PALM] > 0.999
    assert np.allclose(vertices[palm], hand.mesh.vertices[palm], atol=1e-4)


def test_a_sleeve_covers_the_forearm_only() -> None:
    dressed = build_hand(adult_skeleton(), sleeve_start_m=0.08, spacing_m=0.004)
    assert dressed.is_sleeve.any()
    assert dressed.mesh.vertices[dressed.is_sleeve, 1].max() < -0.07
    assert (dressed.weights[dressed.is_sleeve, FOREARM] > 0.9).all()


def test_paint_depends_on_its_seed_alone(hand: Hand) -> None:
    a, b = (paint_hand(hand, np.random.default_rng(7)) for _ in range(2))
    other = paint_hand(hand, np.random.default_rng(8))
    assert np.array_equal(a[0], b[0])
    assert not np.allclose(a[0], other[0], atol=0.02)
    assert a[0].min() >= 0
    assert a[0].max() <= 1


def test_size_scales_the_whole_hand() -> None:
    small, large = (build_hand(adult_skeleton(s), spacing_m=0.004) for s in (0.9, 1.1))
    reach = [h.mesh.vertices[:, 1].max() for h in (small, large)]
    assert reach[1] / reach[0] == pytest.approx(1.1 / 0.9, rel=0.01)
