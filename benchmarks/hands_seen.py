"""How many of the hands that a person sees are valid, on the ten static hand-object clips.

``python benchmarks/hands_seen.py [--quick] [--dataset DIR]`` screens the clips of ``../shared/data/videos`` and
reconstructs their hands alone (``--quick``: three of them; ``--dataset``: reads a finished v2 build instead). The last
line is JSON.

What a person sees was read off plain frames, before any detector's output was drawn on them:

- ``hand_spans.csv``: spans, in seconds of the source video, in which a hand of the person's own left or right side is
  ``visible``: at least about a third of it lies inside the image and is not hidden. ``open`` spans count neither way:
  less of it is seen (fingertips at the border, a sliver behind a box), or it is on its way in or out. In all other
  frames of that side nobody sees a hand.
- ``hand_places.csv``: a point in the middle of what is seen of a hand, as fractions of width and height, at single
  moments. A valid hand is in place where the point lies within the box of its joints, grown by 15 % of its longer side.

``pairs`` are all (frame, visible hand); a pair is valid where the hand of that side is observed or filled. A frame
counts where at least one hand is visible, and is right where every visible hand is valid. A false hand is a valid one
of a side that nobody sees; it has the wrong side where the other side's hand is visible and not valid.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoiset import open_index
from hoiset.shards.reader import ShardReader, read_sample
from hoiset.shards.schema import HandSource

HERE = Path(__file__).resolve().parent
VIDEOS = HERE.parents[1] / "shared" / "data" / "videos"
QUICK = ("close_laptop.mp4", "plush_toy.mp4", "blender_sauce.gif")
SIDES = ("left", "right")
SHARE = 0.85
GROWN = 0.15


@dataclass(frozen=True)
class SeenHands:
    """The hands of one sample.

    Attributes:
        uid: Of the source video.
        time: (T,) s of the source video.
        source: (T, 2) ``HandSource`` of left and right.
        joints_2d: (T, 2, 21, 2) px.
        size: (width, height), px.
    """

    uid: str
    time: Float[np.ndarray, "T"]
    source: UInt8[np.ndarray, "T 2"]
    joints_2d: Float[np.ndarray, "T 2 21 2"]
    size: tuple[int, int]


@cache
def table(name: str) -> tuple[dict[str, str], ...]:
    """Rows of one of the two files of truth."""
    with (HERE / name).open(newline="") as file:
        return tuple(csv.DictReader(file))


def names() -> list[str]:
    """The clips with truth, in the file's order."""
    return list(dict.fromkeys(row["video"] for row in table("hand_spans.csv")))


def spans(uid: str, time: Float[np.ndarray, "T"], seen: str) -> Bool[np.ndarray, "T 2"]:
    """Frames that lie in the spans of one kind, per side."""
    out = np.zeros((len(time), 2), bool)
    for row in table("hand_spans.csv"):
        if row["video"] == uid and row["seen"] == seen:
            here = (time >= float(row["start_s"]) - 1e-3) & (time < float(row["end_s"]) - 1e-3)
            out[:, SIDES.index(row["side"])] |= here
    return out


def places(clip: SeenHands) -> dict[str, int]:
    """Of the labelled points within a sample: how many there are, are in place, are missed, lie on the other hand."""
    out = dict.fromkeys(("points", "in_place", "not_valid", "other_hand"), 0)
    half = 0.5 * float(np.median(np.diff(clip.time)))
    for row in table("hand_places.csv"):
        at, side = float(row["time_s"]), SIDES.index(row["side"])
        if row["video"] != clip.uid or not clip.time[0] - half <= at <= clip.time[-1] + half:
            continue
        i = int(np.abs(clip.time - at).argmin())
        joints, valid = clip.joints_2d[i], clip.source[i] > 0
        low, high = joints.min(1), joints.max(1)
        room = GROWN * (high - low).max(1, keepdims=True)
        point = np.array([float(row["x"]), float(row["y"])]) * clip.size
        on = valid & (point >= low - room).all(1) & (point <= high + room).all(1)
        out["points"] += 1
        out["in_place"] += int(on[side])
        out["not_valid"] += int(not valid[side])
        out["other_hand"] += int(on[1 - side] and not on[side])
    return out


