"""Screening: does pass 1 keep what it should, and does each gate stop what it should.

**Convention:** outcomes are the name of the first gate that stops a video, or :data:`PASSES`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from hoiset.eval.definitions.interaction import Counts, confusion

PASSES = "passes"


def kept_counts(pred: Sequence[str], true: Sequence[str]) -> Counts:
    """Counts of the decision "keep": precision is the purity of what passes, recall the yield of what should."""
    return gate_counts(pred, true, PASSES)


def gate_counts(pred: Sequence[str], true: Sequence[str], gate: str) -> Counts:
    """Counts of one gate: a video that it should stop first and does is right.

    A video stopped by another gate than expected is a miss of the expected gate and a false stop of the other.
    """
    found, there = np.array([p == gate for p in pred], bool), np.array([t == gate for t in true], bool)
    return Counts(int((found & there).sum()), int((found & ~there).sum()), int((~found & there).sum()))


def outcome_confusion(pred: Sequence[str], true: Sequence[str], outcomes: Sequence[str]) -> Int[np.ndarray, "C C"]:
    """Confusion matrix over named outcomes, rows = expected and columns = found.

    Raises:
        ValueError: An outcome that is not among ``outcomes``.
    """
    index = {name: i for i, name in enumerate(outcomes)}
    unknown = sorted({*pred, *true} - index.keys())
    if unknown:
        raise ValueError(f"found outcomes {unknown}, expected some of {list(outcomes)}")
    codes = [np.array([index[name] for name in side], np.int64) for side in (pred, true)]
    return confusion(codes[0], codes[1], len(outcomes))
