"""Which hands hold an object: the likeliest sequence, given how they touch it and move.

Motion together says held, motion against each other says free, and what all do when they are still says little: it is
settled by what comes before and after, and by whether the object is where it also stands without a hand. If it is not,
somebody holds it. The best path through the four states is found by dynamic programming (Viterbi, 1967).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from hoiset.builder.reconstruct.smoothing import runs

_STATES = np.array([[False, False], [True, False], [False, True], [True, True]])
_TOGETHER = 1.0  # evidence that a hand holds, per s
_APART = -1.0
_BESIDE = -0.5  # the hand moves and the object does not, or neither does before or after all motion together
_STILL = -0.02
_UNTOUCHED = -10.0
_SOMEBODY = 0.3  # that any touching hand holds, while the object has left the places where it stands alone


def held_path(
    touching: Bool[np.ndarray, "T 2"],
    together: Bool[np.ndarray, "T 2"],
    apart: Bool[np.ndarray, "T 2"],
    moving: Bool[np.ndarray, "T"],
    at_rest: Bool[np.ndarray, "T"],
    time: Float[np.ndarray, "T"],
    min_grasp_s: float,
) -> Bool[np.ndarray, "T 2"]:
    """Whether each hand holds one object in each frame.

    Args:
        touching: The hand's fingers are on the silhouette.
        together: Hand and object move, and alike.
        apart: Either moves, and the other does not go along.
        moving: The object moves.
        at_rest: The object is where it also stands while nobody touches it.
        time: s.
        min_grasp_s: Shorter motion together is no grasp.
    """
    still = np.where(moving[:, None], _APART, _BESIDE)
    between = _between(np.any(together, axis=1))
    nothing_moves = np.where(between, _STILL, _BESIDE)[:, None]
    of_hand = np.select([~touching, together, apart], [_UNTOUCHED, _TOGETHER, still], nothing_moves)
    gain = of_hand @ _STATES.T.astype(float)
    gain[:, 1:] += np.where(~at_rest & touching.any(1) & between, _SOMEBODY, 0.0)[:, None]
    period_s = np.gradient(time) if len(time) > 1 else np.zeros(len(time))
    change = 0.5 * _TOGETHER * min_grasp_s * (_STATES[:, None] != _STATES[None]).sum(-1)
    path = _best_path(gain * period_s[:, None], change)
    return np.stack([_moved(_STATES[path, h], together[:, h], period_s, 0.5 * min_grasp_s) for h in range(2)], axis=1)


def _between(together: Bool[np.ndarray, "T"]) -> Bool[np.ndarray, "T"]:
    """From the first motion together to the last: before and after, a hand may only lie beside the object."""
    return np.logical_or.accumulate(together) & np.logical_or.accumulate(together[::-1])[::-1]


def _best_path(gain: Float[np.ndarray, "T S"], change: Float[np.ndarray, "S S"]) -> np.ndarray:
    """The states (T,) with the largest sum of gains less what their changes cost."""
    came_from = np.zeros(gain.shape, int)
    score = np.zeros(gain.shape[1])
    for t, g in enumerate(gain):
        each = score[:, None] - change
        came_from[t] = each.argmax(0)
        score = each.max(0) + g
    path = np.zeros(len(gain), int)
    state = int(score.argmax())
    for t in range(len(gain) - 1, -1, -1):
        path[t], state = state, came_from[t, state]
    return path


def _moved(
    held: Bool[np.ndarray, "T"], together: Bool[np.ndarray, "T"], period_s: Float[np.ndarray, "T"], least_s: float
) -> Bool[np.ndarray, "T"]:
    """Without the spans for which nothing but nearness speaks."""
    out = held.copy()
    for a, b in runs(held):
        out[a:b] = period_s[a:b][together[a:b]].sum() >= least_s
    return out
