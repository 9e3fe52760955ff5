"""Retargets recorded and reconstructed hands to every robot: how many frames are reached, how far off, how fast.

Motions: a HOT3D recording and an ARCTIC sequence (motion capture, two hands), ``hand_gestures`` (a detector's joints of
one hand relative to its wrist, so the wrist turns but stands still), and, with ``--dataset``, the clips of a dataset
that was built from real videos. All are cut into clips of at most 6 s. Rates and errors are over every frame with a
hand for one of the robot's arms; nothing is left out, and targets are as recorded. A frame is reached within 10 mm and
3 degrees (XLeRobot: 10 mm and 5 degrees of its approach axis).

Peers get the same targets, seen from the root that hoiset chose, of the robot ``--peer-robot``: mink (a differential
QP solved frame by frame, warm-started, with limits of position and speed) and pytorch-kinematics (all frames in one
batch from the home pose, damped least squares), each in an environment of its own by ``uv run --script``. hoiset's own
time for that is of its trajectory solver alone.

Seconds are of one process on this machine, whatever else runs on it.

Run ``python benchmarks/retarget.py [--quick] [--dataset DIR] [--robots g1 ...] [--no-peers]``. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hoiset.builder.retarget import HandMotion, RobotMotion, RobotSource, load_robot, retarget
from hoiset.builder.retarget.arms import fit_arms
from hoiset.builder.retarget.metrics import measure, worst_speed_share
from hoiset.builder.retarget.mjspec import build_spec
from hoiset.builder.retarget.reach import arms_of, reaches
from hoiset.builder.retarget.robot import Robot
from hoiset.eval.adapters import read_arctic, read_hot3d
from hoiset.geometry import invert, wrist_frame

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.conftest import SHARED_DATA
from tests.isolated import run_isolated

PEERS = Path(__file__).parent / "peers"
ROBOTS = ("g1", "fr3_dual", "robonaut2", "xlerobot")
CLIP_S = 6.0
GESTURES_FPS = 30.0
GOALS = {"g1": 0.95, "fr3_dual": 0.92, "robonaut2": 0.90, "xlerobot": 0.90}


def motion_of(time_s: np.ndarray, joints: np.ndarray, gravity: np.ndarray | None) -> HandMotion:
    wrist = np.stack([wrist_frame(joints[:, h], left=h == 0) for h in range(2)], 1)
    return HandMotion(time_s - time_s[0], wrist, joints, gravity)


def cut(motion: HandMotion) -> Iterator[HandMotion]:
    """Clips of at most six seconds and as long as one another; those without a hand are none."""
    n_clips = int(np.ceil((motion.time[-1] - motion.time[0]) / CLIP_S))
    for rows in np.array_split(np.arange(len(motion.time)), max(n_clips, 1)):
        part = replace(
            motion,
            time=motion.time[rows] - motion.time[rows[0]],
            wrist=motion.wrist[rows],
            joints=motion.joints[rows],
        )
        if len(rows) > 1 and part.seen.any():
            yield part


def motions(dataset: Path | None) -> dict[str, list[HandMotion]]:
    hot3d = read_hot3d(SHARED_DATA / "hot3d").trajectory
    arctic = read_arctic(SHARED_DATA / "arctic").trajectory
    found = {
        name: list(cut(motion_of(t.time, np.asarray(t.joints, float), t.gravity)))
        for name, t in (("hot3d", hot3d), ("arctic", arctic))
    }
    gestures = np.load(SHARED_DATA / "retarget/hand_gestures_joints.npz")["joints"].astype(float)
    joints = np.full((len(gestures), 2, 21, 3), np.nan)
    joints[:, 1] = gestures
    found["hand_gestures"] = list(cut(motion_of(np.arange(len(gestures)) / GESTURES_FPS, joints, None)))
    if dataset is not None:
        found["reconstructed"] = [clip for motion in reconstructed(dataset) for clip in cut(motion)]
    return found


def reconstructed(root: Path) -> Iterator[HandMotion]:
    from hoiset.builder.retarget.stage import hand_motion
    from hoiset.shards.index import list_versions, read_index
    from hoiset.shards.reader import ShardReader, read_sample

    names = ["clip.json", "time.npy", "hand_wrist.npy.gz", "hand_joints.npy.gz"]
    with ShardReader(root) as reader:
        for row in read_index(root, list_versions(root)[0]).to_pylist():
            yield hand_motion(read_sample(reader, row["members"], names))


def run(robot: Robot, clips: list[HandMotion]) -> tuple[dict[str, Any], list[RobotMotion]]:
    """Means over all frames of all clips, each weighted by its targets."""
    made, seconds, weights, measured = [], [], [], []
    for clip in clips:
        began = time.perf_counter()
        made.append(retarget(clip, robot))
        seconds.append(time.perf_counter() - began)
        sides = [any(arm.side == side for arm in robot.arms) for side in ("left", "right")]
        weights.append(float(clip.seen[:, sides].sum()))
        measured.append(measure(made[-1], robot, clip.time, clip.seen).to_json())

    def mean(name: str, factor: float = 1.0, digits: int = 4) -> float | None:
        known = [(m[name], w) for m, w in zip(measured, weights, strict=True) if m[name] is not None]
        if not known:
            return None
        return round(factor * float(np.average([m for m, _ in known], weights=[w for _, w in known])), digits)

    speeds = [m["worst_speed_share"] for m in measured if m["worst_speed_share"] is not None]
    return {
        "clips": len(clips),
        "frames": int(sum(weights)),
        "ik_rate": mean("ik_rate"),
        "position_mm": mean("position_m", 1e3, 2),
        "rotation_deg": mean("rotation_rad", 180 / np.pi, 2),
        "worst_speed_share": round(max(speeds), 3) if speeds else None,
        "excluded_share": mean("excluded_share"),
        "manipulability": mean("manipulability"),
        "log_dimensionless_jerk": mean("log_dimensionless_jerk", digits=2),
        "s_per_clip": round(float(np.mean(seconds)), 2),
        "worst_clip_ik_rate": round(min((m["ik_rate"] or 0.0) for m in measured), 4),
    }, made


def peers(robot: Robot, clips: list[HandMotion], made: list[RobotMotion]) -> dict[str, Any]:
    """The same targets through others' solvers, and through ours alone."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        targets = [invert(m.root)[:, None] @ c.wrist for m, c in zip(made, clips, strict=True)]
        began = time.perf_counter()
        fits = [fit_arms(robot, T, c.time) for T, c in zip(targets, clips, strict=True)]
        seconds = time.perf_counter() - began
        jumps = [np.nanmax(np.abs(np.diff(fit.q, axis=0)), initial=0.0) for fit in fits]
        n_frames = sum(len(c.time) for c in clips)
        wanted = sum(int(np.isfinite(fit.residual).all(-1).sum()) for fit in fits)
        found["hoiset"] = {
            "frames_per_s": round(n_frames / seconds),
            "converged": round(sum(int((f.source == RobotSource.CONVERGED).sum()) for f in fits) / wanted, 4),
            "worst_jump_rad": round(float(max(jumps)), 3),
            "worst_speed_share": round(
                max(worst_speed_share(f.q, c.time, robot) for f, c in zip(fits, clips, strict=True)), 2
            ),
        }
        write_task(folder, robot, clips, targets)
        for name in ("mink", "pytorch_kinematics"):
            done = run_isolated(PEERS / f"retarget_{name}.py", folder, folder=folder)
            lines = done.stdout.strip().splitlines()
            found[name] = json.loads(lines[-1]) if done.returncode == 0 else {"failed": done.stderr.strip()[-300:]}
    return found


