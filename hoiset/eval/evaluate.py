"""Measures a finished build against ground truth, one clip at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import hoiset
from hoiset.errors import DatasetError
from hoiset.eval import definitions as d
from hoiset.eval import metrics
from hoiset.eval.bootstrap import LEVEL, RESAMPLES
from hoiset.eval.calibration import Scored, calibrate, errors_of
from hoiset.eval.clip import ClipResult, judge_clip
from hoiset.eval.hands import CURVE_M
from hoiset.eval.pooling import number, pool
from hoiset.eval.reading import Corpus, truth_root
from hoiset.eval.screening import (
    NOT_JUDGED,
    Expected,
    Judged,
    read_expected,
    read_judged,
    screening_report,
    screening_sums,
)
from hoiset.eval.tally import Tally, add, figures
from hoiset.shards.schema import ObjectState

STATUS_FILE = "status.parquet"
SCREENING_FILE = "screening.csv"


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found; every value is of plain JSON types and in the unit of its metric.

    Attributes:
        clips: One row a true clip.
        samples: One row a sample of the build that a true clip has.
        pooled: Metric -> value, low, high, n, clips.
        screening: Gates and their confusion, or why there is none.
        calibration: Error -> how the clips' own score foretells it.
        curves: Thresholds (mm) and, for each kind of error, the share within them.
        confusion: States of objects: names, and seconds by true (row) and predicted (column) state.
        meta: What was compared, and how.
    """

    clips: tuple[dict[str, Any], ...]
    samples: tuple[dict[str, Any], ...]
    pooled: dict[str, dict[str, Any]]
    screening: dict[str, Any]
    calibration: dict[str, Any]
    curves: dict[str, Any]
    confusion: dict[str, Any]
    meta: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, as ``eval.json`` has them."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in vars(self).items()}


