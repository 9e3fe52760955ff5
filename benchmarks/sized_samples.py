"""Samples as large as those of real builds: 6 s of 640x360 at 24 fps, for measurements of shards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from hoiset import geometry
from hoiset.cards import finish_version
from hoiset.shards.glb import encode_objects
from hoiset.shards.schema import HandSource, ObjectSource, ObjectState, Sample, empty_arrays
from hoiset.shards.writer import UnitWriter
from hoiset.video import encode_mp4

FRAMES, FPS, WIDTH, HEIGHT = 144, 24.0, 640, 360
K = [[600.0, 0.0, 319.5], [0.0, 600.0, 179.5], [0.0, 0.0, 1.0]]
RECIPE = {"name": "v2", "verify": {"reprojection_share": 0.25}}


def samples(n: int) -> Iterator[Sample]:
    """``n`` valid samples of core and video: different keys, hands and poses, one video and two meshes."""
    glb = encode_objects([trimesh.creation.icosphere(subdivisions=3, radius=0.05) for _ in range(2)])
    mp4 = encode_mp4(_frames(), np.arange(FRAMES) / FPS)
    for i in range(n):
        yield {"clip.json": _clip(f"clip_{i:06d}"), **_arrays(i), "objects.glb": glb, "rgb.mp4": mp4}


def _frames() -> np.ndarray:
    """Blocks that drift before a noisy wall, which compress about as badly as a kitchen does."""
    rng = np.random.default_rng(0)
    wall = np.repeat(np.repeat(rng.integers(60, 200, (HEIGHT // 4, WIDTH // 4, 3)), 4, 0), 4, 1)
    frames = np.stack([np.roll(wall, 2 * t, 1) for t in range(FRAMES)])
    return np.clip(frames + rng.integers(-4, 5, frames.shape), 0, 255).astype(np.uint8)


def _arrays(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    arrays = empty_arrays(FRAMES)
    arrays["time.npy"][:] = np.arange(FRAMES) / FPS
    for hand in (0, 1):
        joints = np.cumsum(rng.normal(0, 0.02, (21, 3)), 0) * 0.5 + rng.normal(0, 0.001, (FRAMES, 21, 3)) + [0, 0, 0.8]
        joints[..., 2] = np.maximum(joints[..., 2], 0.3)
        arrays["hand_joints.npy.gz"][:, hand] = joints
        arrays["hand_joints_2d.npy.gz"][:, hand] = geometry.project(np.array(K), joints)
        arrays["hand_wrist.npy.gz"][:, hand] = geometry.wrist_frame(joints, left=hand == 0)
    arrays["hand_source.npy"][:] = HandSource.OBSERVED
    arrays["hand_score.npy"][:] = 0.9
    arrays["object_pose.npy.gz"][:, :2] = np.eye(4)
    arrays["object_pose.npy.gz"][:, :2, :3, 3] = rng.uniform(0.2, 0.5, (FRAMES, 2, 3))
    arrays["object_source.npy"][:, :2] = ObjectSource.OBSERVED
    arrays["object_state.npy"][:, :2] = ObjectState.MOVING
    arrays["contact.npy.gz"][:, :, :2] = rng.uniform(0, 0.1, (FRAMES, 2, 2))
    return arrays


def _clip(key: str) -> dict[str, Any]:
    thing = {
        "label": "mug", "label_source": "text", "extent_m": [0.1, 0.1, 0.1], "mesh_source": "silhouette",
        "depth_source": "hand", "manipulated": True, "confidence": 0.5,
    }  # fmt: skip
    return {
        "key": key,
        "source": {"uid": key, "url": "", "start_s": 0.0, "end_s": FRAMES / FPS, "licence": "CC0-1.0"},
        "camera": {
            "K": K, "width": WIDTH, "height": HEIGHT, "focal_source": "given", "gravity": None,
            "gravity_source": "absent", "scale_source": "hand",
        },
        "text": {
            "action": "Push the mug.", "verb": "push", "verb_source": "text", "objects": ["mug"],
            "objects_source": ["given"], "summary": "",
        },
        "objects": [thing, thing],
        "grasps": [],
        "dropped": [],
        "quality": {
            "score": 0.5, "hand_valid_ratio": 1.0, "hand_infilled_ratio": 0.0, "hand_reprojection": 0.01,
            "object_visible_ratio": 1.0, "object_mask_iou": None,
        },
        "provenance": {
            "hoiset": "0", "recipe": "v2", "recipe_digest": "0" * 8, "profile": "cpu", "stages": [], "fallbacks": [],
        },
    }  # fmt: skip


def make_dataset(root: Path, n_clips: int, clips_a_shard: int = 64) -> None:
    """A finished dataset of :func:`samples`."""
    shards, rows = [], []
    stream = samples(n_clips)
    for number, start in enumerate(range(0, n_clips, clips_a_shard)):
        with UnitWriter(root, "v2", "train", number) as unit:
            for _ in range(min(clips_a_shard, n_clips - start)):
                unit.add(next(stream))
        shards += unit.records
        rows += unit.rows
    finish_version(root, "v2", shards=shards, rows=rows, recipe=RECIPE)
