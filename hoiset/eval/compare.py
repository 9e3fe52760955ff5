"""Did a change make anything worse? Two evaluations of the same truth, figure by figure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoiset.errors import DatasetError
from hoiset.eval.metrics import METRICS

_SLACK = 1e-9


@dataclass(frozen=True)
class Worsened:
    """One figure that is worse than before by more than its interval.

    Attributes:
        name: Of the metric.
        before: Its value before.
        bound: The end of its interval before that it has crossed.
        after: Its value now; ``None`` where there is nothing left to judge.
        unit: Of the values.
    """

    name: str
    before: float
    bound: float
    after: float | None
    unit: str

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        after = "nothing left to judge" if self.after is None else f"{self.after:.4g}{unit}"
        return f"{self.name}: {self.before:.4g}{unit} before (worst in its interval {self.bound:.4g}), now {after}"


def compare(before: str | Path | Mapping[str, Any], after: str | Path | Mapping[str, Any]) -> list[Worsened]:
    """Figures that have worsened by more than their interval.

    A figure has worsened when it is now on the bad side of the interval that it had before, or can no longer be
    computed. Figures that only describe, and those that were not there before, are not looked at. Both evaluations
    must be of the same truth: the interval says how far a figure varies between sets of clips, so that on one set it is
    a wide bound.

    Args:
        before: ``eval.json``, its contents, or a file with the same ``pooled``.
        after: The same of the change.

    Raises:
        DatasetError: A file cannot be read or has no pooled figures.
    """
    old, new = _pooled(before), _pooled(after)
    out = []
    for m in METRICS:
        was, now = old.get(m.name), new.get(m.name)
        if m.better == "neither" or was is None or was["value"] is None:
            continue
        value = None if now is None else now["value"]
        bound = _bound(was, m.better)
        slack = _SLACK * max(1.0, abs(bound))
        worse = value is None or (value < bound - slack if m.better == "higher" else value > bound + slack)
        if worse:
            out.append(Worsened(m.name, was["value"], bound, value, m.unit))
    return out


def _bound(figure: Mapping[str, Any], better: str) -> float:
    """The bad end of a figure's interval; the figure itself where it has none, or lies beyond it."""
    if better == "higher":
        return float(figure["value"] if figure["low"] is None else min(figure["low"], figure["value"]))
    return float(figure["value"] if figure["high"] is None else max(figure["high"], figure["value"]))


def _pooled(evaluation: str | Path | Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    if not isinstance(evaluation, Mapping):
        try:
            evaluation = json.loads(Path(evaluation).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DatasetError(f"cannot read {evaluation}: {error}; expected an eval.json of `hoiset eval`") from error
    pooled = evaluation.get("pooled") if isinstance(evaluation, Mapping) else None
    known = isinstance(pooled, Mapping) and all(
        isinstance(f, Mapping) and {"value", "low", "high"} <= set(f) for f in pooled.values()
    )
    if not known:
        raise DatasetError("found no pooled figures with value, low and high; expected the contents of an eval.json")
    return dict(pooled or {})
