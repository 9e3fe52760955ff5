"""What arms wish of a trajectory: their tools at their targets, measured in tolerances."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

from hoiset.builder.retarget.reach import Reach
from hoiset.builder.retarget.trajectory import Terms, robust_terms

POSITION_M, ANGLE_RAD, AXIS_RAD = 0.01, math.radians(3.0), math.radians(5.0)
"""Within these a pose, or a position and one axis, counts as reached."""
KNEE = 1.0
"""Tolerances from which on an error pulls no harder: frames out of reach leave their neighbours alone."""


def tolerances(reach: Reach) -> Float[np.ndarray, "A 2"]:
    """Of every arm, m and rad."""
    return np.array([[POSITION_M, ANGLE_RAD if task == "pose" else AXIS_RAD] for task in reach.tasks])


class Tracking:
    """Wishes (:data:`hoiset.builder.retarget.trajectory.Wishes`) to stand at targets.

    Args:
        reach: The arms.
        targets: ``T_root_tool`` (T, A, 4, 4) for all trajectories, or (B, T, A, 4, 4); NaN for none.
        knee: Tolerances from which on an error pulls no harder.
    """

    def __init__(self, reach: Reach, targets: Float[np.ndarray, "*B T A 4 4"], knee: float = KNEE) -> None:
        self.reach, self.targets, self.knee = reach, np.asarray(targets, np.float64), knee
        self._units = np.repeat(1 / tolerances(reach), 3, -1)

    def __call__(self, q: Float[np.ndarray, "B T dof"], rows: Int[np.ndarray, " B"]) -> Terms:
        """Cost, slope and curvature of every frame, see :func:`robust_terms`."""
        targets = self.targets if self.targets.ndim == 4 else self.targets[rows]
        T, J = self.reach.tools_and_jacobian(q)
        e = self.reach.errors(T, targets) * self._units
        J = self.reach.slopes(T, J) * self._units[..., None]
        blocks = (*q.shape[:2], 2 * e.shape[-2], 3)
        return robust_terms(e.reshape(blocks), J.reshape(*blocks, q.shape[-1]), self.knee)


def residuals(
    reach: Reach, q: Float[np.ndarray, "*B T dof"], targets: Float[np.ndarray, "*B T A 4 4"]
) -> Float[np.ndarray, "*B T A 2"]:
    """Distance, m, and angle, rad (of the axis where the task is one), of every tool from its target; NaN for none."""
    e = reach.errors(reach.tools(q), targets)
    return np.sqrt((e.reshape(*e.shape[:-1], 2, 3) ** 2).sum(-1))
