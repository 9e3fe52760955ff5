from typing import Any

import numpy as np
import pytest

from hoiset.shards.checks import content_problems, reprojection_problem, reprojection_shares
from hoiset.shards.schema import HandSource
from tests.factories import K, make_sample


@pytest.fixture
def sample() -> dict[str, Any]:
    return make_sample("a", n_frames=40, n_objects=1)


def shifted(sample: dict[str, Any], frames: slice, share: float) -> dict[str, Any]:
    """The 2D joints of the right hand moved by a share of the hand's size."""
    joints_2d = sample["hand_joints_2d.npy.gz"].copy()
    size = (joints_2d[frames, 1].max(1) - joints_2d[frames, 1].min(1)).max(-1)
    joints_2d[frames, 1, :, 0] += share * size[:, None]
    return {**sample, "hand_joints_2d.npy.gz": joints_2d}


def test_share_is_the_shift(sample: dict[str, Any]) -> None:
    moved = shifted(sample, slice(None), 0.3)
    shares = reprojection_shares(np.array(K), moved["hand_joints.npy.gz"][:, 1], moved["hand_joints_2d.npy.gz"][:, 1])
    np.testing.assert_allclose(shares, 0.3, atol=1e-3)


def test_bound_holds_for_most_frames_not_for_all(sample: dict[str, Any]) -> None:
    assert reprojection_problem(sample, 0.25) is None
    assert reprojection_problem(shifted(sample, slice(None), 0.2), 0.25) is None
    assert reprojection_problem(shifted(sample, slice(0, 1), 5.0), 0.25) is None
    assert "right hand" in str(reprojection_problem(shifted(sample, slice(0, 4), 0.3), 0.25))


def test_infilled_frames_are_not_judged(sample: dict[str, Any]) -> None:
    moved = shifted(sample, slice(0, 10), 5.0)
    assert reprojection_problem(moved, 0.25)
    moved["hand_source.npy"][:10, 1] = HandSource.INFILLED
    assert reprojection_problem(moved, 0.25) is None


def test_a_hand_behind_the_camera_is_a_problem(sample: dict[str, Any]) -> None:
    sample["hand_joints.npy.gz"][0, 1, :, 2] *= -1
    assert "behind the camera" in str(reprojection_problem(sample, 0.25))


def test_frames_and_meshes_are_counted(sample: dict[str, Any]) -> None:
    video = {"rgb.mp4": sample["rgb.mp4"]}
    assert not list(content_problems(video, "video", 0.25, 40))
    assert "found 40 frames, expected 41" in next(content_problems(video, "video", 0.25, 41))
    assert "rgb.mp4" in next(content_problems({"rgb.mp4": sample["rgb.mp4"][:300]}, "video", 0.25, 40))
    assert not list(content_problems(sample, "core", 0.25, None))
    other = make_sample("a", n_frames=2, n_objects=2)
    assert "found 2 meshes, expected 1" in next(
        content_problems({**sample, "objects.glb": other["objects.glb"]}, "core", 0.25, None)
    )
