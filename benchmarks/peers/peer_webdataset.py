"""webdataset: a shuffled stream of clips, a few windows out of each, mixed by a buffer; it has no random access."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset
from bare import frames
from measuring import BATCH, KEYS, N_STEPS, SHUFFLED, STREAMED, WORKERS, Spec, kind_of, run, stacked, window_starts
from torch.utils.data import DataLoader

FOLDER = Path(sys.argv[1])
SPEC = Spec.load(FOLDER)
TARS = sorted(str(path) for path in (FOLDER / "plain").glob("*.tar"))


def cut(job: str, samples: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Windows of clips."""
    rng = np.random.default_rng(0)
    for sample in samples:
        arrays = {key: np.load(io.BytesIO(sample[f"{key}.npy"])) for key in KEYS}
        starts = window_starts(SPEC, rng, job)
        pictures = (
            frames(sample["rgb.mp4"], starts, N_STEPS, SPEC.fps, SPEC.size) if kind_of(job) == "windows" else None
        )
        for i, start in enumerate(starts):
            item: dict[str, Any] = {key: array[start : start + N_STEPS] for key, array in arrays.items()}
            if pictures is not None:
                item = {key: torch.from_numpy(value) for key, value in item.items()}
                item["rgb"] = torch.from_numpy(pictures[i])
            yield item


def wanted(job: str, name: str) -> bool:
    return kind_of(job) != "low_dim" or not name.endswith(".mp4")


def windows(job: str) -> Iterable[Any]:
    stream = webdataset.WebDataset(TARS, shardshuffle=len(TARS), select_files=partial(wanted, job)).repeat()
    stream = (
        stream.shuffle(20).compose(partial(cut, job)).shuffle(SHUFFLED[kind_of(job)], initial=SHUFFLED[kind_of(job)])
    )
    collate = None if kind_of(job) == "windows" else stacked
    return DataLoader(stream, batch_size=BATCH[kind_of(job)], num_workers=WORKERS, collate_fn=collate)


def clips() -> Iterable[Any]:
    stream = webdataset.WebDataset(TARS, shardshuffle=False).repeat().decode()
    return DataLoader(stream, batch_size=BATCH["clips"], num_workers=WORKERS, collate_fn=lambda items: items)


if __name__ == "__main__":
    run({**{job: partial(windows, job) for job in STREAMED}, "clips": clips})
