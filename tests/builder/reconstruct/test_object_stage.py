import io
from dataclasses import fields, replace

import numpy as np
import pytest
import trimesh

from hoiset.builder.reconstruct.object_stage import draw_mesh, from_arrays, reconstruct_objects, to_arrays
from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.records import Camera
from hoiset.shards.schema import ObjectState

from .scenes import HEIGHT, WIDTH, K, Thing, carried, iou, reaching, resting, take

PARAMS = ObjectParams()


def objects_of(shot, **how):
    return reconstruct_objects(shot.rgb, shot.time, shot.hands, how.get("camera", shot.camera), None, PARAMS)


@pytest.fixture(scope="module")
def found(carry):
    return objects_of(carry)


def through_npz(objects):
    buffer = io.BytesIO()
    np.savez(buffer, **to_arrays(objects))
    buffer.seek(0)
    with np.load(buffer, allow_pickle=False) as archive:
        return from_arrays({k: archive[k] for k in archive.files})


def equal(a, b):
    for f in fields(a):
        x, y = getattr(a, f.name), getattr(b, f.name)
        if f.name == "meshes":
            assert len(x) == len(y)
            for m, n in zip(x, y, strict=True):
                assert m.source == n.source
                assert all(np.array_equal(getattr(m, k), getattr(n, k)) for k in ("vertices", "faces", "colours"))
        elif isinstance(x, np.ndarray):
            assert x.dtype == y.dtype
            assert np.array_equal(x, y, equal_nan=x.dtype.kind == "f")
        else:
            assert x == y


def test_one_moved_thing_is_one_object_with_everything(carry, found):
    n = len(carry.time)
    assert len(found.meshes) == len(found.depth_source) == 1
    assert found.pose.shape == (n, 1, 4, 4)
    assert found.source.shape == found.state.shape == (n, 1)
    assert found.contact.shape == (n, 2, 1)
    assert ((found.source > 0) == np.isfinite(found.pose).all((2, 3))).all()
    assert ObjectState.GRASPED_RIGHT in found.state
    assert len(found.grasps) == 1
    assert 0.51 <= found.confidence[0] <= 1
    assert 0.8 < found.mask_iou[0] <= 1
    assert trimesh.Trimesh(found.meshes[0].vertices, found.meshes[0].faces, process=False).is_watertight


def test_the_posed_mesh_covers_the_thing_in_every_frame(carry, found):
    mesh = found.meshes[0]
    for t in range(0, len(carry.time), 4):
        drawn = draw_mesh(mesh.vertices, mesh.faces, found.pose[t, 0], K, (HEIGHT, WIDTH)) > 0
        assert iou(drawn, carry.masks[0, t]) > 0.7


def test_the_camera_may_be_of_a_larger_picture(carry, found):
    big = K.copy()
    big[:2] *= 2
    big[:2, 2] += 0.5
    camera = Camera(big, 2 * WIDTH, 2 * HEIGHT, "given", np.full(3, np.nan), "absent", "test")
    hands = replace(carry.hands, joints_2d=(carry.joints_2d + 0.5) * 2 - 0.5)
    again = reconstruct_objects(carry.rgb, carry.time, hands, camera, None, PARAMS)
    assert np.allclose(again.pose, found.pose, atol=1e-6, equal_nan=True)


def test_nothing_moved_is_no_object():
    still = objects_of(take([Thing(resting(90, 70))], [reaching(carried((180, 70), (240, 80)))]))
    assert still.meshes == ()
    assert still.pose.shape == (45, 0, 4, 4)
    assert still.contact.shape == (45, 2, 0)


def test_no_hands_are_said_to_be_the_reason(carry):
    nobody = carry.part(joints=np.full_like(carry.joints, np.nan), joints_2d=np.full_like(carry.joints_2d, np.nan))
    nothing = objects_of(nobody)
    assert nothing.meshes == ()
    assert nothing.dropped == (("objects", "no_hands"),)


def test_hands_without_a_depth_give_none_to_objects(carry):
    flat = objects_of(carry.part(joints=np.full_like(carry.joints, np.nan)))
    assert flat.meshes == ()
    assert ("followed object", "no_depth_from_a_hand") in flat.dropped


def test_objects_survive_the_cache(found):
    equal(through_npz(found), found)


def test_no_objects_survive_the_cache(carry):
    nothing = objects_of(carry.part(joints=np.full_like(carry.joints, np.nan)))
    equal(through_npz(nothing), nothing)


def test_equal_input_gives_equal_bytes(carry, found):
    a, b = to_arrays(found), to_arrays(objects_of(carry))
    assert a.keys() == b.keys()
    assert all(a[k].tobytes() == b[k].tobytes() for k in a)


def square(half, z):
    vertices = np.array([[-half, -half, 0], [half, -half, 0], [half, half, 0], [-half, half, 0.0]])
    pose = np.eye(4)
    pose[2, 3] = z
    return vertices, np.array([[0, 1, 2], [0, 2, 3]]), pose


def test_a_mesh_is_drawn_where_it_projects():
    drawn = draw_mesh(*square(0.1, 1.0), K, (HEIGHT, WIDTH))
    y, x = np.nonzero(drawn)
    assert int(drawn.sum()) == pytest.approx(56**2, rel=0.06)
    assert x.mean() == pytest.approx((WIDTH - 1) / 2, abs=0.6)
    assert y.mean() == pytest.approx((HEIGHT - 1) / 2, abs=0.6)


def test_a_mesh_behind_the_camera_is_not_drawn():
    assert not draw_mesh(*square(0.1, -1.0), K, (HEIGHT, WIDTH)).any()
    assert not draw_mesh(*square(0.1, 1e-5), K, (HEIGHT, WIDTH)).any()
