from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from hoiset.builder.oracle import Oracle, OracleNoise, OracleParams, camera_towards, nearest, perfect_detections
from hoiset.builder.records import Clip, SourceVideo
from hoiset.errors import ClipError, DatasetError
from hoiset.shards.index import write_index
from hoiset.shards.schema import HandSource
from hoiset.shards.writer import UnitWriter
from hoiset.video import encode_lossless
from tests.builder.reconstruct.scenes import moved
from tests.builder.reconstruct.synthetic import seen_from_crop
from tests.eval.scenes import FPS, HEIGHT, LEFT, RIGHT, WIDTH, K, lose_hand, make_truth, write_dataset

FEEDS = ("camera", "landmarks", "palm_depth", "hands", "masks", "depth")
SIZE = (WIDTH, HEIGHT)
SCENE = (120, 160)
DISC = (80, 60, 25)
"""x, y, radius of the one object's mask, px of the scene layer."""


def scene_truth() -> dict[str, Any]:
    """Hands and objects as in other tests, with a disc as the first object's mask and a slope as depth."""
    sample = make_truth("a.mp4")
    lose_hand(sample, slice(0, 5), LEFT)
    n = len(sample["time.npy"])
    mask = np.zeros(SCENE, np.uint8)
    cv2.circle(mask, DISC[:2], DISC[2], 1, -1)
    mask[:10] = 10  # a hand
    depth = np.broadcast_to(500 + 5 * np.arange(SCENE[1]), SCENE).astype(np.uint16).copy()
    depth[:, :8] = 0
    sample["masks.mkv"] = encode_lossless(np.stack([mask] * n))
    sample["depth.mkv"] = encode_lossless(np.stack([depth] * n))
    return sample


@pytest.fixture(scope="module")
def sample() -> dict[str, Any]:
    return scene_truth()


