"""How fast the studio is, and whether a hand detector finds its hands.

    python benchmarks/studio.py [--quick] [--corpus DIR] [--seed 500] [--clips 12]

Speed: a corpus at 640x480, from the start of its processes to its index, and one clip of two hands in one process;
planning, rendering and encoding count. Looks: a corpus (`hoiset studio`, made in DIR if it is not there) through
MediaPipe, frame by frame: of the hands whose joints are all in the image, how many are
found, and how far the joints are off. Never point it at the seeds that a build is measured on. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from hoiset.builder.reconstruct.backends.mediapipe import MediaPipeHands, MediaPipeWorker
from hoiset.builder.studio import StudioParams
from hoiset.builder.studio.clip import render_clip
from hoiset.builder.studio.corpus import make_corpus
from hoiset.shards.index import read_index
from hoiset.shards.reader import ShardReader, read_sample
from hoiset.video import iter_frames

STRIDE_S = 0.4
MATCH_SHARE = 0.5
"""A detection is of a hand when its joints are nearer than this share of the hand's size on average."""


def speed(quick: bool) -> dict[str, Any]:
    """Frames a second of a corpus as `hoiset studio` makes it, and of a single clip in this process."""
    params = StudioParams(own_pace=True, action=None, bystanders=True)
    workers = os.cpu_count() or 1
    with TemporaryDirectory() as folder:
        begin = time.perf_counter()
        made = make_corpus(Path(folder) / "corpus", seed=500, n_clips=2 if quick else 6, params=params, workers=workers)
        corpus_s = time.perf_counter() - begin
    print(f"corpus: {made.videos} videos, {made.frames} frames, {made.kinds}", flush=True)
    begin = time.perf_counter()
    clip = render_clip(0, StudioParams(action="bimanual_lift", bystanders=True))
    clip_s = time.perf_counter() - begin
    print(f"clip: {len(clip.hands)} hands, {len(clip.props)} things, {len(clip.time)} frames", flush=True)
    return {
        "workers": workers,
        "corpus_frames": made.frames,
        "corpus_frames_per_s": round(made.frames / corpus_s, 2),
        "clip_frames_per_s": round(len(clip.time) / clip_s, 2),
    }


def looks(corpus: Path, seed: int, clips: int) -> dict[str, Any]:
    """Share of hands in full view that MediaPipe finds, and the error of their joints."""
    make_corpus(corpus, seed=seed, n_clips=clips, workers=os.cpu_count() or 1)
    truth, rows = corpus / "truth", read_index(corpus / "truth", "studio").to_pylist()
    errors: list[float] = []
    shares: list[float] = []
    n_seen = n_found = n_sided = 0
    with MediaPipeWorker() as worker, ShardReader(truth) as reader:
        detector = MediaPipeHands(worker)
        for row in rows:
            sample = read_sample(reader, row["members"], ("clip.json", "time.npy", "hand_joints_2d.npy.gz"))
            camera, where = sample["clip.json"]["camera"], sample["hand_joints_2d.npy.gz"]
            size, clock = np.array([camera["width"], camera["height"]]), sample["time.npy"]
            at = np.unique(np.searchsorted(clock, np.arange(0.0, clock[-1], STRIDE_S)))
            frames = [rgb for _, rgb in iter_frames(corpus / "videos" / row["uid"])]
            found = detector.detect([frames[k] for k in at], video=False)
            seen = hit = 0
            for i, k in enumerate(at):
                for side in (0, 1):
                    joints = where[k, side]
                    if not (np.isfinite(joints).all() and ((joints >= 0) & (joints < size)).all()):
                        continue
                    seen += 1
                    extent = float(np.linalg.norm(np.ptp(joints, axis=0)))
                    off = np.linalg.norm(found.landmarks_px[i] - joints, axis=-1).mean(-1)
                    off = np.append(np.where(np.isfinite(off), off, np.inf), np.inf)
                    best = int(off.argmin())
                    if off[best] < MATCH_SHARE * extent:
                        hit += 1
                        n_sided += int((found.right_probability[i, best] > 0.5) == (side == 1))
                        errors.append(float(off[best]))
                        shares.append(float(off[best] / extent))
            n_seen, n_found = n_seen + seen, n_found + hit
            print(f"{row['uid']} {row['action']}: {hit} of {seen} hands found", flush=True)
    return {
        "clips": len(rows),
        "hands_in_full_view": n_seen,
        "found": round(n_found / max(n_seen, 1), 3),
        "right_side": round(n_sided / max(n_found, 1), 3),
        "median_error_px": round(float(np.median(errors)), 2),
        "median_error_of_hand_size": round(float(np.median(shares)), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two videos for speed instead of six")
    parser.add_argument("--corpus", type=Path, help="directory of a corpus, or for a new one")
    parser.add_argument("--seed", type=int, default=500)
    parser.add_argument("--clips", type=int, default=12)
    args = parser.parse_args()
    result: dict[str, Any] = {"benchmark": "studio", "size": "640x480", "cores": os.cpu_count(), **speed(args.quick)}
    if args.corpus is not None:
        result["looks"] = looks(args.corpus, args.seed, args.clips)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
