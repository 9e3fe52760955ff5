"""A finished version as its manifest and its index tell it: units of clips, one shard a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoiset.errors import DatasetError
from hoiset.shards.copying import copied_sample
from hoiset.shards.reader import ShardReader
from hoiset.shards.schema import layers
from hoiset.shards.writer import ShardRecord, UnitWriter

Taken = tuple[list[ShardRecord], list[dict[str, Any]]]
"""Records of the shards of a unit, and the index rows of its clips."""


@dataclass(frozen=True)
class Build:
    """A version of a dataset.

    Attributes:
        root: The dataset's directory.
        manifest: Of the version.
        rows: Of its index.
    """

    root: Path
    manifest: dict[str, Any]
    rows: list[dict[str, Any]]

    @property
    def units(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """(partition, name of the shards) -> their rows, in the order of the core shard."""
        out: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in sorted(self.rows, key=lambda row: (row["partition"], *_place(row))):
            out.setdefault((row["partition"], _place(row)[0]), []).append(row)
        return out

    @property
    def layers(self) -> list[str]:
        """Those that the manifest lists, in the order of the schema."""
        there = {entry["layer"] for entry in self.manifest["files"]}
        return [layer for layer in layers() if layer in there]


def _place(row: Mapping[str, Any]) -> tuple[str, int]:
    core = min((m["offset"], Path(m["shard"]).name) for m in row["members"] if m["layer"] == "core")
    return core[1], core[0]


def standing(build: Build, unit: list[dict[str, Any]]) -> list[ShardRecord]:
    """The shards of a unit as the manifest and the index tell of them.

    Raises:
        DatasetError: The two do not agree.
    """
    entries = {entry["path"]: entry for entry in build.manifest["files"]}
    records = []
    for layer in build.layers:
        spans: dict[str, dict[str, tuple[int, int]]] = {}
        for row in unit:
            of_layer = [m for m in row["members"] if m["layer"] == layer]
            spans[row["key"]] = {m["member"]: (m["offset"], m["size"]) for m in of_layer}
        paths = {m["shard"] for row in unit for m in row["members"] if m["layer"] == layer}
        entry = entries.get(next(iter(paths), "")) if len(paths) == 1 else None
        if entry is None or entry["samples"] != len(unit):
            where = ", ".join(sorted(paths)) or f"any shard of the {layer} layer"
            raise DatasetError(
                f"{build.root}: the index lacks clips of {where}, or names another shard than the manifest; run "
                f"`hoiset repair {build.root}`"
            )
        records.append(
            ShardRecord(entry["path"], layer, entry["partition"], entry["bytes"], entry["sha256"], tuple(spans), spans)
        )
    return records


def rewritten(
    build: Build, rows: list[dict[str, Any]], staging: Path, version: str, partition: str, number: int
) -> Taken:
    """Write clips of a unit into a unit of another directory, byte for byte."""
    unit = UnitWriter(staging, version, partition, number, tuple(build.layers))
    with ShardReader(build.root) as reader, unit:
        for row in rows:
            unit.add_encoded(copied_sample(reader, row))
    return list(unit.records), list(unit.rows)
