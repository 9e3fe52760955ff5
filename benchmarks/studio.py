"""How fast the studio is, and whether a hand detector finds its hands.

    python benchmarks/studio.py [--quick] [--corpus DIR] [--seed 500] [--clips 12]

Speed: clips of two hands and of one, with three things at least, at 640x480. Looks: a corpus (`hoiset studio`, made in
DIR if it is not there) through MediaPipe, frame by frame: of the hands whose joints are all in the image, how many are
found, and how far the joints are off. Never point it at the seeds that a build is measured on. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from hoiset.builder.reconstruct.backends.mediapipe import MediaPipeHands, MediaPipeWorker
from hoiset.builder.studio import StudioParams
from hoiset.builder.studio.clip import film_clip
from hoiset.builder.studio.corpus import make_corpus
from hoiset.builder.studio.scene import Scene, plan_scene
from hoiset.shards.index import read_index
from hoiset.shards.reader import ShardReader, read_sample
from hoiset.video import iter_frames

STRIDE_S = 0.4
MATCH_SHARE = 0.5
"""A detection is of a hand when its joints are nearer than this share of the hand's size on average."""


def speed(quick: bool) -> dict[str, Any]:
    """Frames a second of whole clips (planned, rendered, encoded) and of filming alone."""
    film_s = plan_s = 0.0
    frames, cpu = 0, time.process_time()
    for seed, action in enumerate(("bimanual_lift",) if quick else ("bimanual_lift", "hand_over", "pick_place")):
        begin = time.perf_counter()
        params = StudioParams(action=action, bystanders=True)
        scene = crowded(seed, params)
        planned = time.perf_counter()
        clip = film_clip(seed, params, scene)
        film_s, plan_s = film_s + time.perf_counter() - planned, plan_s + planned - begin
        frames += len(clip.time)
        print(f"{action}: {len(clip.hands)} hands, {len(clip.props)} things, {len(clip.time)} frames", flush=True)
    cpu = time.process_time() - cpu
    return {
        "frames": frames,
        "film_frames_per_s": round(frames / film_s, 2),
        "clip_frames_per_s": round(frames / (film_s + plan_s), 2),
        "cpu_s_per_frame": round(cpu / frames, 3),
    }


def crowded(seed: int, params: StudioParams) -> Scene:
    """The first scene from a seed on with three things at least."""
    while True:
        scene = plan_scene(seed, params)
        if len(scene.performance.props) >= 3:
            return scene
        seed += 100


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
            sample = read_sample(reader, row["members"], ("clip.json", "time.npy", "hand_joints_2d.npy"))
            camera, where = sample["clip.json"]["camera"], sample["hand_joints_2d.npy"]
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
    parser.add_argument(
        "--quick", action="store_true", help="one clip for speed, none for looks unless --corpus is given"
    )
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
