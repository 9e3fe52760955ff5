"""Decisions of pass 1 on the labelled clips, as they are and perturbed, with its speed.

Each clip is screened as it is, at half of the resolution that is looked at, mirrored, and at half its frame rate: a
decision that turns on such a change was luck.

Run ``python benchmarks/screening.py [--quick] [FOLDER]``; the last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from hoiset.builder.reconstruct.backends.mediapipe import MediaPipeHands, MediaPipeWorker
from hoiset.builder.records import Candidate, SourceVideo
from hoiset.builder.screen import MEASURED, ScreenParams, screen_video
from hoiset.builder.sources import open_source
from hoiset.video import encode_mp4, iter_frames, probe

QUICK = ("blender_sauce.gif", "close_laptop.mp4", "ego_engine.mp4", "humanoid_pouring.mp4", "plush_toy.mp4", "salt.mp4")
WORKING_PX = ScreenParams().working_short_side_px
VARIANTS: dict[str, Callable[[Path], Iterator[tuple[float, np.ndarray]]] | None] = {
    "as it is": None,
    "half resolution": lambda p: iter_frames(p, short_side_px=min(WORKING_PX, probe(p).width, probe(p).height) // 2),
    "mirrored": lambda p: ((t, rgb[:, ::-1]) for t, rgb in iter_frames(p, short_side_px=WORKING_PX)),
    "half frame rate": lambda p: islice(iter_frames(p, short_side_px=WORKING_PX), 0, None, 2),
}


def right(label: dict[str, str], found: tuple[Candidate, ...], *, whole: bool) -> bool:
    """Whether the decisions are what the label says: pass (every span of it, where ``whole``), or fail on its gate."""
    gates = {c.gate for c in found}
    if label["static_camera"] == "no":
        return gates <= {"camera_moves", "too_short"}
    if label["hands_visible"] == "no":
        return "ok" not in gates and "no_hands" in gates
    return gates == {"ok"} if whole and label["manipulation"] == "yes" else "ok" in gates


def perturbed(video: SourceVideo, frames: Iterator[tuple[float, np.ndarray]], folder: Path) -> SourceVideo:
    """The video, changed, as a file of its own."""
    times, images = zip(*frames, strict=True)
    path = folder / "clip.mp4"
    path.write_bytes(encode_mp4(images, times))
    return replace(video, path=path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("../shared/data/videos"))
    parser.add_argument("--quick", action="store_true", help="six short clips")
    options = parser.parse_args()
    with (options.folder / "videos.csv").open(encoding="utf-8") as lines:
        labels = {row["file"]: row for row in csv.DictReader(lines)}
    videos = [v for v in open_source(options.folder).videos() if not options.quick or v.uid in QUICK]
    params = ScreenParams()
    wrong: list[str] = []
    took_s = video_s = 0.0
    print(f"{'clip':22} {'variant':16} {'gate':16} " + " ".join(f"{name:>12}" for name in MEASURED))
    with MediaPipeWorker() as worker, tempfile.TemporaryDirectory() as folder:
        worker.start()
        hands = MediaPipeHands(worker)
        for video in videos:
            for name, change in VARIANTS.items():
                clip = video if change is None else perturbed(video, change(video.path), Path(folder))
                start = time.perf_counter()
                found = screen_video(clip, hands, params)
                if change is None:
                    took_s += time.perf_counter() - start
                    video_s += probe(video.path).duration_s
                if not right(labels[video.uid], found, whole=change is None):
                    wrong.append(f"{video.uid}, {name}")
                for c in found:
                    values = " ".join(f"{c.measured[m]:12.4f}" for m in MEASURED)
                    print(f"{video.uid:22} {name:16} {c.gate:16} {values}", flush=True)
    result = {
        "benchmark": "screening",
        "quick": options.quick,
        "decisions": len(videos) * len(VARIANTS),
        "wrong": wrong,
        "s_per_video_s": round(took_s / video_s, 3),
    }
    print(json.dumps(result))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
