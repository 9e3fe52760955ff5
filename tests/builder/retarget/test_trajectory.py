from __future__ import annotations

import numpy as np
import pytest

from hoiset.builder.retarget.branches import candidate_poses, smoothest_path
from hoiset.builder.retarget.reach import Reach, reaches
from hoiset.builder.retarget.robot import load_robot
from hoiset.builder.retarget.timing import sparse
from hoiset.builder.retarget.tracking import Tracking, residuals
from hoiset.builder.retarget.trajectory import (
    Bounds,
    TrajectoryParams,
    durations,
    limit_speed,
    solve_from_sparse,
    solve_trajectories,
)
from hoiset.builder.retarget.trajectory_problem import Problem


def bounds_of(reach: Reach) -> Bounds:
    return Bounds(reach.lower, reach.upper, reach.velocity, reach.home)


def wave(reach: Reach, time: np.ndarray, size: float = 0.15) -> np.ndarray:
    rng = np.random.default_rng(0)
    centre = np.clip(reach.home, reach.lower + 0.1, reach.upper - 0.1)
    amplitude = size * np.minimum(reach.upper - centre, centre - reach.lower)
    phase = 2 * np.pi * rng.uniform(0.2, 0.5, len(centre)) * time[:, None] + rng.uniform(0, 6, len(centre))
    return centre + amplitude * np.sin(phase)


@pytest.mark.parametrize("name", ["g1", "fr3_dual", "robonaut2"])
def test_a_path_that_the_arm_can_walk_is_followed(name: str) -> None:
    reach = reaches(load_robot(name))[0]
    time = np.arange(60) / 30
    targets = reach.tools(wave(reach, time))
    start = np.broadcast_to(reach.home, (1, 60, len(reach.home)))
    q, cost = solve_trajectories(Tracking(reach, targets), start, time, bounds_of(reach))
    error = residuals(reach, q[0], targets)
    assert error[..., 0].max() < 3e-3
    assert error[..., 1].max() < 1e-2
    assert np.abs(np.diff(q, axis=1)).max() < 0.15
    assert ((q >= reach.lower) & (q <= reach.upper)).all()
    assert np.isfinite(cost).all()


def test_trajectories_side_by_side_are_each_their_own() -> None:
    reach = reaches(load_robot("fr3_dual"))[0]
    time = np.arange(30) / 30
    targets = np.stack([reach.tools(wave(reach, time, size)) for size in (0.1, 0.2, 0.05)])
    targets[1, 10:20] = np.nan
    start = np.broadcast_to(reach.home, (3, 30, 7))
    together, cost = solve_trajectories(Tracking(reach, targets), start, time, bounds_of(reach))
    for place in range(3):
        alone, own = solve_trajectories(Tracking(reach, targets[place]), start[:1], time, bounds_of(reach))
        np.testing.assert_allclose(together[place], alone[0], atol=1e-9)
        np.testing.assert_allclose(cost[place], own[0])


def test_gaps_are_bridged_smoothly() -> None:
    reach = reaches(load_robot("fr3_dual"))[0]
    time = np.arange(60) / 30
    truth = wave(reach, time, 0.2)
    targets = reach.tools(truth)
    full, _ = solve_trajectories(Tracking(reach, targets), truth[None], time, bounds_of(reach))
    holed = targets.copy()
    holed[25:31] = np.nan
    q, _ = solve_trajectories(Tracking(reach, holed), truth[None], time, bounds_of(reach))
    assert residuals(reach, q[0], targets)[25:31, 0, 0].max() < 0.02
    assert np.abs(np.diff(q[0], n=2, axis=0)).max() < 2 * np.abs(np.diff(full[0], n=2, axis=0)).max()


def test_frame_rate_and_uneven_steps_change_next_to_nothing() -> None:
    reach = reaches(load_robot("fr3_dual"))[0]
    fine = np.arange(121) / 60
    truth = wave(reach, fine, 0.2)
    uneven = np.sort(np.random.default_rng(0).choice(121, 80, replace=False))
    found = []
    for frames in (np.arange(121), np.arange(0, 121, 2), uneven):
        time = fine[frames]
        q, _ = solve_trajectories(
            Tracking(reach, reach.tools(truth[frames])), truth[None, frames], time, bounds_of(reach)
        )
        found.append(np.stack([np.interp(fine[10:110], time, q[0, :, dof]) for dof in range(7)], -1))
    np.testing.assert_allclose(found[1], found[0], atol=0.01)
    np.testing.assert_allclose(found[2], found[0], atol=0.01)


def test_the_hinge_keeps_speeds_near_their_limits() -> None:
    reach = reaches(load_robot("fr3_dual"))[0]
    time = np.arange(40) / 30
    ends = reach.tools(reach.home + np.array([[0.0] * 7, [1.5, 0, 0, -0.5, 0, 0, 0]]))
    targets = ends[(np.arange(40) >= 20).astype(int)]
    start = np.broadcast_to(reach.home, (1, 40, 7))
    q, _ = solve_trajectories(Tracking(reach, targets), start, time, bounds_of(reach))
    share = np.abs(np.diff(q[0], axis=0)) / (np.diff(time)[:, None] * reach.velocity)
    assert 0.9 < share.max() < 1.2
    params = TrajectoryParams(speed=0.0)
    free, _ = solve_trajectories(Tracking(reach, targets), start, time, bounds_of(reach), params)
    assert (np.abs(np.diff(free[0], axis=0)) / (np.diff(time)[:, None] * reach.velocity)).max() > 2.0


