from pathlib import Path

import numpy as np
import pytest

from hoiset.builder.reconstruct.camera import CameraParams, estimate_camera, focal_from_fov
from hoiset.builder.records import Frames, HandDetections, SourceVideo

from .synthetic import camera, detect, right_hand_path

PARAMS = CameraParams()


def frames(height=360, width=640):
    return Frames(np.zeros((2, height, width, 3), np.uint8), np.array([0.0, 0.1]))


def nothing():
    return HandDetections(
        np.full((2, 1, 21, 2), np.nan), np.full((2, 1, 21, 3), np.nan), np.full((2, 1), 0.5), np.zeros((2, 1))
    )


def test_a_given_focal_length_is_scaled_to_the_clip():
    video = SourceVideo("a", Path("a.mp4"), focal_px=1200.0, gravity=(0.0, 2.0, 0.0))
    cam = estimate_camera(video, frames(), nothing(), 1280, PARAMS)
    assert cam.K.tolist() == [[600.0, 0, 319.5], [0, 600.0, 179.5], [0, 0, 1]]
    assert cam.focal_source == "given"
    assert cam.gravity.tolist() == [0, 1, 0]
    assert cam.gravity_source == "given"
    assert (cam.width, cam.height) == (640, 360)


def test_without_evidence_the_prior_stands_and_says_so():
    cam = estimate_camera(SourceVideo("a", Path("a.mp4")), frames(), nothing(), 640, PARAMS)
    assert cam.focal_source == "prior"
    assert cam.K[0, 0] == pytest.approx(focal_from_fov(640, 360, 65.0))
    assert np.isnan(cam.gravity).all()
    assert cam.gravity_source == "absent"
    assert "prior" in cam.scale_source


def test_the_prior_does_not_depend_on_orientation_or_resolution():
    assert focal_from_fov(640, 360, 65) == pytest.approx(focal_from_fov(360, 640, 65))
    assert focal_from_fov(1280, 720, 65) == pytest.approx(2 * focal_from_fov(640, 360, 65))


@pytest.mark.parametrize("true_focal", [500.0, 576.0, 700.0])
def test_hands_seen_by_a_common_camera_leave_the_prior_alone(true_focal):
    _, joints = right_hand_path(60)
    detections = detect([joints], [0.9], camera(true_focal), noise_px=1.0)
    cam = estimate_camera(SourceVideo("a", Path("a.mp4")), frames(), detections, 640, PARAMS)
    assert cam.focal_source == "prior"


def test_hands_veto_a_focal_length_that_is_far_too_short():
    _, joints = right_hand_path(60)
    far = joints + np.array([0, 0, 2.0])
    detections = detect([far], [0.9], camera(2200.0), noise_px=0.3)
    wide = PARAMS.model_copy(update={"prior_diagonal_fov_deg": 95.0, "min_hands": 10})
    cam = estimate_camera(SourceVideo("a", Path("a.mp4")), frames(), detections, 640, wide)
    assert cam.focal_source == "hand_perspective"
    assert cam.K[0, 0] > 1.2 * focal_from_fov(640, 360, 95.0)
