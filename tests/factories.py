"""Valid samples and small datasets, made from nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from hoiset import geometry
from hoiset.cards import finish_version
from hoiset.shards.glb import encode_objects
from hoiset.shards.schema import ROBOT_FIELDS, HandSource, ObjectSource, ObjectState, empty_arrays
from hoiset.shards.writer import UnitWriter
from hoiset.video import encode_mp4

WIDTH, HEIGHT, FPS = 64, 48, 15.0
K = [[60.0, 0.0, 31.5], [0.0, 60.0, 23.5], [0.0, 0.0, 1.0]]
VERBS = ("push", "lift", "pour")
NOUNS = ("paper plate", "mug", "bottle")


def make_clip(key: str, n_frames: int = 8, n_objects: int = 1, **text: Any) -> dict[str, Any]:
    """A ``clip.json`` that is valid under the schema."""
    objects = [
        {
            "label": NOUNS[i % len(NOUNS)],
            "label_source": "text",
            "extent_m": [0.1, 0.1, 0.1],
            "mesh_source": "silhouette",
            "depth_source": "hand",
            "manipulated": i == 0,
            "confidence": 0.5,
        }
        for i in range(n_objects)
    ]
    grasp = {"hand": "right", "object": 0, "start_s": 0.0, "end_s": n_frames / FPS}
    words = {
        "action": "Push a plate.",
        "verb": "push",
        "verb_source": "text",
        "objects": ["plate"],
        "objects_source": ["given"],
        "summary": "",
    }
    return {
        "key": key,
        "source": {"uid": f"{key}.mp4", "url": "", "start_s": 0.0, "end_s": n_frames / FPS, "licence": "CC0-1.0"},
        "camera": {
            "K": K,
            "width": WIDTH,
            "height": HEIGHT,
            "focal_source": "given",
            "gravity": None,
            "gravity_source": "absent",
            "scale_source": "hand",
        },
        "text": {**words, **text},
        "objects": objects,
        "grasps": [grasp] if n_objects else [],
        "dropped": [],
        "quality": {
            "score": 0.5,
            "hand_valid_ratio": 1.0,
            "hand_infilled_ratio": 0.25,
            "hand_reprojection": 0.01,
            "object_visible_ratio": 1.0 if n_objects else None,
            "object_mask_iou": None,
        },
        "provenance": {
            "hoiset": "0",
            "recipe": "test",
            "recipe_digest": "0" * 8,
            "profile": "cpu",
            "stages": [{"name": "hands", "version": "1", "backend": "none", "digest": "0" * 8}],
            "fallbacks": [],
        },
    }


def make_arrays(seed: int, n_frames: int, n_objects: int) -> dict[str, np.ndarray]:
    """Array members of a right hand that is observed, once infilled, and grasps object 0; the left hand is absent."""
    rng = np.random.default_rng(seed)
    arrays = empty_arrays(n_frames)
    arrays["time.npy"][:] = np.arange(n_frames) / FPS
    rest = np.cumsum(rng.normal(0, 0.02, (21, 3)), 0) + np.array([0, 0, 0.6])
    joints = rest + rng.normal(0, 0.001, (n_frames, 21, 3))
    joints[..., 2] = np.maximum(joints[..., 2], 0.3)
    arrays["hand_joints.npy.gz"][:, 1] = joints
    arrays["hand_joints_2d.npy.gz"][:, 1] = geometry.project(np.array(K), joints)
    arrays["hand_wrist.npy.gz"][:, 1] = geometry.wrist_frame(joints, left=False)
    arrays["hand_source.npy"][:, 1] = HandSource.OBSERVED
    arrays["hand_source.npy"][n_frames // 2, 1] = HandSource.INFILLED
    arrays["hand_score.npy"][:, 1] = rng.uniform(0.5, 1, n_frames)
    arrays["object_pose.npy.gz"][:, :n_objects] = np.eye(4)
    arrays["object_pose.npy.gz"][:, :n_objects, :3, 3] = rng.uniform(0.2, 0.5, (n_frames, n_objects, 3))
    arrays["object_source.npy"][:, :n_objects] = ObjectSource.STATIC_LOCKED
    arrays["object_state.npy"][:, :n_objects] = ObjectState.STATIC
    arrays["object_source.npy"][:, : min(n_objects, 1)] = ObjectSource.HAND_BOUND
    arrays["object_state.npy"][:, : min(n_objects, 1)] = ObjectState.GRASPED_RIGHT
    arrays["contact.npy.gz"][:, 1, :n_objects] = rng.uniform(0, 0.1, (n_frames, n_objects))
    return arrays


def make_rgb(seed: int, n_frames: int) -> np.ndarray:
    """(T, H, W, 3) uint8: a gradient that drifts."""
    x = np.arange(WIDTH)[None, None, :, None] + np.arange(HEIGHT)[None, :, None, None]
    t = np.arange(n_frames)[:, None, None, None]
    return ((x * 2 + t * 3 + seed * 17 + np.array([0, 40, 80])) % 200 + 20).astype(np.uint8)


def make_sample(key: str, seed: int = 0, n_frames: int = 8, n_objects: int = 1, **text: Any) -> dict[str, Any]:
    """A sample of all layers that is valid under the schema; ``text`` overrides fields of ``clip.json``'s text."""
    arrays = make_arrays(seed, n_frames, n_objects)
    meshes = [trimesh.creation.box((0.1 + 0.01 * i, 0.1, 0.1)) for i in range(n_objects)]
    return {
        "clip.json": make_clip(key, n_frames, n_objects, **text),
        **arrays,
        "objects.glb": encode_objects(meshes),
        "rgb.mp4": encode_mp4(make_rgb(seed, n_frames), arrays["time.npy"]),
    }


