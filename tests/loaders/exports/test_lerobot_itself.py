"""Exports are loaded in the real LeRobot, and every frame is compared with our own loader."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hoiset.loaders import WindowDataset, load_dataset
from hoiset.loaders.exports.lerobot import export, export_lerobot, videos
from hoiset.loaders.exports.lerobot.layout import ACTION, CAMERA, STATE
from tests.isolated import run_isolated
from tests.loaders.exports.clips import of_many_rates

READER = Path(__file__).with_name("lerobot_reader.py")
EXAMPLE = Path(__file__).parents[3] / "examples" / "05_lerobot.py"
KEYS = ("constant", "fast_clock", "jittered", "more_frames", "irregular")
RESAMPLED = KEYS[3:]
LUMA = np.array([0.2126, 0.7152, 0.0722])

pytestmark = pytest.mark.slow


def run_script(script: Path, *args: str | Path, folder: Path) -> str:
    done = run_isolated(script, *args, folder=folder)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lerobot")


@pytest.fixture(scope="module")
def exported(folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(videos, "MAX_SECONDS", 3.0)  # several files of both kinds
        patch.setattr(export, "DATA_MB", 0)
        patch.setattr(export, "_EPISODES_AT_ONCE", 2)
        export_lerobot(of_many_rates(folder / "clips"), folder / "out")
    info = json.loads((folder / "out/meta/info.json").read_text())
    assert len(list((folder / "out").rglob("*.mp4"))) > 1
    assert len(list((folder / "out/data").rglob("*.parquet"))) > 1
    (folder / "out/meta/info.json").write_text(json.dumps(info | {"data_files_size_in_mb": 100}))
    return folder / "out"


@pytest.fixture(scope="module")
def loaded(exported: Path, folder: Path) -> dict[str, np.ndarray]:
    run_script(READER, exported, folder / "found.npz", folder=folder)
    found = np.load(folder / "found.npz")
    return {name.replace("|", "/"): found[name] for name in found.files}


def windows(folder: Path, key: str) -> WindowDataset:
    split = "validation" if key == "irregular" else "train"
    clips = load_dataset(folder / "clips", split=split, where=f'key = "{key}"', format="numpy")
    deltas = {"rgb": [0.0], "hand_wrist_9d": [0.0], "hand_joints_local": [0.0], "object_pose_9d": [0.0]}
    deltas |= {"object_state": [0.0], "hand_source": [0.0], "grasp": [0.0]}
    return WindowDataset(clips, deltas, rate_hz=15 if key in RESAMPLED else None)


def test_every_frame_is_the_loaders(loaded: dict[str, np.ndarray], folder: Path) -> None:
    at = 0
    for number, key in enumerate(KEYS):
        for i, window in enumerate(windows(folder, key)[k] for k in range(len(windows(folder, key)))):
            assert (loaded["episode_index"][at], loaded["frame_index"][at], loaded["index"][at]) == (number, i, at)
            assert loaded["timestamp"][at] == np.float32(i / 15)
            state = np.concatenate(
                [window["hand_wrist_9d"][0], window["hand_joints_local"][0, :, 1:].reshape(2, -1)], 1
            )
            there = np.isfinite(state).all(1)
            np.testing.assert_array_equal(loaded["mask.hand"][at], there)
            np.testing.assert_array_equal(loaded[STATE][at], np.where(there[:, None], state, 0).ravel())
            poses = window["object_pose_9d"][0, :2]
            np.testing.assert_array_equal(loaded["mask.object"][at], np.isfinite(poses).all(1))
            np.testing.assert_array_equal(loaded["observation.environment_state"][at], np.nan_to_num(poses).ravel())
            np.testing.assert_array_equal(loaded["object.state"][at], window["object_state"][0, :2])
            np.testing.assert_array_equal(loaded["hand.source"][at], window["hand_source"][0])
            np.testing.assert_array_equal(loaded["hand.grasp"][at], window["grasp"][0])
            assert loaded["task"][at] == (window["task"] or "push")
            # torchcodec enlarges colour planes in its own way, so edges are compared by their brightness
            off = loaded[CAMERA][at].transpose(1, 2, 0).astype(int) - window["rgb"][0]
            assert np.median(np.abs(off)) <= (3 if key in RESAMPLED else 1)
            assert np.abs(off @ LUMA).mean() < (3 if key in RESAMPLED else 1.5)
            at += 1
    assert at == len(loaded["index"])


def test_frames_are_not_their_neighbours(loaded: dict[str, np.ndarray], folder: Path) -> None:
    start = 0
    for key in KEYS[:3]:
        rgb = load_dataset(folder / "clips", where=f'key = "{key}"', layers=("video",), format="numpy")[0]["rgb"]
        found = loaded[CAMERA][start : start + len(rgb)].transpose(0, 2, 3, 1)
        off = np.abs(found[:, None].astype(int) - rgb[None]).mean((2, 3, 4))
        np.testing.assert_array_equal(off.argmin(1), np.arange(len(rgb)))
        start += len(rgb)


def test_windows_of_lerobot(loaded: dict[str, np.ndarray]) -> None:
    picked = np.arange(0, len(loaded["index"]), 7)
    episode = loaded["episode_index"]
    first = np.searchsorted(episode, episode[picked])
    last = np.searchsorted(episode, episode[picked], "right") - 1
    ahead, behind = picked[:, None] + np.arange(3), picked[:, None] + np.array([-1, 0])
    np.testing.assert_array_equal(loaded["window/action_is_pad"], ahead > last[:, None])
    np.testing.assert_array_equal(loaded[f"window/{CAMERA}_is_pad"], behind < first[:, None])
    np.testing.assert_array_equal(loaded["window/action"], loaded[ACTION][np.minimum(ahead, last[:, None])])
    clamped = np.maximum(behind, first[:, None])
    np.testing.assert_array_equal(np.rint(loaded[f"window/{CAMERA}"] * 255), loaded[CAMERA][clamped])
    np.testing.assert_array_equal(loaded["last_episode"], np.flatnonzero(episode == episode[-1]))


def test_statistics_have_its_shapes(loaded: dict[str, np.ndarray]) -> None:
    there = np.repeat(loaded["mask.hand"], 69, 1)
    for column, mask, mean in zip(loaded[STATE].T, there.T, loaded[f"stats/{STATE}/mean"], strict=True):
        assert mean == pytest.approx(column[mask].mean(dtype=float) if mask.any() else 0, abs=1e-5)
    assert loaded[f"stats/{CAMERA}/q50"].shape == (3, 1, 1)
    assert loaded[f"stats/{STATE}/q99"].shape == (138,)
    for name in ("min", "max", "count"):
        np.testing.assert_allclose(loaded[f"merged/timestamp/{name}"], loaded[f"stats/timestamp/{name}"])
    assert list(loaded["names"][[0, 9, 69]]) == ["left_wrist_x", "left_thumb1_x", "right_wrist_x"]


def test_the_example(exported: Path, folder: Path) -> None:
    said = run_script(EXAMPLE, exported, folder=folder)
    assert "5 episodes" in said
    assert "observation.images.camera (8, 2, 3, 48, 64)" in said
    assert "action (8, 8, 138)" in said
