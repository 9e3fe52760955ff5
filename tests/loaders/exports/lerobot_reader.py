# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = [
#   "lerobot==0.4.4",
#   "accelerate==1.15.0",
#   "av==18.1.0",
#   "datasets==5.2.0",
#   "deepdiff==9.1.0",
#   "draccus==0.10.0",
#   "einops==0.8.2",
#   "jsonlines==4.0.0",
#   "pandas==3.1.1",
#   "termcolor==3.3.0",
#   "torch==2.15.0",
#   "torchcodec==0.16.0",
#   "torchvision==0.29.2",
# ]
#
# [[tool.uv.dependency-metadata]]
# name = "lerobot"
# version = "0.4.4"
# requires-dist = []
# ///
"""Loads an export in the real LeRobot and writes down all that it says, for a test to compare.

Runs under ``uv run --script``: LeRobot is installed without its dependencies, which exclude current torch.
Usage: lerobot_reader.py EXPORT OUT.npz
"""

import sys
from pathlib import Path

import numpy as np
import torch
from lerobot.datasets.compute_stats import aggregate_stats
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from lerobot.datasets.utils import load_nested_dataset, unflatten_dict

CAMERA = "observation.images.camera"


def stacked(items):
    """Key -> (N, ...) of items."""
    return {
        key: np.stack([torch.as_tensor(item[key]).numpy() for item in items])
        for key, value in items[0].items()
        if not isinstance(value, str)
    }


def main(root: Path, out: Path) -> None:
    data = LeRobotDataset("hoiset/export", root=root)
    items = [data[i] for i in range(len(data))]
    found = stacked(items)
    if CAMERA in found:
        found[CAMERA] = np.rint(found[CAMERA] * 255).astype(np.uint8)
    found["task"] = np.array([item["task"] for item in items])
    step = 1 / data.fps
    deltas = {"action": [0.0, step, 2 * step], "observation.state": [-step, 0.0]}
    if CAMERA in found:
        deltas[CAMERA] = [-step, 0.0]
    windows = LeRobotDataset("hoiset/export", root=root, delta_timestamps=deltas)
    picked = [windows[i] for i in range(0, len(windows), 7)]
    found |= {f"window/{key}": value for key, value in stacked(picked).items()}
    found |= {f"stats/{key}/{name}": v for key, of in data.meta.stats.items() for name, v in of.items()}
    rows = load_nested_dataset(root / "meta/episodes")
    episodes = [
        unflatten_dict({k.removeprefix("stats/"): np.array(v) for k, v in row.items() if k.startswith("stats/")})
        for row in rows
    ]
    merged = aggregate_stats(episodes)  # what LeRobot does when it merges datasets; it checks every shape
    found |= {f"merged/{key}/{name}": v for key, of in merged.items() for name, v in of.items()}
    only = LeRobotDataset("hoiset/export", root=root, episodes=[data.num_episodes - 1])
    found["last_episode"] = np.array([int(only[i]["index"]) for i in range(len(only))])
    found["names"] = np.array(data.features["observation.state"]["names"])
    np.savez(out, **{key.replace("/", "|"): value for key, value in found.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
