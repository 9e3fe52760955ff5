from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fidelity_boxes import hand_boxes, match_hands, match_objects, object_boxes
from fidelity_hands import HEIGHT, WIDTH, image_figures, joint_figures, lift_images, recorded_figures, wrist_rotation

from hoiset.builder.records import HandDetections
from hoiset.eval.adapters import Trajectory, read_arctic, read_hands_real
from hoiset.eval.definitions import pa_mpjpe
from hoiset.geometry import project
from tests.builder.reconstruct.synthetic import right_hand_path, seen_from_crop
from tests.eval import scenes as s

NAN = np.full(4, np.nan)


def trajectory(grow: float = 1.0, turn: np.ndarray | None = None) -> Trajectory:
    """A right hand that moves, and no left one; ``turn`` turns the camera."""
    time, joints = right_hand_path(60)
    middle = joints.mean(1, keepdims=True)
    both = np.full((60, 2, 21, 3), np.nan)
    both[:, 1] = (middle + grow * (joints - middle)) @ (np.eye(3) if turn is None else turn).T
    return Trajectory("made", time, both, np.zeros((60, 0, 4, 4)), (), (), None)


class PerfectDetector:
    """Sees the true joints of some images of ``hands_real``, and calls every third hand right."""

    name, version = "perfect", "1"

    def __init__(self, folder: Path, every: int, lost: int) -> None:
        self._truth, self._every, self._lost = read_hands_real(folder), every, lost

    def detect(self, rgb, *, video):
        assert not video
        n = len(rgb)
        px, world = np.full((n, 2, 21, 2), np.nan), np.full((n, 2, 21, 3), np.nan)
        right, score = np.full((n, 2), 0.5), np.zeros((n, 2))
        for i in range(self._lost, n):
            joints = self._truth.joints[self._every * i]
            px[i, 1], world[i, 1] = project(self._truth.K[self._every * i], joints), seen_from_crop(joints)
            score[i, 1], right[i, 1] = 0.9, float(i % 3 == 0)
        return HandDetections(px, world, right, score)


class TestHands:
    def test_figures_of_a_known_error(self):
        true = np.random.default_rng(0).normal((0, 0, 0.5), 0.05, (6, 21, 3))
        found = joint_figures(true + np.array([0.0, 0.03, 0.04]), true, np.full(6, np.pi / 6), np.arange(6))
        assert found["hand_mpjpe_mm"]["value"] == pytest.approx(50.0)
        assert found["hand_root_relative_mpjpe_mm"]["value"] == pytest.approx(0.0, abs=1e-9)
        assert found["hand_pa_mpjpe_mm"]["value"] == pytest.approx(0.0, abs=1e-9)
        assert found["wrist_error_mm"]["value"] == pytest.approx(50.0)
        assert found["wrist_rotation_deg"]["value"] == pytest.approx(30.0)
        assert found["palm_depth_bias_percent"]["value"] > 0
        assert found["hand_pck_20mm"]["value"] == 1.0
        assert found["hand_auc_50mm"]["value"] == pytest.approx(1.0)

    def test_absent_hands_are_left_out(self):
        true = np.random.default_rng(0).normal((0, 0, 0.5), 0.05, (4, 21, 3))
        pred = true + 0.01
        pred[1] = np.nan
        found = joint_figures(pred, true, np.full(4, np.nan), np.array([0, 0, 1, 1]))
        assert {f["n"] for name, f in found.items() if name != "wrist_rotation_deg"} == {3}
        assert found["wrist_rotation_deg"]["value"] is None

    def test_wrist_rotation_is_the_turn(self):
        _, joints = right_hand_path(5)
        c, w = np.cos(0.3), np.sin(0.3)
        turned = joints @ np.array([[c, -w, 0], [w, c, 0], [0, 0, 1.0]]).T
        np.testing.assert_allclose(wrist_rotation(turned, joints, left=False), 0.3, atol=1e-9)

    def test_exact_landmarks_of_an_average_hand_are_lifted_well(self):
        found = recorded_figures(trajectory())
        assert found["hand_recall"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 60}
        assert found["hand_root_relative_mpjpe_mm"]["value"] < 6.0
        assert found["palm_depth_error_percent"]["value"] < 3.0

    def test_a_smaller_hand_shows_as_an_error_of_depth(self):
        found = recorded_figures(trajectory(grow=0.9))
        assert found["palm_depth_bias_percent"]["value"] == pytest.approx(11.0, abs=4.0)
        assert found["hand_pa_mpjpe_mm"]["value"] < 5.0

    def test_where_the_camera_looks_makes_no_difference(self):
        c, w = np.cos(1.2), np.sin(1.2)
        aside = recorded_figures(trajectory(turn=np.array([[c, 0, w], [0, 1, 0], [-w, 0, c]])))
        ahead = recorded_figures(trajectory())
        for name in ("hand_mpjpe_mm", "hand_pa_mpjpe_mm", "wrist_rotation_deg"):
            assert aside[name]["value"] == pytest.approx(ahead[name]["value"], rel=0.35, abs=0.3)

    def test_of_images(self, shared_data):
        folder = shared_data / "hands_real"
        images = lift_images(PerfectDetector(folder, 20, lost=2), folder, every=20)
        assert images.seen.tolist() == [False, False] + [True] * 18
        assert images.place.all()
        found = image_figures(images)
        assert found["hand_recall"]["value"] == pytest.approx(0.9)
        assert found["handedness_accuracy"]["value"] == pytest.approx(12 / 18)
        assert found["wrist_rotation_deg"]["n"] == 12
        # Bones have an average hand's lengths; palms of those that are called right are turned as a right hand's.
        error_mm = 1e3 * pa_mpjpe(images.joints, images.true)
        assert error_mm[images.left].mean() < 9.0
        assert error_mm[images.left].mean() < error_mm[~images.left].mean() + 1.0

    def test_of_a_recording(self, shared_data):
        found = recorded_figures(read_arctic(shared_data / "arctic").trajectory)
        assert (found["frames"], found["blocks"]) == (638, 43)
        assert found["hand_pa_mpjpe_mm"]["value"] < 5.0


