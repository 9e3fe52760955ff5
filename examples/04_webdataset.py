"""Stream a dataset's tars with `webdataset`: two layers joined by key, windows cut out, batches in a DataLoader.

Run ``python examples/04_webdataset.py DATASET``, a directory. Needs hoiset[datasets] and hoiset[torch].
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset
from torch.utils.data import DataLoader

N_STEPS = 4
HAND = 1  # right


def member(sample: dict[str, Any], name: str) -> np.ndarray:
    """An array of a sample; the name in the tar ends with how the member is packed."""
    (key,) = [key for key in sample if key.removesuffix(".gz") == f"{name}.npy"]
    return np.asarray(sample[key])


def with_video(cores: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Add the mp4 of each clip: the same shard of the video layer has the same keys in the same order."""
    videos: Iterator[dict[str, Any]] = iter(())
    shard = ""
    for core in cores:
        if core["__url__"] != shard:
            shard = core["__url__"]
            videos = iter(
                webdataset.WebDataset(shard.replace("/core/", "/video/"), shardshuffle=False, empty_check=False)
            )
        video = next(videos)
        if video["__key__"] != core["__key__"]:
            raise SystemExit(f"found the video of {video['__key__']}, expected that of {core['__key__']}")
        yield core | {"rgb.mp4": video["rgb.mp4"]}


def windows(samples: Iterable[dict[str, Any]], seed: int) -> Iterator[dict[str, Any]]:
    """A window at random out of every clip that is long enough."""
    rng = np.random.default_rng(seed)
    for sample in samples:
        wrist = member(sample, "hand_wrist")[:, HAND]
        if len(wrist) < N_STEPS:
            continue
        start = int(rng.integers(len(wrist) - N_STEPS + 1))
        there = member(sample, "hand_source")[start : start + N_STEPS, HAND] > 0
        yield {
            "key": sample["__key__"],
            "hand_wrist": np.nan_to_num(wrist[start : start + N_STEPS]),  # absent is NaN, which no loss survives
            "hand_there": there,
            "video_bytes": len(sample["rgb.mp4"]),
        }


def main(dataset: str, seed: int = 0) -> list[dict[str, Any]]:
    tars = sorted(str(path) for path in Path(dataset, "data", "v2", "core").glob("train-*.tar"))
    stream = webdataset.WebDataset(tars, shardshuffle=len(tars), seed=seed, empty_check=False)
    stream = stream.compose(with_video).decode("rgb8").compose(partial(windows, seed=seed)).shuffle(100)
    batches = list(DataLoader(stream, batch_size=2))
    for batch in batches:
        moved = torch.linalg.norm(batch["hand_wrist"][:, -1, :3, 3] - batch["hand_wrist"][:, 0, :3, 3], dim=-1)
        for key, metres in zip(batch["key"], moved.tolist(), strict=True):
            print(f"{key}: the right wrist moves {100 * metres:.1f} cm in {N_STEPS} frames")
    return batches


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    main(options.dataset, options.seed)
