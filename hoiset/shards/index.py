"""The clip index: one row a clip, with what can be filtered on and where every member's bytes stand.

Rows are made while the samples are written (:attr:`hoiset.shards.writer.UnitWriter.rows`), so that building the index
reads no shard. Members stand in one list column of (layer, member, shard, offset, size): adding a layer adds entries
and changes no type, and a version from which a layer was left out simply lacks its entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hoiset.errors import DatasetError, SchemaError
from hoiset.shards.codec import plain
from hoiset.shards.robots import JOINTS, robot_columns, robots_of_columns
from hoiset.shards.schema import CLIP_FIELDS, ObjectState, Sample
from hoiset.shards.tables import write_rows

UNLIKE = ("key", "url", "action")
"""Columns whose texts hardly repeat."""
GROUP_ROWS = 1 << 16
"""Rows of a row group: what a query reads, or passes over, at once."""


def _quality_columns() -> dict[str, str]:
    """Field of ``clip.json``'s quality -> index column."""
    return {name: "quality" if name == "score" else name for name in CLIP_FIELDS["quality"]}


@cache
def index_schema(robots: tuple[str, ...] = ()) -> pa.Schema:
    """Arrow schema of the index.

    Args:
        robots: The version's robots, sorted.
    """
    words = pa.list_(pa.string())
    span = {"layer": pa.string(), "member": pa.string(), "shard": pa.string(), "offset": pa.int64(), "size": pa.int64()}
    columns: dict[str, pa.DataType] = {
        **dict.fromkeys(("key", "partition", "uid", "url", "licence"), pa.string()),
        **dict.fromkeys(("start_s", "end_s", "duration_s"), pa.float64()),
        "n_frames": pa.int32(),
        "fps": pa.float64(),
        **dict.fromkeys(("width", "height"), pa.int32()),
        **dict.fromkeys(("focal_source", "action", "verb"), pa.string()),
        **dict.fromkeys(("nouns", "labels"), words),
        **dict.fromkeys(("n_objects", "n_manipulated"), pa.int32()),
        **dict.fromkeys(("states", "grasps"), words),
        **dict.fromkeys(_quality_columns().values(), pa.float64()),
        **{name: pa.int32() if name.endswith(f"_{JOINTS}") else pa.float64() for name in robot_columns(robots)},
        "members": pa.list_(pa.struct(span)),
    }
    return pa.schema(columns)


@cache
def encoded_columns() -> tuple[str, ...]:
    """Paths, in the file, of columns of few distinct texts; they are written, and may be read, as dictionaries."""
    texts = [field for field in index_schema() if field.type == pa.string() and field.name not in UNLIKE]
    lists = [field for field in index_schema() if field.type == pa.list_(pa.string())]
    return (*(field.name for field in texts), *(f"{field.name}.list.element" for field in lists))


def index_path(version: str) -> str:
    """Path of the index relative to the dataset's root."""
    return f"index/{version}.parquet"


def index_row(sample: Sample, partition: str) -> dict[str, Any]:
    """The index row of a valid sample, all but ``members``.

    Args:
        sample: At least its core members.
        partition: ``train``, ``validation`` or ``test``.

    Returns:
        Column -> value in plain JSON types, so that it may rest in a unit's record.
    """
    clip, time = sample["clip.json"], np.asarray(sample["time.npy"])
    step = float(np.median(np.diff(time))) if len(time) > 1 else None
    row = {
        "key": clip["key"],
        "partition": partition,
        **{name: clip["source"][name] for name in ("uid", "url", "licence", "start_s", "end_s")},
        "duration_s": float(time[-1]) + (step or 0.0),
        "n_frames": len(time),
        "fps": 1.0 / step if step else None,
        **{name: clip["camera"][name] for name in ("width", "height", "focal_source")},
        **{name: clip["text"][name] for name in ("action", "verb")},
        "nouns": clip["text"]["objects"],
        "labels": [o["label"] for o in clip["objects"]],
        "n_objects": len(clip["objects"]),
        "n_manipulated": sum(bool(o["manipulated"]) for o in clip["objects"]),
        "states": _states(sample["object_state.npy"]),
        "grasps": _grasps(sample["object_state.npy"]),
        **{column: clip["quality"][name] for name, column in _quality_columns().items()},
    }
    return plain(row)


def _states(state: np.ndarray) -> list[str]:
    """Names of the states that occur, in the order of their codes, without ``absent``."""
    present = set(np.unique(state).tolist())
    return [s.name.lower() for s in ObjectState if s.value in present and s is not ObjectState.ABSENT]


