"""Samples, valid hands and grasp states of the ten static hand-object clips.

``python benchmarks/real_clips.py [--quick] [--dataset DIR]`` builds the clips of ``../shared/data/videos``
(``--quick``: three of them; ``--dataset``: reads a finished build instead) and compares grasp states with spans that
were read off the frames by eye, in seconds of the source video: ``held`` must be grasped by that hand, ``free`` by
none; what lies between is left open, since a touch begins and ends somewhere within a few frames. Where several objects
are found, the best one counts. How many of the hands that a person sees are valid is told by ``hands_seen.py`` beside
this file, whose figures are in the JSON too. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hands_seen
import numpy as np

from hoiset import open_index
from hoiset.shards.reader import ShardReader, read_sample

VIDEOS = Path(__file__).resolve().parents[2] / "shared" / "data" / "videos"
QUICK = ("plate_push.mp4", "snackbox_push.mp4", "plush_toy.mp4")
RIGHT_STATE = 0.7
_GRASP_CODES = {"left": (3, 5), "right": (4, 5)}

Span = tuple[float, float]


@dataclass(frozen=True)
class Truth:
    """What is seen in one clip.

    Attributes:
        hand: That holds or pushes.
        held: Spans in which it does, s.
        free: Spans in which nobody does, s.
    """

    hand: str
    held: tuple[Span, ...]
    free: tuple[Span, ...]


TRUTH: dict[str, Truth | None] = {
    "plate_push.mp4": Truth("right", ((1.6, 4.8),), ((0.0, 1.2),)),
    "plate_pivot.mp4": Truth("right", ((2.9, 5.0),), ((0.0, 2.2),)),
    "snackbox_push.mp4": Truth("right", ((2.2, 4.9),), ((0.0, 1.7),)),
    "salt.mp4": Truth("right", ((1.4, 2.7),), ((0.0, 0.8),)),
    "close_laptop.mp4": Truth("left", ((1.0, 1.85),), ((0.0, 0.6), (2.15, 2.4))),
    "plush_toy.mp4": Truth("right", ((1.15, 1.95),), ((0.0, 0.7), (2.4, 3.0))),
    "bottles.mp4": Truth("left", ((6.5, 6.85), (11.8, 12.2)), ((5.1, 6.0), (12.9, 14.0))),
    "cups_shuffle.mp4": Truth("right", ((0.1, 0.9),), ((1.2, 1.5),)),  # the cup over the ball, while it is the first
    "letter_blocks.mp4": Truth("right", ((6.5, 7.4),), ((0.0, 6.1), (7.8, 9.6))),  # the W, put beside the T
    "blender_sauce.gif": None,
}


def samples_of(root: Path) -> dict[str, list[dict[str, Any]]]:
    """Core members of all samples, by source video."""
    reader = ShardReader(root)
    out: dict[str, list[dict[str, Any]]] = {}
    for row in open_index(root, "v2").to_pylist():
        names = ["clip.json", "time.npy", "hand_source.npy", "object_state.npy"]
        out.setdefault(row["uid"], []).append(read_sample(reader, row["members"], names))
    return out


def agreement(samples: list[dict[str, Any]], truth: Truth) -> tuple[float, float]:
    """Share of held frames that are grasped by the right hand, and of free frames that are not, of the best object."""
    best = (0.0, 0.0)
    codes = _GRASP_CODES[truth.hand]
    held_all, free_all = [], []
    for sample in samples:
        time = sample["time.npy"] + sample["clip.json"]["source"]["start_s"]
        held, free = (np.any([(time >= a) & (time <= b) for a, b in s], axis=0) for s in (truth.held, truth.free))
        options = []
        for o in range(len(sample["clip.json"]["objects"])):
            state = sample["object_state.npy"][:, o]
            options.append((np.isin(state, codes)[held], (state < 3)[free]))
        if not options:
            options = [(np.zeros(held.sum(), bool), np.ones(free.sum(), bool))]
        chosen = max(options, key=lambda x: x[0].sum() + x[1].sum())
        held_all.append(chosen[0])
        free_all.append(chosen[1])
    held_share, free_share = np.concatenate(held_all), np.concatenate(free_all)
    if len(held_share) and len(free_share):
        best = (float(held_share.mean()), float(free_share.mean()))
    return best


def measure(root: Path, names: list[str]) -> dict[str, Any]:
    """Figures of a build, and a line per clip on stdout."""
    found = samples_of(root)
    rows = {}
    print(f"{'clip':20} samples  hands valid  objects  held  free")
    for name in names:
        samples, truth = found.get(name, []), TRUTH[name]
        valid = float(np.concatenate([(s["hand_source.npy"] > 0).any(1) for s in samples]).mean()) if samples else 0.0
        objects = sum(o["manipulated"] for s in samples for o in s["clip.json"]["objects"])
        held, free = agreement(samples, truth) if truth and samples else (float("nan"), float("nan"))
        print(f"{name:20} {len(samples):7d}  {valid:11.2f}  {objects:7d}  {held:4.2f}  {free:4.2f}")
        rows[name] = {
            "samples": len(samples),
            "hands_valid": round(valid, 3),
            "manipulated_objects": objects,
            "held_as_held": None if np.isnan(held) else round(held, 3),
            "free_as_free": None if np.isnan(free) else round(free, 3),
        }
    seen = hands_seen.report(hands_seen.of_dataset(root, names))
    right = [n for n, r in rows.items() if min(r["held_as_held"] or 0.0, r["free_as_free"] or 0.0) >= RIGHT_STATE]
    return {
        "clips": rows,
        "with_sample": sum(r["samples"] > 0 for r in rows.values()),
        "with_manipulated_object": sum(r["manipulated_objects"] > 0 for r in rows.values()),
        "with_right_state": len(right),
        "with_state_truth": sum(TRUTH[n] is not None for n in rows),
        "hands_seen": seen,
    }


def main() -> None:
    """Build or read, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--dataset", type=Path, help="a finished v2 build of these videos")
    options = parser.parse_args()
    names = list(QUICK if options.quick else TRUTH)
    if options.dataset:
        print(json.dumps(measure(options.dataset, names)))
        return
    from hoiset.builder.run import build

    with tempfile.TemporaryDirectory() as folder:
        videos = Path(folder) / "videos"
        videos.mkdir()
        for name in names:
            shutil.copy(VIDEOS / name, videos / name)
        build("v2", videos, Path(folder) / "out")
        print(json.dumps(measure(Path(folder) / "out", names)))


if __name__ == "__main__":
    main()
