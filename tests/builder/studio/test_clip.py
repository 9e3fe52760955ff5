import io

import numpy as np
import pytest
import trimesh

from hoiset.builder.studio import StudioClip, StudioParams, render_clip
from hoiset.geometry import invert, project, transform, wrist_frame
from hoiset.shards.schema import DEFAULT_LAYERS, FINGERTIPS, ObjectSource, ObjectState, members
from hoiset.video import decode_mp4_bytes
from tests.builder.studio.conftest import small


def side_of(clip: StudioClip) -> int:
    return clip.hands[0].side


def K_of(clip: StudioClip) -> np.ndarray:
    return np.array(clip.truth["clip.json"]["camera"]["K"])


def held_of(clip: StudioClip) -> np.ndarray:
    return clip.truth["object_state.npy"][:, 0] >= ObjectState.GRASPED_LEFT


def scene_of(vertices: np.ndarray, faces: np.ndarray):
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene()
    faces = np.ascontiguousarray(faces, np.uint32)
    scene.add_triangles(o3d.core.Tensor(vertices.astype(np.float32)), o3d.core.Tensor(faces))
    return scene


def test_every_member_has_the_schemas_type_and_shape(clip: StudioClip) -> None:
    for member in (m for layer in DEFAULT_LAYERS for m in members(layer)):
        value = clip.truth[member.name]
        if member.is_array:
            assert value.dtype == np.dtype(member.dtype), member.name
            assert value.shape == tuple(len(clip.time) if n == "T" else n for n in member.shape), member.name
    assert clip.rgb.shape[:3] == clip.depth.shape == clip.masks.shape == (len(clip.time), 240, 320)


def test_joints_project_into_the_hands_mask_and_onto_the_2d_joints(clip: StudioClip) -> None:
    side = side_of(clip)
    code = 9 if side == 0 else 10
    seen = clip.truth["hand_source.npy"][:, side] > 0
    assert seen.sum() >= 10
    uv = project(K_of(clip), clip.truth["hand_joints.npy.gz"][seen, side].astype(float))
    assert np.abs(uv - clip.truth["hand_joints_2d.npy.gz"][seen, side]).max() < 0.01
    inside = total = 0
    for frame, points in zip(np.flatnonzero(seen), np.round(uv).astype(int), strict=True):
        ok = ((points >= 0) & (points < [320, 240])).all(-1)
        u, v = points[ok].T
        values = clip.masks[frame][v, u]
        inside += (values != 0).sum()  # in front of an unseen joint is the hand itself or the object, never the set
        total += len(values)
    assert inside / total > 0.97
    assert (clip.masks[seen] == code).any((1, 2)).all()
    assert not clip.truth["hand_source.npy"][:, 1 - side].any()
    assert np.isnan(clip.truth["hand_joints.npy.gz"][~seen, side]).all()


def test_the_wrist_pose_is_that_of_the_joints(clip: StudioClip) -> None:
    side = side_of(clip)
    seen = clip.truth["hand_source.npy"][:, side] > 0
    T = clip.truth["hand_wrist.npy.gz"][seen, side].astype(float)
    assert np.allclose(T, wrist_frame(clip.hands[0].joints[seen], left=side == 0), atol=1e-6)
    assert np.allclose(np.linalg.det(T[:, :3, :3]), 1.0, atol=1e-5)


def test_contact_is_the_brute_force_distance(clip: StudioClip) -> None:
    side = side_of(clip)
    seen = np.flatnonzero(clip.truth["hand_source.npy"][:, side] > 0)
    v, f = clip.props[0].vertices, clip.props[0].faces
    corners = v[f]
    weights = np.random.default_rng(0).dirichlet(np.ones(3), 6)
    cloud = np.concatenate([v, *(np.einsum("fkc,k->fc", corners, w) for w in weights)])
    for frame in seen[::5]:
        tips = transform(
            invert(clip.truth["object_pose.npy.gz"][frame, 0].astype(float)),
            clip.hands[0].joints[frame, list(FINGERTIPS)],
        )
        brute = min(np.linalg.norm(cloud - tip, axis=-1).min() for tip in tips)
        assert clip.truth["contact.npy.gz"][frame, side, 0] == pytest.approx(brute, abs=0.001)
    assert np.isnan(clip.truth["contact.npy.gz"][:, 1 - side]).all()
    assert np.isnan(clip.truth["contact.npy.gz"][:, side, 1:]).all()


def test_the_hand_closes_on_the_object_and_does_not_go_through_it(clip: StudioClip) -> None:
    side, held = side_of(clip), held_of(clip)
    assert (clip.truth["contact.npy.gz"][held, side, 0] < 0.003).all()
    object_scene = scene_of(clip.props[0].vertices, clip.props[0].faces)
    import open3d as o3d

    for frame in range(len(clip.time)):
        T_object_camera = invert(clip.truth["object_pose.npy.gz"][frame, 0].astype(float))
        skin = transform(T_object_camera, clip.hands[0].vertices(frame)).astype(np.float32)
        deepest = -object_scene.compute_signed_distance(o3d.core.Tensor(skin)).numpy().min()
        assert deepest < 0.006, frame
        if held[frame]:
            tips = transform(T_object_camera, clip.hands[0].joints[frame, list(FINGERTIPS)]).astype(np.float32)
            distance = object_scene.compute_distance(o3d.core.Tensor(tips)).numpy()
            assert distance[0] < 0.003
            assert (distance[1:4] < 0.003).sum() >= 2


