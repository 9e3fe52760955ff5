"""Samples of a dataset as clips to replay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hoiset.builder.retarget.replay.records import Mesh, ReplayClip
from hoiset.errors import SchemaError
from hoiset.shards.glb import decode_objects
from hoiset.shards.reader import ShardReader, read_sample

MEMBERS = (
    "clip.json",
    "time.npy",
    "hand_wrist.npy.gz",
    "hand_joints.npy.gz",
    "object_pose.npy.gz",
    "object_state.npy",
    "contact.npy.gz",
    "objects.glb",
)
"""What a replay reads of a sample."""
MAX_GLB_BYTES = 64 << 20
SILHOUETTE = "inflated_silhouette"
UNSCALED = (None, "", "absent")


def read_clips(root: Path, rows: Iterable[Mapping[str, Any]]) -> Iterator[ReplayClip]:
    """Clips of a dataset, one after the other.

    Args:
        root: Its directory.
        rows: Of its index, with at least ``members``.

    Raises:
        DatasetError: The dataset is damaged.
        SchemaError: A member cannot be decoded.
    """
    reader = ShardReader(root)
    for row in rows:
        yield clip_of(read_sample(reader, row["members"], MEMBERS))


def clip_of(sample: Mapping[str, Any]) -> ReplayClip:
    """A sample as it is replayed.

    Meshes that cannot be decoded are as ones that are not there: their objects are not testable.

    Args:
        sample: Member name -> value, with at least :data:`MEMBERS`.
    """
    about = sample["clip.json"]
    objects, camera = about["objects"], about["camera"]
    n = len(objects)
    gravity = camera["gravity"]
    return ReplayClip(
        key=about["key"],
        time=np.asarray(sample["time.npy"], np.float64),
        wrist=np.asarray(sample["hand_wrist.npy.gz"], np.float64),
        joints=np.asarray(sample["hand_joints.npy.gz"], np.float64),
        pose=np.asarray(sample["object_pose.npy.gz"][:, :n], np.float64),
        state=np.asarray(sample["object_state.npy"][:, :n]),
        contact=np.asarray(sample["contact.npy.gz"][:, :, :n], np.float64),
        meshes=_meshes(sample["objects.glb"], n),
        labels=tuple(each["label"] or "" for each in objects),
        sided=tuple(each["mesh_source"] != SILHOUETTE for each in objects),
        gravity=None if gravity is None else np.asarray(gravity, np.float64),
        scaled=camera["scale_source"] not in UNSCALED,
    )


def _meshes(glb: bytes, n: int) -> tuple[Mesh | None, ...]:
    if len(glb) > MAX_GLB_BYTES:
        return (None,) * n
    try:
        found = decode_objects(glb)
    except SchemaError:
        return (None,) * n
    meshes: list[Mesh | None] = [(np.asarray(m.vertices, np.float64), np.asarray(m.faces, np.int64)) for m in found]
    return tuple((meshes + [None] * n)[:n])
