"""Replay records as a table: one row an object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hoiset.builder.retarget.replay.records import THRESHOLDS, ReplayRecord

CHECKS = ("speed", "acceleration", "penetration", "contact", "drift", "overhang")
_PAIRS = ("position_m", "rotation_rad")

COLUMNS = pa.schema(
    [
        ("key", pa.string()),
        ("object", pa.int32()),
        ("label", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("tier", pa.int32()),
        *((f"passed_{at.name}", pa.bool_()) for at in THRESHOLDS),
        *((f"reached_{at.name}", pa.float64()) for at in THRESHOLDS),
        *((f"{pair}_{of}", pa.float64()) for pair in _PAIRS for of in ("mean", "max")),
        *((f"open_loop_{pair}_{of}", pa.float64()) for pair in _PAIRS for of in ("mean", "max")),
        *((name, pa.float64()) for name in ("without_hand_m", "correction_m", "correction_rad", "closing_s")),
        *((name, pa.float64()) for name in ("contact_share", "slip_m", "draws_passed")),
        *((name, pa.int32()) for name in ("n_draws", "rollouts", "frames")),
        ("held_s", pa.float64()),
        ("start", pa.string()),
        ("gravity_source", pa.string()),
        ("mass_kg", pa.float64()),
        ("friction", pa.float64()),
        *((f"check_{name}", pa.float64()) for name in CHECKS),
        *((f"check_{name}_passed", pa.bool_()) for name in CHECKS),
        ("seed", pa.int64()),
        ("mujoco", pa.string()),
    ]
)
"""Columns of the table; values that an object does not have are null."""


def row_of(record: ReplayRecord) -> dict[str, Any]:
    """The row of a record."""
    row = record.to_json()
    for prefix, pairs in (("", row), ("open_loop_", row["open_loop"])):
        for name in _PAIRS:
            if pairs.get(name) is not None:
                row |= {f"{prefix}{name}_mean": pairs[name][0], f"{prefix}{name}_max": pairs[name][1]}
    for at in THRESHOLDS:
        row[f"passed_{at.name}"], row[f"reached_{at.name}"] = (
            row["thresholds"].get(at.name),
            row["reached"].get(at.name),
        )
    for check in row["checks"]:
        row |= {f"check_{check['name']}": check["value"], f"check_{check['name']}_passed": check["passed"]}
    return {name: row.get(name) for name in COLUMNS.names}


def write_table(records: Iterable[ReplayRecord], path: Path) -> None:
    """Write records as Parquet; equal records give equal bytes."""
    pq.write_table(pa.Table.from_pylist([row_of(record) for record in records], schema=COLUMNS), path)


HEADERS = ("status", "what", "objects")


def summary(records: Sequence[ReplayRecord]) -> list[tuple[str, str, int]]:
    """How many objects passed as they are, passed with a correction, failed, or could not be tested and why."""
    tiers = {1: "as it is", 2: "with a correction", 0: "neither way"}
    counts = Counter((r.status, tiers.get(-1 if r.tier is None else r.tier, r.reason)) for r in records)
    order = {"passed": 0, "failed": 1, "not_testable": 2}
    return [(status, what, n) for (status, what), n in sorted(counts.items(), key=lambda c: (order[c[0][0]], c[0][1]))]
