"""The tables of an export: frames, episodes, tasks, and where each episode comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Shaped

CLIP_COLUMNS = (
    "key", "partition", "uid", "url", "licence", "start_s", "end_s", "n_frames", "fps", "action", "verb", "nouns",
    "labels", "quality",
)  # fmt: skip
"""Of the index, kept beside the episodes."""


def frame_columns(n: int, fps: int, episode: int, first: int, task: int) -> dict[str, Shaped[np.ndarray, "n 1"]]:
    """LeRobot's own columns of an episode of n frames.

    Args:
        n: Frames.
        fps: Of the export.
        episode: Number of the episode.
        first: Number of its first frame among all.
        task: Number of its task.
    """
    frame = np.arange(n)
    columns: dict[str, np.ndarray] = {
        "timestamp": (frame / fps).astype(np.float32),
        "frame_index": frame,
        "episode_index": np.full(n, episode),
        "index": first + frame,
        "task_index": np.full(n, task),
    }
    return {name: values[:, None] for name, values in columns.items()}


def frame_table(columns: Mapping[str, Shaped[np.ndarray, "N D"]]) -> pa.Table:
    """Rows of an episode: lists of fixed length, or plain numbers where the length is 1; what is NaN becomes 0."""
    arrays = {}
    for name, values in columns.items():
        flat = pa.array(np.nan_to_num(values).ravel() if values.dtype.kind == "f" else values.ravel())
        arrays[name] = flat if values.shape[1] == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    return pa.table(arrays)


def task_table(tasks: Sequence[str]) -> pa.Table:
    """Tasks in the order of their numbers, indexed by their words as pandas writes it."""
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": pa.array(tasks, pa.string())})

    def described(name: str, kind: str, numpy_kind: str) -> dict[str, Any]:
        names = {"name": name, "field_name": name}
        return {**names, "pandas_type": kind, "numpy_type": numpy_kind, "metadata": None}

    meaning = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [described("task_index", "int64", "int64"), described("task", "unicode", "object")],
        "attributes": {},
    }
    return table.replace_schema_metadata({b"pandas": json.dumps(meaning).encode()})


def episode_table(rows: Sequence[Mapping[str, Any]], stats: Sequence[Mapping[str, Mapping[str, Any]]]) -> pa.Table:
    """Rows of episodes, with their statistics flattened to ``stats/<column>/<name>``."""
    flat = [
        {f"stats/{column}/{name}": values for column, parts in of.items() for name, values in parts.items()}
        for of in stats
    ]
    return pa.Table.from_pylist([{**row, **extra} for row, extra in zip(rows, flat, strict=True)])


def task_of(row: Mapping[str, Any]) -> str:
    """A clip's task in words: its action, else its verb and nouns; ``""`` where nothing is known."""
    return str(row["action"] or "") or " ".join([row["verb"], *row["nouns"]] if row["verb"] else [])
