"""PyAV alone, decoding random windows of clips whose bytes are in memory: the bound of what decodes by it."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from bare import frames
from measuring import BATCH, N_STEPS, WORKERS, RandomStarts, Spec, run
from torch.utils.data import DataLoader

FOLDER = Path(sys.argv[1])
SPEC = Spec.load(FOLDER)


class Frames:
    """Windows of frames by their numbers."""

    def __init__(self) -> None:
        self.videos = []
        for path in sorted((FOLDER / "plain").glob("*.tar")):
            with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as tar:
                members = [m for m in tar if m.name.endswith(".mp4")]
                self.videos += [tar.extractfile(m).read() for m in members]

    def __getitem__(self, index: int) -> torch.Tensor:
        clip, start = divmod(index, SPEC.n_frames)
        return torch.from_numpy(frames(self.videos[clip], [start], N_STEPS, SPEC.fps, SPEC.size)[0])


def windows() -> Iterable[Any]:
    return DataLoader(Frames(), batch_size=BATCH["frames"], sampler=RandomStarts(SPEC), num_workers=WORKERS)


if __name__ == "__main__":
    run({"frames": windows})
