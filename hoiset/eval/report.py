"""An evaluation on the terminal and on disk."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hoiset.eval.evaluate import Evaluation
from hoiset.eval.metrics import METRICS, groups
from hoiset.shards.atomic import write_atomic
from hoiset.shards.codec import canonical_json

JSON_FILE = "eval.json"
CLIPS_FILE = "eval_clips.parquet"
HEADERS = ("figure", "value", "unit", "95 %", "n", "clips", "better")
CALIBRATION_HEADERS = ("error", "rank correlation", "95 %", "all clips", "better half", "n", "worth it")


def write_report(evaluation: Evaluation, out: Path) -> list[Path]:
    """Write ``eval.json``, ``eval_clips.parquet`` and the figures.

    Returns:
        The files.

    Raises:
        DatasetError: The directory cannot be written.
        MissingDependency: matplotlib is not installed.
    """
    from hoiset.eval.figures import draw_figures

    out = Path(out)
    files = {JSON_FILE: canonical_json(evaluation.to_json(), indent=1), CLIPS_FILE: _clips(evaluation)}
    files |= {f"figures/{name}.png": png for name, png in draw_figures(evaluation).items()}
    for name, data in files.items():
        write_atomic(out / name, data)
    return [out / name for name in files]


def _clips(evaluation: Evaluation) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(clips_table(evaluation), buffer)
    return buffer.getvalue()


def clips_table(evaluation: Evaluation) -> pa.Table:
    """One row a true clip; a figure without anything to judge is null."""
    text = dict.fromkeys(("key", "uid", "status"), pa.string())
    rows = list(evaluation.clips)
    counts = [name for name in (rows[0] if rows else {}) if name not in text and isinstance(rows[0][name], int)]
    schema = {
        **text,
        "samples": pa.list_(pa.string()),
        **dict.fromkeys(("duration_s", "score"), pa.float64()),
        **dict.fromkeys((n for n in counts if n not in ("duration_s", "score")), pa.int64()),
        **{m.name: pa.float64() for m in METRICS if m.group != "screening"},
    }
    return pa.Table.from_pylist([dict(row) for row in rows], schema=pa.schema(schema))


def tables(evaluation: Evaluation) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Heading and rows of :data:`HEADERS` of every group that has anything to show."""
    for group in groups():
        rows = [_row(m.name, m.unit, m.better, evaluation.pooled[m.name]) for m in METRICS if m.group == group]
        if any(row[1] != "-" for row in rows):
            yield group, rows


def _row(name: str, unit: str, better: str, pooled: Mapping[str, Any]) -> tuple[str, ...]:
    interval = "-" if pooled["low"] is None else f"{_short(pooled['low'])} to {_short(pooled['high'])}"
    mark = {"higher": "up", "lower": "down", "neither": ""}[better]
    return name, _short(pooled["value"]), unit, interval, str(pooled["n"]), str(pooled["clips"]), mark


def _short(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}"


def screening_rows(screening: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Gate, precision, recall, expected, found."""
    return [
        (gate, _short(g["precision"]), _short(g["recall"]), str(g["expected"]), str(g["found"]))
        for gate, g in screening.get("gates", {}).items()
    ]


def calibration_rows(calibration: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Error, rank correlation with its interval, error of all clips and of the better-scored half, n, verdict."""
    rows: list[tuple[str, ...]] = []
    for name, found in calibration.items():
        if found["spearman"] is None:
            rows.append((name, "-", "-", "-", "-", str(found["n"]), "too few"))
            continue
        rho = found["spearman"]
        interval = "-" if rho["low"] is None else f"{rho['low']:.2f} to {rho['high']:.2f}"
        verdict = {True: "yes", False: "not shown", None: "-"}[found["worth_filtering"]]
        rows.append(
            (
                name,
                _short(rho["value"]),
                interval,
                _short(found["risk"]),
                _short(found["half_risk"]),
                str(found["n"]),
                verdict,
            )
        )
    return rows
