"""A robot beside its clip: at the place where the clip's own camera sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hoiset import video
from hoiset.builder.retarget import load_robot
from hoiset.builder.retarget.choice import open_robot
from hoiset.cards import finish_version
from hoiset.errors import BackendUnavailable
from hoiset.geometry import project
from hoiset.shards.writer import UnitWriter
from hoiset.view import robot_video
from hoiset.view.robot_scene import BACKGROUND_RGB, make_scene
from tests.factories import make_recipe, make_robots, make_sample

SIZE = (120, 160)


@pytest.fixture(scope="module")
def drawing() -> str:
    """What can draw here."""
    try:
        return robot_video.find_backend()
    except BackendUnavailable as error:
        pytest.skip(str(error))


def sample_of(robot: str = "xlerobot") -> dict[str, Any]:
    dof = len(load_robot(robot).dofs)
    sample = make_robots(make_sample("clip"), {robot: dof})
    sample["clip.json"]["camera"] |= {"K": [[150.0, 0.0, 70.0], [0.0, 140.0, 65.0], [0.0, 0.0, 1.0]]}
    sample["clip.json"]["camera"] |= {"width": SIZE[1], "height": SIZE[0]}
    return sample


def lit(frame: np.ndarray) -> np.ndarray:
    """Pixels that are not background."""
    return np.abs(frame.astype(int) - (np.array(BACKGROUND_RGB) * 255)).max(-1) > 12


def middle(mask: np.ndarray) -> np.ndarray:
    y, x = np.nonzero(mask)
    return np.array([x.mean(), y.mean()])


def test_a_hand_is_drawn_where_the_camera_sees_it(drawing: str) -> None:
    sample = sample_of()
    joints = np.full_like(sample["hand_joints.npy.gz"], np.nan)
    joints[:, 0] = [-0.12, 0.05, 0.8] + 0.004 * np.random.default_rng(0).normal(size=(21, 3))
    joints[:, 1] = [0.18, -0.1, 0.9] + 0.004 * np.random.default_rng(1).normal(size=(21, 3))
    sample["hand_joints.npy.gz"] = joints
    sample["object_source.npy"][:] = 0
    robot = load_robot("xlerobot")
    scene = make_scene(sample, robot, sample["xlerobot_q.npy.gz"], np.full((8, 4, 4), np.nan), SIZE)
    frame = robot_video.draw_scene(scene, SIZE)[0].astype(int)
    blue, orange = frame[..., 2] > frame[..., 0] + 60, frame[..., 0] > frame[..., 2] + 60
    K = np.array(sample["clip.json"]["camera"]["K"])
    for mask, hand in ((blue, 0), (orange, 1)):
        assert np.linalg.norm(middle(mask) - project(K, joints[0, hand].astype(float)).mean(0)) < 2
    assert middle(blue)[0] < middle(orange)[0]


def test_the_robot_is_drawn_where_its_root_stands(drawing: str) -> None:
    sample = sample_of()
    sample["hand_joints.npy.gz"] = np.full_like(sample["hand_joints.npy.gz"], np.nan)
    sample["object_source.npy"][:] = 0
    robot = load_robot("xlerobot")
    root = np.tile(np.array([[0, -1, 0, 0.0], [0, 0, -1, 0.5], [1, 0, 0, 3.0], [0, 0, 0, 1.0]]), (8, 1, 1))
    shifted = root.copy()
    shifted[:, 0, 3] += 0.5
    drawn = [
        lit(robot_video.draw_scene(make_scene(sample, robot, sample["xlerobot_q.npy.gz"], T, SIZE), SIZE)[0])
        for T in (root, shifted)
    ]
    assert drawn[0].any()
    assert middle(drawn[1])[0] - middle(drawn[0])[0] == pytest.approx(0.5 * 150 / 3, abs=5)
    assert not lit(
        robot_video.draw_scene(make_scene(sample, robot, sample["xlerobot_q.npy.gz"], root * np.nan, SIZE), SIZE)[0]
    ).any()


def test_a_clip_beside_its_robot(drawing: str, tmp_path: Path, run_command: Callable[..., Any]) -> None:
    sample = sample_of()
    chosen = open_robot("xlerobot")
    described = sample["robots.json"]["robots"][0]
    described |= {"model_digest": chosen.digest, "joints": [joint.name for joint in chosen.robot.dofs]}
    layers = ("core", "video", "robots")
    with UnitWriter(tmp_path, "v2", "train", 0, layers) as unit:
        unit.add(sample)
    finish_version(tmp_path, "v2", shards=unit.records, rows=unit.rows, recipe=make_recipe(), backends=[])
    out = tmp_path / "robot.mp4"
    code, said, wrong = run_command("robot-video", tmp_path, "clip", "--robot", "xlerobot", "--out", out)
    assert (code, wrong) == (0, "")
    assert "clip, xlerobot ->" in said
    rgb, time = video.decode_mp4_bytes(out.read_bytes())
    assert rgb.shape == (8, 48, 128, 3)
    np.testing.assert_allclose(time, sample["time.npy"], atol=1e-5)
    code, _, wrong = run_command("robot-video", tmp_path, "clip", "--robot", "g1", "--out", out)
    assert code == 1
    assert "has no robot 'g1'; robots there: xlerobot" in wrong
    code, _, wrong = run_command("robot-video", tmp_path, "other", "--robot", "g1", "--out", out)
    assert "no clip 'other'" in wrong


def test_without_anything_to_draw_with_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robot_video, "BACKENDS", ("nothing",))
    robot_video.find_backend.cache_clear()
    try:
        with pytest.raises(BackendUnavailable, match=r"cannot draw here \(nothing: .*libosmesa6"):
            robot_video.find_backend()
    finally:
        robot_video.find_backend.cache_clear()
    frames = np.zeros((3, 48, 64, 3), np.uint8)
    rgb, _ = video.decode_mp4_bytes(robot_video.blank_video(frames, np.arange(3) / 10, "no driver"))
    assert rgb.shape == (3, 48, 128, 3)
    assert rgb[0, :, 64:].max() > 150 > rgb[0, :, :64].max()


def test_a_robot_that_changed_is_refused(tmp_path: Path) -> None:
    from hoiset.errors import DatasetError

    with UnitWriter(tmp_path, "v2", "train", 0, ("core", "video", "robots")) as unit:
        unit.add(sample_of())
    finish_version(tmp_path, "v2", shards=unit.records, rows=unit.rows, recipe=make_recipe(), backends=[])
    with pytest.raises(DatasetError, match="not as it was"):
        robot_video.write_robot_video(tmp_path, "v2", "clip", "xlerobot", tmp_path / "x.mp4")