@pytest.mark.parametrize("n_frames", [1, 2, 3])
def test_the_shortest_clips(n_frames: int) -> None:
    reach = reaches(load_robot("fr3_dual"))[0]
    targets = reach.tools(np.tile(reach.home + 0.1, (n_frames, 1)))
    start = np.broadcast_to(reach.home, (1, n_frames, 7))
    q, _ = solve_trajectories(Tracking(reach, targets), start, np.arange(n_frames) / 30, bounds_of(reach))
    assert residuals(reach, q[0], targets)[..., 0].max() < 1e-3


def test_limited_speed_is_kept_exactly_and_changes_nothing_else() -> None:
    rng = np.random.default_rng(0)
    time = np.cumsum(rng.uniform(0.01, 0.1, 200))
    velocity = np.array([1.0, 3.0, np.inf])
    q = np.cumsum(rng.normal(0, 0.2, (200, 3)), 0)
    kept = limit_speed(q, time, velocity)
    assert (np.abs(np.diff(kept, axis=0)) <= np.diff(time)[:, None] * velocity).all()
    np.testing.assert_array_equal(kept[:, 2], q[:, 2])
    assert (kept >= q.min(0)).all()
    assert (kept <= q.max(0)).all()
    np.testing.assert_allclose(limit_speed(kept, time, velocity), kept, atol=1e-6)
    backwards = limit_speed(q[::-1], -time[::-1], velocity)[::-1]
    np.testing.assert_allclose(backwards, kept, atol=1e-12)
    np.testing.assert_allclose(limit_speed(-q, time, velocity), -kept, atol=1e-12)


def test_durations_share_out_the_time_and_do_not_count_pauses() -> None:
    np.testing.assert_allclose(durations(np.arange(5) / 10), 0.1)
    np.testing.assert_allclose(durations(np.array([0.0, 0.1, 5.0, 5.1])), [0.1, 0.15, 0.15, 0.1])
    assert durations(np.array([3.0])).tolist() == [1.0]


def test_the_smoothest_path_stays_on_a_branch_where_the_nearest_changes_it() -> None:
    time = np.arange(20) / 30
    q = np.stack([np.zeros((20, 1)), np.full((20, 1), 2.0)])
    error = np.stack([np.full(20, 0.2), np.where(np.arange(20) % 5 == 0, 0.1, 0.5)])
    path = smoothest_path(q, error, time, np.array([3.0]))
    assert not path.any()
    error[0, 10:], error[1, :10] = 50.0, 20.0
    path = smoothest_path(q, error, time, np.array([3.0]))
    assert (np.diff(path[:, 0]) != 0).sum() == 1


def test_candidates_begin_at_home_and_hold_each_frames_error() -> None:
    reach = reaches(load_robot("fr3_dual"))[0]
    targets = reach.tools(wave(reach, np.arange(6) / 6))
    q, error = candidate_poses(reach, targets, jittered=1)
    assert q.shape == (5, 6, 7)
    off = residuals(reach, q, targets)[..., 0, :]
    np.testing.assert_allclose(error, np.hypot(off[..., 0], 0.19 * off[..., 1]) / 0.01, atol=1e-9)


def test_a_long_step_is_cut_where_it_is_long_and_not_far_from_there() -> None:
    (reach, _) = reaches(load_robot("fr3_dual"))
    time = np.arange(300) / 30
    q = wave(reach, time)[None]
    targets = reach.tools(q[0])
    targets[140:160, :, 0, 3] += 0.3
    targets[:, :, 2, 3] += 0.0005
    problem = Problem(Tracking(reach, targets), time, bounds_of(reach), TrajectoryParams())
    rows = np.zeros(1, np.int64)
    state = problem.look(q, rows)
    (whole, promised), (cut, less) = (problem.newton(q, rows, state, np.ones(1), longest) for longest in (9.0, 0.03))
    assert np.abs(whole[0, 140:160]).max() > 0.04
    assert np.abs(cut).max() <= 0.03 + 1e-12
    np.testing.assert_allclose(cut[0, 20:100], whole[0, 20:100], rtol=1e-12)
    np.testing.assert_allclose(cut[0, 200:270], whole[0, 200:270], rtol=1e-12)
    assert 0 < less < promised


def test_sparse_frames_first_lead_where_all_frames_lead_from_the_better_start() -> None:
    (reach, _) = reaches(load_robot("fr3_dual"))
    time = np.arange(60) / 30
    q = np.stack([wave(reach, time), wave(reach, time, 0.08)])
    targets = reach.tools(q)
    some = sparse(time)
    far = np.where(np.arange(7) % 2, reach.lower, reach.upper)
    starts = np.stack([np.broadcast_to(start, (2, len(some), 7)) for start in (far, reach.home)])

    def wishes(frames: np.ndarray, rows: np.ndarray) -> Tracking:
        return Tracking(reach, targets[rows][:, frames])

    found, cost = solve_from_sparse(wishes, starts, some, time, bounds_of(reach))
    assert found.shape == (2, 60, 7)
    assert cost.shape == (2,)
    assert residuals(reach, found, targets)[..., 0].max() < 1e-3
    from_far, dear = solve_from_sparse(wishes, starts[:1], some, time, bounds_of(reach))
    assert (dear >= cost - 1e-9).all()
    assert residuals(reach, from_far, targets)[..., 0].max() > 1e-3
