"""Counts, histograms and examples of a pass 1, from its table of candidates; memory does not grow with the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hoiset.builder.screen.draw import PASSED, SHOWN_PASSED, SHOWN_STOPPED, Draw, lot_of
from hoiset.builder.screen.gates import CHECKS, GATES, MEASURED
from hoiset.builder.screen.params import ScreenParams
from hoiset.errors import DatasetError

BINS = 40
_FINE = 4000
_TAIL = 0.995  # what lies beyond is counted in the last bin
_BATCH = 65_536


@dataclass(frozen=True)
class Example:
    """A candidate that is shown: its row, without what was measured."""

    uid: str
    segment: int
    start_s: float
    end_s: float
    gate: str
    detail: str

    @property
    def lot(self) -> int:
        """Of those with the same gate, the spans with the least are shown."""
        return lot_of(self.uid, self.segment, self.start_s, self.end_s)


@dataclass(frozen=True)
class Histogram:
    """How a measured value is spread over the spans it was measured on.

    Attributes:
        edges: (BINS + 1,) of the bins; the last bin also holds what lies beyond.
        passed: (BINS,) spans that passed all gates.
        stopped: (BINS,) spans that this value stopped.
        other: (BINS,) spans that another gate stopped.
        bound: The threshold, or NaN where there is none.
        least: Whether the threshold is the least that passes.
        param: Its name, or ``""``.
    """

    edges: np.ndarray
    passed: np.ndarray
    stopped: np.ndarray
    other: np.ndarray
    bound: float
    least: bool
    param: str


@dataclass
class Summary:
    """What the table says.

    Attributes:
        spans: Gate -> spans that it stopped, in the order in which gates are asked; ``ok`` last.
        seconds: Gate -> their length, s.
        videos: Different videos.
        histograms: Measured value -> its histogram, where it was measured at all.
        examples: Gate -> a few of its spans, drawn by hash.
    """

    spans: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    videos: int = 0
    histograms: dict[str, Histogram] = field(default_factory=dict)
    examples: dict[str, list[Example]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All spans."""
        return sum(self.spans.values())


def summarise(path: Path, params: ScreenParams, *, passed: int = SHOWN_PASSED, stopped: int = SHOWN_STOPPED) -> Summary:
    """Summarise a table of candidates, which is ordered by video.

    Args:
        path: The Parquet file.
        params: Thresholds that decided.
        passed: How many examples of what passed.
        stopped: How many examples of each gate.

    Raises:
        DatasetError: There is no such table, or it is not one.
    """
    out, draw, examples = Summary(), Draw(passed, stopped), dict[tuple[str, int], Example]()
    low, high, last_uid = dict[str, float](), dict[str, float](), None
    for batch in _batches(path):
        gates = np.array(batch["gate"].to_pylist(), dtype=object)
        length = batch["end_s"].to_numpy() - batch["start_s"].to_numpy()
        for gate in dict.fromkeys(gates.tolist()):
            out.spans[gate] = out.spans.get(gate, 0) + int((gates == gate).sum())
            out.seconds[gate] = out.seconds.get(gate, 0.0) + float(length[gates == gate].sum())
        uids = batch["uid"].to_pylist()
        for uid in uids:
            out.videos, last_uid = out.videos + (uid != last_uid), uid
        for name in _measured(batch):
            values = _finite(batch, name)
            if len(values):
                low[name] = min(low.get(name, np.inf), float(values.min()))
                high[name] = max(high.get(name, -np.inf), float(values.max()))
        _draw(batch, draw, examples)
    order = _order(out.spans)
    out.spans, out.seconds = {g: out.spans[g] for g in order}, {g: out.seconds[g] for g in order}
    out.examples = {g: [examples[key] for key in sorted(examples) if key[0] == g] for g in order}
    out.histograms = _histograms(path, low, high, params)
    return out


def _order(gates: dict[str, int]) -> list[str]:
    """Failures without a gate of their own first, then the gates as they are asked, then what passed."""
    known = [g for g in GATES if g in gates]
    return [*sorted(set(gates) - set(GATES) - {PASSED}), *known, *([PASSED] if PASSED in gates else [])]


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(path) as table:
            yield from table.iter_batches(batch_size=_BATCH)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise DatasetError(f"{path} is not a table of pass 1 ({error}); run hoiset screen") from error


def _measured(batch: pa.RecordBatch) -> list[str]:
    return [name for name in MEASURED if name in batch.schema.names]


def _finite(batch: pa.RecordBatch, name: str) -> np.ndarray:
    values = batch[name].to_numpy(zero_copy_only=False)
    return values[np.isfinite(values)]


def _draw(batch: pa.RecordBatch, draw: Draw, examples: dict[tuple[str, int], Example]) -> None:
    """Keep the spans of each gate whose lot is least: the same ones however the table is cut."""
    columns = ("uid", "segment", "start_s", "end_s", "gate", "detail")
    for values in zip(*(batch[name].to_pylist() for name in columns), strict=True):
        example = Example(*values)
        lot = example.lot
        dropped = draw.offer(example.gate, lot)
        if dropped != lot:
            examples[example.gate, lot] = example
        if dropped is not None:
            examples.pop((example.gate, dropped), None)


def _histograms(
    path: Path, low: dict[str, float], high: dict[str, float], params: ScreenParams
) -> dict[str, Histogram]:
    counts = {name: np.zeros((3, _FINE)) for name in low}
    for batch in _batches(path):
        gates = np.array(batch["gate"].to_pylist(), dtype=object)
        for name, fine in counts.items():
            values = batch[name].to_numpy(zero_copy_only=False)
            known = np.isfinite(values)
            width = max(high[name] - low[name], 1e-12)
            at = np.minimum(((values[known] - low[name]) / width * _FINE).astype(int), _FINE - 1)
            own = [check.gate for check in CHECKS if check.value == name]
            kind = np.where(gates[known] == PASSED, 0, np.where(np.isin(gates[known].astype(str), own), 1, 2))
            np.add.at(fine, (kind, at), 1)
    out = {}
    for name, fine in counts.items():
        check = next((c for c in CHECKS if c.value == name), None)
        bound = float(getattr(params, check.param)) if check else np.nan
        centres = low[name] + (np.arange(_FINE) + 0.5) / _FINE * (high[name] - low[name])
        cumulative = np.cumsum(fine.sum(axis=0))
        tail = centres[int(np.searchsorted(cumulative, _TAIL * cumulative[-1]))]
        ends = (min(low[name], bound, 0.0), max(tail, 1.25 * bound)) if check else (min(low[name], 0.0), tail)
        edges = np.linspace(ends[0], ends[1] if ends[1] > ends[0] else ends[0] + 1.0, BINS + 1)
        rows = [np.histogram(np.minimum(centres, edges[-1]), edges, weights=row)[0] for row in fine]
        least, param = (check.least, check.param) if check else (False, "")
        out[name] = Histogram(edges, rows[0], rows[1], rows[2], bound, least, param)
    return {name: out[name] for name in MEASURED if name in out}