def test_the_object_is_rigid_in_the_hand_while_held_and_still_otherwise(clip: StudioClip) -> None:
    held = held_of(clip)
    pose = clip.truth["object_pose.npy.gz"][:, 0].astype(float)
    in_hand = invert(wrist_frame(clip.hands[0].joints, left=clip.hands[0].left)) @ pose
    assert np.abs(in_hand[held] - in_hand[held][0]).max() < 1e-5
    first, last = np.flatnonzero(held)[[0, -1]]
    assert np.abs(pose[:first] - pose[0]).max() < 1e-6
    assert np.abs(pose[last + 1 :] - pose[-1]).max() < 1e-6
    assert np.linalg.norm(pose[0, :3, 3] - pose[-1, :3, 3]) > 0.1
    gravity = np.array(clip.truth["clip.json"]["camera"]["gravity"])
    height = -(pose[:, :3, 3] @ gravity)
    assert height[held].max() > height[0] + 0.04
    assert height[-1] == pytest.approx(height[0], abs=1e-4)


def test_states_and_sources_say_what_happens(clip: StudioClip) -> None:
    state = clip.truth["object_state.npy"]
    grasped = ObjectState.GRASPED_LEFT if clip.hands[0].left else ObjectState.GRASPED_RIGHT
    held = np.flatnonzero(state[:, 0] == grasped)
    assert set(state[:, 0]) == {ObjectState.STATIC, grasped}
    assert (np.diff(held) == 1).all()
    assert (state[:, 1:] == ObjectState.ABSENT).all()
    assert (clip.truth["object_source.npy"][:, 0] == ObjectSource.OBSERVED).all()
    (grasp,) = clip.truth["clip.json"]["grasps"]
    assert grasp["hand"] == clip.hands[0].name
    assert (grasp["start_s"], grasp["end_s"]) == (clip.time[held[0]], clip.time[held[-1]])


def test_the_object_is_seen_at_both_ends(clip: StudioClip) -> None:
    for frame in (0, -1):
        assert (clip.masks[frame] == 1).sum() > 200


def test_depth_agrees_with_the_meshes(clip: StudioClip) -> None:
    import open3d as o3d

    K, frame = K_of(clip), int(np.flatnonzero(held_of(clip))[1])
    for code, vertices, faces in (
        (
            1,
            transform(clip.truth["object_pose.npy.gz"][frame, 0].astype(float), clip.props[0].vertices),
            clip.props[0].faces,
        ),
        (9 if clip.hands[0].left else 10, clip.hands[0].vertices(frame), clip.hands[0].faces),
    ):
        v, u = np.nonzero(clip.masks[frame] == code)
        directions = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones(len(u))], -1)
        rays = np.concatenate([np.zeros((len(u), 3)), directions], -1).astype(np.float32)
        hit = scene_of(vertices, faces).cast_rays(o3d.core.Tensor(rays))["t_hit"].numpy()
        assert np.abs(hit * 1000 - clip.depth[frame][v, u]).max() < 1.0


def test_the_exported_mesh_is_the_object(clip: StudioClip) -> None:
    scene = trimesh.load(io.BytesIO(clip.truth["objects.glb"]), file_type="glb")
    assert list(scene.graph.nodes_geometry) == ["object_0"]
    mesh = scene.to_mesh()
    assert np.allclose(mesh.bounds, [clip.props[0].vertices.min(0), clip.props[0].vertices.max(0)], atol=1e-5)
    extent = clip.truth["clip.json"]["objects"][0]["extent_m"]
    assert np.allclose(mesh.extents, extent, atol=1e-5)
    assert mesh.volume > 0


def test_the_video_is_the_clip(clip: StudioClip) -> None:
    rgb, time = decode_mp4_bytes(clip.truth["rgb.mp4"])
    assert np.allclose(time, clip.time, atol=1e-5)
    assert rgb.shape == clip.rgb.shape
    assert np.abs(rgb.astype(int) - clip.rgb).mean() < 6.0


def test_left_is_the_mirror_image_of_right(right_mug: StudioClip, left_mug: StudioClip) -> None:
    assert np.array_equal(left_mug.rgb, right_mug.rgb[:, :, ::-1])
    assert np.array_equal(left_mug.depth, right_mug.depth[:, :, ::-1])
    assert np.array_equal(left_mug.masks == 9, (right_mug.masks == 10)[:, :, ::-1])
    assert np.allclose(left_mug.hands[0].joints, right_mug.hands[0].joints * [-1, 1, 1])
    uv_left, uv_right = (project(K_of(c), c.hands[0].joints) for c in (left_mug, right_mug))
    assert np.allclose(uv_left[..., 0], 319 - uv_right[..., 0])
    right_handed = np.linalg.det(left_mug.truth["object_pose.npy.gz"][:, 0, :3, :3])
    assert np.allclose(right_handed, 1.0, atol=1e-5)


def test_equal_seeds_give_equal_bytes(right_mug: StudioClip) -> None:
    again = render_clip(4, small(object_kind="mug", handedness="right"))
    for member in (m for layer in DEFAULT_LAYERS for m in members(layer)):
        a, b = right_mug.truth[member.name], again.truth[member.name]
        assert np.array_equal(a, b, equal_nan=True) if member.is_array else a == b, member.name
    assert np.array_equal(right_mug.depth, again.depth)


def test_a_negative_seed_is_an_error() -> None:
    with pytest.raises(ValueError, match="found seed -1"):
        render_clip(-1, StudioParams())
