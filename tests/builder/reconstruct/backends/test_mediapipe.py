import os
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from hoiset.builder.reconstruct.backends.base import HandDetector, PersonSegmenter
from hoiset.builder.reconstruct.backends.mediapipe import MediaPipeHands, MediaPipePerson, MediaPipeWorker
from hoiset.builder.reconstruct.tracks import TrackParams, track_hands
from hoiset.errors import BackendUnavailable, ClipError
from hoiset.geometry import project


@pytest.fixture(scope="module")
def worker():
    with MediaPipeWorker() as worker:
        try:
            worker.start()
        except BackendUnavailable as e:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"the MediaPipe worker cannot start here: {e}")
        yield worker


@pytest.fixture(scope="module")
def hands(worker) -> HandDetector:
    return MediaPipeHands(worker)


def read(path: Path, *, every: int = 1, first: int = 0, last: int = 10**9, short_side: int = 360) -> np.ndarray:
    out = []
    with av.open(str(path)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i >= last:
                break
            if i >= first and (i - first) % every == 0:
                rgb = frame.to_ndarray(format="rgb24")
                scale = min(1.0, short_side / min(rgb.shape[:2]))
                out.append(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    return np.array(out)


def test_names_and_versions_pin_the_weights(worker, hands):
    person: PersonSegmenter = MediaPipePerson(worker)
    assert hands.name != person.name
    assert hands.version.startswith("mediapipe-0.10.21+")
    assert hands.version != person.version


def test_left_hands_are_left_and_land_on_the_joints(hands, shared_data):
    truth = np.load(shared_data / "hands_real" / "gt.npz")
    pick = range(0, 400, 10)
    images = [
        cv2.cvtColor(cv2.imread(str(shared_data / "hands_real" / str(truth["files"][i]))), cv2.COLOR_BGR2RGB)
        for i in pick
    ]
    found = hands.detect(images, video=False)
    seen = found.score.max(1) > 0
    assert seen.mean() >= 0.95
    best = found.score.argmax(1)
    rows = np.flatnonzero(seen)
    assert (found.right_probability[rows, best[rows]] < 0.5).all(), "all of these are left hands"
    errors = []
    for k in rows:
        fx, fy, cx, cy = truth["K_fxfycxcy"][pick[k]]
        joints = truth["joints_cm"][pick[k]] / 100.0
        pixels = project(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), joints)
        errors.append(np.linalg.norm(found.landmarks_px[k, best[k]] - pixels, axis=-1).mean())
    assert np.mean(errors) < 9.0


def test_mirrored_they_are_right(hands, shared_data):
    path = sorted((shared_data / "hands_real" / "images").glob("*.jpg"))[7]
    image = np.ascontiguousarray(cv2.imread(str(path))[:, ::-1, ::-1])
    assert hands.detect([image], video=False).right_probability[0, 0] > 0.5


def test_of_who_faces_the_camera_the_right_hand_is_at_the_left(hands, shared_data):
    rgb = read(shared_data / "videos" / "plush_toy.mp4")
    found = hands.detect(rgb, video=True)
    tracks = track_hands(found, np.arange(len(rgb)) / 30, TrackParams())
    assert (tracks.slot >= 0).mean(0).min() > 0.85
    rows = np.arange(len(rgb))
    wrist = [np.median(found.landmarks_px[rows, tracks.slot[:, s], 0, 0][tracks.slot[:, s] >= 0]) for s in (0, 1)]
    assert wrist[1] < wrist[0]


def test_following_is_deterministic_and_finds_small_hands(hands, shared_data):
    rgb = read(shared_data / "videos" / "plate_push.mp4", last=40)
    first, again = (hands.detect(rgb, video=True) for _ in range(2))
    assert first.landmarks_px.tobytes() == again.landmarks_px.tobytes()
    assert (first.score.max(1) > 0).all()
    assert first.right_probability[first.score > 0.9].mean() > 0.7
    size = np.ptp(first.landmarks_px[:, 0], axis=1).max(-1)
    assert np.median(size) < 80


def test_frames_that_come_once_give_the_forward_result(hands, shared_data):
    rgb = read(shared_data / "videos" / "plate_push.mp4", last=12)
    once = hands.detect(iter(rgb), video=True)
    assert len(once.score) == len(rgb)
    assert (once.score.max(1) > 0).all()


def test_hands_in_the_dark_are_found_as_by_day(hands, shared_data):
    rgb = read(shared_data / "videos" / "plate_push.mp4", last=10)
    day, night = (hands.detect(frames, video=True) for frames in (rgb, (rgb * 0.4).astype(np.uint8)))
    size = np.ptp(day.landmarks_px[:, 0], axis=1).max(-1)
    apart = np.linalg.norm(day.landmarks_px[:, 0] - night.landmarks_px[:, 0], axis=-1).mean(-1)
    assert (night.score[:, 0] > 0.9).all()
    assert np.median(apart / size) < 0.1


def test_nothing_is_found_in_nothing(hands):
    found = hands.detect(np.zeros((3, 120, 160, 3), np.uint8), video=True)
    assert found.landmarks_px.shape == (3, 1, 21, 2)
    assert (found.score == 0).all()
    assert hands.detect([], video=True).score.shape == (0, 1)


@pytest.mark.parametrize("shape", [(2, 2, 3), (17, 401, 3), (400, 30, 3)])
def test_odd_sizes_pass(worker, shape):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (2, *shape), np.uint8)
    assert len(MediaPipeHands(worker).detect(frames, video=True).score) == 2
    assert MediaPipePerson(worker).segment(frames).shape == (2, *shape[:2])


@pytest.mark.parametrize(
    "frame", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((1, 1, 3), np.uint8)]
)
def test_what_is_no_frame_is_the_clips_error(hands, frame):
    with pytest.raises(ClipError, match="expected uint8"):
        hands.detect([frame], video=False)


def test_people_are_separated_from_tables(worker, shared_data):
    rgb = read(shared_data / "videos" / "close_laptop.mp4", first=20, last=26)
    mask = MediaPipePerson(worker).segment(rgb)
    assert mask.shape == rgb.shape[:3]
    assert mask.dtype == np.uint8
    height, width = mask.shape[1:]
    trunk = mask[-1, int(0.5 * height) : int(0.65 * height), int(0.4 * width) : int(0.5 * width)]
    table = mask[-1, int(0.9 * height) :, : int(0.3 * width)]
    assert trunk.mean() > 128
    assert table.mean() < 40
