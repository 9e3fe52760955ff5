"""Gaps in time that are short enough to be bridged."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float


def bridged(
    there: Bool[np.ndarray, " T"], good: Bool[np.ndarray, " T"], time: Float[np.ndarray, " T"], gap_s: float
) -> Bool[np.ndarray, " T"]:
    """Frames where nothing is there, between good frames that are no further apart than ``gap_s``."""
    out = np.zeros(len(there), bool)
    for before, after in pairwise(np.flatnonzero(there)):
        if after > before + 1 and good[before] and good[after] and time[after] - time[before] <= gap_s:
            out[before + 1 : after] = True
    return out
