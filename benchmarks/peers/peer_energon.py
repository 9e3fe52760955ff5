# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = [
#   "megatron-energon==7.4.1",
#   "av==18.1.0",
#   "psutil==7.2.2",
#   "torch==2.15.0",
#   "torchvision==0.29.2",
# ]
# ///
"""Megatron Energon: a shuffled stream of crude samples, a few windows out of each by its AVDecoder.

It runs under ``uv run --script`` in an environment of its own, over tars that ``energon prepare`` has indexed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import BATCH, KEYS, N_STEPS, STREAMED, WORKERS, Spec, kind_of, run, window_starts
from megatron.energon import (
    Cooker,
    DefaultTaskEncoder,
    Sample,
    SampleDecoder,
    WorkerConfig,
    basic_sample_keys,
    edataclass,
    get_loader,
    get_train_dataset,
    stateless,
)

FOLDER = Path(sys.argv[1])
SPEC = Spec.load(FOLDER)


@edataclass
class Clip(Sample):
    """A clip: its arrays, and its video as bytes that are ready to be decoded."""

    arrays: dict[str, Any]
    video: Any


@edataclass
class Window(Sample):
    """A window."""

    arrays: dict[str, Any]


@stateless
def cook(sample: dict[str, Any]) -> Clip:
    arrays = {key: torch.as_tensor(sample[f"{key}.npy"]) for key in KEYS}
    return Clip(**basic_sample_keys(sample), arrays=arrays, video=sample.get("rgb.mp4"))


class Windows(DefaultTaskEncoder):
    """Windows of clips."""

    cookers = (Cooker(cook),)
    decoder = SampleDecoder(av_decode="AVDecoder")

    def __init__(self, job: str) -> None:
        super().__init__()
        self.job = job

    @stateless(restore_seeds=True)
    def encode_sample(self, sample: Clip) -> Iterator[Window]:
        """Cut windows out of a clip."""
        starts = window_starts(SPEC, np.random.default_rng(np.random.randint(1 << 31)), self.job)
        pictures: list[torch.Tensor] = []
        if kind_of(self.job) == "windows":
            ranges = [(start, start + N_STEPS - 1) for start in starts]
            size = (SPEC.size, SPEC.size)
            pictures, _ = sample.video.get_video_clips(ranges, video_unit="frames", video_out_frame_size=size)
        for i, start in enumerate(starts):
            arrays = {key: value[start : start + N_STEPS] for key, value in sample.arrays.items()}
            if pictures:
                arrays["rgb"] = pictures[i]
            yield Window.derive_from(sample, arrays=arrays)

    @stateless
    def batch(self, samples: list[Window]) -> dict[str, torch.Tensor]:
        """Stack windows."""
        names = samples[0].arrays
        return {name: torch.stack([sample.arrays[name] for sample in samples]) for name in names}


def windows(job: str) -> Iterable[Any]:
    kinds = {"windows": "plain", "low_dim": "plain_numbers"}
    data = get_train_dataset(
        FOLDER / kinds[kind_of(job)],
        worker_config=WorkerConfig(rank=0, world_size=1, num_workers=WORKERS),
        batch_size=BATCH[kind_of(job)],
        shuffle_buffer_size=20,
        max_samples_per_sequence=None,
        task_encoder=Windows(job),
    )
    return get_loader(data)


if __name__ == "__main__":
    run({job: partial(windows, job) for job in STREAMED})
