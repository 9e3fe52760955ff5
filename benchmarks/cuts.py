"""Cuts that are found and cuts that are not there: the package's own detector beside those of PySceneDetect.

Clips are joined, without any effect, from stretches of the labelled clips: two different ones (``joined``), and two
stretches of one with a second left out between (``jump cut``, where the camera stands still and little changes). What
is found in labelled clips as they are is ``false``: none of them has a cut. Every detector runs with its own defaults,
on the same small frames.

Run ``python benchmarks/cuts.py [--quick] [FOLDER]``; the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from scenedetect import AdaptiveDetector, ContentDetector, FrameTimecode, HashDetector, HistogramDetector

from hoiset.builder.screen.params import ScreenParams
from hoiset.builder.screen.shots import THUMB, StepMeter, find_cuts
from hoiset.builder.sources import open_source
from hoiset.video import iter_frames

SIDE_PX, PART_S, LEFT_OUT_S, LATE_S = 180, 2.0, 1.0, 0.15
STILL = (
    "bottles",
    "cars",
    "cups_shuffle",
    "hand_gestures",
    "letter_blocks",
    "plate_pivot",
    "plate_push",
    "snackbox_push",
)
Frames = list[tuple[float, np.ndarray]]


def ours(frames: Frames) -> list[float]:
    meter = StepMeter()
    for time_s, rgb in frames:
        meter.add(time_s, cv2.resize(rgb, THUMB, interpolation=cv2.INTER_AREA))
    return [frames[i][0] for i in find_cuts(meter.steps(), ScreenParams())]


def library(make: Callable[[], object]) -> Callable[[Frames], list[float]]:
    """A detector of PySceneDetect, fed frame by frame."""

    def detect(frames: Frames) -> list[float]:
        period_s = float(np.median(np.diff([t for t, _ in frames])))
        detector, cuts, last = make(), [], None
        for i, (_, rgb) in enumerate(frames):
            last = FrameTimecode(i, fps=1 / period_s)
            cuts += detector.process_frame(last, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        cuts += detector.post_process(last)
        return [frames[c.frame_num][0] for c in cuts]

    return detect


DETECTORS: dict[str, Callable[[Frames], list[float]]] = {
    "hoiset": ours,
    "AdaptiveDetector": library(AdaptiveDetector),
    "ContentDetector": library(ContentDetector),
    "HashDetector": library(HashDetector),
    "HistogramDetector": library(HistogramDetector),
}


def join(a: Frames, b: Frames, period_s: float) -> tuple[Frames, float]:
    """One after the other, the second fitted to the size of the first; also the time of the cut."""
    size = a[0][1].shape[1::-1]
    images = [rgb for _, rgb in a] + [cv2.resize(rgb, size) for _, rgb in b]
    return [(i * period_s, rgb) for i, rgb in enumerate(images)], len(a) * period_s


def clips(folder: Path, quick: bool) -> list[tuple[str, Frames, list[float]]]:
    """Kind, frames and times of the cuts of every clip to judge."""
    whole: dict[str, Frames] = {}
    for video in open_source(folder).videos():
        end_s = 5.0 if quick else None
        whole[video.path.stem] = list(iter_frames(video.path, end_s=end_s, short_side_px=SIDE_PX))
    names = list(whole)[: 5 if quick else None]
    out = [("as it is", whole[name], list[float]()) for name in names]
    for k, name in enumerate(names):
        frames = whole[name]
        period_s = float(np.median(np.diff([t for t, _ in frames])))
        part = round(PART_S / period_s)
        for step in range(1, 3 if quick else len(names)):
            other = whole[names[(k + step) % len(names)]]
            joined, at_s = join(frames[:part], other[:part], period_s)
            out.append(("joined", joined, [at_s]))
        if name in STILL:
            gap = round(LEFT_OUT_S / period_s)
            for start in range(0, len(frames) - 2 * part - gap, part):
                a, b = frames[start : start + part], frames[start + part + gap : start + 2 * part + gap]
                joined, at_s = join(a, b, period_s)
                out.append(("jump cut", joined, [at_s]))
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("../shared/data/videos"))
    parser.add_argument("--quick", action="store_true", help="five clips, two joins of each")
    options = parser.parse_args()
    found: dict[str, dict[str, list[int]]] = {name: defaultdict(lambda: [0, 0, 0]) for name in DETECTORS}
    took_s, frames_seen = dict.fromkeys(DETECTORS, 0.0), 0
    for kind, frames, true in clips(options.folder, options.quick):
        frames_seen += len(frames)
        for name, detect in DETECTORS.items():
            start = time.process_time()
            cuts = detect(frames)
            took_s[name] += time.process_time() - start
            hit = sum(any(abs(c - t) <= LATE_S for c in cuts) for t in true)
            wrong = sum(all(abs(c - t) > LATE_S for t in true) for c in cuts)
            counts = found[name][kind]
            counts[0], counts[1], counts[2] = counts[0] + hit, counts[1] + len(true), counts[2] + wrong
    result: dict[str, dict[str, object]] = {}
    for name, kinds in found.items():
        hit, true, wrong = (sum(counts[i] for counts in kinds.values()) for i in range(3))
        recall = {kind: f"{c[0]}/{c[1]}" for kind, c in kinds.items() if c[1]}
        precision = hit / max(1, hit + wrong)
        ms = 1e3 * took_s[name] / frames_seen
        f1 = 2 * hit / max(1, hit + wrong + true)
        result[name] = {**recall, "false": wrong, "precision": round(precision, 3), "f1": round(f1, 3)}
        result[name]["ms_per_frame"] = round(ms, 3)
        print(f"{name:18} {recall}, {wrong} false, precision {precision:.3f}, F1 {f1:.3f}, {ms:.2f} ms a frame")
    print(json.dumps({"benchmark": "cuts", "quick": options.quick, "frames": frames_seen, "detectors": result}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
