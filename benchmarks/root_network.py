"""Errors of the root networks that the package brings, on simulated clips that training never drew.

    python benchmarks/root_network.py [--quick]

Three kinds of clips: as in training (noise, jumps, hidden spans, one hand alone, gravity known in 70 %), whole ones
with both hands, and whole ones that begin farther from the pose at rest than those in training. Errors are medians of a
single draw and of the one of eight draws that is nearest to the truth, which bounds what any choice among them reaches.
"""

from __future__ import annotations

import argparse
import json
import math
import time

import torch

from hoiset.builder.retarget.robot import load_robot
from hoiset.builder.retarget.root_training import held_out_errors
from hoiset.builder.retarget.root_weights import has_weights, load_weights
from hoiset.builder.retarget.simulate import SimulationParams

ROBOTS = ("g1", "fr3_dual", "robonaut2", "xlerobot")
KINDS = {
    "as_trained": SimulationParams(),
    "both_hands": SimulationParams(hidden=0, one_handed=0),
    "far_from_home": SimulationParams(hidden=0, one_handed=0, spread=(0.05, 0.25)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer clips, for a glance")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    n_clips = 64 if quick else 1024
    out = {}
    for name in filter(lambda name: has_weights(load_robot(name)), ROBOTS):
        robot = load_robot(name)
        network, info = load_weights(robot)
        out[name] = {"steps": info.steps, "parameters": sum(w.numel() for w in network.parameters())}
        for kind, params in KINDS.items():
            began = time.perf_counter()
            errors = held_out_errors(network, robot, n_clips=n_clips, n_draws=8, params=params)
            seconds = time.perf_counter() - began
            for which, e in errors.items():
                row = {
                    "single_cm": round(100 * e["single_m"], 1),
                    "single_deg": round(math.degrees(e["single_rad"]), 1),
                    "best_of_8_cm": round(100 * e["best_m"], 1),
                    "best_of_8_deg": round(math.degrees(e["best_rad"]), 1),
                }
                out[name][f"{kind}/{which}"] = row
                print(f"{name:10s} {kind:10s} {which:10s} {row} ({n_clips} clips in {seconds:.1f} s)")
    print(json.dumps(out))


if __name__ == "__main__":
    main()