class TestBoxes:
    def test_a_hand_is_found_where_its_middle_is_in_a_box(self):
        boxes = np.array([[0, 0, 20, 20], [100, 0, 120, 20.0]])
        middle = np.array([[19, 10], [60, 10.0]])
        around = np.array([[10, 0, 30, 20], [50, 0, 70, 20.0]])
        hand, iou, has_box = match_hands((middle, around), boxes)
        assert (hand.tolist(), has_box.tolist()) == ([1, 0], [1, 0])
        assert iou == pytest.approx([200 / 600])

    def test_one_box_has_one_hand(self):
        boxes = np.array([[0, 0, 20, 20.0]])
        twice = (np.array([[10, 10], [11, 10.0]]), np.array([[0, 0, 20, 20], [1, 0, 21, 20.0]]))
        hand, iou, has_box = match_hands(twice, boxes)
        assert (hand.tolist(), has_box.tolist(), iou.tolist()) == ([1], [1, 0], [1.0])

    @pytest.mark.parametrize(("n", "m"), [(0, 2), (2, 0), (0, 0)])
    def test_without_hands_or_boxes(self, n, m):
        hand, iou, has_box = match_hands((np.zeros((n, 2)), np.zeros((n, 4))), np.ones((m, 4)) * [1, 1, 2, 2])
        assert (hand.tolist(), iou.tolist(), has_box.tolist()) == ([0] * m, [], [0] * n)

    def test_objects_are_matched_one_to_one_over_all_frames(self):
        a, b = np.array([0, 0, 10, 10.0]), np.array([20, 0, 30, 10.0])
        annotated = np.stack([np.stack([a, b])] * 4)
        annotated[3, 1] = NAN
        predicted = np.stack([np.stack([b, a])] * 4)
        predicted[0, 1] = NAN  # half an object lost for a frame
        np.testing.assert_allclose(match_objects(predicted, annotated), [0.75, 1.0])
        np.testing.assert_allclose(match_objects(predicted[:, :0], annotated), [0.0, 0.0])
        np.testing.assert_allclose(match_objects(predicted[:, :1], annotated), [0.0, 1.0])

    def test_boxes_of_a_sample_are_around_what_is_drawn(self):
        view = s.view(s.make_truth("a.mp4"))
        assert view.size == (WIDTH, HEIGHT)
        middle, box = hand_boxes(view, 10)
        assert middle.shape == (2, 2)
        seen = view.joints_2d[10] * HEIGHT + 0.5
        np.testing.assert_allclose(box[:, :2], seen.min(1))
        np.testing.assert_allclose(middle, seen.mean(1))
        boxes = object_boxes(view)
        assert boxes.shape == (45, 2, 4)
        # The can, 6 cm wide and 10 cm deep, stands still at 0.2, 0.15, 0.9 m.
        centre = 600 * np.array([0.2, 0.15]) / 0.9 + [320, 240]
        assert np.abs(boxes[:, s.CAN, :2] + boxes[:, s.CAN, 2:] - 2 * centre).max() < 12
        left, right = 600 * 0.17 / 0.95 + 320, 600 * 0.23 / 0.85 + 320
        np.testing.assert_allclose(boxes[0, s.CAN, [0, 2]], [left, right], atol=0.2)

    def test_what_is_out_of_view_has_no_box(self):
        view = s.view(s.make_truth("a.mp4", shift=3.0))
        assert np.isnan(object_boxes(view)).all()
