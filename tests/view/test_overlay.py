import shutil
from itertools import pairwise

import cv2
import numpy as np
import pytest

from hoiset import video
from hoiset.errors import DatasetError
from hoiset.geometry import project, transform
from hoiset.shards.glb import decode_objects
from hoiset.shards.schema import HandSource, ObjectSource
from hoiset.view.overlay import OBJECT_COLOURS, contact_sheet, draw_overlay, write_overlay
from tests.builder.reconstruct.synthetic import hand
from tests.factories import HEIGHT, WIDTH, K, make_dataset, make_sample

GREY = np.full((8, 240, 320, 3), 90, np.uint8)
ZOOM = 5.0


@pytest.fixture
def sample():
    """A grasped object in the middle of the view, a right hand at its left, at five times the factory's size."""
    sample = make_sample("clip_00")
    larger = np.array(K) * [[ZOOM], [ZOOM], [1]]
    sample["clip.json"]["camera"] |= {"K": larger.tolist(), "width": 320, "height": 240}
    pose = np.eye(4)
    pose[:3, 3] = 0.1, 0.05, 0.9
    sample["object_pose.npy.gz"][:, 0] = pose
    sample["hand_joints.npy.gz"][:, 1] = hand() + np.array([-0.15, 0.12, 0.8])
    return sample


def frames(sample, rgb=GREY):
    return np.stack(list(draw_overlay(sample, rgb)))


def changed(image):
    return (image != 90).any(-1)


def at(sample, points):
    return np.round(project(np.array(sample["clip.json"]["camera"]["K"]), points)).astype(int)


def test_every_frame_is_drawn_and_none_is_written_to(sample):
    rgb = GREY.copy()
    out = frames(sample, rgb)
    assert out.shape == rgb.shape
    assert out.dtype == np.uint8
    assert (rgb == 90).all()
    assert all(changed(image).any() for image in out)


def test_the_object_is_drawn_where_it_projects(sample):
    (mesh,) = decode_objects(sample["objects.glb"])
    corners = at(sample, transform(sample["object_pose.npy.gz"][0, 0].astype(float), np.asarray(mesh.vertices)))
    low, high = corners.min(0), corners.max(0)
    image = frames(sample)[0]
    inside = image[low[1] + 8 : high[1] - 8, low[0] + 8 : high[0] - 8].reshape(-1, 3).astype(int)
    expected = 0.75 * 90 + 0.25 * np.array(OBJECT_COLOURS[0])
    assert np.median(np.abs(inside - expected).max(1)) <= 2
    sample["object_source.npy"][:] = ObjectSource.ABSENT
    without = changed(frames(sample)[0])
    assert without[low[1] + 8 : high[1] - 8, low[0] + 8 : high[0] - 8].mean() < 0.1


def test_the_hand_is_drawn_at_its_joints_and_only_where_it_is(sample):
    joints = at(sample, sample["hand_joints.npy.gz"][0, 1].astype(float))
    first = changed(frames(sample)[0])
    assert first[joints[:, 1], joints[:, 0]].all()
    sample["hand_source.npy"][:] = HandSource.ABSENT
    assert not changed(frames(sample)[0])[joints[:, 1], joints[:, 0]].any()


def test_an_infilled_hand_is_drawn_thinner(sample):
    sample["object_source.npy"][:] = ObjectSource.ABSENT
    sample["hand_source.npy"][:, 1] = HandSource.OBSERVED
    observed = changed(frames(sample)[0]).sum()
    sample["hand_source.npy"][:, 1] = HandSource.INFILLED
    assert changed(frames(sample)[0]).sum() < observed


def test_what_is_behind_the_camera_or_far_out_of_view_is_not_drawn(sample):
    sample["hand_source.npy"][:] = HandSource.ABSENT
    nothing = sample | {"object_source.npy": np.zeros_like(sample["object_source.npy"])}
    title = frames(nothing)[0]
    for place in ([0, 0, -1.0], [1e4, 0, 0.5], [0, 0, 0.04]):
        sample["object_pose.npy.gz"][:, 0, :3, 3] = place
        assert (frames(sample)[0] == title).all()
    sample["hand_source.npy"][:, 1] = HandSource.OBSERVED
    sample["hand_joints.npy.gz"][:, 1, :, 2] = -0.5
    assert (frames(sample)[0] == title).all()


def test_a_sheet_is_a_grid_of_frames(sample):
    sheet = contact_sheet(sample, GREY, columns=3, rows=2, width_px=160)
    assert sheet.shape == (2 * 120, 3 * 160, 3)
    tiles = [sheet[r * 120 : (r + 1) * 120, c * 160 : (c + 1) * 160] for r in range(2) for c in range(3)]
    assert all(changed(tile).any() for tile in tiles)
    assert not any((a == b).all() for a, b in pairwise(tiles))  # the time is in the title


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("dataset"), n_clips=3)


def test_a_clip_of_a_dataset_becomes_a_video(dataset, tmp_path):
    out = tmp_path / "overlay.mp4"
    write_overlay(dataset, "v2", "clip_01", out)
    rgb, time = video.decode_mp4_bytes(out.read_bytes())
    assert rgb.shape == (7, HEIGHT, WIDTH, 3)
    assert np.allclose(time, np.arange(7) / 15, atol=1e-4)
    plain, _ = video.decode_mp4_bytes(bytes(make_sample("clip_01", 1, 7)["rgb.mp4"]))
    assert np.abs(rgb.astype(int) - plain).mean() > 3


@pytest.mark.parametrize("suffix", [".png", ".JPG"])
def test_or_a_picture(dataset, tmp_path, suffix):
    out = tmp_path / f"overlay{suffix}"
    write_overlay(dataset, "v2", "clip_00", out)
    assert cv2.imread(str(out)).shape == (2 * 360, 4 * 480, 3)


def test_an_unknown_clip_is_named_with_some_that_there_are(dataset, tmp_path):
    with pytest.raises(DatasetError, match=r"no clip 'nope'.*there are 3, such as clip_00"):
        write_overlay(dataset, "v2", "nope", tmp_path / "a.png")


def test_another_suffix_is_refused_and_nothing_is_written(dataset, tmp_path):
    with pytest.raises(ValueError, match=r"'a\.gif'"):
        write_overlay(dataset, "v2", "clip_00", tmp_path / "a.gif")
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_without_frames_is_refused(dataset, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(dataset, bare, ignore=shutil.ignore_patterns("video"))
    with pytest.raises(DatasetError):
        write_overlay(bare, "v2", "clip_00", tmp_path / "a.png")
