"""Pools sums over clips, with intervals from resampling whole clips."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from hoiset.eval import bootstrap
from hoiset.eval.metrics import METRICS, Metric, value_of
from hoiset.eval.tally import Tally, stacked


def pool(tallies: Sequence[Tally], seed: int = 0) -> dict[str, dict[str, Any]]:
    """Every figure over all clips.

    A figure is made from the clips' sums added up; its interval is that of :func:`hoiset.eval.bootstrap.of_sums`.

    Args:
        tallies: One a clip.
        seed: Of the resampling.

    Returns:
        Metric -> value, low, high (``None`` where there is nothing to judge, the interval also with one clip), n
        (items: frames, objects, spans) and clips (those that have any).
    """
    return {m.name: _pooled(stacked(tallies, m.name), m, seed) for m in METRICS}


def _pooled(sums: Float[np.ndarray, "C K"], m: Metric, seed: int) -> dict[str, Any]:
    if not sums.shape[1] or not sums[:, -1].any():
        return {"value": None, "low": None, "high": None, "n": 0, "clips": 0}
    found = bootstrap.of_sums(sums, partial(value_of, m.form), seed=seed)
    return {
        "value": number(found.value * m.scale),
        "low": number(found.low * m.scale),
        "high": number(found.high * m.scale),
        "n": round(float(sums[:, -1].sum())),
        "clips": found.n,
    }


def number(value: float) -> float | None:
    """``None`` for what JSON does not know."""
    return float(value) if np.isfinite(value) else None
