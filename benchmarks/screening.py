"""Decisions of pass 1 on labelled clips, as they are and perturbed, and on clips whose camera is moved, with its speed.

Each labelled clip is screened as it is, at half of the resolution that is looked at, mirrored, and at half its frame
rate: a decision that turns on such a change was luck.

Clips with a still camera, rendered ones and labelled ones, are then screened as they are, coded anew, and with a motion
of the camera or a cut put in. Every frame is said to show a hand there, so that camera and cuts alone decide. The
rendered clips are of two groups of seeds: thresholds were set with a view to the first, never to the second.

Run ``python benchmarks/screening.py [--quick] [--cache DIR] [FOLDER]``; the last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from hoiset.builder.reconstruct.backends.mediapipe import MediaPipeHands, MediaPipeWorker
from hoiset.builder.records import Candidate, HandDetections, SourceVideo
from hoiset.builder.screen import MEASURED, ScreenParams, screen_video
from hoiset.builder.sources import open_source
from hoiset.builder.sources.studio import StudioSource
from hoiset.video import encode_mp4, iter_frames, probe

QUICK = ("blender_sauce.gif", "close_laptop.mp4", "ego_engine.mp4", "humanoid_pouring.mp4", "plush_toy.mp4", "salt.mp4")
STILL = (
    "cups_shuffle.mp4",
    "letter_blocks.mp4",
    "salt.mp4",
    "close_laptop.mp4",
    "snackbox_push.mp4",
    "plate_push.mp4",
    "plate_pivot.mp4",
)
TUNED_ON, HELD_OUT = (40, 41, *range(60, 65), *range(100, 108)), tuple(range(200, 216))
CLIP_S, EVENT_S = 3.0, 1.5
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
        return gates <= {"camera_moves", "camera_unsure", "too_short"}
    if label["hands_visible"] == "no":
        return "ok" not in gates and "no_hands" in gates
    if label["manipulation"] == "no":
        return gates == {"no_object_motion"}
    return gates == {"ok"} if whole and label["manipulation"] == "yes" else "ok" in gates


def perturbed(video: SourceVideo, frames: Iterator[tuple[float, np.ndarray]], folder: Path) -> SourceVideo:
    """The video, changed, as a file of its own."""
    times, images = zip(*frames, strict=True)
    path = folder / "clip.mp4"
    path.write_bytes(encode_mp4(images, times))
    return replace(video, path=path)


# A camera's pose at a time: shift in x and y, fractions of the short side; roll, rad; logarithm of the zoom.
Path_ = Callable[[float], tuple[float, float, float, float]]


def camera_paths(rng: np.random.Generator) -> dict[str, Path_]:
    """Ways for a camera to move during a clip; the directions are drawn."""
    angle, other = rng.uniform(0, 2 * np.pi, 2)
    x, y = np.cos(angle), np.sin(angle)
    aside = (0.02 * np.cos(other), 0.02 * np.sin(other), 0.0, 0.0)
    sway_hz, phase = rng.uniform(0.6, 1.7, 3), rng.uniform(0, 2 * np.pi, 3)

    def sway(t: float) -> tuple[float, float, float, float]:
        a, b, c = np.sin(2 * np.pi * sway_hz * t + phase)
        return 0.012 * a, 0.012 * b, 0.005 * c, 0.0

    return {
        "coded anew": lambda _: (0.0, 0.0, 0.0, 0.0),
        "pan of 3 %": lambda t: (0.03 * x * t / CLIP_S, 0.03 * y * t / CLIP_S, 0.0, 0.0),
        "zoom of 4 %": lambda t: (0.0, 0.0, 0.0, np.log(1.04) * t / CLIP_S),
        "sway of 1.2 %": sway,
        "nudge of 2 %": lambda t: aside if t > EVENT_S else (0.0, 0.0, 0.0, 0.0),
    }


def moved(frames: list[np.ndarray], times: list[float], path: Path_, rng: np.random.Generator) -> list[np.ndarray]:
    """The frames as a camera on a path would see them: enlarged a little to have room, with new sensor noise."""
    height, width = frames[0].shape[:2]
    middle = np.array([width - 1, height - 1]) / 2
    out = []
    for rgb, t in zip(frames, times, strict=True):
        dx, dy, roll, zoom = path(t)
        c, s = 1.12 * np.exp(zoom) * np.array([np.cos(roll), np.sin(roll)])
        turn = np.array([[c, -s], [s, c]])
        shift = middle - turn @ middle + min(height, width) * np.array([dx, dy])
        view = cv2.warpAffine(rgb, np.column_stack([turn, shift]), (width, height), flags=cv2.INTER_CUBIC)
        noisy = view + 0.008 * 255 * rng.standard_normal(view.shape, dtype=np.float32)
        out.append(np.clip(np.round(noisy), 0, 255).astype(np.uint8))
    return out


class HandsEverywhere:
    """Says that every frame shows a hand at work."""

    name, version = "everywhere", "1"

    def detect(self, rgb: Iterable[np.ndarray], *, video: bool) -> HandDetections:  # noqa: ARG002
        """One hand of a third of the height that sways."""
        joints = []
        for i, image in enumerate(rgb):
            height, width = image.shape[:2]
            box = np.linspace(-1, 1, 21)[:, None] * (height / 6, height / 6)
            joints.append(box + np.array([width / 2 + height / 8 * (-1) ** i, height / 2]))
        n = len(joints)
        return HandDetections(
            np.reshape(joints, (n, 1, 21, 2)), np.zeros((n, 1, 21, 3)), np.ones((n, 1)), np.ones((n, 1))
        )


def camera_decisions(videos: list[SourceVideo], params: ScreenParams) -> dict[str, list[tuple[str, bool, str]]]:
    """For each kind of change: clip, whether the decision is right, and its gates."""
    found: dict[str, list[tuple[str, bool, str]]] = {}
    clips = []
    for video in videos:
        size = probe(video.path)
        short_px = min(480, size.width, size.height)
        clips.append(list(zip(*iter_frames(video.path, end_s=CLIP_S, short_side_px=short_px), strict=True)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        for k, (video, (times, frames)) in enumerate(zip(videos, clips, strict=True)):
            rng = np.random.default_rng(k)
            changed = {kind: moved(frames, times, way, rng) for kind, way in camera_paths(rng).items()}
            after = [cv2.resize(f, frames[0].shape[1::-1]) for f in clips[(k + 1) % len(clips)][1]]
            half = [i for i, t in enumerate(times) if t < EVENT_S]
            changed["cut"] = [*frames[: len(half)], *after[: len(frames) - len(half)]] if len(clips) > 1 else []
            for kind, images in {"as it is": list(frames), **changed}.items():
                if not images:
                    continue
                crf = 30 if kind == "coded anew" else 20
                path.write_bytes(encode_mp4(images, times[: len(images)], crf=crf))
                rows = screen_video(SourceVideo(video.uid, path), HandsEverywhere(), params)
                found.setdefault(kind, []).append((video.uid, decided(kind, rows), ",".join(c.gate for c in rows)))
    return found


def decided(kind: str, rows: tuple[Candidate, ...]) -> bool:
    """Whether a still clip passes whole, or a moved one yields nothing with the motion or the cut in it."""
    if kind in ("as it is", "coded anew"):
        return [c.gate for c in rows] == ["ok"]
    at_once = kind in ("cut", "nudge of 2 %")
    return not any(c.gate == "ok" and (not at_once or c.start_s < EVENT_S < c.end_s) for c in rows)


def camera_report(groups: dict[str, list[SourceVideo]], params: ScreenParams) -> dict[str, dict[str, str]]:
    """Right decisions of each group and kind, printed with every wrong one."""
    report: dict[str, dict[str, str]] = {}
    for group, videos in groups.items():
        for kind, found in camera_decisions(videos, params).items():
            rate = f"{sum(ok for _, ok, _ in found)}/{len(found)}"
            report.setdefault(group, {})[kind] = rate
            gates = dict(Counter(gate for *_, gates in found for gate in gates.split(",")))
            wrong = [f"{uid}: {gates}" for uid, ok, gates in found if not ok]
            print(f"{group:12} {kind:16} {rate:>6} right  {gates}  {'; '.join(wrong)}", flush=True)
    return report


def labelled_decisions(
    videos: list[SourceVideo], labels: dict[str, dict[str, str]], params: ScreenParams
) -> tuple[list[str], float]:
    """Wrong decisions on the labelled clips and their variants, and the time that the clips as they are took, s."""
    wrong: list[str] = []
    took_s = 0.0
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
                if not right(labels[video.uid], found, whole=change is None):
                    wrong.append(f"{video.uid}, {name}")
                for c in found:
                    values = " ".join(f"{c.measured[m]:12.4f}" for m in MEASURED)
                    print(f"{video.uid:22} {name:16} {c.gate:16} {values}", flush=True)
    return wrong, took_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("../shared/data/videos"))
    parser.add_argument("--quick", action="store_true", help="six short clips, and one rendered one")
    parser.add_argument("--cache", type=Path, help="keep rendered clips here (default: a temporary folder)")
    options = parser.parse_args()
    with (options.folder / "videos.csv").open(encoding="utf-8") as lines:
        labels = {row["file"]: row for row in csv.DictReader(lines)}
    every = list(open_source(options.folder).videos())
    videos = [v for v in every if not options.quick or v.uid in QUICK]
    params = ScreenParams()
    wrong, took_s = labelled_decisions(videos, labels, params)
    n = 1 if options.quick else None
    with tempfile.TemporaryDirectory() as scratch:
        cache = options.cache or Path(scratch)
        groups = {
            "labelled": [v for v in every if v.uid in STILL][:n],
            "tuned on": [next(StudioSource(cache, 1, seed).videos()) for seed in TUNED_ON[:n]],
            "held out": [
                next(StudioSource(cache, 1, seed).videos()) for seed in HELD_OUT[: 0 if options.quick else None]
            ],
        }
        report = camera_report({name: found for name, found in groups.items() if found}, params)
    result = {
        "benchmark": "screening",
        "quick": options.quick,
        "decisions": len(videos) * len(VARIANTS),
        "wrong": wrong,
        "camera": report,
        "s_per_video_s": round(took_s / sum(probe(v.path).duration_s for v in videos), 3),
    }
    print(json.dumps(result))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
