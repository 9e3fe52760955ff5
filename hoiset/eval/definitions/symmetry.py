"""Symmetries of an object's geometry, and rotation errors that respect them.

References: BOP (Hodan et al., "BOP challenge 2020", and "BOP: benchmark for 6D object pose estimation", ECCV 2018) for
the set of symmetry transformations of an object as those that move its surface by at most a share of its diameter;
there they are identified by hand where texture breaks them. Here geometry alone decides: a label on a can does not
break its symmetry.

**Convention:** rotations act in the object's frame about the centroid of its surface.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from hoiset.eval.definitions.hands import rotation_error
from hoiset.eval.definitions.objects import diameter, sample_surface, surface_centroid
from hoiset.geometry import make_T

TOLERANCE = 0.03
"""Share of the diameter by which a symmetry may move the surface; BOP allows 0.1 (or 15 mm)."""

MAX_ORDER = 8
"""Highest order of a discrete axis that is looked for: a finer regular prism is round within a few per cent."""


@dataclass(frozen=True)
class Symmetries:
    """Rotations about the centroid that leave a surface where it is, to within a tolerance.

    The whole group is every ``discrete`` rotation after every rotation about ``axis``; all rotations for a sphere.

    Attributes:
        discrete: (G, 3, 3), the identity first.
        axis: Unit vector of a continuous axis in the object's frame, or ``None``.
        sphere: Whether every rotation is a symmetry.
    """

    discrete: Float[np.ndarray, "G 3 3"] = field(default_factory=lambda: np.eye(3)[None])
    axis: Float[np.ndarray, "3"] | None = None
    sphere: bool = False

    @property
    def trivial(self) -> bool:
        """Whether there is no symmetry at all."""
        return not self.sphere and self.axis is None and len(self.discrete) == 1


def symmetries_of(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], tolerance: float = TOLERANCE
) -> Symmetries:
    """Find the rotational symmetries of a mesh from its geometry.

    A rotation is a symmetry when no point of the surface is farther than ``tolerance`` times the diameter from the
    rotated surface, and the other way round.
    """
    raise NotImplementedError


def rotation_error_symmetric(
    R_pred: Float[np.ndarray, "N 3 3"], R_true: Float[np.ndarray, "N 3 3"], symmetries: Symmetries
) -> Float[np.ndarray, "N"]:
    """Least geodesic angle over the symmetries of the true object, rad; 0 for a sphere, NaN for absent poses."""
    raise NotImplementedError


def align_canonical(
    R_pred: Float[np.ndarray, "T 3 3"], R_true: Float[np.ndarray, "T 3 3"], symmetries: Symmetries | None = None
) -> Float[np.ndarray, "3 3"]:
    """``R_pred_true``: the one rotation from the true object's frame to the predicted one's that fits a clip best.

    After ``R_pred @ align_canonical(...)`` the predictions are orientations of the *true* object's frame.
    """
    raise NotImplementedError


def canonical_poses(
    T_pred: Float[np.ndarray, "T 4 4"],
    T_true: Float[np.ndarray, "T 4 4"],
    centroid_pred: Float[np.ndarray, "3"],
    centroid_true: Float[np.ndarray, "3"],
    symmetries: Symmetries | None = None,
) -> Float[np.ndarray, "T 4 4"]:
    """Predicted poses of the true object's frame: rotation as :func:`align_canonical`, centroids made to coincide."""
    raise NotImplementedError
