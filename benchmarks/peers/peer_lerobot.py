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
"""LeRobot: windows by their numbers of what ``hoiset export lerobot`` wrote, decoded by torchcodec.

It runs under ``uv run --script`` in an environment of its own. ``stored small`` has pictures of the windows' size.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from lerobot.datasets.lerobot_dataset import LeRobotDataset
from measuring import BATCH, N_STEPS, WORKERS, RandomStarts, Spec, run
from torch.utils.data import DataLoader
from torchvision.transforms import v2

FOLDER = Path(sys.argv[1])
SPEC = Spec.load(FOLDER)
NUMBERS = ("observation.state", "observation.environment_state", "object.state")


def windows(job: str, export: str) -> Iterable[Any]:
    times = [i / SPEC.fps for i in range(N_STEPS)]
    keys = (*NUMBERS, "observation.images.camera") if job == "windows" else NUMBERS
    small = export != "lerobot" or (SPEC.height, SPEC.width) == (SPEC.size, SPEC.size)
    data = LeRobotDataset(
        f"local/{export}",
        root=FOLDER / export,
        delta_timestamps=dict.fromkeys(keys, times),
        image_transforms=None if small else v2.Resize((SPEC.size, SPEC.size)),
        video_backend="torchcodec",
    )
    return DataLoader(data, batch_size=BATCH[job], sampler=RandomStarts(SPEC), num_workers=WORKERS)


if __name__ == "__main__":
    jobs = {"windows": partial(windows, "windows", "lerobot")}
    if (FOLDER / "lerobot_small").exists():
        jobs["windows, stored small"] = partial(windows, "windows", "lerobot_small")
    run({**jobs, "low_dim": partial(windows, "low_dim", "lerobot_numbers")})