def measure(clips: list[SeenHands]) -> dict[str, Any]:
    """Counts over the samples of one or several videos."""
    counts: dict[str, int] = {}
    for clip in clips:
        visible, left_open = (spans(clip.uid, clip.time, kind) for kind in ("visible", "open"))
        valid, observed = clip.source > 0, clip.source == HandSource.OBSERVED
        absent, some = ~visible & ~left_open, visible.any(1)
        here = {
            "pairs": visible.sum(),
            "pairs_valid": (visible & valid).sum(),
            "pairs_observed": (visible & observed).sum(),
            "frames": some.sum(),
            "frames_right": (some & (valid | ~visible).all(1)).sum(),
            "nobody": absent.sum(),
            "false": (absent & valid).sum(),
            "wrong_side": (absent & valid & (visible & ~valid)[:, ::-1]).sum(),
            **places(clip),
        }
        counts = {k: counts.get(k, 0) + int(v) for k, v in here.items()}
    return counts


def shares(counts: dict[str, Any]) -> dict[str, Any]:
    """The counts with the shares that they make."""
    pairs, frames = max(counts["pairs"], 1), max(counts["frames"], 1)
    return {
        "valid": round(counts["pairs_valid"] / pairs, 3),
        "observed": round(counts["pairs_observed"] / pairs, 3),
        "every_hand": round(counts["frames_right"] / frames, 3),
        **counts,
    }


def report(clips: list[SeenHands]) -> dict[str, Any]:
    """Figures by video and of all, and a line for each on stdout."""
    rows = {}
    print(f"{'clip':18} valid  observed  every hand   false / nobody  wrong side  in place / points")
    for name in [*dict.fromkeys(c.uid for c in clips), "all"]:
        row = rows[name] = shares(measure([c for c in clips if name in (c.uid, "all")]))
        print(
            f"{name:18} {row['valid']:5.3f}  {row['observed']:8.3f}  {row['every_hand']:10.3f}  "
            f"{row['false']:6d} / {row['nobody']:<6d}  {row['wrong_side']:10d}  {row['in_place']:8d} / {row['points']}"
        )
    total = rows.pop("all")
    reached = [name for name, row in rows.items() if row["valid"] >= SHARE]
    return {"clips": rows, "all": total, "clips_with_85_percent": len(reached), "of_clips": len(rows)}


def of_dataset(root: Path, wanted: Iterable[str]) -> list[SeenHands]:
    """Hands of a finished build."""
    reader, out = ShardReader(root), []
    members = ["clip.json", "time.npy", "hand_source.npy", "hand_joints_2d.npy.gz"]
    for row in open_index(root, "v2").to_pylist():
        if row["uid"] in set(wanted):
            sample = read_sample(reader, row["members"], members)
            camera, start_s = sample["clip.json"]["camera"], sample["clip.json"]["source"]["start_s"]
            size, time = (camera["width"], camera["height"]), sample["time.npy"] + start_s
            out.append(SeenHands(row["uid"], time, sample["hand_source.npy"], sample["hand_joints_2d.npy.gz"], size))
    return out


def reconstruct(wanted: Iterable[str]) -> list[SeenHands]:
    """Screen the clips and reconstruct their hands, with the stages and parameters of a build."""
    from hoiset.builder.reconstruct.backends.mediapipe import MediaPipeHands, MediaPipeWorker
    from hoiset.builder.reconstruct.camera import estimate_camera
    from hoiset.builder.reconstruct.hands import reconstruct_hands
    from hoiset.builder.reconstruct.pipeline import ReconstructParams, decode_clip
    from hoiset.builder.records import Clip, Frames, HandDetections, SourceVideo
    from hoiset.builder.screen import ScreenParams, screen_video
    from hoiset.video import probe

    params, out = ReconstructParams(), []
    with MediaPipeWorker() as worker:
        detector = MediaPipeHands(worker)
        for name in wanted:
            video = SourceVideo(name, VIDEOS / name)
            for span in (c for c in screen_video(video, detector, ScreenParams()) if c.passed):
                frames = decode_clip(Clip("clip", video, span.start_s, span.end_s, "test"), params.video)
                found = detector.detect(frames.rgb, video=True)
                grow = frames.size[0] / frames.rgb.shape[2]
                px = (found.landmarks_px + 0.5) * grow - 0.5
                found = HandDetections(px, found.world_m, found.right_probability, found.score)
                shell = Frames(np.zeros((len(frames.time), frames.size[1], frames.size[0], 0), np.uint8), frames.time)
                camera = estimate_camera(video, shell, found, probe(video.path).width, params.camera)
                hands = reconstruct_hands(found, camera, frames.time, params.hands)
                out.append(SeenHands(name, frames.time + span.start_s, hands.source, hands.joints_2d, frames.size))
    return out


def main() -> None:
    """Reconstruct or read, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--dataset", type=Path, help="a finished v2 build of these videos")
    options = parser.parse_args()
    wanted = list(QUICK) if options.quick else names()
    clips = of_dataset(options.dataset, wanted) if options.dataset else reconstruct(wanted)
    print(json.dumps(report(clips)))


if __name__ == "__main__":
    main()
