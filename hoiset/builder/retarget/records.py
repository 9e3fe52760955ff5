"""What goes into retargeting and what comes out.

**Convention:** the wrist frame is the schema's (origin at the wrist, y towards the fingertips, z out of the palm), and
a robot's arm carries a tool frame of the same meaning, so a target is ``T_root_wrist`` as it stands. Targets are never
shifted, scaled or recentred: hands keep their relation to each other and to the objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoiset.shards.schema import RobotSource as RobotSource

HANDS = ("left", "right")


@dataclass(frozen=True)
class HandMotion:
    """Hands of one clip.

    Attributes:
        time: (T,) s, ascending.
        wrist: ``T_camera_wrist`` (T, 2, 4, 4), m; left, right; NaN where absent.
        joints: (T, 2, 21, 3) m, camera frame; NaN where absent.
        gravity: (3,) unit vector in the camera frame, ``None`` where unknown.
    """

    time: Float[np.ndarray, " T"]
    wrist: Float[np.ndarray, "T 2 4 4"]
    joints: Float[np.ndarray, "T 2 21 3"]
    gravity: Float[np.ndarray, "3"] | None = None

    @property
    def seen(self) -> Bool[np.ndarray, "T 2"]:
        """Whether there is a hand."""
        return np.asarray(np.isfinite(self.wrist).all((-1, -2)))


@dataclass(frozen=True)
class RobotMotion:
    """A robot's trajectory for one clip.

    Attributes:
        robot: Its name.
        joints: Names of its positions, in order.
        q: (T, dof) rad or m, in the order of ``Robot.dofs``; NaN where the arm has nothing to follow.
        root: ``T_camera_root`` (T, 4, 4), m.
        source: :class:`RobotSource` by arm's side, (T, 2); 0 for a side that the robot has no arm for. Interpolated are
            frames between converged ones at most 0.25 s apart, whether or not there was a target.
        residual: (T, 2, 2): distance of the tool from its target, m, and angle, rad (of the axis alone for an arm of
            fewer than six joints); NaN where there is no target.
        report: What chose the root and how well the trajectory is, plain values fit for JSON.
    """

    robot: str
    joints: tuple[str, ...]
    q: Float[np.ndarray, "T dof"]
    root: Float[np.ndarray, "T 4 4"]
    source: UInt8[np.ndarray, "T 2"]
    residual: Float[np.ndarray, "T 2 2"]
    report: dict[str, Any] = field(default_factory=dict)