def make_recipe(version: str = "v2") -> dict[str, Any]:
    """A recipe as plain JSON types."""
    return {"name": version, "verify": {"reprojection_share": 0.25}}


def partition_of(index: int) -> str:
    """Three of four clips train, the rest validate."""
    return "validation" if index % 4 == 3 else "train"


def make_dataset(root: Path, n_clips: int = 6, version: str = "v2", clips_per_shard: int = 2, **kwargs: Any) -> Path:
    """A finished dataset directory; clip i has i % 3 objects, so the very first has none.

    Args:
        root: Where to.
        n_clips: Clips, named ``clip_00`` and so on.
        version: Name of the version.
        clips_per_shard: Clips a shard.
        **kwargs: To :func:`make_sample`.
    """
    shards, rows = [], []
    for partition in ("train", "validation"):
        indices = [i for i in range(n_clips) if partition_of(i) == partition]
        for number, start in enumerate(range(0, len(indices), clips_per_shard)):
            with UnitWriter(root, version, partition, number) as unit:
                for i in indices[start : start + clips_per_shard]:
                    text = {"verb": VERBS[i % 3], "objects": [NOUNS[i % 3]] if i else []}
                    unit.add(
                        make_sample(f"clip_{i:02d}", i, **{"n_frames": 6 + i, "n_objects": i % 3, **text, **kwargs})
                    )
            shards += unit.records
            rows += unit.rows
    backends = [{"name": "none", "version": "0", "weights": hashlib.sha256(b"").hexdigest()}]
    finish_version(root, version, shards=shards, rows=rows, recipe=make_recipe(version), backends=backends)
    return root


def make_robots(sample: dict[str, Any], robots: dict[str, int] | None = None) -> dict[str, Any]:
    """A sound robots layer for a sample: every robot follows the right hand; robot -> number of its joints."""
    robots = {"arm": 7, "two": 2} if robots is None else robots
    n_frames, seen = len(sample["time.npy"]), sample["hand_source.npy"] > 0
    described, out = [], {}
    for name, dof in sorted(robots.items()):
        converged = seen.copy()
        converged[0] = False
        rate = float(converged[seen].mean())
        out |= {
            f"{name}_q.npy.gz": np.linspace(-1, 1, n_frames * dof, dtype=np.float32).reshape(n_frames, dof),
            f"{name}_root.npy.gz": np.tile(np.eye(4, dtype=np.float32), (n_frames, 1, 1)),
            f"{name}_source.npy": np.where(converged, 1, np.where(seen, 3, 0)).astype(np.uint8),
            f"{name}_residual.npy.gz": np.where(seen[..., None], np.full(2, 0.004, np.float32), np.float32(np.nan)),
        }
        metrics = dict.fromkeys(ROBOT_FIELDS["robots"][0]["metrics"], 0.004) | {"ik_rate": rate}
        described.append(
            {
                "robot": name,
                "title": f"The {name}",
                "model": "a test",
                "model_digest": "0" * 8,
                "joints": [f"joint{i}" for i in range(dof)],
                "lower": [-1.0] * dof,
                "upper": [1.0] * dof,
                "velocity": [None] * dof,
                "failure": None,
                "video": None,
                "root_source": "given",
                "root_score": None,
                "gravity_source": "absent",
                "tolerance": {"position_m": 0.01, "rotation_rad": 0.05},
                "metrics": metrics,
                "report": "{}",
            }
        )
    stages = [{"name": "retarget", "version": "1", "backend": "none", "digest": "0" * 8}]
    versions = [{"package": "numpy", "version": "2"}]
    return {**sample, **out, "robots.json": {"robots": described, "versions": versions, "stages": stages}}
