"""Errors of hands on real ground truth: images with joints, and recorded motion that is lifted from exact landmarks."""

from __future__ import annotations

import time as clock
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from hoiset.builder.oracle import camera_towards, perfect_detections
from hoiset.builder.reconstruct.backends.base import HandDetector
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
from hoiset.builder.records import Camera, Hands
from hoiset.eval import bootstrap
from hoiset.eval import definitions as d
from hoiset.eval.adapters import read_hands_real, read_image
from hoiset.eval.adapters.trajectory import Trajectory
from hoiset.eval.metrics import HAND_MATCH_SHARE
from hoiset.eval.pooling import number
from hoiset.geometry import project, wrist_frame
from hoiset.shards.schema import HandSource

WIDTH, HEIGHT, FOCAL = 640, 480, 550.0
BLOCK_S = 0.5
"""Recorded motion is resampled in blocks of so long: neighbouring frames are no independent measurements."""


@dataclass(frozen=True)
class LiftedImages:
    """Hands of single images, N of them, n with a hand.

    Attributes:
        seen: (N,) whether any hand was found.
        place: (n,) whether it is found where the true one is, as :data:`HAND_MATCH_SHARE` says.
        left: (n,) whether it is called left.
        pixels: (n, 21, 2) landmarks.
        detected: (n, 21, 3) the detector's own 3D joints, m.
        joints: (n, 21, 3) lifted, camera frame, m.
        true: (n, 21, 3).
        K: (n, 3, 3).
        lift_ms: Milliseconds that lifting one takes.
    """

    seen: Bool[np.ndarray, "N"]
    place: Bool[np.ndarray, "n"]
    left: Bool[np.ndarray, "n"]
    pixels: Float[np.ndarray, "n 21 2"]
    detected: Float[np.ndarray, "n 21 3"]
    joints: Float[np.ndarray, "n 21 3"]
    true: Float[np.ndarray, "n 21 3"]
    K: Float[np.ndarray, "n 3 3"]
    lift_ms: float


def lift_images(detector: HandDetector, folder: Path, every: int = 1) -> LiftedImages:
    """Find the surest hand of every image of ``hands_real`` and lift it with the image's own intrinsics."""
    truth = read_hands_real(folder)
    pick = np.arange(0, len(truth.images), every)
    found = detector.detect([read_image(truth.images[i]) for i in pick], video=False)
    seen = found.score.max(1) > 0
    rows, best = np.flatnonzero(seen), found.score.argmax(1)[seen]
    pixels, detected = found.landmarks_px[rows, best], found.world_m[rows, best]
    right = found.right_probability[rows, best] >= 0.5
    K, true = truth.K[pick[seen]], truth.joints[pick[seen]]
    params = LiftParams()
    world = turned(pixels, detected, K, right, params)
    lengths = estimate_lengths(pixels, world, K, params)
    start = clock.perf_counter()
    joints = lift(pixels, world, K, lengths, params)
    lift_ms = 1e3 * (clock.perf_counter() - start) / max(len(pixels), 1)
    where = np.stack([project(k, x) for k, x in zip(K, true, strict=True)])
    extent = np.ptp(where, axis=1).max(-1)
    place = np.linalg.norm(pixels - where, axis=-1).mean(-1) <= HAND_MATCH_SHARE * extent
    return LiftedImages(seen, place, ~right, pixels, detected, joints, true, K, lift_ms)


def turned(pixels: np.ndarray, world: np.ndarray, K: np.ndarray, right: np.ndarray, params: LiftParams) -> np.ndarray:
    """The detector's 3D joints with their palms turned as the image has them; the images know nothing of each other."""
    rays = (pixels - K[:, None, :2, 2]) / K[:, None, [0, 1], [0, 1]]
    towards, lengths = rays[:, PALM].mean(1), link_lengths(params.hand_length_m)
    model = turn_towards(towards, pose_bones(world - world[:, :1], lengths))
    out = np.empty_like(model)
    for side in np.unique(right):
        of = right == side
        apart = 1e3 * np.arange(of.sum())
        out[of] = turn_palms(rays[of], model[of], lengths, apart, PalmParams(), left=not side)
    return turn_towards(towards, out, back=True)


def image_figures(images: LiftedImages) -> dict[str, Any]:
    """Recall, handedness and errors of hands that are found in place, with intervals over images."""
    of, place = np.arange(len(images.seen)), np.zeros(len(images.seen))
    place[images.seen] = images.place
    pred, true = images.joints[images.place], images.true[images.place]
    rotation = wrist_rotation(pred, true, left=True)
    rotation[~images.left[images.place]] = np.nan
    return {
        "images": len(of),
        "hand_recall": interval([place[i : i + 1] for i in of]),
        "handedness_accuracy": interval([images.left[i : i + 1] for i in np.flatnonzero(images.place)]),
        **joint_figures(pred, true, rotation, np.arange(len(pred))),
    }


