"""Pass rates of physical replays: controls that have to pass or fail, real ground truth, datasets.

Controls are synthetic lifts of a box, a cylinder and a sphere: as they are and with the hand up to 2 cm off (have to
pass open loop), 3 cm off (has to fail open loop and pass with a correction), 6 cm off, with a gripper that never
closes, and with a hand that goes the other way (have to fail). HOT3D and ARCTIC are read where ``../shared/data`` is.
Seconds are of the clock, under whatever load there is.

Run ``python benchmarks/replay.py [--quick] [--dataset NAME=DIR ...] [--down X,Y,Z]``; a dataset is one that ``hoiset
build`` or ``hoiset studio`` (its ``truth``) wrote. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from hoiset.builder.retarget.replay.reading import read_clips
from hoiset.builder.retarget.replay.records import ReplayClip, ReplayParams, ReplayRecord
from hoiset.builder.retarget.replay.replay import replay_clip, replay_object
from hoiset.eval.adapters.arctic import read_arctic
from hoiset.eval.adapters.hot3d import read_hot3d
from hoiset.eval.adapters.trajectory import Trajectory, trajectory_members
from hoiset.shards.index import list_versions, read_index

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.builder.retarget.replay.lifts import SHAPES, lift

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BIASES_M = (0.0, 0.01, 0.02, 0.03, 0.06)


def controls(params: ReplayParams, shapes: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What each control gave, and whether it gave what it has to."""
    found: dict[str, dict[str, Any]] = {}
    for shape in shapes:
        clips = {f"{100 * bias:.0f} cm off": (lift(shape, bias_m=bias), params) for bias in BIASES_M}
        clips["1 cm noise"] = lift(shape, noise_m=0.01), params
        clips["never closes"] = lift(shape), ReplayParams(**{**vars(params), "closes": False})
        clips["other way"] = lift(shape, opposite=True), params
        for name, (clip, how) in clips.items():
            tier = {"3 cm off": 2, "6 cm off": 0, "never closes": 0, "other way": 0}.get(name, 1)
            start = time.perf_counter()
            record, _ = replay_object(clip, 0, how)
            seconds = time.perf_counter() - start
            place = found.setdefault(name, {"expected_tier": tier, "tiers": {}, "mean_cm": {}, "s": {}, "ok": True})
            place["tiers"][shape] = record.tier
            place["mean_cm"][shape] = None if record.position_m is None else round(100 * record.position_m[0], 2)
            place["s"][shape] = round(seconds, 2)
            place["ok"] &= record.tier == tier
    return found


def trajectory_clip(trajectory: Trajectory) -> ReplayClip:
    """A recording, with the states of its members: these data do not say who holds what."""
    n, members = len(trajectory.labels), trajectory_members(trajectory)
    return ReplayClip(
        key=trajectory.name,
        time=members["time.npy"],
        wrist=members["hand_wrist.npy.gz"].astype(np.float64),
        joints=members["hand_joints.npy.gz"].astype(np.float64),
        pose=members["object_pose.npy.gz"][:, :n].astype(np.float64),
        state=members["object_state.npy"][:, :n],
        contact=members["contact.npy.gz"][:, :, :n].astype(np.float64),
        meshes=trajectory.meshes,
        labels=trajectory.labels,
        sided=(True,) * n,
        gravity=trajectory.gravity,
    )


def rates(clips: Iterable[ReplayClip], params: ReplayParams) -> dict[str, Any]:
    """Pass rates over the objects that can be tested, and why the others cannot."""
    start, n_clips, records = time.perf_counter(), 0, list[ReplayRecord]()
    for clip in clips:
        n_clips += 1
        records += replay_clip(clip, params)
    seconds = time.perf_counter() - start
    tested = [r for r in records if r.status != "not_testable"]
    held = [r for r in records if r.reason != "no_grasp"]
    out: dict[str, Any] = {"clips": n_clips, "objects": len(records), "grasped": len(held), "tested": len(tested)}
    out |= {f"passed_{at}": sum(r.thresholds[at] for r in tested) for at in ("strict", "middle", "loose")}
    out["open_loop"] = sum(r.tier == 1 for r in tested)
    out["not_testable"] = dict(Counter(r.reason for r in records if r.status == "not_testable"))
    if tested:
        means = [r.position_m[0] for r in tested if r.position_m]
        out["median_cm"] = round(100 * float(np.median(means)), 2)
        out["reached"] = round(float(np.mean([r.reached["middle"] for r in tested])), 3)
        out["gravity"] = dict(Counter(r.gravity_source for r in tested))
    checks = [check for r in held for check in r.checks if check.passed is not None]
    out["checks_passed"] = {
        name: f"{sum(bool(c.passed) for c in checks if c.name == name)}/{sum(c.name == name for c in checks)}"
        for name in dict.fromkeys(c.name for c in checks)
    }
    out["s_per_clip"] = round(seconds / max(n_clips, 1), 2)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one shape, three rounds, four draws")
    parser.add_argument("--dataset", action="append", default=[], metavar="NAME=DIR")
    parser.add_argument("--down", default="", help="X,Y,Z taken as down where gravity is unknown")
    options = parser.parse_args()
    down = tuple(float(part) for part in options.down.split(",")) if options.down else None
    params = ReplayParams(rounds=3, draws=4) if options.quick else ReplayParams()
    params = ReplayParams(**{**vars(params), "assume_gravity": down})
    shapes = ("cylinder",) if options.quick else tuple(SHAPES)
    replay_object(lift("box"), 0, ReplayParams(rounds=0, draws=0))
    found = controls(params, shapes)
    for name, each in found.items():
        print(f"{name:<14} tier {each['expected_tier']} expected, found {each['tiers']}")
        print(f"{'':<14} mean {each['mean_cm']} cm, {each['s']} s")
    sources = {}
    if (DATA / "hot3d").is_dir():
        sources["hot3d"] = rates([trajectory_clip(read_hot3d(DATA / "hot3d").trajectory)], params)
    if (DATA / "arctic").is_dir():
        sources["arctic"] = rates([trajectory_clip(read_arctic(DATA / "arctic").trajectory)], params)
    for given in options.dataset:
        name, _, folder = given.partition("=")
        root = Path(folder)
        sources[name] = rates(
            read_clips(root, read_index(root, list_versions(root)[0], ["members"]).to_pylist()), params
        )
    for name, each in sources.items():
        print(f"{name}: {each}")
    told = {"benchmark": "replay", "controls_ok": all(each["ok"] for each in found.values()), "controls": found}
    print(json.dumps(told | {"sources": sources, "mujoco": mujoco.__version__}))


if __name__ == "__main__":
    main()
