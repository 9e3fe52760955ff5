"""Numbers of a version, from its index and from what pass 1 wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hoiset.errors import DatasetError
from hoiset.shards.schema import PARTITIONS

CANDIDATES = "screen/candidates.parquet"
QUALITY_COLUMNS = (
    "quality",
    "hand_valid_ratio",
    "hand_infilled_ratio",
    "hand_reprojection",
    "object_visible_ratio",
    "object_mask_iou",
)


@dataclass(frozen=True)
class Statistics:
    """What a card says of a version.

    Attributes:
        clips: Partition -> clips, for partitions that exist.
        hours: Partition -> hours.
        n_videos: Source videos.
        n_frames: Frames.
        verbs: (verb, clips), most frequent first; clips without a verb are not counted.
        labels: (object label, objects).
        states: (object state, clips in which it occurs).
        grasps: (hand, clips in which it grasps).
        licences: (licence, clips); ``""`` is unknown.
        focal_sources: (source of the focal length, clips).
        duration_s: (least, median, longest) duration of a clip, ``None`` without clips.
        pictures: (width and height as ``640x360``, clips).
        fps: (least, highest) frame rate, ``None`` where no clip has one.
        n_objects: Objects with a mesh.
        n_manipulated: Those that a hand moves.
        quality: Column -> (10th, 50th, 90th percentile) over the clips that have it.
        screen: (gate, candidates), ``ok`` first; empty without pass-1 results.
    """

    clips: dict[str, int]
    hours: dict[str, float]
    n_videos: int
    n_frames: int
    verbs: list[tuple[str, int]]
    labels: list[tuple[str, int]]
    states: list[tuple[str, int]]
    grasps: list[tuple[str, int]]
    licences: list[tuple[str, int]]
    focal_sources: list[tuple[str, int]]
    duration_s: tuple[float, float, float] | None
    pictures: list[tuple[str, int]]
    fps: tuple[float, float] | None
    n_objects: int
    n_manipulated: int
    quality: dict[str, tuple[float, float, float]]
    screen: list[tuple[str, int]]


def describe(root: Path, index: pa.Table) -> Statistics:
    """Statistics of a version.

    Args:
        root: Dataset root, for the results of pass 1.
        index: The version's index.

    Raises:
        DatasetError: The results of pass 1 are there and cannot be read.
    """
    parts = {p: index.filter(pc.equal(index["partition"], p)) for p in PARTITIONS}
    parts = {p: t for p, t in parts.items() if t.num_rows}
    return Statistics(
        clips={p: t.num_rows for p, t in parts.items()},
        hours={p: float(pc.sum(t["duration_s"]).as_py() or 0.0) / 3600.0 for p, t in parts.items()},
        n_videos=len(index["uid"].unique()),
        n_frames=int(pc.sum(index["n_frames"]).as_py() or 0),
        verbs=_counts(v for v in index["verb"].to_pylist() if v),
        labels=_counts(x for row in index["labels"].to_pylist() for x in row if x),
        states=_counts(x for row in index["states"].to_pylist() for x in row),
        grasps=_counts(x for row in index["grasps"].to_pylist() for x in row),
        licences=_counts(x or "" for x in index["licence"].to_pylist()),
        focal_sources=_counts(x or "" for x in index["focal_source"].to_pylist()),
        duration_s=_percentiles(index["duration_s"], (0, 50, 100)),
        pictures=_counts(f"{w}x{h}" for w, h in zip(*(index[n].to_pylist() for n in ("width", "height")), strict=True)),
        fps=None if (fps := _percentiles(index["fps"], (0, 50, 100))) is None else (fps[0], fps[2]),
        n_objects=int(pc.sum(index["n_objects"]).as_py() or 0),
        n_manipulated=int(pc.sum(index["n_manipulated"]).as_py() or 0),
        quality={name: q for name in QUALITY_COLUMNS if (q := _percentiles(index[name])) is not None},
        screen=_screen(Path(root)),
    )


def _counts(values: Iterable[Any]) -> list[tuple[Any, int]]:
    counted = Counter(values)
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


def _percentiles(column: pa.ChunkedArray, at: tuple[int, int, int] = (10, 50, 90)) -> tuple[float, float, float] | None:
    values = column.drop_null().to_numpy()
    if not len(values):
        return None
    low, middle, high = np.percentile(values, at)
    return float(low), float(middle), float(high)


def _screen(root: Path) -> list[tuple[str, int]]:
    path = root / CANDIDATES
    if not path.exists():
        return []
    try:
        gates = pq.read_table(path, columns=["gate"])["gate"].to_pylist()
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise DatasetError(f"cannot read the gates of {path} ({error}); run `hoiset screen` again") from error
    return sorted(_counts(str(g) for g in gates), key=lambda item: item[0] != "ok")
