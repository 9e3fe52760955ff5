"""How well and how fast hands are reconstructed: ``python benchmarks/hands.py [--quick] [--data ../shared/data]``.

On single images with ground truth: recall, handedness, 3D error before and after lifting. On clips: share of frames
with a hand, reprojection, milliseconds a frame. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from fidelity_hands import lift_images

from hoiset.builder.reconstruct.backends.mediapipe import MediaPipeHands, MediaPipeWorker
from hoiset.builder.reconstruct.camera import CameraParams, estimate_camera
from hoiset.builder.reconstruct.hands import HandParams, reconstruct_hands
from hoiset.builder.reconstruct.lifting import PALM
from hoiset.builder.records import Frames, SourceVideo
from hoiset.eval.definitions import mpjpe, pa_mpjpe, root_relative_mpjpe
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


def images(detector: MediaPipeHands, folder: Path, every: int) -> dict[str, float]:
    found = lift_images(detector, folder, every)
    reprojected = np.stack([project(k, x) for k, x in zip(found.K, found.joints, strict=True)])
    palm = np.log(found.joints[:, PALM, 2].mean(1) / found.true[:, PALM, 2].mean(1))
    return {
        "recall": float(found.seen.mean()),
        "left_called_left": float(found.left.mean()),
        "pa_mpjpe_raw_mm": 1e3 * float(pa_mpjpe(found.detected, found.true).mean()),
        "pa_mpjpe_mm": 1e3 * float(pa_mpjpe(found.joints, found.true).mean()),
        "root_relative_mm": 1e3 * float(root_relative_mpjpe(found.joints, found.true).mean()),
        "absolute_mm": 1e3 * float(mpjpe(found.joints, found.true).mean()),
        "depth_bias": float(np.median(palm)),
        "depth_spread": float(1.48 * np.median(np.abs(palm - np.median(palm)))),
        "reprojection_px": float(np.linalg.norm(reprojected - found.pixels, axis=-1).mean()),
        "lift_ms": found.lift_ms,
    }


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
