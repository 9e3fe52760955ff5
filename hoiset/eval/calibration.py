"""Is a clip's own quality score worth filtering on? Errors against the score that the build gave itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from hoiset.eval.bootstrap import LEVEL, RESAMPLES, resample_weights
from hoiset.eval.pooling import number

ERRORS = (
    "hand_root_relative_mpjpe_mm",
    "wrist_depth_error_percent",
    "object_translation_mm",
    "object_rotation_deg",
    "object_missed",
    "state_wrong",
)
"""Errors that the score should foretell; ``object_missed`` and ``state_wrong`` are 1 - recall and 1 - accuracy."""
LEAST = 6
"""A clip for each end of three thirds; with fewer nothing is said."""


@dataclass(frozen=True)
class Scored:
    """One sample of a build.

    Attributes:
        clip: Number of its true clip: samples of one clip are resampled together.
        score: ``quality.score``.
        errors: Error -> value; NaN where there is nothing to judge.
    """

    clip: int
    score: float
    errors: dict[str, float]


def errors_of(figures: dict[str, float]) -> dict[str, float]:
    """The errors of :data:`ERRORS` from a sample's figures."""
    derived = {
        "object_missed": 1.0 - figures["object_time_recall"],
        "state_wrong": 1.0 - figures["state_accuracy"],
    }
    return {name: derived[name] if name in derived else figures[name] for name in ERRORS}


def calibrate(samples: Sequence[Scored], seed: int = 0) -> dict[str, Any]:
    """Every error against the score.

    Returns:
        Error -> n, ``spearman`` (value, low, high: rank correlation, negative where a higher score means less error),
        ``thirds`` (mean error by third of the score, worst first), ``risk_coverage`` (mean error of the best-scored
        share of samples), ``risk`` and ``half_risk`` (mean error of all samples and of the better-scored half), and
        ``worth_filtering`` (whether the correlation's interval lies below 0; ``None`` with too few samples).
    """
    return {name: _against(samples, name, seed) for name in ERRORS}


def _against(samples: Sequence[Scored], name: str, seed: int) -> dict[str, Any]:
    kept = [s for s in samples if np.isfinite(s.errors[name]) and np.isfinite(s.score)]
    score, error = np.array([s.score for s in kept]), np.array([s.errors[name] for s in kept])
    if len(kept) < LEAST:
        return {"n": len(kept), "spearman": None, "worth_filtering": None}
    order = np.argsort(-score, kind="stable")
    risk = np.cumsum(error[order]) / np.arange(1, len(order) + 1)
    value = float(spearman(score, error, np.ones((1, len(kept)), int))[0])
    low, high = _interval(score, error, np.array([s.clip for s in kept]), seed)
    return {
        "n": len(kept),
        "spearman": {"value": number(value), "low": number(low), "high": number(high)},
        "thirds": [_third(score[part], error[part]) for part in np.array_split(order[::-1], 3)],
        "risk_coverage": [
            {"coverage": (i + 1) / len(order), "score": float(score[order[i]]), "risk": float(risk[i])}
            for i in range(len(order))
        ],
        "risk": float(error.mean()),
        "half_risk": float(risk[(len(order) + 1) // 2 - 1]),
        "worth_filtering": bool(high < 0) if np.isfinite(high) else None,
    }


def spearman(
    a: Float[np.ndarray, "N"], b: Float[np.ndarray, "N"], weights: Int[np.ndarray, "B N"]
) -> Float[np.ndarray, "B"]:
    """Rank correlation of values that occur ``weights`` times each, ties given their mean rank.

    NaN where one of the two does not vary.
    """
    ranks = []
    for x in (a, b):
        below = (x[:, None] < x[None]) + 0.5 * (x[:, None] == x[None])
        rank = weights @ below
        ranks.append(rank - 0.5 * weights.sum(1, keepdims=True))
    size = np.sqrt((weights * ranks[0] ** 2).sum(1) * (weights * ranks[1] ** 2).sum(1))
    product = (weights * ranks[0] * ranks[1]).sum(1)
    return np.divide(product, size, out=np.full(len(weights), np.nan), where=size > 1e-9)


def _interval(
    score: Float[np.ndarray, "N"], error: Float[np.ndarray, "N"], clip: Int[np.ndarray, "N"], seed: int
) -> tuple[float, float]:
    """Interval of the correlation on clips drawn with replacement; NaN where it cannot be computed."""
    _, member = np.unique(clip, return_inverse=True)
    drawn = spearman(score, error, resample_weights(int(member.max()) + 1, RESAMPLES, seed)[:, member])
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _third(score: np.ndarray, error: np.ndarray) -> dict[str, Any]:
    return {
        "n": len(score),
        "score_low": float(score.min()),
        "score_high": float(score.max()),
        "error": float(error.mean()),
    }
