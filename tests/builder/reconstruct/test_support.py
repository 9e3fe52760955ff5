from __future__ import annotations

import numpy as np
import pytest

from hoiset.builder.reconstruct.support import gather, steady_depth, support_under

from . import table
from .table import K, shoot


def test_the_table_is_found() -> None:
    shot = shoot(table.box())
    plane = support_under(gather(shot.mask[None], shot.depth_m[None]), K, shot.background_m)
    np.testing.assert_allclose(plane[:3, 2], shot.T_camera_table[:3, 2], atol=1e-3)
    assert abs((plane[:3, 3] - shot.T_camera_table[:3, 3]) @ shot.T_camera_table[:3, 2]) < 1e-3


@pytest.mark.parametrize("lift_m", [0.08, 0.15])
def test_what_floats_stands_on_nothing(lift_m: float) -> None:
    shot = shoot(table.book(), lift_m=lift_m)
    assert support_under(gather(shot.mask[None], shot.depth_m[None]), K, shot.background_m) is None


def test_nothing_without_a_background() -> None:
    shot = shoot(table.box())
    nowhere = np.full_like(shot.background_m, np.nan)
    assert support_under(gather(shot.mask[None], shot.depth_m[None]), K, nowhere) is None


def test_something_beside_is_not_the_table() -> None:
    shot = shoot(table.box())
    background = shot.background_m.copy()
    background[:, :70] -= 0.05
    plane = support_under(gather(shot.mask[None], shot.depth_m[None]), K, background)
    np.testing.assert_allclose(plane[:3, 2], shot.T_camera_table[:3, 2], atol=2e-3)


def test_what_a_hand_hides_in_some_frames_is_seen_in_others() -> None:
    shot = shoot(table.box())
    seen, depth = np.repeat(shot.mask[None], 4, 0), np.repeat(shot.depth_m[None], 4, 0)
    half = np.zeros_like(shot.mask)
    half[:, : table.WIDTH // 2] = True
    for t, hidden in enumerate((half, half, ~half, ~half)):
        seen[t] &= ~hidden
        depth[t][hidden] = 0.4
    whole = gather(seen, depth)
    np.testing.assert_array_equal(whole.mask, shot.mask)
    np.testing.assert_allclose(whole.depth_m[shot.mask], shot.depth_m[shot.mask])
    np.testing.assert_allclose(whole.beyond_m[~shot.mask], shot.depth_m[~shot.mask])


def test_nothing_of_an_object_without_depth() -> None:
    shot = shoot(table.box())
    assert gather(shot.mask[None], np.full_like(shot.depth_m, np.nan)[None]) is None


def test_scales_of_frames_are_evened_out() -> None:
    shot = shoot(table.box())
    scale = np.exp(0.02 * np.random.default_rng(0).standard_normal(15))
    steady = steady_depth(shot.depth_m[None] * scale[:, None, None])
    np.testing.assert_allclose(steady / steady[:1], 1.0, atol=1e-5)
    np.testing.assert_allclose(np.nanmedian(steady / shot.depth_m), np.median(scale), rtol=0.01)


def test_a_moving_thing_does_not_disturb_the_scale() -> None:
    still = np.full((9, 60, 80), 1.0)
    still[np.arange(9), :, :] += np.linspace(0, 0.5, 80)
    for t in range(9):
        still[t, 10:30, 5 * t : 5 * t + 20] = 0.4
    np.testing.assert_allclose(steady_depth(still), still, rtol=1e-6)


def test_holes_stay_holes() -> None:
    depth = np.ones((3, 60, 80))
    depth[1, :30] = np.nan
    depth[2] = np.nan
    steady = steady_depth(depth)
    np.testing.assert_array_equal(np.isnan(steady), np.isnan(depth))
