from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hoiset.builder.screen.params import ScreenParams
from hoiset.builder.screen.shots import StepMeter, find_cuts
from hoiset.video import iter_frames
from tests.builder.screen.scenes import scene

PARAMS = ScreenParams()


def cuts(frames: list[np.ndarray], fps: float = 15.0) -> list[int]:
    meter = StepMeter()
    for i, rgb in enumerate(frames):
        meter.add(i / fps, rgb)
    return find_cuts(meter.steps(), PARAMS)


def test_cuts_between_scenes_are_found_exactly() -> None:
    a, b, c = scene(2, seed=1), scene(2, seed=2), scene(3, lambda _: None, seed=3)
    assert cuts(a + b + c) == [30, 60]


def test_a_jump_cut_in_a_still_scene_is_found() -> None:
    before = scene(2, lambda _: (60, 60))
    after = scene(2, lambda _: (260, 120))
    assert cuts(before + after) == [30]


def test_motion_is_no_cut() -> None:
    fast = scene(4, lambda t: (160 + 120 * np.sin(6 * t), 90 + 60 * np.cos(5 * t)))
    assert cuts(fast) == []
    assert cuts(scene(4, camera=lambda t: (40 * np.sin(t), 0))) == []
    starts = scene(4, lambda t: (60, 60) if t < 2 else (60 + 80 * (t - 2), 60))
    assert cuts(starts) == []


def test_an_arm_that_hurries_out_of_view_is_no_cut() -> None:
    """Two frames carry most of the motion: each stands out from the rest of the half second, neither stands alone."""
    frames = scene(3, lambda _: None)
    height_px = [170] * 20 + [169, 167, 157, 143, 114, 52, 14]  # of a quarter of the width
    for image, height in zip(frames, [*height_px, *[0] * len(frames)], strict=False):
        image[len(image) - height :, 120:200] = (30, 160, 40)
    assert cuts(frames) == []


@pytest.mark.parametrize("blend", [0.3, 0.5])
def test_a_cut_that_is_blended_over_a_frame_is_found(blend: float) -> None:
    a, b = scene(2, seed=1), scene(2, seed=2)
    mixed = np.round((1 - blend) * a[-1] + blend * b[0]).astype(np.uint8)
    assert set(cuts([*a, mixed, *b])) & {30, 31}


@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_is_no_cut(length: int) -> None:
    frames = scene(4)
    for i in range(30, 30 + length):
        frames[i] = np.clip(frames[i].astype(int) + 90, 0, 255).astype(np.uint8)
    assert cuts(frames) == []


def test_repeated_frames_do_not_make_cuts() -> None:
    frames = [f for f in scene(4, fps=6) for _ in range(5)]
    assert cuts(frames, fps=30) == []


def test_few_frames_have_no_cuts() -> None:
    assert cuts([]) == []
    assert cuts(scene(0.07)) == []
    assert cuts(scene(0.2)) == []


@pytest.mark.parametrize("name", ["cups_shuffle.mp4", "letter_blocks.mp4", "blender_sauce.gif", "teddy.mp4"])
def test_real_clips_have_no_cuts(shared_data: Path, name: str) -> None:
    meter = StepMeter()
    for time_s, rgb in iter_frames(shared_data / "videos" / name, short_side_px=90):
        meter.add(time_s, rgb)
    assert find_cuts(meter.steps(), PARAMS) == []


def test_cuts_between_real_clips_are_found(shared_data: Path) -> None:
    names = ["salt.mp4", "close_laptop.mp4", "plate_push.mp4", "snackbox_push.mp4", "plate_pivot.mp4", "plush_toy.mp4"]
    meter, want, count = StepMeter(), [], 0
    for name in names:
        want.append(count)
        for _, rgb in iter_frames(shared_data / "videos" / name, short_side_px=90, end_s=1.2):
            meter.add(count / 30, rgb)
            count += 1
    assert find_cuts(meter.steps(), PARAMS) == want[1:]