def write_task(folder: Path, robot: Robot, clips: list[HandMotion], targets: list[np.ndarray]) -> None:
    """What scripts that know nothing of hoiset need: the robot as MJCF and URDF, and the targets in its root frame."""
    (folder / "robot.xml").write_text(build_spec(robot).to_xml())
    (folder / "robot.urdf").write_text(urdf(robot))
    arms = arms_of(robot)
    (axes,) = {reach.tasks for reach in reaches(robot)} if len(reaches(robot)) == 1 else ({"pose"},)
    about = {
        "arms": [{"site": f"{a.name}_wrist", "side": ("left", "right").index(a.side), "base": a.base} for a in arms],
        "joints": [joint.name for joint in robot.dofs],
        "velocity": [joint.velocity if np.isfinite(joint.velocity) else None for joint in robot.dofs],
        "home": list(robot.home),
        "root": robot.root,
        "axes": list(axes),
    }
    (folder / "about.json").write_text(json.dumps(about))
    lengths = np.array([len(clip.time) for clip in clips])
    np.savez(
        folder / "targets.npz",
        targets=np.concatenate(targets),
        time=np.concatenate([clip.time for clip in clips]),
        lengths=lengths,
    )


def urdf(robot: Robot) -> str:
    """The kinematic tree, with a link ``<arm>_wrist`` for every tool; no shapes, no masses."""
    from scipy.spatial.transform import Rotation

    def origin(T: np.ndarray) -> str:
        rpy = Rotation.from_matrix(T[:3, :3]).as_euler("xyz")
        return f'<origin xyz="{" ".join(map(repr, T[:3, 3].tolist()))}" rpy="{" ".join(map(repr, rpy.tolist()))}"/>'

    tips = [(f"{arm.name}_wrist", arm.link, arm.tool.matrix) for arm in arms_of(robot)]
    lines = [f'<robot name="{robot.name}">']
    lines += [f'<link name="{name}"/>' for name in (*robot.links, *(name for name, _, _ in tips))]
    for joint in robot.joints:
        limits = (
            f'<limit lower="{joint.lower}" upper="{joint.upper}" velocity="{min(joint.velocity, 1e3)}" effort="1"/>'
        )
        lines.append(
            f'<joint name="{joint.name}" type="{joint.kind}"><parent link="{joint.parent}"/>'
            f'<child link="{joint.child}"/>{origin(joint.origin.matrix)}'
            f'<axis xyz="{" ".join(map(repr, joint.axis))}"/>{limits if joint.kind != "fixed" else ""}</joint>'
        )
    for name, link, T in tips:
        lines.append(
            f'<joint name="{name}_fixed" type="fixed"><parent link="{link}"/><child link="{name}"/>{origin(T)}</joint>'
        )
    return "\n".join([*lines, "</robot>"])


