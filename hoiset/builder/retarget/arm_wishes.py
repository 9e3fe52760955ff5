"""What arms wish of a trajectory: to stand at targets and keep off each other, in some frames less than in others."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from hoiset.builder.retarget.collision import Collisions
from hoiset.builder.retarget.reach import Reach
from hoiset.builder.retarget.tracking import Tracking, residuals, tolerances
from hoiset.builder.retarget.trajectory import Terms, Wishes

HELD, EASED = np.array([0.6, 0.6]), np.array([3.0, 10.0])
"""How many times wider tolerances of position and angle are taken in frames that are to be reached, and in others: in
these the position is still followed, the axis less."""
NEAR = 1.6
"""Tolerances within which a frame may still be reached."""


def arm_wishes(
    reach: Reach,
    targets: Float[np.ndarray, "T A 4 4"],
    collisions: Collisions | None,
    ease: Float[np.ndarray, "T A 2"] | None = None,
) -> Wishes:
    """Targets and, where there are any, collisions; ``ease`` as :class:`Tracking` has it."""
    tracking = Tracking(reach, targets, ease=ease)
    if collisions is None:
        return tracking

    def both(q: np.ndarray, rows: np.ndarray) -> Terms:
        (c, g, H), (c_apart, g_apart, H_apart) = tracking(q, rows), collisions(q, rows)
        return c + c_apart, g + g_apart, H + H_apart

    return both


def ease_of(
    reach: Reach, q: Float[np.ndarray, "T dof"], targets: Float[np.ndarray, "T A 4 4"]
) -> Float[np.ndarray, "T A 2"] | None:
    """How much easier frames are to be taken that are far outside of tolerance, so that others come inside.

    ``None``, all alike, for arms that follow whole poses.
    """
    if "pose" in reach.tasks:
        return None
    far = (residuals(reach, q, targets) > NEAR * tolerances(reach)).any(-1)
    return np.asarray(np.where(np.asarray(far)[..., None], EASED, HELD))


def n_reached(reach: Reach, q: Float[np.ndarray, "T dof"], targets: Float[np.ndarray, "T A 4 4"]) -> tuple[int, float]:
    """How many targets are within tolerance, and minus the sum of all distances, m: more is better."""
    e = residuals(reach, q, targets)
    return int((e <= tolerances(reach)).all(-1).sum()), -float(np.nansum(e[..., 0]))
