"""Read a dataset with Hugging Face `datasets`: as a table on disk, and as a stream, layers joined by key.

Run ``python examples/03_datasets.py DATASET``, a directory or a dataset of the Hub. Needs hoiset[datasets].
"""

from __future__ import annotations

import argparse
from typing import Any

import datasets
import numpy as np

from hoiset.video import decode_mp4_bytes


def member(row: dict[str, Any], name: str) -> np.ndarray:
    """An array of a row; the column's name ends with how the member is packed."""
    (column,) = [key for key in row if key.removesuffix(".gz") == f"{name}.npy"]
    return np.asarray(row[column])


def main(dataset: str, cache: str | None = None) -> dict[str, int]:
    # The core layer is the config `v2`. Without streaming, everything is converted once, into the cache.
    rows = datasets.load_dataset(dataset, "v2", split="train", cache_dir=cache)
    held = rows.filter(lambda clip: any(g["hand"] == "right" for g in clip["grasps"]), input_columns=["clip.json"])
    print(f"{len(held)} of {len(rows)} clips: the right hand holds something")
    row = held.with_format("numpy")[0]
    print(f"{row['__key__']}: hand_joints {member(row, 'hand_joints').shape}")

    # A stream reads shards as it goes. `shuffle` mixes shards, and rows within a buffer.
    stream = datasets.load_dataset(dataset, "v2", split="train", streaming=True)
    verbs: dict[str, int] = {}
    for row in stream.shuffle(seed=0, buffer_size=100):
        verb = row["clip.json"]["text"]["verb"]
        verbs[verb] = verbs.get(verb, 0) + 1
    print("verbs:", verbs)

    # Every layer is a config with the same keys in the same order.
    videos = datasets.load_dataset(dataset, "v2-video", split="train", streaming=True)
    for row, footage in zip(stream, videos, strict=True):
        if row["__key__"] != footage["__key__"]:
            raise SystemExit(f"found the video of {footage['__key__']}, expected that of {row['__key__']}")
        rgb, _ = decode_mp4_bytes(footage["rgb.mp4"])
        print(f"{row['__key__']}: {len(member(row, 'time'))} frames of {rgb.shape[1]}x{rgb.shape[2]}")
    return verbs


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--cache", help="folder of the converted table")
    options = parser.parse_args()
    main(options.dataset, options.cache)
