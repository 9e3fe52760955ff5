"""Joint positions for paths of wrists and fingertips: frames a second, share within tolerance, largest step of a joint.

One FR3 arm follows a path of 300 frames in 10 s from 8 root frames: perturbed by 5 cm and 5.7 degrees an axis (easy,
all in reach) or four times as much (hard, much of it out of reach). Frame by frame from home; the whole trajectory from
the posture at rest, from those solutions, and from the solutions that hang together in time; and on sparse frames
first, as a retarget does it. Joints of whole trajectories are held under 3 rad/s, 0.1 rad a frame, where they may be
faster. A LEAP hand's fingers follow tips of a path in reach. Times are of one processor, as little as other work beside
it allows.

Run ``python benchmarks/trajectory_ik.py [--quick] [--first-draw N]``. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from scipy.spatial.transform import Rotation

from hoiset.builder.retarget.branches import candidate_poses, smoothest_path
from hoiset.builder.retarget.fingers import hands_of, track_tips
from hoiset.builder.retarget.kinematics import Kinematics
from hoiset.builder.retarget.reach import single
from hoiset.builder.retarget.robot import load_robot
from hoiset.builder.retarget.seeds import solve_poses
from hoiset.builder.retarget.timing import sparse
from hoiset.builder.retarget.tracking import Tracking, residuals
from hoiset.builder.retarget.trajectory import (
    Bounds,
    TrajectoryParams,
    limit_speed,
    solve_from_sparse,
    solve_trajectories,
)

SPEED = 3.0
"""Greatest speed of any joint, rad/s."""
READY = np.array([0.0, -0.785, 0.0, -2.356, 0.0, 1.571, 0.785])
FRAMES, HYPOTHESES, DRAWS, QUICK_DRAWS, REPEATS = 300, 8, 4, 1, 3
SMOOTH, KNEE = TrajectoryParams(velocity=0.03, acceleration=2e-3), 0.3
"""Smoother than a retarget is by default, whose targets are in reach for the most part."""
SCALES = {"easy": 1.0, "hard": 4.0}


def fr3() -> Kinematics:
    """The left arm of the pair, seen from its own base."""
    robot = load_robot("fr3_dual")
    arm = robot.arm("left")
    return Kinematics(robot, "left_fr3_link0", robot.path("left_fr3_link0", arm.link), arm.tool)


def targets(kinematics: Kinematics, stamps: np.ndarray, scale: float, seed: int) -> np.ndarray:
    """(8, 300, 4, 4) of a path in reach, seen from perturbed roots."""
    rng = np.random.default_rng(seed)
    amplitude = 0.2 * np.minimum(kinematics.upper - READY, READY - kinematics.lower)
    phase = 2 * np.pi * rng.uniform(0.1, 0.35, 7) * stamps[:, None] + rng.uniform(0, 2 * np.pi, 7)
    path = kinematics.tool(READY + amplitude * np.sin(phase))
    T = np.tile(np.eye(4), (HYPOTHESES, 1, 1, 1))
    T[:, 0, :3, :3] = Rotation.from_rotvec(rng.normal(0, 0.1 * scale, (HYPOTHESES, 3))).as_matrix()
    T[:, 0, :3, 3] = rng.normal(0, 0.05 * scale, (HYPOTHESES, 3))
    return T @ path


def timed(work: Callable[[], np.ndarray], repeats: int) -> tuple[np.ndarray, float]:
    """The result, and the best of several times, s."""
    best = math.inf
    for _ in range(repeats):
        start = time.process_time()
        out = work()
        best = min(best, time.process_time() - start)
    return out, best


def measure(draws: range, repeats: int) -> dict[str, dict[str, dict[str, float]]]:
    """Case -> method -> figures over all draws."""
    kinematics, stamps = fr3(), np.arange(FRAMES) / 30.0
    reach = single(kinematics)
    speeds, some = np.minimum(kinematics.velocity, SPEED), sparse(stamps)
    bounds = Bounds(kinematics.lower, kinematics.upper, speeds, READY)
    report: dict[str, dict[str, dict[str, float]]] = {}
    for case, scale in SCALES.items():
        rows: dict[str, list[tuple[float, ...]]] = {}
        for draw in draws:
            X = targets(kinematics, stamps, scale, draw)
            costs: list[np.ndarray] = []

            def whole(start: np.ndarray, X: np.ndarray = X, costs: list[np.ndarray] = costs) -> np.ndarray:
                q, cost = solve_trajectories(Tracking(reach, X[:, :, None], KNEE), start, stamps, bounds, SMOOTH)
                costs.append(cost)
                return limit_speed(q, stamps, speeds)

            def together(X: np.ndarray = X, stamps: np.ndarray = stamps) -> np.ndarray:
                found = [candidate_poses(reach, x[:, None]) for x in X]
                return np.stack([smoothest_path(q, error, stamps, speeds) for q, error in found])

            def rough(*, paths: bool, X: np.ndarray = X) -> np.ndarray:
                starts = [np.broadcast_to(READY, (HYPOTHESES, len(some), 7))]
                starts += [together(X[:, some], stamps[some])] if paths else []
                q, _ = solve_from_sparse(
                    lambda frames, places: Tracking(reach, X[places][:, frames, None], KNEE),
                    *(np.stack(starts), some, stamps, bounds, SMOOTH),
                )
                return limit_speed(q, stamps, speeds)

            each, each_s = timed(lambda X=X: solve_poses(kinematics, X, READY).q, repeats)  # type: ignore[misc]
            path, path_s = timed(together, 1)
            starts = {"rest": np.broadcast_to(READY, each.shape), "frames": each, "path": path}
            found, kept = {"frame by frame": (each, each_s), "together in time": (path, path_s)}, []
            for name, start in starts.items():
                found[f"trajectory from {name}"] = timed(lambda start=start: whole(start), repeats)  # type: ignore[misc]
                kept.append(costs[-1])
            best = np.argmin(kept, 0)
            three = [found[f"trajectory from {name}"] for name in starts]
            chosen = np.stack([three[row][0][place] for place, row in enumerate(best)])
            found["best of three trajectories"] = (chosen, sum(s for _, s in three) + each_s + path_s)
            found["sparse first from rest"] = timed(lambda: rough(paths=False), repeats)
            found["sparse first from rest, path"] = timed(lambda: rough(paths=True), repeats)
            for name, (q, seconds) in found.items():
                e = residuals(reach, q, X[:, :, None])[:, :, 0]
                ok = (e[..., 0] < 0.01) & (e[..., 1] < math.radians(5.0))
                jump = np.abs(np.diff(q, axis=1)).max((1, 2))
                rows.setdefault(name, []).append(
                    (X.shape[0] * FRAMES / seconds, ok.mean(), np.median(jump), jump.max(), e[..., 0].mean() * 1e3)
                )
        names = ("frames_per_s", "ok", "jump_median", "jump_worst", "mean_mm")
        report[case] = {}
        for name, figures in rows.items():
            values = np.array(figures)
            summary = [*values[:, :3].mean(0), values[:, 3].max(), values[:, 4].mean()]
            report[case][name] = {key: round(float(v), 4) for key, v in zip(names, summary, strict=True)}
            print(f"{case:5} {name:28}", *(f"{key} {v:10.3f}" for key, v in report[case][name].items()))
    return report


def fingers(repeats: int) -> dict[str, float]:
    """Figures of a LEAP hand whose tips are in reach, without pinches."""
    (hand,) = hands_of(load_robot("leap_right"))
    rng, stamps = np.random.default_rng(0), np.arange(FRAMES) / 30.0
    lower, upper = hand.bounds.lower, hand.bounds.upper
    phase = 2 * np.pi * rng.uniform(0.1, 0.4, len(lower)) * stamps[:, None] + rng.uniform(0, 6, len(lower))
    tips = hand.tips((lower + upper) / 2 + 0.15 * (upper - lower) * np.sin(phase))
    none = np.zeros((FRAMES, len(hand.fingers) - 1, 3))
    q, seconds = timed(lambda: track_tips(hand, tips, none, none[..., 0], stamps), repeats)
    off = np.linalg.norm(hand.tips(q) - tips, axis=-1) * 1e3
    figures = {"frames_per_s": FRAMES / seconds, "median_mm": np.median(off), "p95_mm": np.percentile(off, 95)}
    print("leap  fingers                     ", *(f"{key} {v:10.4f}" for key, v in figures.items()))
    return {key: round(float(v), 4) for key, v in figures.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--first-draw", type=int, default=0, help="seed of the first path and roots")
    options = parser.parse_args()
    quick, first = options.quick, options.first_draw
    repeats = 1 if quick else REPEATS
    arms = measure(range(first, first + (QUICK_DRAWS if quick else DRAWS)), repeats)
    print(json.dumps({"arms": arms, "fingers": fingers(repeats)}))


if __name__ == "__main__":
    main()
