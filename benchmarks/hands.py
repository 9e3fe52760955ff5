"""How well and how fast hands are reconstructed: ``python benchmarks/hands.py [--quick] [--data ../shared/data]``.

On single images with ground truth: recall, handedness, 3D error before and after lifting. On clips: share of frames
with a hand, reprojection, milliseconds a frame. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np

from hoiset.builder.reconstruct.backends.mediapipe import MediaPipeHands, MediaPipeWorker
from hoiset.builder.reconstruct.camera import CameraParams, estimate_camera
from hoiset.builder.reconstruct.hands import HandParams, reconstruct_hands
from hoiset.builder.reconstruct.lifting import (
    PALM,
    LiftParams,
    estimate_lengths,
    lift,
    link_lengths,
    pose_bones,
    turn_towards,
)
from hoiset.builder.reconstruct.palm import PalmParams, turn_palms
from hoiset.builder.records import Frames, SourceVideo
from hoiset.geometry import project
from hoiset.video import probe, read_frames

CLIPS = (
    ("cups_shuffle.mp4", None),
    ("letter_blocks.mp4", None),
    ("salt.mp4", None),
    ("close_laptop.mp4", None),
    ("plush_toy.mp4", None),
    ("snackbox_push.mp4", None),
    ("plate_push.mp4", None),
    ("plate_pivot.mp4", None),
    ("blender_sauce.gif", None),
    ("bottles.mp4", 29.0),
)


def aligned_error(a: np.ndarray, b: np.ndarray) -> float:
    """Mean distance of (21, 3) points after the best similarity (Procrustes)."""
    a, b = a - a.mean(0), b - b.mean(0)
    U, S, Vt = np.linalg.svd(a.T @ b)
    if np.linalg.det(U @ Vt) < 0:
        U[:, -1] *= -1
        S[-1] *= -1
    return float(np.linalg.norm(S.sum() / (a**2).sum() * a @ (U @ Vt) - b, axis=1).mean())


def images(detector: MediaPipeHands, folder: Path, every: int) -> dict[str, float]:
    truth = np.load(folder / "gt.npz")
    pick = np.arange(0, len(truth["files"]), every)
    rgb = [cv2.cvtColor(cv2.imread(str(folder / str(truth["files"][i]))), cv2.COLOR_BGR2RGB) for i in pick]
    found = detector.detect(rgb, video=False)
    seen = found.score.max(1) > 0
    rows, best = np.flatnonzero(seen), found.score.argmax(1)[seen]
    px, world = found.landmarks_px[rows, best], found.world_m[rows, best]
    joints = truth["joints_cm"][pick[seen]].astype(float) / 100.0
    K = np.zeros((len(rows), 3, 3))
    K[:, 0, 0], K[:, 1, 1], K[:, 0, 2], K[:, 1, 2] = truth["K_fxfycxcy"][pick[seen]].T
    K[:, 2, 2] = 1.0
    params = LiftParams()
    detected = world
    world = turned(px, world, K, found.right_probability[rows, best] >= 0.5, params)
    lengths = estimate_lengths(px, world, K, params)
    start = time.perf_counter()
    out = lift(px, world, K, lengths, params)
    lift_ms = 1e3 * (time.perf_counter() - start) / max(len(px), 1)
    reprojected = np.stack([project(k, x) for k, x in zip(K, out, strict=True)])
    palm = np.log(out[:, PALM, 2].mean(1) / joints[:, PALM, 2].mean(1))
    return {
        "recall": float(seen.mean()),
        "left_called_left": float((found.right_probability[rows, best] < 0.5).mean()),
        "pa_mpjpe_raw_mm": 1e3 * float(np.mean([aligned_error(a, b) for a, b in zip(detected, joints, strict=True)])),
        "pa_mpjpe_mm": 1e3 * float(np.mean([aligned_error(a, b) for a, b in zip(out, joints, strict=True)])),
        "root_relative_mm": 1e3
        * float(np.linalg.norm((out - out[:, 9:10]) - (joints - joints[:, 9:10]), axis=-1).mean()),
        "absolute_mm": 1e3 * float(np.linalg.norm(out - joints, axis=-1).mean()),
        "depth_bias": float(np.median(palm)),
        "depth_spread": float(1.48 * np.median(np.abs(palm - np.median(palm)))),
        "reprojection_px": float(np.linalg.norm(reprojected - px, axis=-1).mean()),
        "lift_ms": lift_ms,
    }


def turned(px: np.ndarray, world: np.ndarray, K: np.ndarray, right: np.ndarray, params: LiftParams) -> np.ndarray:
    """The detector's 3D joints with their palms turned as the image has them; the images know nothing of each other."""
    rays = (px - K[:, None, :2, 2]) / K[:, None, [0, 1], [0, 1]]
    towards, lengths = rays[:, PALM].mean(1), link_lengths(params.hand_length_m)
    model = turn_towards(towards, pose_bones(world - world[:, :1], lengths))
    out = np.empty_like(model)
    for side in np.unique(right):
        of = right == side
        apart = 1e3 * np.arange(of.sum())
        out[of] = turn_palms(rays[of], model[of], lengths, apart, PalmParams(), left=not side)
    return turn_towards(towards, out, back=True)


def clip(detector: MediaPipeHands, path: Path, end_s: float | None) -> dict[str, object]:
    rgb, seconds = read_frames(path, end_s=end_s, short_side_px=360)
    start = time.perf_counter()
    found = detector.detect(rgb, video=True)
    detected = time.perf_counter()
    frames = Frames(rgb, seconds)
    camera = estimate_camera(SourceVideo(path.name, path), frames, found, probe(path).width, CameraParams())
    placed = time.perf_counter()
    hands = reconstruct_hands(found, camera, seconds, HandParams())
    done = time.perf_counter()
    observed = hands.source == 1
    error = np.linalg.norm(project(camera.K, hands.joints) - hands.joints_2d, axis=-1)
    share = error / np.maximum(np.ptp(hands.joints_2d, axis=2).max(-1), 1e-9)[..., None]
    n = len(seconds)
    return {
        "valid_left": float((hands.source[:, 0] > 0).mean()),
        "valid_right": float((hands.source[:, 1] > 0).mean()),
        "valid_any": float((hands.source > 0).any(1).mean()),
        "observed_any": float(observed.any(1).mean()),
        "reprojection_p95": float(np.percentile(share[observed], 95)) if observed.any() else None,
        "palm_depth_m": [round(float(q), 2) for q in np.nanpercentile(hands.joints[:, :, 9, 2], [5, 50, 95])],
        "focal": camera.focal_source,
        "detect_ms": 1e3 * (detected - start) / n,
        "camera_ms": 1e3 * (placed - detected),
        "hands_ms": 1e3 * (done - placed) / n,
        "fallbacks": list(hands.fallbacks),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every tenth image and three clips")
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    arguments = parser.parse_args()
    with MediaPipeWorker() as worker:
        detector = MediaPipeHands(worker)
        out: dict[str, object] = {"backend": detector.version}
        out["images"] = images(detector, arguments.data / "hands_real", 10 if arguments.quick else 1)
        print("images", out["images"], flush=True)
        clips: dict[str, object] = {}
        for name, end_s in CLIPS[4:7] if arguments.quick else CLIPS:
            clips[name] = clip(detector, arguments.data / "videos" / name, end_s)
            print(name, clips[name], flush=True)
        out["clips"] = clips
    print(json.dumps(out))


if __name__ == "__main__":
    main()
