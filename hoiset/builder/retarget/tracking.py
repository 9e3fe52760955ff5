"""What arms wish of a trajectory: their tools at their targets, measured in tolerances."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

from hoiset.builder.retarget.reach import Reach
from hoiset.builder.retarget.robust import robust_rows
from hoiset.builder.retarget.serial import turn_onto
from hoiset.builder.retarget.trajectory import Terms

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
        ease: (T, A, 2) how many times wider tolerances of position and angle are taken; a wider one pulls less.
    """

    def __init__(
        self,
        reach: Reach,
        targets: Float[np.ndarray, "*B T A 4 4"],
        knee: float = KNEE,
        ease: Float[np.ndarray, "T A 2"] | None = None,
    ) -> None:
        self.reach, self.knee = reach, knee
        targets = np.asarray(targets, np.float64)
        self._alike = targets.ndim == 4
        # Arm, axis of the target, coordinate, trajectory, frame.
        last = np.moveaxis(targets[None] if self._alike else targets, (2, 4, 3), (0, 1, 2))
        self._position = np.ascontiguousarray(last[:, 3, :3])
        self._rotation = np.ascontiguousarray(last[:, :3, :3])
        self._unit = tolerances(reach).reshape(-1, 1)
        if ease is not None:
            self._unit = self._unit * np.moveaxis(ease, 0, -1).reshape(len(self._unit), -1)

    def __call__(self, q: Float[np.ndarray, "B T dof"], rows: Int[np.ndarray, " B"]) -> Terms:
        """Cost, slope and curvature of every frame, see :func:`robust_rows`."""
        B, T, n = q.shape
        found = self.reach.serial.tools(np.ascontiguousarray(q.reshape(-1, n).T))
        A = len(self.reach.tasks)
        e = np.empty((A, 2, 3, B * T))
        if self._alike:
            np.subtract(self._position, found.position.reshape(A, 3, B, T), out=e[:, 0].reshape(A, 3, B, T))
        else:
            np.subtract(self._position[:, :, rows].reshape(A, 3, -1), found.position, out=e[:, 0])
        for arm, task in enumerate(self.reach.tasks):
            own, wanted = found.rotation[arm], self._rotation[arm]
            if task != "pose":
                axis = "xyz".index(task)
                own, wanted = own[axis, None], wanted[axis, None]
            wanted = np.broadcast_to(wanted, (*wanted.shape[:2], B, T)) if self._alike else wanted[:, :, rows]
            e[arm, 1] = turn_onto(own, wanted.reshape(own.shape))
            if task != "pose":
                turn = found.slope[arm, 3:]
                turn -= own[0][:, None] * np.einsum("cn,cdn->dn", own[0], turn)
        J = found.slope.reshape(1, 2 * A, 3, n, B * T)
        unit = self._unit if self._unit.shape[1] == 1 else np.tile(self._unit, B)
        cost, g, H = robust_rows(e.reshape(1, 2 * A, 3, B * T), J, unit, self.knee)
        return cost.reshape(B, T), g.reshape(B, T, n), H.reshape(B, T, n, n)


def residuals(
    reach: Reach, q: Float[np.ndarray, "*B T dof"], targets: Float[np.ndarray, "*B T A 4 4"]
) -> Float[np.ndarray, "*B T A 2"]:
    """Distance, m, and angle, rad (of the axis where the task is one), of every tool from its target; NaN for none."""
    e = reach.errors(reach.tools(q), targets)
    return np.sqrt((e.reshape(*e.shape[:-1], 2, 3) ** 2).sum(-1))