def recorded_figures(trajectory: Trajectory) -> dict[str, Any]:
    """Errors of recorded hands whose exact landmarks are lifted, with intervals over blocks of time.

    The camera stands where the adapter has it and is turned towards the middle of all hands, so that they are in view:
    recorded from a head, hands are far beside the axis of the adapter's camera. Lens and image size make no difference
    to exact landmarks.
    """
    middle = np.nanmean(trajectory.joints, axis=(0, 1, 2))
    true = trajectory.joints @ camera_towards(middle)
    K = np.array([[FOCAL, 0.0, (WIDTH - 1) / 2], [0.0, FOCAL, (HEIGHT - 1) / 2], [0.0, 0.0, 1.0]])
    camera = Camera(K, WIDTH, HEIGHT, "truth", np.full(3, np.nan), "absent", "adult_hand_length_prior")
    there = np.isfinite(true).all((-1, -2))
    wrist = np.stack([wrist_frame(true[:, side], left=side == 0) for side in (0, 1)], 1)
    source = np.where(there, HandSource.OBSERVED, HandSource.ABSENT).astype(np.uint8)
    exact = Hands(true, project(K, true), wrist, source, there.astype(float))
    detections = perfect_detections(exact, 0.0, np.random.default_rng(0))
    made = reconstruct_hands(detections, camera, trajectory.time, HandParams())
    sides = [wrist_rotation(made.joints[:, side], true[:, side], left=side == 0) for side in (0, 1)]
    block = np.repeat((trajectory.time // BLOCK_S).astype(int), 2)
    pred, true = made.joints.reshape(-1, 21, 3), true.reshape(-1, 21, 3)
    found = (made.source > 0).reshape(-1)
    return {
        "frames": len(trajectory.time),
        "blocks": int(block.max()) + 1,
        "hand_recall": interval([found[(block == b) & there.reshape(-1)] for b in np.unique(block)]),
        **joint_figures(pred, true, np.stack(sides, 1).reshape(-1), block),
    }


def wrist_rotation(
    pred: Float[np.ndarray, "n 21 3"], true: Float[np.ndarray, "n 21 3"], *, left: bool
) -> Float[np.ndarray, "n"]:
    """Rotation error of the wrist frames, rad."""
    return d.rotation_error(wrist_frame(pred, left=left)[:, :3, :3], wrist_frame(true, left=left)[:, :3, :3])


def joint_figures(
    pred: Float[np.ndarray, "n 21 3"],
    true: Float[np.ndarray, "n 21 3"],
    rotation: Float[np.ndarray, "n"],
    cluster: np.ndarray,
) -> dict[str, Any]:
    """Errors of hands under the names and definitions of ``hoiset eval``, and of the palm's depth.

    Args:
        pred: Joints, camera frame, m; NaN where there is no hand.
        true: Likewise.
        rotation: Errors of the wrist frames, rad.
        cluster: (n,) what is resampled together.
    """
    joint = d.joint_distances(d.root_relative(pred), d.root_relative(true))
    aligned = d.joint_distances(d.procrustes_aligned(pred, true), true)
    wrist = d.joint_distances(pred[:, 0], true[:, 0])
    z_pred, z_true = (x[:, PALM, 2].mean(1) for x in (pred, true))
    values = {
        "hand_mpjpe_mm": 1e3 * d.mpjpe(pred, true),
        "hand_root_relative_mpjpe_mm": 1e3 * d.root_relative_mpjpe(pred, true),
        "hand_scale_aligned_mpjpe_mm": 1e3 * d.scale_aligned_mpjpe(pred, true),
        "hand_pa_mpjpe_mm": 1e3 * d.pa_mpjpe(pred, true),
        "hand_pck_20mm": np.where(np.isfinite(joint).all(1), (joint <= 0.02).mean(1), np.nan),
        "hand_auc_50mm": np.clip(1.0 - joint / 0.05, 0.0, 1.0).mean(1),
        "hand_pa_auc_50mm": np.clip(1.0 - aligned / 0.05, 0.0, 1.0).mean(1),
        "wrist_error_mm": 1e3 * wrist,
        "wrist_depth_error_percent": 100.0 * wrist / true[:, 0, 2],
        "palm_depth_error_percent": 100.0 * np.abs(z_pred / z_true - 1.0),
        "palm_depth_bias_percent": 100.0 * (z_pred / z_true - 1.0),
        "wrist_rotation_deg": np.degrees(rotation),
    }
    return {name: interval([v[cluster == c] for c in np.unique(cluster)]) for name, v in values.items()}


def interval(values: Sequence[np.ndarray]) -> dict[str, Any]:
    """Mean with its 95 % interval over clusters, as ``eval.json`` has figures; ``n`` counts values."""
    found = bootstrap.mean([np.asarray(v, float) for v in values])
    n = int(sum(np.isfinite(np.asarray(v, float)).sum() for v in values))
    return {"value": number(found.value), "low": number(found.low), "high": number(found.high), "n": n}
