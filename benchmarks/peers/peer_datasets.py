"""Hugging Face datasets: a shuffled stream of clips, a few windows out of each, mixed by a buffer."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from bare import frames
from measuring import BATCH, KEYS, N_STEPS, SHUFFLED, STREAMED, WORKERS, Spec, kind_of, run, stacked, window_starts
from torch.utils.data import DataLoader, IterableDataset

FOLDER = Path(sys.argv[1])
SPEC = Spec.load(FOLDER)
TARS = sorted(str(path) for path in (FOLDER / "plain").glob("*.tar"))


class Windows(IterableDataset):
    """Windows of clips; its stream shares shards out among workers."""

    def __init__(self, job: str) -> None:
        rows = datasets.load_dataset("webdataset", data_files={"train": TARS}, split="train", streaming=True)
        rows = rows.cast_column("rgb.mp4", datasets.Video(decode=False))  # its own decoding is torchcodec's, whole
        self.job, self.rows = job, rows.repeat(None).shuffle(seed=0, buffer_size=20)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        rng, held = np.random.default_rng(0), list[dict[str, Any]]()
        for item in self._cut(rng):
            if len(held) < SHUFFLED[kind_of(self.job)]:
                held.append(item)
                continue
            at = int(rng.integers(len(held)))
            held[at], item = item, held[at]
            yield item

    def _cut(self, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
        for row in self.rows:
            starts = window_starts(SPEC, rng, self.job)
            arrays = {key: np.asarray(row[f"{key}.npy"]) for key in KEYS}
            pictures = None
            if kind_of(self.job) == "windows":
                pictures = frames(row["rgb.mp4"]["bytes"], starts, N_STEPS, SPEC.fps, SPEC.size)
            for i, start in enumerate(starts):
                item: dict[str, Any] = {key: array[start : start + N_STEPS] for key, array in arrays.items()}
                if pictures is not None:
                    item = {key: torch.from_numpy(value) for key, value in item.items()}
                    item["rgb"] = torch.from_numpy(pictures[i])
                yield item


def windows(job: str) -> Iterable[Any]:
    collate = None if kind_of(job) == "windows" else stacked
    return DataLoader(Windows(job), batch_size=BATCH[kind_of(job)], num_workers=WORKERS, collate_fn=collate)


def clips() -> Iterable[Any]:
    rows = datasets.load_dataset("webdataset", data_files={"train": TARS}, split="train", streaming=True)
    rows = rows.cast_column("rgb.mp4", datasets.Video(decode=False)).repeat(None)
    return DataLoader(rows, batch_size=BATCH["clips"], num_workers=WORKERS, collate_fn=lambda items: items)


if __name__ == "__main__":
    run({**{job: partial(windows, job) for job in STREAMED}, "clips": clips})