def show(title: str, table: dict[str, dict[str, Any]]) -> None:
    print(f"\n{title}")
    columns = list(dict.fromkeys(name for row in table.values() for name in row))
    print(" ".join([f"{'':28s}", *(f"{name[:13]:>13s}" for name in columns)]))
    for name, row in table.items():
        print(" ".join([f"{name:28s}", *(f"{row.get(column, '')!s:>13s}" for column in columns)]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the first clip of each motion alone")
    parser.add_argument("--dataset", type=Path, help="a built dataset, for hands that were reconstructed from video")
    parser.add_argument("--robots", nargs="+", default=list(ROBOTS))
    parser.add_argument("--peer-robot", default="fr3_dual")
    parser.add_argument("--no-peers", action="store_true")
    arguments = parser.parse_args()
    of_motion = motions(arguments.dataset)
    if arguments.quick:
        of_motion = {name: clips[:1] for name, clips in of_motion.items()}
    result: dict[str, Any] = {"quick": arguments.quick, "robots": {}, "peers": {}}
    kept: dict[str, list[RobotMotion]] = {}
    for name in arguments.robots:
        robot, table = load_robot(name), {}
        for motion, clips in of_motion.items():
            table[motion], made = run(robot, clips)
            if name == arguments.peer_robot:
                kept[motion] = made
        frames = [row["frames"] for row in table.values()]
        rate = float(np.average([row["ik_rate"] for row in table.values()], weights=frames))
        result["robots"][name] = {**table, "all": {"ik_rate": round(rate, 4), "goal": GOALS.get(name)}}
        show(f"{robot.title} (IK rate over all {rate:.4f}, wanted {GOALS.get(name)})", table)
    if not arguments.no_peers and kept:
        names = [name for name in of_motion if name != "hand_gestures"]
        clips = [clip for name in names for clip in of_motion[name]]
        made = [motion for name in names for motion in kept[name]]
        result["peers"] = peers(load_robot(arguments.peer_robot), clips, made)
        show(f"the same targets, {arguments.peer_robot}", result["peers"])
    print(json.dumps(result))


if __name__ == "__main__":
    main()
