"""The report of pass 1: ``report.json`` for programs, ``report.html`` for a person who judges thresholds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hoiset.builder.records import SourceVideo
from hoiset.builder.screen.draw import PASSED
from hoiset.builder.screen.keepsakes import KeepsakeBox
from hoiset.builder.screen.page import Card, write_page
from hoiset.builder.screen.params import ScreenParams
from hoiset.builder.screen.summary import Example, Summary, summarise
from hoiset.builder.screen.thumbnails import thumbnail
from hoiset.shards.atomic import write_atomic

CANDIDATES = "candidates.parquet"


@dataclass(frozen=True)
class Throughput:
    """What a pass 1 took.

    Attributes:
        videos: Judged in that time.
        busy_s: Time that workers spent on them, s: about one core each.
        wall_s: From the first to the last, s.
        step_s: Step -> its part of ``busy_s``; see :data:`hoiset.builder.screen.stopwatch.STEPS`.
    """

    videos: int
    busy_s: float
    wall_s: float
    step_s: Mapping[str, float] = field(default_factory=dict)


def write_report(
    folder: Path,
    params: ScreenParams,
    videos: Iterable[SourceVideo] = (),
    throughput: Throughput | None = None,
    *,
    keepsakes: KeepsakeBox | None = None,
    title: str = "",
) -> Summary:
    """Write both files beside the table of candidates.

    Args:
        folder: Holds ``candidates.parquet``; gets ``report.json`` and ``report.html``.
        params: Thresholds that decided.
        videos: The source again, for pictures and captions of the few spans that are shown; read as far as they need.
        throughput: What it took, where that is known.
        keepsakes: Pictures of spans of remote videos; those that are not shown are removed.
        title: Of the page.

    Raises:
        DatasetError: The table is not there or is not one.
        MissingDependency: matplotlib is not installed.
    """
    summary = summarise(folder / CANDIDATES, params)
    record = to_json(summary, throughput)
    cards = _cards(summary, videos, keepsakes)
    write_atomic(folder / "report.json", (json.dumps(record, indent=2, allow_nan=False) + "\n").encode())
    write_atomic(folder / "report.html", write_page(title, summary, record, cards).encode(errors="replace"))
    return summary


def to_json(summary: Summary, throughput: Throughput | None) -> dict[str, Any]:
    """All numbers of the report as plain JSON types."""
    entered, funnel = summary.total, []
    for gate, spans in summary.spans.items():
        if gate != PASSED:
            funnel.append({"gate": gate, "entered": entered, "stopped": spans, "stopped_s": _r(summary.seconds[gate])})
            entered -= spans
    passed = summary.spans.get(PASSED, 0)
    return {
        "videos": summary.videos,
        "spans": summary.total,
        "passed": passed,
        "passed_s": _r(summary.seconds.get(PASSED, 0.0)),
        "judged_s": _r(sum(summary.seconds.values())),
        "yield": _r(passed / summary.total if summary.total else 0.0),
        "funnel": funnel,
        "throughput": _throughput(summary, throughput),
        "histograms": {
            name: {
                "edges": [_r(e) for e in h.edges.tolist()],
                **{kind: [int(n) for n in getattr(h, kind)] for kind in ("passed", "stopped", "other")},
                "bound": None if math.isnan(h.bound) else h.bound,
                "sense": ("at least" if h.least else "at most") if h.param else None,
                "param": h.param or None,
            }
            for name, h in summary.histograms.items()
        },
        "examples": {gate: [vars(e) for e in examples] for gate, examples in summary.examples.items()},
    }


def _throughput(summary: Summary, took: Throughput | None) -> dict[str, Any] | None:
    if took is None or took.videos == 0 or took.busy_s <= 0:
        return None
    spans = took.videos * summary.total / max(1, summary.videos)  # an earlier run may have judged the others
    return {
        "videos": took.videos,
        "busy_s": _r(took.busy_s),
        "wall_s": _r(took.wall_s),
        "step_s": {step: _r(seconds) for step, seconds in took.step_s.items()},
        "videos_per_core_hour": _r(3600 * took.videos / took.busy_s),
        "core_hours_per_1000_spans": _r(took.busy_s / 3.6 / max(1.0, spans)),
        "footage_s_per_core_s": _r(sum(summary.seconds.values()) * took.videos / max(1, summary.videos) / took.busy_s),
    }


def _r(value: float) -> float:
    return float(f"{value:.6g}")


def _cards(summary: Summary, videos: Iterable[SourceVideo], keepsakes: KeepsakeBox | None) -> dict[Example, Card]:
    """A picture and the caption of every span that is shown; the source is read no further than the last of them."""
    wanted: dict[str, list[Example]] = {}
    shown = [e for examples in summary.examples.values() for e in examples]
    if keepsakes is not None:
        keepsakes.keep_only(example.lot for example in shown)
    for example in shown:
        wanted.setdefault(example.uid, []).append(example)
    cards: dict[Example, Card] = {}
    for video in videos:
        here = [e for e in wanted.get(video.uid, ()) if e not in cards and _within(e, video)]
        cards |= {e: Card(video.action or video.summary, _picture(video, e, keepsakes)) for e in here}
        if len(shown) == len(cards):
            break
    return cards


def _picture(video: SourceVideo, example: Example, keepsakes: KeepsakeBox | None) -> bytes | None:
    if video.remote:
        return None if keepsakes is None else keepsakes.read(example.lot)
    return thumbnail(video.path, example.start_s, example.end_s)


def _within(example: Example, video: SourceVideo) -> bool:
    """Whether a span comes from this entry: a video may have several, each with its own start and end."""
    start_s, end_s = video.start_s or 0.0, math.inf if video.end_s is None else video.end_s
    return start_s - 1e-6 <= example.start_s and example.end_s <= max(start_s, end_s) + 1.0