def _grasps(state: np.ndarray) -> list[str]:
    """Hands that grasp something; ``both`` when they hold the same object at once (then ``left`` and ``right`` too)."""
    both = bool((state == ObjectState.GRASPED_BOTH).any())
    left = both or bool((state == ObjectState.GRASPED_LEFT).any())
    right = both or bool((state == ObjectState.GRASPED_RIGHT).any())
    return [name for name, there in (("left", left), ("right", right), ("both", both)) if there]


def write_index(root: Path, version: str, rows: Iterable[Mapping[str, Any]], *, ordered: bool = False) -> Path:
    """Write ``index/<version>.parquet``.

    Args:
        root: Dataset root.
        version: Name of the version.
        rows: :attr:`UnitWriter.rows` of all units, in any order; equal rows give equal bytes.
        ordered: Whether the rows come ordered by key; then they are consumed lazily, as many as a row group at a time.

    Returns:
        The file.

    Raises:
        SchemaError: Two rows have one key, a row has other columns than the index, or the order is not as promised.
        DatasetError: The disk refuses.
    """
    path = Path(root) / index_path(version)
    in_order = iter(rows if ordered else sorted(rows, key=lambda row: row["key"]))
    first = list(islice(in_order, 1))
    schema = index_schema(robots_of_columns(first[0]) if first else ())
    checked = _checked(chain(first, in_order), schema.names)
    write_rows(path, checked, schema, group_rows=GROUP_ROWS, **index_options(schema))
    return path


def index_options(schema: pa.Schema) -> dict[str, Any]:
    """How an index is written: what is asked of it decodes fast, and where the bytes stand takes little room."""
    spans = [f"members.list.element.{name}" for name in ("layer", "member", "shard", "offset", "size")]
    leaves = [field.name for field in schema if not pa.types.is_nested(field.type)]
    leaves += [name for name in encoded_columns() if name not in leaves]
    compression = dict.fromkeys(leaves, "lz4") | dict.fromkeys(("url", "action", *spans), "zstd")
    return {"compression": compression, "use_dictionary": [*encoded_columns(), *spans[:3]]}


def _checked(rows: Iterable[Mapping[str, Any]], names: list[str]) -> Iterator[Mapping[str, Any]]:
    last = ""
    for row in rows:
        key = row["key"]
        if key == last:
            raise SchemaError(f"index: found the key {key!r} twice, expected unique keys")
        if key < last:
            raise SchemaError(f"index: found the key {key!r} after {last!r}, expected rows ordered by key")
        if set(row) != set(names):
            odd = ", ".join(sorted(set(row) ^ set(names)))
            raise SchemaError(f"index: found a row of {key!r} that differs in {odd}, expected the index's columns")
        last = key
        yield row


def read_index(root: Path, version: str, columns: list[str] | None = None) -> pa.Table:
    """Read the index of a version, sorted by key.

    Args:
        root: Dataset root.
        version: Name of the version.
        columns: Only these columns; all by default.

    Raises:
        DatasetError: No such dataset or version (the message lists what is there), or not such a file.
    """
    path = index_file(root, version)
    try:
        with pq.ParquetFile(path) as file:  # read_table imports a second of Arrow's data sets
            table = file.read(columns=columns)
            table = table if columns is None else table.select(columns)
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise DatasetError(f"{path} is not a readable index ({error}); build it again") from error
    if not is_index(table.schema, columns):
        raise DatasetError(f"{path}: found other columns than this version of hoiset writes; build it again")
    return table


def is_index(schema: pa.Schema, columns: Sequence[str] | None = None) -> bool:
    """Whether a file has the columns that this version of hoiset writes, or those of them that were asked for."""
    expected = index_schema(robots_of_columns(schema.names))
    if columns is None:
        return bool(schema.equals(expected))
    there = all(name in expected.names for name in columns)
    return there and bool(schema.equals(pa.schema([expected.field(name) for name in columns])))


def index_file(root: Path, version: str) -> Path:
    """The index of a version; raises DatasetError, listing what is there, where there is none."""
    there = list_versions(root)
    if version not in there:
        raise DatasetError(
            f"{root} has no version {version!r} with an index; versions there: {', '.join(there) or 'none'}"
        )
    return Path(root) / index_path(version)


def list_versions(root: Path) -> list[str]:
    """Versions that have an index in ``root``."""
    return sorted(p.stem for p in (Path(root) / "index").glob("*.parquet"))
