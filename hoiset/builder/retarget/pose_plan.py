"""The most frames that one arm can reach one after another at its joints' speeds, out of all solutions of each.

A solution follows on another where no joint has to be faster than it can be; frames between them are then given up. The
longest such chain is found exactly, by dynamic programming: whatever lies further back than the slowest joint's whole
range takes is within reach of everything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

MISS_M = 0.0085
"""By how much a solution may miss the position and count, m."""
MISSED, HURRIED = 0.1, 0.01
"""Cost of missing by that much, and of a step at full speed, in frames."""


@dataclass(frozen=True)
class PosePlan:
    """Frames that are reached, ascending, and how.

    Attributes:
        frames: (N,) of those that were given.
        q: (N, dof) rad or m.
        worth: Their number, less what misses and hurry cost.
    """

    frames: Int[np.ndarray, " N"]
    q: Float[np.ndarray, "N dof"]
    worth: float


def plan_poses(
    q: Float[np.ndarray, "T K dof"],
    miss: Float[np.ndarray, "T K"],
    time: Float[np.ndarray, " T"],
    velocity: Float[np.ndarray, " dof"],
    span: Float[np.ndarray, " dof"],
) -> PosePlan:
    """The longest chain of solutions.

    Args:
        q: Solutions of every frame.
        miss: By how much each misses its frame's position, m; infinite for one that does not count.
        time: Ascending, s.
        velocity: Greatest speeds, rad/s or m/s.
        span: Joints' ranges, rad or m.
    """
    of, which = np.nonzero(miss <= MISS_M)
    n = len(of)
    if not n:
        return PosePlan(np.zeros(0, np.int64), np.zeros((0, q.shape[-1])), 0.0)
    rows, own = q[of, which] / velocity, 1.0 - MISSED * miss[of, which] / MISS_M
    starts = np.searchsorted(of, np.arange(len(time) + 1))
    horizon = float((span / velocity).max()) + 1e-9
    oldest = starts[np.searchsorted(time, time - horizon)]
    total, back = own.copy(), np.full(n, -1)
    best, best_at = -np.inf, -1
    passed = 0
    for t in range(len(time)):
        here, since = slice(starts[t], starts[t + 1]), int(oldest[t])
        if here.start == here.stop:
            continue
        if since > passed:
            at = passed + int(total[passed:since].argmax())
            if total[at] > best:
                best, best_at = float(total[at]), at
            passed = since
        if best_at >= 0 and best > 0:
            total[here], back[here] = own[here] + best, best_at
        if since < here.start:
            took = time[t] - time[of[since : here.start]]
            share = np.abs(rows[since : here.start, None] - rows[None, here]).max(-1) / took[:, None]
            value = np.where(share <= 1.0, total[since : here.start, None] - HURRIED * share, -np.inf)
            at = value.argmax(0)
            value = value[at, np.arange(len(at))] + own[here]
            better = value > total[here]
            total[here] = np.where(better, value, total[here])
            back[here] = np.where(better, since + at, back[here])
    chain = [int(total.argmax())]
    while back[chain[-1]] >= 0:
        chain.append(int(back[chain[-1]]))
    chain.reverse()
    return PosePlan(of[chain], q[of[chain], which[chain]], float(total.max()))
