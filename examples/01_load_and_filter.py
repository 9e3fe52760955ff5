"""Open a dataset, see what is in it, and take the clips that a policy is about.

Run ``python examples/01_load_and_filter.py DATASET``.
"""

from __future__ import annotations

import argparse

import numpy as np

import hoiset
from hoiset.loaders import ClipDataset


def main(dataset: str) -> ClipDataset:
    index = hoiset.open_index(dataset)
    verbs = index["verb"].value_counts().to_pylist()
    print(f"{index.num_rows} clips:", ", ".join(f"{v['counts']} x {v['values']}" for v in verbs))

    # Filters are asked of the index alone: no shard is read until an item is.
    clips = hoiset.load_dataset(dataset, "v2", split="train", where='grasp = "right"', format="numpy")
    print(f"{len(clips)} of the training clips show a right hand that holds something")

    clip = clips[0]
    right = clip["hand_source"][:, 1] > 0
    depth_m = np.nanmedian(clip["hand_wrist"][right, 1, 2, 3])
    print(f"{clip['key']}: {clip['clip']['text']['action']!r}")
    print(f"  {len(clip['time'])} frames, the right hand in {right.mean():.0%} of them, {depth_m:.2f} m away")
    for slot, found in enumerate(clip["clip"]["objects"]):
        held = (clip["object_state"][:, slot] >= 3).mean()
        print(f"  object {slot}: {found['label']}, held in {held:.0%} of the frames")
    return clips


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    main(parser.parse_args().dataset)
