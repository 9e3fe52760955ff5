"""hoiset: windows by their numbers, and clips in order."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from measuring import BATCH, KEYS, N_STEPS, WORKERS, InOrder, RandomStarts, Spec, run
from torch.utils.data import DataLoader

from hoiset.loaders import WindowDataset, collate, load_dataset
from hoiset.loaders.decoding import Colour

FOLDER = Path(sys.argv[1])
SPEC = Spec.load(FOLDER)
TIMES = [i / SPEC.fps for i in range(N_STEPS)]


def windows(job: str, keys: Sequence[str], colour: Colour = "exact") -> Iterable[Any]:
    layers = ("core", "video") if "rgb" in keys else ("core",)
    clips = load_dataset(FOLDER / "clips", layers=layers, format="torch" if "rgb" in keys else "numpy")
    resize = (SPEC.size, SPEC.size) if "rgb" in keys else None
    data = WindowDataset(clips, dict.fromkeys(keys, TIMES), resize=resize, colour=colour)
    sampler = RandomStarts(SPEC)
    return DataLoader(data, batch_size=BATCH[job], sampler=sampler, num_workers=WORKERS, collate_fn=collate)


def clips() -> Iterable[Any]:
    found = load_dataset(
        FOLDER / "clips", layers=("core", "video"), members=(*KEYS, "rgb"), decode_video=False, format="numpy"
    )
    return DataLoader(
        found, batch_size=BATCH["clips"], sampler=InOrder(SPEC), num_workers=WORKERS, collate_fn=lambda items: items
    )


if __name__ == "__main__":
    run(
        {
            "windows": partial(windows, "windows", ("rgb", *KEYS)),
            "windows, fast colour": partial(windows, "windows", ("rgb", *KEYS), "fast"),
            "frames": partial(windows, "frames", ("rgb",)),
            "frames, fast colour": partial(windows, "frames", ("rgb",), "fast"),
            "low_dim": partial(windows, "low_dim", KEYS),
            "clips": clips,
        }
    )
