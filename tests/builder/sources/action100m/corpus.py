"""Made rows of Action100M in its published schema."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_TEXTS = pa.struct([("brief", pa.string()), ("detailed", pa.string())])
_ACTION = pa.struct([("brief", pa.string()), ("detailed", pa.string()), ("actor", pa.string())])
_NODE = pa.struct(
    [
        ("node_id", pa.string()),
        ("parent_id", pa.string()),
        ("level", pa.int16()),
        ("start", pa.float32()),
        ("end", pa.float32()),
        ("plm_action", pa.string()),
        ("plm_caption", pa.string()),
        ("llama3_caption", pa.string()),
        ("gpt", pa.struct([("summary", _TEXTS), ("action", _ACTION)])),
    ]
)
SCHEMA = pa.schema(
    [
        ("video_uid", pa.string()),
        ("metadata", pa.struct([("title", pa.string()), ("duration", pa.int64())])),
        ("nodes", pa.list_(_NODE)),
    ]
)


def gpt(brief: str = "Pour water into the glass", actor: str = "a person's hand", **more: str) -> dict[str, Any]:
    """What was written of a segment."""
    detailed = more.get("detailed", "Lift the jug and pour water into the glass.")
    summary = more.get("summary", "A hand pours water from a jug into a glass.")
    return {
        "summary": {"brief": summary, "detailed": ""},
        "action": {"brief": brief, "detailed": detailed, "actor": actor},
    }


def node(
    node_id: str, start: float, end: float, parent: str | None = None, said: Any = None, caption: str = ""
) -> dict[str, Any]:
    """One segment."""
    return {
        "node_id": node_id,
        "parent_id": parent,
        "level": 0,
        "start": start,
        "end": end,
        "plm_action": "",
        "plm_caption": caption,
        "llama3_caption": caption,
        "gpt": said,
    }


def row(uid: Any, nodes: Any, duration: Any = 60) -> dict[str, Any]:
    """One video."""
    return {"video_uid": uid, "metadata": {"title": "", "duration": duration}, "nodes": nodes}


def pouring(uid: str, n: int = 1, caption: str = "") -> dict[str, Any]:
    """A video whose root of 10 n s has n segments in which something is poured."""
    parts = [node(f"{uid}-{i}", 10.0 * i, 10.0 * i + 10, f"{uid}-root", gpt(), caption) for i in range(n)]
    return row(uid, [node(f"{uid}-root", 0, 10.0 * n, None, gpt("N/A")), *parts], 10 * n)


def uid_of(number: int) -> str:
    """A uid of the right form."""
    return f"video{number:06d}"


def write_parquet(path: Path, groups: Iterable[list[dict[str, Any]]]) -> Path:
    """Write rows, one row group an item."""
    with pq.ParquetWriter(path, SCHEMA) as writer:
        for group in groups:
            writer.write_table(pa.Table.from_pylist(group, schema=SCHEMA))
    return path


def write_json(path: Path, value: Any) -> Path:
    """Write JSON, NaN and all."""
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def wrapped(value: dict[str, Any]) -> dict[str, Any]:
    """The JSON form: every key holds a list with one element a row."""
    return {name: [column] for name, column in value.items()}
