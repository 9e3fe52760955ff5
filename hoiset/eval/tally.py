"""Sums from which figures are made: added up over the parts of a clip, pooled over clips.

A tally maps the name of a metric to its sums (:mod:`hoiset.eval.metrics`) followed by a count of items; it may hold
other vectors, too, which are added up likewise (curves).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Float

from hoiset.eval.metrics import METRICS, value_of

Tally = Mapping[str, Float[np.ndarray, "K"]]


def mean_of(values: Float[np.ndarray, "*B"], weight: float = 1.0) -> Float[np.ndarray, "3"]:
    """Sums of a mean over the finite values, each with one weight: weighted sum, weight, count."""
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    return np.array([weight * values.sum(), weight * len(values), len(values)])


def share_of(part: np.ndarray | float, whole: np.ndarray | float, weight: float = 1.0) -> Float[np.ndarray, "3"]:
    """Sums of a share: how much of the whole, the whole, and its count."""
    above, below = float(np.sum(part)), float(np.sum(whole))
    return np.array([weight * above, weight * below, below])


def add(*tallies: Tally) -> dict[str, np.ndarray]:
    """Sum of tallies; what one lacks counts as nothing."""
    out: dict[str, np.ndarray] = {}
    for tally in tallies:
        for name, sums in tally.items():
            out[name] = out[name] + sums if name in out else sums
    return out


def figures(tally: Tally) -> dict[str, float]:
    """Every metric of a tally in its own unit; NaN where there is nothing to judge."""
    out = {}
    for m in METRICS:
        sums = tally.get(m.name)
        out[m.name] = float("nan") if sums is None else float(value_of(m.form, sums)) * m.scale
    return out


def stacked(tallies: Iterable[Tally], name: str) -> Float[np.ndarray, "C K"]:
    """One metric's sums of every clip, zeros where a clip has none; (C, 0) where none has any."""
    rows = [t.get(name) for t in tallies]
    width = max((len(r) for r in rows if r is not None), default=0)
    return np.array([np.zeros(width) if r is None else r for r in rows]).reshape(len(rows), width)