def evaluate(
    build: str | Path,
    truth: str | Path,
    *,
    screening: str | Path | None = None,
    seed: int = 0,
    split: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure a build against ground truth.

    Args:
        build: A finished dataset; ``screen/candidates.parquet`` and ``status.parquet`` beside it are read where they
            are there.
        truth: A directory that ``hoiset studio`` wrote, or any finished dataset. Clips are matched by ``source.uid``
            and by time.
        screening: What pass 1 should do with every video; ``screening.csv`` beside ``truth/`` by default, and where
            there is none every true clip is to be kept and nothing is known of other videos.
        seed: Of the resampling.
        split: Version in ``build``; the only one by default.
        progress: Called with true clips done and in all.

    Raises:
        DatasetError: One of the two cannot be read, or no video is in both.
    """
    root = truth_root(Path(truth))
    made, true = Corpus(Path(build), split), Corpus(root)
    expected = _expected(Path(truth), root, screening, true)
    judged = read_judged(Path(build))
    _check_common(made, true)
    reasons = _reasons(Path(build), judged)
    results: list[tuple[dict[str, Any], ClipResult]] = []
    for row in true.rows:
        view = true.view(row)
        results.append((row, judge_clip(view, [made.view(r) for r in made.within(row)])))
        if progress is not None:
            progress(len(results), len(true.rows))
    made.close()
    true.close()
    sums = {} if judged is None else {uid: _screened(e, judged) for uid, e in expected.items()}
    total = add(*(result.sums for _, result in results))
    return Evaluation(
        clips=tuple(_clip_row(row, result, reasons) for row, result in results),
        samples=tuple(_sample_row(row["key"], p.key, p.score, p.sums) for row, r in results for p in r.parts),
        pooled={**pool([r.sums for _, r in results], seed), **_pooled_screening(list(sums.values()), seed)},
        screening=screening_report(expected, judged) if judged is not None else {"why_none": "no pass 1 on record"},
        calibration=calibrate(_scored([result for _, result in results]), seed),
        curves=_curves(total),
        confusion=_confusion(total),
        meta=_meta(made, true, expected, seed),
    )


def _expected(truth: Path, root: Path, screening: str | Path | None, true: Corpus) -> dict[str, Expected]:
    """What pass 1 should do, from its table or from the true clips alone."""
    beside = truth / SCREENING_FILE
    if screening is not None or (root != truth and beside.is_file()):
        return read_expected(Path(screening) if screening is not None else beside)
    return {
        uid: Expected(uid, "clip", d.PASSES, tuple((r["start_s"], r["start_s"] + r["duration_s"]) for r in rows))
        for uid, rows in true.by_uid.items()
    }


def _check_common(made: Corpus, true: Corpus) -> None:
    if not set(made.by_uid) & set(true.by_uid):
        raise DatasetError(
            f"{made.root} and {true.root} have no video in common: found {_some(made)} and {_some(true)}; expected "
            "the truth of the videos that the build was made from"
        )


def _some(corpus: Corpus) -> str:
    uids = sorted(corpus.by_uid)
    return ", ".join(uids[:3]) + (", ..." if len(uids) > 3 else "") or "no video"


def _reasons(build: Path, judged: Mapping[str, Judged] | None) -> dict[str, str]:
    """Video -> why it has no sample, as far as the build has it on record."""
    out = {uid: j.gate for uid, j in (judged or {}).items() if j.gate != d.PASSES}
    path = build / STATUS_FILE
    if path.is_file():
        try:
            rows = pq.read_table(path, columns=["uid", "status"]).to_pylist()
        except (pa.ArrowException, OSError, KeyError) as error:
            raise DatasetError(f"{path} is not a record of pass 2 ({error}); build it again") from error
        out |= {row["uid"]: row["status"] for row in rows if row["status"] != "ok"}
    return out


def _screened(expected: Expected, judged: Mapping[str, Judged]) -> dict[str, np.ndarray]:
    return screening_sums(expected, judged.get(expected.uid, Judged(NOT_JUDGED, ())))


def _pooled_screening(sums: list[dict[str, np.ndarray]], seed: int) -> dict[str, Any]:
    names = [m.name for m in metrics.METRICS if m.group == "screening"]
    return {name: value for name, value in pool(sums or [{}], seed).items() if name in names}


def _clip_row(row: Mapping[str, Any], result: ClipResult, reasons: Mapping[str, str]) -> dict[str, Any]:
    scores = [part.score for part in result.parts if np.isfinite(part.score)]
    status = "ok" if result.parts else reasons.get(row["uid"], "no_sample")
    named = {name: number(value) for name, value in figures(result.sums).items() if not name.startswith("screen_")}
    return {
        "key": row["key"],
        "uid": row["uid"],
        "status": status,
        "samples": [part.key for part in result.parts],
        "duration_s": row["duration_s"],
        "score": float(np.mean(scores)) if scores else None,
        **result.counts,
        **named,
    }


def _sample_row(clip: str, key: str, score: float, sums: Tally) -> dict[str, Any]:
    errors = {name: number(value) for name, value in errors_of(figures(sums)).items()}
    return {"clip": clip, "key": key, "score": number(score), **errors}


def _scored(results: list[ClipResult]) -> list[Scored]:
    return [
        Scored(i, part.score, errors_of(figures(part.sums)))
        for i, result in enumerate(results)
        for part in result.parts
    ]


def _curves(total: Tally) -> dict[str, Any]:
    """Share of errors within each threshold."""
    found = {name.removeprefix("curve_"): sums for name, sums in total.items() if name.startswith("curve_")}
    shares = {name: [float(x) for x in sums[:-1] / sums[-1]] for name, sums in found.items() if sums[-1] > 0}
    return {"thresholds_mm": [round(1e3 * float(x), 6) for x in CURVE_M], **shares}


def _confusion(total: Tally) -> dict[str, Any]:
    n = len(ObjectState)
    sums = total.get("state_macro_f1")
    matrix = np.zeros((n, n)) if sums is None else sums[: n * n].reshape(n, n)
    return {"states": [s.name.lower() for s in ObjectState], "seconds": matrix.tolist()}


def _meta(made: Corpus, true: Corpus, expected: Mapping[str, Expected], seed: int) -> dict[str, Any]:
    without = sorted(set(made.by_uid) - set(true.by_uid))
    return {
        "hoiset": hoiset.__version__,
        "build": {"version": made.version, "samples": len(made.rows), "videos": len(made.by_uid)},
        "truth": {"version": true.version, "clips": len(true.rows), "videos": len(expected)},
        "samples_without_truth": [r["key"] for uid in without for r in made.by_uid[uid]],
        "seed": seed,
        "resamples": RESAMPLES,
        "confidence": LEVEL,
        "bounds": {
            "hand_match_share": metrics.HAND_MATCH_SHARE,
            "mask_match_iou": metrics.MASK_MATCH_IOU,
            "centre_match_share": metrics.CENTRE_MATCH_SHARE,
            "contact_m": metrics.CONTACT_M,
            "span_iou": metrics.SPAN_IOU,
        },
        "metrics": {m.name: {"unit": m.unit, "better": m.better, "meaning": m.meaning} for m in metrics.METRICS},
    }
