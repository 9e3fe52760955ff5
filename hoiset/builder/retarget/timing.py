"""Gaps that are short enough to be bridged, sparse frames, and what lies between them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int

SPARSE_S = 0.1
"""Step between sparse frames, s: starts are solved for on these; where the best leads all frames start from."""


def bridged(
    there: Bool[np.ndarray, " T"], good: Bool[np.ndarray, " T"], time: Float[np.ndarray, " T"], gap_s: float
) -> Bool[np.ndarray, " T"]:
    """Frames where nothing is there, between good frames that are no further apart than ``gap_s``."""
    out = np.zeros(len(there), bool)
    for before, after in pairwise(np.flatnonzero(there)):
        if after > before + 1 and good[before] and good[after] and time[after] - time[before] <= gap_s:
            out[before + 1 : after] = True
    return out


def sparse(time: Float[np.ndarray, " T"]) -> Int[np.ndarray, " N"]:
    """Frames about :data:`SPARSE_S` apart, the first and the last among them."""
    steps = np.arange(time[0], time[-1], SPARSE_S)
    return np.unique(np.append(np.searchsorted(time, steps), len(time) - 1))


def spread(
    time: Float[np.ndarray, " T"], known: Float[np.ndarray, " N"], q: Float[np.ndarray, "N dof"]
) -> Float[np.ndarray, "T dof"]:
    """Positions at all times between those at known ones."""
    return np.stack([np.interp(time, known, column) for column in q.T], -1)
