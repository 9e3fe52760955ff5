"""Choosing a robot's root: network against search at equal time, and the whole choice on real and simulated clips.

    python benchmarks/root_choice.py [--quick]

Clips are the HOT3D and ARCTIC recordings of ../shared/data cut to at most 6 s, and simulated ones of 6 s; each with
gravity and without. First part: candidates from the network or from the search, as many as are given, are refined alike
and the best three judged on the whole clip; seconds count all of that. Second part: ``choose_root`` as it is.
``rate`` is the share of targets within 10 mm and 3 degrees (an arm of five joints: 5 degrees of its axis), ``tilt`` the
angle between the robot's up and the vertical where gravity was kept from it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from hoiset.builder.retarget.records import HandMotion
from hoiset.builder.retarget.robot import Robot, load_robot
from hoiset.builder.retarget.root import choose_root
from hoiset.builder.retarget.root_network import RootNetwork
from hoiset.builder.retarget.root_proposals import propose_roots
from hoiset.builder.retarget.root_refine import refine_roots
from hoiset.builder.retarget.root_score import root_problem, score_roots
from hoiset.builder.retarget.root_search import SearchParams, sample_roots
from hoiset.builder.retarget.root_weights import load_weights
from hoiset.builder.retarget.simulate import Body, SimulationParams, simulate
from hoiset.eval.adapters.arctic import read_arctic
from hoiset.eval.adapters.hot3d import read_hot3d
from hoiset.eval.adapters.trajectory import Trajectory
from hoiset.geometry import wrist_frame

ROBOTS = ("g1", "fr3_dual", "robonaut2", "xlerobot")
DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
CLIP_S = 6.0
COUNTS = (2, 4, 8, 16, 32)
SIMULATED_SEED = 424_242


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two robots, few clips")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    robots = ROBOTS[::3] if quick else ROBOTS
    real = cut(read_hot3d(DATA / "hot3d").trajectory) + cut(read_arctic(DATA / "arctic").trajectory)
    race: dict[str, list[dict[str, float]]] = defaultdict(list)
    whole: dict[str, list[dict[str, float]]] = defaultdict(list)
    for name in robots:
        robot = load_robot(name)
        network = load_weights(robot)[0].double()
        simulated = [(f"simulated {i}", m, True) for i, m in enumerate(made(robot, 2 if quick else 8))]
        clips = [(label, m, False) for label, m in (real[:2] if quick else real)] + simulated
        for label, motion, is_simulated in clips:
            kind = "simulated" if is_simulated else "real"
            for gravity in (True, False):
                seen = motion if gravity else dataclasses.replace(motion, gravity=None)
                group = f"{kind}/{'gravity' if gravity else 'no_gravity'}"
                for method in ("network", "search"):
                    for n in COUNTS:
                        row = candidate_row(seen, motion, robot, network, method, n)
                        race[f"{group}/{name}/{method}/{n}"].append(row)
                        race[f"{group}/all/{method}/{n}"].append(row)
                row = choice_row(seen, motion, robot)
                whole[f"{group}/{name}"].append(row)
                print(f"{name:10s} {label:20s} {'gravity' if gravity else 'none':8s}", rounded(row), flush=True)
    out = {"race": means(race), "choice": means(whole)}
    for group in sorted(key for key in out["race"] if "/all/" in key):
        print(f"{group:40s}", out["race"][group])
    print(json.dumps(out))


def candidate_row(
    seen: HandMotion, truth: HandMotion, robot: Robot, network: RootNetwork, method: str, n: int
) -> dict[str, float]:
    began = time.perf_counter()
    problem = root_problem(seen, robot)
    few = problem.at(problem.spread(10))
    rng = np.random.default_rng(0)
    if method == "network":
        first = propose_roots(problem, network, rng, n_hypotheses=max(4, n), n_kept=n)
    else:
        first = sample_roots(few, rng, SearchParams(n_roots=n))
    roots, _, cost = refine_roots(few, first)
    scores = score_roots(problem, roots[np.argsort(cost, kind="stable")[:3]])
    best = int(scores.total.argmax())
    root = roots[np.argsort(cost, kind="stable")[best]]
    return {
        "seconds": time.perf_counter() - began,
        "rate": float(scores.rate[best]),
        "total": float(scores.total[best]),
        "position_mm": 1000 * float(scores.position_m[best]),
        "tilt_deg": tilt(root, truth, robot),
    }


def choice_row(seen: HandMotion, truth: HandMotion, robot: Robot) -> dict[str, float]:
    began = time.perf_counter()
    choice = choose_root(seen, robot)
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "targets": float(root_problem(seen, robot).seen.sum()),
        "rate": choice.report["rate"],
        "position_mm": 1000 * choice.report["position_m"],
        "angle_deg": math.degrees(choice.report["angle_rad"]),
        "tilt_deg": tilt(choice.T_camera_root[0], truth, robot),
    }


def tilt(root: np.ndarray, truth: HandMotion, robot: Robot) -> float:
    assert truth.gravity is not None
    cosine = float(np.clip(root[:3, :3] @ np.array(robot.up) @ -truth.gravity, -1.0, 1.0))
    return math.degrees(math.acos(cosine))


def cut(trajectory: Trajectory) -> list[tuple[str, HandMotion]]:
    """Clips of at most 6 s, all frames in one of them."""
    out = []
    piece = ((trajectory.time - trajectory.time[0]) // CLIP_S).astype(int)
    for i in range(piece.max() + 1):
        rows = piece == i
        joints = trajectory.joints[rows]
        wrist = np.stack([wrist_frame(joints[:, 0], left=True), wrist_frame(joints[:, 1], left=False)], 1)
        motion = HandMotion(trajectory.time[rows] - trajectory.time[rows][0], wrist, joints, trajectory.gravity)
        if motion.seen.any():
            out.append((f"{trajectory.name} {i}", motion))
    return out


def made(robot: Robot, n: int) -> list[HandMotion]:
    """Simulated clips with gaps and one-handed ones, but without noise, so that all of them can be followed."""
    params = SimulationParams(noise_m=0, noise_rad=0, jumps=0, gravity_rad=0, without_gravity=0)
    generator = torch.Generator().manual_seed(SIMULATED_SEED)
    clips = simulate(Body(robot), n, np.arange(0.0, CLIP_S, 1 / 30), generator, params)
    wrist = np.where(clips.seen[..., None, None].numpy(), clips.wrist.double().numpy(), np.nan)
    joints = np.repeat(wrist[:, :, :, None, :3, 3], 21, 3)
    gravity = torch.nn.functional.normalize(clips.gravity.double(), dim=-1).numpy()
    return [HandMotion(clips.time.double().numpy(), *rows) for rows in zip(wrist, joints, gravity, strict=True)]


def means(rows: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    return {
        key: rounded({name: float(np.mean([row[name] for row in some])) for name in some[0]} | {"clips": len(some)})
        for key, some in rows.items()
    }


def rounded(row: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in row.items()}


if __name__ == "__main__":
    main()
