"""Builds that differ from their truth by a known amount: the figures must say that amount."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hoiset.errors import DatasetError
from hoiset.eval import METRICS, Evaluation, evaluate
from hoiset.geometry import make_T
from hoiset.shards.codec import canonical_json
from hoiset.shards.schema import ObjectState
from tests.eval import scenes as s

N = s.N_FRAMES


@pytest.fixture
def judge(tmp_path: Path) -> Callable[..., Evaluation]:
    """Write both and evaluate."""

    def run(build: Sequence[s.Sample], truth: Sequence[s.Sample] | None = None) -> Evaluation:
        made = s.write_dataset(tmp_path / "build", build)
        true = s.write_dataset(tmp_path / "truth", [s.make_truth()] if truth is None else truth, "studio")
        return evaluate(made, true)

    return run


def values(evaluation: Evaluation) -> dict[str, Any]:
    return {name: figure["value"] for name, figure in evaluation.pooled.items()}


def assert_perfect(evaluation: Evaluation, *, but: Sequence[str] = ()) -> None:
    """Shares are 1 exactly, errors 0 up to rounding."""
    for m in METRICS:
        value = evaluation.pooled[m.name]["value"]
        if m.name in but or m.better == "neither" or m.group == "screening":
            continue
        assert value is not None, m.name
        if m.better == "higher":
            assert value == pytest.approx(1.0, abs=1e-6), m.name
        else:
            assert value == pytest.approx(0.0, abs=2e-3), m.name


def changed(change: Callable[[s.Sample], None]) -> list[s.Sample]:
    return [s.perturbed(s.make_truth(), change)]


def test_the_truth_itself_is_perfect(judge: Any) -> None:
    found = judge([s.make_truth()])
    got = values(found)
    for m in METRICS:
        if m.better == "higher" and m.group != "screening":
            assert got[m.name] == pytest.approx(1.0, abs=1e-12), m.name
        elif m.better == "lower":
            assert got[m.name] == pytest.approx(0.0, abs=1e-5), m.name
    assert got["hand_jitter_m_s3"] == got["hand_jitter_true_m_s3"]
    assert got["bystander_share"] == 1.0
    assert found.clips[0]["status"] == "ok"
    assert found.clips[0]["false_objects"] == 0


def test_joints_moved_by_10_mm(judge: Any) -> None:
    got = values(judge(changed(lambda x: s.move_hands(x, (0.010, 0, 0)))))
    assert got["hand_mpjpe_mm"] == pytest.approx(10.0, abs=1e-3)
    for name in ("wrist_error_mm", "wrist_ade_mm", "wrist_fde_mm"):
        assert got[name] == pytest.approx(10.0, abs=1e-3), name
    assert 0 < got["wrist_dtw_mm"] <= 10.0
    for name in (
        "hand_root_relative_mpjpe_mm",
        "hand_pa_mpjpe_mm",
        "wrist_rotation_deg",
        "hand_acceleration_error_m_s2",
    ):
        assert got[name] == pytest.approx(0.0, abs=1e-3), name
    depth = s.make_truth()["hand_wrist.npy.gz"][..., 2, 3]
    assert got["wrist_depth_error_percent"] == pytest.approx(float((1.0 / depth).mean()), rel=1e-4)
    assert got["hand_recall"] == got["handedness_accuracy"] == 1.0


def test_hands_too_large_by_a_tenth(judge: Any) -> None:
    def grow(x: s.Sample) -> None:
        wrist = x["hand_joints.npy.gz"][:, :, :1]
        x["hand_joints.npy.gz"][:] = wrist + 1.1 * (x["hand_joints.npy.gz"] - wrist)

    got = values(judge(changed(grow)))
    size = np.linalg.norm(s.rest_hand(left=False), axis=-1)
    assert got["hand_root_relative_mpjpe_mm"] == pytest.approx(100 * size.mean(), rel=1e-4)
    assert got["hand_auc_50mm"] == pytest.approx((1 - 0.1 * size / 0.05).mean(), rel=1e-4)
    assert got["hand_scale_aligned_mpjpe_mm"] == pytest.approx(0.0, abs=1e-3)
    assert got["hand_pck_20mm"] == 1.0


def test_hands_swapped_for_a_third_of_the_time(judge: Any) -> None:
    found = judge(changed(lambda x: s.swap_hands(x, slice(0, 15))))
    got = values(found)
    assert got["handedness_accuracy"] == pytest.approx(2 / 3)
    assert got["hand_recall"] == got["hand_precision"] == 1.0
    assert got["hand_mpjpe_mm"] == pytest.approx(0.0, abs=1e-5)
    assert found.pooled["wrist_rotation_deg"]["n"] == 60


def test_a_hand_that_is_lost_and_one_that_is_not_there(judge: Any) -> None:
    truth = [s.perturbed(s.make_truth(), lambda x: s.lose_hand(x, slice(30, N), s.LEFT))]
    got = values(judge(changed(lambda x: s.lose_hand(x, slice(0, 15), s.RIGHT)), truth))
    assert got["hand_recall_right"] == pytest.approx(2 / 3)
    assert got["hand_recall_left"] == 1.0
    assert got["hand_recall"] == pytest.approx(60 / 75)
    assert got["hand_precision"] == pytest.approx(60 / 75)


def test_a_missed_object_and_a_missed_bystander(judge: Any) -> None:
    found = judge(changed(lambda x: s.drop_object(x, s.TOOL)))
    got = values(found)
    assert got["object_recall"] == got["object_time_recall"] == got["grasp_f1_250ms"] == got["contact_recall"] == 0.0
    assert got["object_precision"] == 1.0
    assert got["object_translation_mm"] is None
    assert got["state_accuracy"] == pytest.approx(0.5)
    assert found.clips[0]["manipulated_objects"] == 1


def test_a_bystander_need_not_be_reconstructed(judge: Any) -> None:
    found = judge(changed(lambda x: s.drop_object(x, s.CAN)))
    assert_perfect(found)
    assert values(found)["bystander_share"] == 0.0
    assert found.clips[0]["bystanders"] == 1


def test_an_object_that_is_not_there(judge: Any) -> None:
    found = judge(changed(lambda x: s.add_object(x, (-0.3, -0.1, 0.8))))
    got = values(found)
    assert got["object_precision"] == pytest.approx(2 / 3)
    assert got["object_recall"] == 1.0
    assert got["state_accuracy"] == pytest.approx(2 / 3)
    assert found.clips[0]["false_objects"] == 1


def test_the_frame_of_a_mesh_does_not_matter(judge: Any) -> None:
    T = make_T(Rotation.from_rotvec([0.5, -0.9, 1.3]).as_matrix(), np.array([0.1, -0.2, 0.05]))
    assert_perfect(judge(changed(lambda x: s.change_frame(x, s.TOOL, T))))


def test_an_object_turned_to_and_fro_by_10_degrees(judge: Any) -> None:
    def shake(x: s.Sample) -> None:
        centre = np.asarray(s.tool().triangles_center.T @ s.tool().area_faces / s.tool().area)
        sign = np.where(np.arange(N) < 22, 1, -1)
        turn = np.array(
            [make_T(Rotation.from_rotvec([0, 0, np.deg2rad(10) * k]).as_matrix(), np.zeros(3)) for k in sign]
        )
        to, fro = make_T(np.eye(3), centre), make_T(np.eye(3), -centre)
        x["object_pose.npy.gz"][:, s.TOOL] = x["object_pose.npy.gz"][:, s.TOOL].astype(float) @ to @ turn @ fro

    got = values(judge(changed(shake)))
    assert got["object_rotation_deg"] == pytest.approx(10.0, abs=0.05)
    assert got["object_rot_deg"] == pytest.approx(10.0, abs=0.05)
    assert got["object_translation_mm"] == pytest.approx(0.0, abs=1e-3)
    assert 0.85 < got["object_add_auc"] < 1.0


def test_an_object_too_far_and_too_large(judge: Any) -> None:
    def farther(x: s.Sample) -> None:
        x["object_pose.npy.gz"][:, s.TOOL, :3, 3] *= 1.05
        meshes = s.decode_objects(x["objects.glb"])
        meshes[s.TOOL].apply_scale(1.05)
        x["objects.glb"] = s.encode_objects(meshes)

    got = values(judge(changed(farther)))
    truth = s.make_truth()["object_pose.npy.gz"][:, s.TOOL].astype(float)
    centre = np.asarray(s.tool().triangles_center.T @ s.tool().area_faces / s.tool().area)
    away = np.linalg.norm(truth[:, :3, :3] @ centre + truth[:, :3, 3], axis=-1)
    assert got["object_translation_mm"] == pytest.approx(50 * away.mean(), rel=1e-3)
    assert got["object_translation_depth_aligned_mm"] == pytest.approx(0.0, abs=1e-2)
    assert got["object_scale_error_percent"] == pytest.approx(5.0, abs=1e-3)
    assert got["object_mask_iou"] == pytest.approx(1.0, abs=1e-6)
    assert 0 < got["object_chamfer_mm"] < 5


def test_an_object_that_is_lost_for_a_third_of_the_time(judge: Any) -> None:
    def lose(x: s.Sample) -> None:
        x["object_pose.npy.gz"][30:, s.TOOL] = np.nan
        x["contact.npy.gz"][30:, :, s.TOOL] = np.nan
        x["object_source.npy"][30:, s.TOOL] = x["object_state.npy"][30:, s.TOOL] = 0

    got = values(judge(changed(lose)))
    assert got["object_time_recall"] == pytest.approx(2 / 3)
    assert got["object_recall"] == got["object_precision"] == 1.0
    assert got["object_translation_mm"] == pytest.approx(0.0, abs=1e-5)
    assert got["state_accuracy"] == pytest.approx(75 / 90)


def test_a_grasp_that_starts_late(judge: Any) -> None:
    def delay(x: s.Sample) -> None:
        x["clip.json"]["grasps"][0]["start_s"] += 0.2
        x["object_state.npy"][15:18, s.TOOL] = ObjectState.STATIC

    found = judge(changed(delay))
    got = values(found)
    assert got["grasp_f1_100ms"] == 0.0
    assert got["grasp_f1_250ms"] == 1.0
    assert got["state_accuracy"] == pytest.approx(1 - 3 / 90)
    # static: 75 right, 3 too many; grasped: 12 right, 3 missed
    assert got["state_macro_f1"] == pytest.approx((2 * 75 / (2 * 75 + 3) + 2 * 12 / (2 * 12 + 3)) / 2)
    names = found.confusion["states"]
    row = found.confusion["seconds"][names.index("grasped_right")]
    assert row[names.index("static")] == pytest.approx(3 / s.FPS)


def test_contacts_at_1_cm(judge: Any) -> None:
    def touch(x: s.Sample) -> None:
        x["contact.npy.gz"][15:20, s.RIGHT, s.TOOL] = 0.011
        x["contact.npy.gz"][30:35, s.RIGHT, s.TOOL] = 0.010

    got = values(judge(changed(touch)))
    assert got["contact_precision"] == got["contact_recall"] == pytest.approx(10 / 15)


def test_a_clip_that_is_missing(judge: Any) -> None:
    truth = [s.make_truth("a.mp4"), s.make_truth("b.mp4", shift=0.05)]
    found = judge([truth[0]], truth)
    got = values(found)
    halves = ("clip_recall", "clip_coverage", "hand_recall", "object_recall", "object_time_recall", "contact_recall")
    for name in halves:
        assert got[name] == pytest.approx(0.5), name
    assert got["grasp_f1_100ms"] == pytest.approx(2 / 3)
    assert got["hand_precision"] == got["object_precision"] == got["contact_precision"] == 1.0
    # the tool alone is missed: the can of the lost clip just stands by
    assert got["state_accuracy"] == pytest.approx(90 / 135)
    lost = found.clips[1]
    assert (lost["status"], lost["samples"], lost["missed_frames"]) == ("no_sample", [], N)
    assert lost["hand_recall"] == 0.0
    assert lost["hand_mpjpe_mm"] is None


def test_a_clip_in_two_samples(judge: Any) -> None:
    truth = s.make_truth()
    found = judge([s.cut(truth, 0, 22), s.cut(truth, 22, N)], [truth])
    assert_perfect(found)
    assert found.clips[0]["samples"] == ["a_mp4-0", "a_mp4-22"]


def test_two_clips_of_one_video_do_not_mix(judge: Any) -> None:
    def later(x: s.Sample) -> None:
        x["clip.json"]["key"] = "later"
        x["clip.json"]["source"] |= {"start_s": 10.0, "end_s": 13.0}
        s.move_hands(x, (0.0, 0.03, 0.0))

    truth = [s.make_truth(), s.perturbed(s.make_truth(), later)]
    found = judge(truth, truth)
    assert_perfect(found)
    assert {row["key"]: row["samples"] for row in found.clips} == {"a_mp4": ["a_mp4"], "later": ["later"]}


def test_half_a_clip(judge: Any) -> None:
    truth = s.make_truth()
    found = judge([s.cut(truth, 0, 20)], [truth])
    got = values(found)
    assert got["clip_coverage"] == got["hand_recall"] == got["object_time_recall"] == pytest.approx(20 / 45)
    assert got["object_recall"] == got["clip_recall"] == 1.0
    assert got["contact_recall"] == pytest.approx(5 / 15)
    assert got["grasp_f1_250ms"] == 0.0
    assert got["hand_mpjpe_mm"] == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("early_s", [0.0, 0.02, 0.06])
def test_a_span_that_starts_between_two_frames(judge: Any, early_s: float) -> None:
    truth = s.make_truth()
    found = judge([s.cut(truth, 3, N, early_s=early_s)], [truth])
    assert_perfect(found, but=("clip_coverage", "hand_recall", "hand_recall_left", "hand_recall_right",
                               "object_time_recall", "state_accuracy", "state_macro_f1"))  # fmt: skip
    assert values(found)["clip_coverage"] == pytest.approx(42 / 45)


def test_a_truth_at_four_times_the_rate(judge: Any) -> None:
    found = judge([s.make_truth()], [s.make_truth(fps=60.0)])
    got = values(found)
    assert got["clip_coverage"] == got["hand_recall"] == got["object_time_recall"] == 1.0
    assert got["hand_mpjpe_mm"] == pytest.approx(0.0, abs=1e-5)
    assert got["object_rotation_deg"] == pytest.approx(0.0, abs=1e-3)
    assert got["grasp_f1_100ms"] == 1.0


def test_videos_without_truth_are_named(judge: Any) -> None:
    found = judge([s.make_truth("a.mp4"), s.make_truth("z.mp4")], [s.make_truth("a.mp4")])
    assert found.meta["samples_without_truth"] == ["z_mp4"]
    assert_perfect(found)


def test_nothing_in_common_is_an_error(judge: Any) -> None:
    with pytest.raises(DatasetError, match=r"no video in common.*z\.mp4.*a\.mp4"):
        judge([s.make_truth("z.mp4")], [s.make_truth("a.mp4")])


def test_a_version_of_several_is_named(tmp_path: Path) -> None:
    root = s.write_dataset(tmp_path / "build", [s.make_truth()])
    s.write_dataset(root, [s.perturbed(s.make_truth(), lambda x: s.drop_object(x, s.CAN))], "v3")
    truth = s.write_dataset(tmp_path / "truth", [s.make_truth()], "studio")
    with pytest.raises(DatasetError, match="v2, v3"):
        evaluate(root, truth)
    assert evaluate(root, truth, split="v3").pooled["bystander_share"]["value"] == 0.0
    assert evaluate(root, truth, split="v2").pooled["bystander_share"]["value"] == 1.0


def test_screening_against_its_table(tmp_path: Path) -> None:
    made = s.write_dataset(tmp_path / "build", [s.make_truth()])
    s.write_candidates(made, [("a.mp4", 0.0, 2.0, "ok"), ("b.mp4", 0.0, 4.0, "ok"), ("c.mp4", 0.0, 3.0, "no_hands")])
    s.write_dataset(tmp_path / "gt" / "truth", [s.make_truth()], "studio")
    (tmp_path / "gt" / "screening.csv").write_text(
        "uid,kind,seed,passes,gate,spans\na.mp4,positive,1,yes,,0.000-3.000\n"
        "b.mp4,pan,2,no,camera_moves,\nc.mp4,empty,3,no,no_hands,\n"
    )
    found = evaluate(made, tmp_path / "gt")
    got = values(found)
    assert got["screen_video_precision"] == 0.5
    assert got["screen_time_precision"] == pytest.approx(2 / 6)
    assert got["screen_time_recall"] == pytest.approx(2 / 3)
    assert got["screen_gate_accuracy"] == pytest.approx(2 / 3)
    assert found.screening["wrong"] == [{"uid": "b.mp4", "kind": "pan", "expected": "camera_moves", "found": "passes"}]


def test_eval_json_is_strict_and_always_the_same(judge: Any, tmp_path: Path) -> None:
    truth = [s.make_truth(f"{name}.mp4", shift=0.01 * i) for i, name in enumerate("abc")]
    build = [s.perturbed(x, lambda x, i=i: s.move_hands(x, (0.01 * i, 0, 0))) for i, x in enumerate(truth)]
    found = judge(build, truth)
    data = canonical_json(found.to_json())
    assert json.loads(data, parse_constant=pytest.fail)["pooled"]["hand_mpjpe_mm"]["n"] == 270
    assert canonical_json(evaluate(tmp_path / "build", tmp_path / "truth").to_json()) == data
    figure = found.pooled["hand_mpjpe_mm"]
    assert figure["value"] == pytest.approx(10.0, abs=1e-3)
    assert 0.0 <= figure["low"] < 10.0 < figure["high"] <= 20.001
