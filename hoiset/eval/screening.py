"""Screening: what pass 1 kept and why it stopped the rest, against what it should have done.

Three views of one thing, since each hides something: by time (a kept second is right or not), by span (a kept span is
right when it overlaps one that was to be kept by IoU of at least :data:`hoiset.eval.metrics.SPAN_IOU`), and by video
(kept at all, or the gate that stopped it).
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hoiset.errors import DatasetError
from hoiset.eval import definitions as d
from hoiset.eval.metrics import SPAN_IOU
from hoiset.eval.pooling import number
from hoiset.eval.tally import share_of

CANDIDATES_FILE = "screen/candidates.parquet"
NOT_JUDGED = "not_judged"
Span = tuple[float, float]


@dataclass(frozen=True)
class Expected:
    """What pass 1 should do with a video.

    Attributes:
        uid: Of the source video.
        kind: What it is, in the truth's words.
        gate: ``passes``, or the gate that should stop it first.
        spans: What it should keep, s in the file.
    """

    uid: str
    kind: str
    gate: str
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Judged:
    """What pass 1 did with a video.

    Attributes:
        gate: ``passes``; where nothing was kept the gate that stopped the longest span; ``not_judged`` where the build
            has no row of it.
        spans: What it kept, s in the file.
    """

    gate: str
    spans: tuple[Span, ...]


def read_expected(path: Path) -> dict[str, Expected]:
    """Read a ``screening.csv`` with columns uid, kind, passes (yes or no), gate, spans (``start-end;start-end``, s).

    Raises:
        DatasetError: No such file, or a row that cannot be read.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"cannot read {path}: {error}; expected the screening.csv of a ground truth") from error
    out: dict[str, Expected] = {}
    for line, row in enumerate(rows, start=2):
        try:
            passes = {"yes": True, "no": False}[row["passes"]]
            spans = tuple(_span(text) for text in row["spans"].split(";") if text)
            out[row["uid"]] = Expected(row["uid"], row["kind"], d.PASSES if passes else row["gate"], spans)
        except (KeyError, ValueError, AttributeError, TypeError) as error:
            raise DatasetError(
                f"{path}: found {row} in line {line}, expected uid, kind, passes yes or no, gate, "
                "spans start-end;start-end"
            ) from error
        if passes != bool(spans) or not (passes or row["gate"]):
            raise DatasetError(f"{path}: line {line} of {row['uid']} must have spans if it passes, and else a gate")
    return out


def _span(text: str) -> Span:
    start, end = (float(part) for part in text.split("-"))
    if not 0 <= start < end:
        raise ValueError(f"span {text}")
    return start, end


def read_judged(build: Path) -> dict[str, Judged] | None:
    """What the pass 1 of a build did with every video; ``None`` where the build has no record of it.

    Raises:
        DatasetError: The record cannot be read.
    """
    path = Path(build) / CANDIDATES_FILE
    if not path.is_file():
        return None
    try:
        rows = pq.read_table(path, columns=["uid", "start_s", "end_s", "gate"]).to_pylist()
    except (pa.ArrowException, OSError, KeyError) as error:
        raise DatasetError(f"{path} is not a record of pass 1 ({error}); build it again") from error
    by_uid: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_uid[row["uid"]].append(row)
    return {uid: _judged(candidates) for uid, candidates in by_uid.items()}


def _judged(rows: Sequence[Mapping[str, Any]]) -> Judged:
    kept = sorted((row["start_s"], row["end_s"]) for row in rows if row["gate"] == "ok")
    if kept:
        return Judged(d.PASSES, tuple(kept))
    longest = max(rows, key=lambda row: (row["end_s"] - row["start_s"], -row["start_s"]))
    return Judged(longest["gate"], ())


def screening_sums(expected: Expected, judged: Judged) -> dict[str, np.ndarray]:
    """Sums of every figure of pass 1 for one video."""
    true, kept = np.array(expected.spans).reshape(-1, 2), np.array(judged.spans).reshape(-1, 2)
    iou = d.temporal_iou(kept, true) >= SPAN_IOU
    union = _united(kept)
    both_s, kept_s, true_s = _overlap_s(union, true), _total_s(union), _total_s(true)
    keeps, passes = judged.gate == d.PASSES, expected.gate == d.PASSES
    return {
        "screen_time_precision": np.array([both_s, kept_s, len(kept)]),
        "screen_time_recall": np.array([both_s, true_s, len(true)]),
        "screen_span_precision": share_of(np.asarray(iou.any(1)), np.ones(len(kept))),
        "screen_span_recall": share_of(np.asarray(iou.any(0)), np.ones(len(true))),
        "screen_video_precision": share_of(keeps and passes, keeps),
        "screen_video_recall": share_of(keeps and passes, passes),
        "screen_gate_accuracy": share_of(judged.gate == expected.gate, 1.0),
    }


def screening_report(expected: Mapping[str, Expected], judged: Mapping[str, Judged]) -> dict[str, Any]:
    """Precision and recall of every gate, and the confusion of gates, over all videos that are to be judged."""
    uids = sorted(expected)
    true = [expected[uid].gate for uid in uids]
    pred = [judged.get(uid, Judged(NOT_JUDGED, ())).gate for uid in uids]
    outcomes = [d.PASSES, *sorted({*true, *pred} - {d.PASSES})]
    gates = {}
    for outcome in outcomes:
        counts = d.gate_counts(pred, true, outcome)
        gates[outcome] = {
            "precision": number(counts.precision),
            "recall": number(counts.recall),
            "expected": counts.tp + counts.fn,
            "found": counts.tp + counts.fp,
        }
    wrong = [
        {"uid": uid, "kind": expected[uid].kind, "expected": t, "found": p}
        for uid, t, p in zip(uids, true, pred, strict=True)
        if t != p
    ]
    return {
        "videos": len(uids),
        "gates": gates,
        "confusion": {"outcomes": outcomes, "counts": d.outcome_confusion(pred, true, outcomes).tolist()},
        "wrong": wrong,
    }


def _united(spans: np.ndarray) -> np.ndarray:
    """Spans in time order with those that overlap made one: kept spans have margins."""
    out: list[list[float]] = []
    for start, end in sorted(spans.tolist()):
        if out and start <= out[-1][1]:
            out[-1][1] = max(out[-1][1], end)
        else:
            out.append([start, end])
    return np.array(out).reshape(-1, 2)


def _total_s(spans: np.ndarray) -> float:
    return float((spans[:, 1] - spans[:, 0]).sum())


def _overlap_s(a: np.ndarray, b: np.ndarray) -> float:
    """Time in both of two lists of spans, s; spans of one list are disjoint."""
    common = np.minimum(a[:, None, 1], b[None, :, 1]) - np.maximum(a[:, None, 0], b[None, :, 0])
    return float(np.clip(common, 0.0, None).sum())