@pytest.fixture(scope="module")
def truth(sample: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("truth")
    with UnitWriter(root, "studio", "test", 0, ("core", "scene")) as unit:
        unit.add(sample)
    write_index(root, "studio", unit.rows)
    return root


def clip_of(uid: str = "a.mp4") -> Clip:
    return Clip("clip", SourceVideo(uid, Path(uid)), 0.0, 3.0, "test")


def ask(truth: Path, *feed: str, time: np.ndarray | None = None, size: tuple[int, int] = SIZE, **noise: float) -> Any:
    time = np.arange(45) / FPS if time is None else time
    params = OracleParams(feed=feed, truth=str(truth), noise=OracleNoise(**noise))
    return Oracle(params)(clip_of(), time, size)


class TestWithoutNoise:
    def test_the_hands_are_those_of_the_truth(self, truth, sample):
        given = ask(truth, *FEEDS)
        assert np.array_equal(given.hands.joints, sample["hand_joints.npy.gz"].astype(float), equal_nan=True)
        assert np.array_equal(given.hands.T_camera_wrist, sample["hand_wrist.npy.gz"].astype(float), equal_nan=True)
        np.testing.assert_allclose(given.hands.joints_2d, sample["hand_joints_2d.npy.gz"], atol=1e-3)
        assert (given.hands.source == sample["hand_source.npy"]).all()
        assert (given.hands.source[:5, LEFT] == HandSource.ABSENT).all()
        assert (given.hands.score == (given.hands.source > 0)).all()

    def test_camera_masks_and_depth_are_those_of_the_truth(self, truth):
        given = ask(truth, *FEEDS)
        assert np.array_equal(given.camera.K, K)
        assert given.camera.focal_source == "truth"
        assert given.masks.shape == given.depth_m.shape == (45, *SCENE)
        assert set(np.unique(given.masks)) == {0, 1}  # the hand is no object
        assert given.masks[0, DISC[1], DISC[0]] == 1
        assert np.isnan(given.depth_m[:, :, :8]).all()
        np.testing.assert_allclose(given.depth_m[7, 3, 8:], (500 + 5 * np.arange(8, SCENE[1])) / 1000, atol=1e-6)

    def test_only_what_is_fed_is_given(self, truth):
        fields = ("camera", "detections", "palm_depth_m", "hands", "masks", "depth_m")
        for feed, field in zip(FEEDS, fields, strict=True):
            given = ask(truth, feed)
            assert [name for name in fields if getattr(given, name) is not None] == [field]
            assert feed in given.name

    def test_pixels_are_those_of_the_stored_clip(self, truth, sample):
        full, half = ask(truth, *FEEDS), ask(truth, *FEEDS, size=(WIDTH // 2, HEIGHT // 2))
        assert half.camera.K[0, 0] == K[0, 0] / 2
        for one, other in (
            (half.hands.joints_2d, full.hands.joints_2d),
            (half.detections.landmarks_px, full.detections.landmarks_px),
        ):
            np.testing.assert_allclose((one + 0.5) * 2, other + 0.5, atol=1e-9)
        assert np.array_equal(half.hands.joints, full.hands.joints, equal_nan=True)

    def test_frames_are_the_nearest_in_time(self, truth, sample):
        at = np.array([0.4, 1.24, 2.52])
        given = ask(truth, "hands", time=at)
        rows = [round(t * FPS) for t in at]
        assert np.array_equal(given.hands.joints, sample["hand_joints.npy.gz"][rows].astype(float), equal_nan=True)

    def test_detections_are_a_perfect_detectors(self, truth, sample):
        given = ask(truth, "landmarks")
        assert (given.detections.right_probability[10] == [0.0, 1.0]).all()
        assert (given.detections.score[:5, LEFT] == 0).all()
        assert np.isnan(given.detections.landmarks_px[:5, LEFT]).all()
        np.testing.assert_allclose(given.detections.landmarks_px, sample["hand_joints_2d.npy.gz"], atol=1e-3)

    def test_pass_1_is_told_where_hands_are(self, truth, sample):
        oracle = Oracle(OracleParams(feed=("hands",), truth=str(truth)))
        time = np.array([0.0, 0.4, 1.0, 7.0])
        seen = oracle.hands_seen(SourceVideo("a.mp4", Path("a.mp4")), time, (WIDTH // 2, HEIGHT // 2))
        assert (seen.score == [[0, 1], [1, 1], [1, 1], [0, 0]]).all()  # late is after the sample's end
        rows = [round(t * FPS) for t in time[1:3]]
        np.testing.assert_allclose(
            (seen.landmarks_px[1:3] + 0.5) * 2 - 0.5, sample["hand_joints_2d.npy.gz"][rows], atol=1e-3
        )
        assert oracle.hands_seen(SourceVideo("b.mp4", Path("b.mp4")), time, SIZE) is None
        assert [f for f in FEEDS if Oracle(OracleParams(feed=(f,), truth=str(truth))).knows_hands] == [
            "landmarks",
            "hands",
        ]

    def test_the_palms_depth_is_the_mean_of_its_joints(self, truth, sample):
        palm = sample["hand_joints.npy.gz"][:, :, [0, 5, 9, 13, 17], 2].astype(float).mean(-1)
        np.testing.assert_allclose(ask(truth, "palm_depth").palm_depth_m, palm, rtol=1e-6)


def test_a_perfect_detector_sees_the_crops_axes() -> None:
    shot = moved()
    world = perfect_detections(shot.hands, 0.0, np.random.default_rng(0)).world_m
    seen = np.argwhere(np.isfinite(shot.joints).all((2, 3)))
    assert len(seen) >= 20
    for t, side in seen:
        expected = seen_from_crop(shot.joints[t, side])
        np.testing.assert_allclose(world[t, side] - world[t, side].mean(0), expected, atol=1e-9)


def test_camera_towards_takes_the_axis_there_and_turns_no_further() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(50, 3)) * [1, 1, 0.3] + [0, 0, 1.0]
    R = camera_towards(points)
    np.testing.assert_allclose(R @ np.swapaxes(R, 1, 2), np.broadcast_to(np.eye(3), R.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(R), 1.0)
    np.testing.assert_allclose(R[:, :, 2], points / np.linalg.norm(points, axis=1, keepdims=True))
    turn = np.arccos(np.clip((np.trace(R, axis1=1, axis2=2) - 1) / 2, -1, 1))
    np.testing.assert_allclose(turn, np.arccos(R[:, 2, 2]), atol=1e-6)


class TestNoise:
    """Each adds what it says and leaves everything else alone; bounds are three standard errors or wider."""

    def test_joints(self, truth):
        off = ask(truth, "hands", joint_m=0.005).hands.joints - ask(truth, "hands").hands.joints
        assert np.nanstd(off) == pytest.approx(0.005, rel=0.03)
        assert abs(np.nanmean(off)) < 0.0003

    def test_joints_take_their_projections_and_wrists_along(self, truth):
        exact, shaken = ask(truth, "hands").hands, ask(truth, "hands", joint_m=0.005).hands
        uv = shaken.joints[..., :2] / shaken.joints[..., 2:] * 600 + [319.5, 239.5]
        np.testing.assert_allclose(shaken.joints_2d, uv, atol=1e-6)
        np.testing.assert_allclose(shaken.T_camera_wrist[..., :3, 3], shaken.joints[..., 0, :])
        assert (shaken.source == exact.source).all()

    def test_landmarks(self, truth):
        exact, noisy = ask(truth, "landmarks").detections, ask(truth, "landmarks", landmark_share=0.02).detections
        size = np.ptp(exact.landmarks_px, axis=2).max(-1)[..., None, None]
        assert np.nanstd((noisy.landmarks_px - exact.landmarks_px) / size) == pytest.approx(0.02, rel=0.05)
        assert np.array_equal(exact.world_m, noisy.world_m, equal_nan=True)

    def test_palm_depth(self, truth):
        ratio = ask(truth, "palm_depth", palm_depth_share=0.1).palm_depth_m / ask(truth, "palm_depth").palm_depth_m
        assert np.nanstd(np.log(ratio)) == pytest.approx(0.1, rel=0.25)

    def test_focal_length_has_one_draw_a_clip(self, truth):
        # Another amount is another draw.
        drawn = [ask(truth, "camera", focal_share=0.1 + 1e-7 * i).camera.K for i in range(150)]
        assert all(k[0, 0] / K[0, 0] == pytest.approx(k[1, 1] / K[1, 1]) for k in drawn)
        assert all((k[:2, 2] == K[:2, 2]).all() for k in drawn)
        assert np.std([np.log(k[0, 0] / K[0, 0]) for k in drawn]) == pytest.approx(0.1, rel=0.2)

    def test_depth_has_one_draw_a_frame(self, truth):
        ratio = ask(truth, "depth", depth_share=0.05).depth_m / ask(truth, "depth").depth_m
        a_frame = np.nanmedian(ratio, axis=(1, 2))
        np.testing.assert_allclose(ratio[:, :, 8:], np.broadcast_to(a_frame[:, None, None], (45, 120, 152)), rtol=1e-5)
        assert np.std(np.log(a_frame)) == pytest.approx(0.05, rel=0.35)

    def test_outlines(self, truth):
        masks = ask(truth, "masks", outline_fraction=0.03).masks
        radius = np.sqrt((masks == 1).sum((1, 2)) / np.pi)
        assert np.std(radius) == pytest.approx(0.03 * min(SCENE), rel=0.3)
        assert np.mean(radius) == pytest.approx(DISC[2], abs=2.0)

    def test_the_same_noise_is_the_same_answer(self, truth):
        one, other = (ask(truth, *FEEDS, joint_m=0.01, depth_share=0.1) for _ in range(2))
        assert one.digest == other.digest
        assert np.array_equal(one.hands.joints, other.hands.joints, equal_nan=True)
        assert np.array_equal(one.depth_m, other.depth_m, equal_nan=True)


def test_the_digest_tells_what_is_asked_apart(truth) -> None:
    asked = [
        ask(truth, "hands"),
        ask(truth, "hands", "camera"),
        ask(truth, "hands", joint_m=0.01),
        ask(truth, "hands", time=np.arange(44) / FPS),
        ask(truth, "hands", size=(WIDTH // 2, HEIGHT // 2)),
    ]
    assert len({given.digest for given in asked}) == len(asked)


def test_a_clip_without_truth_costs_that_clip_alone(truth) -> None:
    oracle = Oracle(OracleParams(feed=("hands",), truth=str(truth)))
    with pytest.raises(ClipError, match=r"b\.mp4") as error:
        oracle(clip_of("b.mp4"), np.arange(3) / FPS, SIZE)
    assert error.value.reason == "no_truth"


@pytest.mark.parametrize("feed", ["masks", "depth"])
def test_a_truth_without_its_scene_layer_is_an_error(feed: str, tmp_path: Path) -> None:
    write_dataset(tmp_path, [make_truth("a.mp4", hands=(RIGHT,))], version="studio")
    assert ask(tmp_path, "hands").hands is not None
    with pytest.raises(DatasetError, match=rf"{feed}\.mkv.*scene layer"):
        ask(tmp_path, "hands", feed)


def test_a_truth_of_two_versions_or_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="none"):
        ask(tmp_path, "hands")
    for version in ("one", "two"):
        write_dataset(tmp_path, [make_truth("a.mp4")], version=version)
    with pytest.raises(DatasetError, match="one, two"):
        ask(tmp_path, "hands")


def test_it_goes_to_other_processes(truth) -> None:
    oracle = pickle.loads(pickle.dumps(Oracle(OracleParams(feed=("hands",), truth=str(truth)))))
    assert oracle(clip_of(), np.arange(3) / FPS, SIZE).hands is not None


def test_feeding_needs_a_truth_and_known_names() -> None:
    assert OracleParams().feed == ()
    with pytest.raises(ValidationError, match="truth"):
        OracleParams(feed=("hands",))
    with pytest.raises(ValidationError):
        OracleParams(feed=("hand",), truth="x")  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        OracleNoise(joint_m=-1.0)


def test_nearest_is_the_nearest() -> None:
    rng = np.random.default_rng(1)
    have, want = np.sort(rng.uniform(0, 5, 40)), rng.uniform(-1, 6, 200)
    slow = np.abs(have[None] - want[:, None]).argmin(1)
    assert (nearest(have, want) == slow).all()
    assert (nearest(have[:1], want) == 0).all()
