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
"""Load what ``hoiset export lerobot DATASET EXPORT`` wrote in LeRobot itself, and take batches of windows of it.

Run it with ``uv run --script examples/05_lerobot.py EXPORT``, which makes LeRobot an environment of its own: its
declared dependencies exclude current torch, so that it is installed without them. torchcodec needs FFmpeg's libraries.
"""

import argparse
from pathlib import Path

import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset

ACTION_STEPS = 8


def main(export: Path) -> dict[str, torch.Tensor]:
    fps = LeRobotDataset("local/export", root=export).fps
    windows = LeRobotDataset(
        "local/export",  # a name; with root= nothing is looked up on the Hub
        root=export,
        delta_timestamps={
            "observation.images.camera": [-1 / fps, 0.0],
            "observation.state": [-1 / fps, 0.0],
            "action": [i / fps for i in range(ACTION_STEPS)],
        },
    )
    print(f"{windows.num_episodes} episodes, {windows.num_frames} frames at {windows.fps} Hz")
    loader = torch.utils.data.DataLoader(windows, batch_size=8, shuffle=True)
    batch = next(iter(loader))
    for key in ("observation.images.camera", "observation.state", "action", "action_is_pad", "mask.action"):
        print(key, tuple(batch[key].shape))
    print("task:", batch["task"][0])

    # An absent hand is 0 and its mask false; its numbers must not count.
    mean, std = (torch.as_tensor(windows.meta.stats["action"][name]) for name in ("mean", "std"))
    action = (batch["action"] - mean) / (std + 1e-8)
    hands = batch["mask.action"].repeat_interleave(action.shape[-1] // 2, -1)
    print(f"spread of what is there: {action[:, 0][hands].std():.2f}")
    return batch


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("export", type=Path)
    main(parser.parse_args().export)
