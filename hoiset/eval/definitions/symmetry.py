"""Symmetries of an object's geometry, and rotation errors that respect them.

References: BOP (Hodan et al., "BOP challenge 2020", and "BOP: benchmark for 6D object pose estimation", ECCV 2018) for
the set of symmetry transformations of an object as those that move its surface by at most a share of its diameter;
there they are identified by hand where texture breaks them. Here geometry alone decides: a label on a can does not
break its symmetry.

**Convention:** rotations act in the object's frame about the centroid of its surface.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from hoiset.eval.definitions.hands import rotation_error
from hoiset.eval.definitions.surfaces import diameter, sample_oriented, surface_centroid
from hoiset.geometry import make_T

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

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


_SAMPLES = 40_000
_PROBES = 300
_SAME_RAD = np.radians(10.0)
"""Two symmetries of a finite group are at least 30 degrees apart; nearer ones are the same, found twice."""
_STEPS = 25
_STEP_RAD = 0.2
_AT_REST_RAD = 1e-4
_MAX_GROUP = 60


def symmetries_of(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], tolerance: float = TOLERANCE
) -> Symmetries:
    """Find the rotational symmetries of a mesh from its geometry.

    A rotation is a symmetry when no point of the surface is farther than ``tolerance`` times the diameter from the
    rotated surface, and the other way round; surfaces are sampled so densely that this is exact to about 0.01 of the
    diameter, on the strict side. Axes are looked for where the second moments allow them: along the principal axes,
    in the plane of two alike moments, and everywhere if all three are alike; each find is refined on the surface.

    Args:
        vertices: The mesh in the object's frame, m.
        faces: Its triangles.
        tolerance: Share of the diameter.

    Raises:
        ValueError: The surface has no area.
    """
    surface = _Surface.of(vertices, faces, tolerance)
    radii = np.linalg.norm(surface.points, axis=-1)
    if np.ptp(radii) <= surface.limit_m:
        return Symmetries(sphere=True)
    moments, principal = np.linalg.eigh(surface.points.T @ surface.points)
    for axis in principal.T:
        if surface.round_about(axis):
            return _with_axis(surface, axis)
    group = [np.eye(3)]
    for axis, order in _candidates(moments / moments[-1], principal.T):
        R = surface.refined(_rotation(axis, 2.0 * np.pi / order), group)
        if R is None:
            continue
        if surface.round_about(_axis_of(R)):
            return _with_axis(surface, _axis_of(R))
        group = _closure(surface, [*group, R])
        if len(group) == _MAX_GROUP:
            break
    return Symmetries(np.array(group))


def rotation_error_symmetric(
    R_pred: Float[np.ndarray, "N 3 3"], R_true: Float[np.ndarray, "N 3 3"], symmetries: Symmetries
) -> Float[np.ndarray, "N"]:
    """Least geodesic angle over the symmetries of the true object, rad; 0 for a sphere, NaN for absent poses.

    About a continuous axis that is the angle between the two directions of the axis (Hodan et al., ECCVW 2016).

    Args:
        R_pred: Orientations of the true object's frame (see :func:`align_canonical`).
        R_true: True orientations.
        symmetries: Of the true object.
    """
    R_pred, R_true = np.asarray(R_pred, np.float64), np.asarray(R_true, np.float64)
    if symmetries.sphere:
        return np.where(np.isfinite(rotation_error(R_pred, R_true)), 0.0, np.nan)
    images = R_true[:, None] @ symmetries.discrete
    if symmetries.axis is None:
        return np.asarray(rotation_error(R_pred[:, None], images).min(-1))
    a, b = R_pred[:, None] @ symmetries.axis, images @ symmetries.axis
    # atan2 of sine and cosine: the arc cosine alone loses half the digits of a small angle.
    angle = np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1))
    return np.asarray(angle.min(-1))


def align_canonical(
    R_pred: Float[np.ndarray, "T 3 3"], R_true: Float[np.ndarray, "T 3 3"], symmetries: Symmetries | None = None
) -> Float[np.ndarray, "3 3"]:
    """``R_pred_true``: the one rotation from the true object's frame to the predicted one's that fits a clip best.

    A reconstructed object's axes are a convention of the reconstruction, so the constant offset to the true object's
    axes is solved for: the chordal mean of ``R_pred^T R_true`` over the frames (Hartley et al., "Rotation averaging",
    IJCV 2013), with each frame's truth replaced by whichever of its symmetric copies is nearest to the current mean,
    repeated until nothing changes, from several frames as starts. After ``R_pred @ align_canonical(...)`` the
    predictions are orientations of the *true* object's frame.

    **What the error after it measures:** whether the object *turns* as it does in truth. It is the spread of the
    orientation error about its own mean within one clip. It does not see an error of orientation that is the same in
    all frames: an object that never turns scores 0 however it lies. Such an error shows in the distances of posed
    surfaces (ADD-S, Chamfer), for which no frame has to be shared. Read rotation errors on objects that turn, and
    never align over more than one clip's object.

    Args:
        R_pred: Predicted orientations, NaN where absent.
        R_true: True orientations, NaN where absent.
        symmetries: Of the true object; ``None`` for none.

    Returns:
        The offset; the identity when no frame has both or every rotation is a symmetry.
    """
    symmetries = symmetries or Symmetries()
    R_pred, R_true = np.asarray(R_pred, np.float64), np.asarray(R_true, np.float64)
    both = np.isfinite(R_pred).all((-1, -2)) & np.isfinite(R_true).all((-1, -2))
    if not both.any() or symmetries.sphere:
        return np.eye(3)
    relative = np.swapaxes(R_pred[both], -1, -2) @ R_true[both]
    starts = np.unique(np.linspace(0, len(relative) - 1, 16).round().astype(int))
    best, least = np.eye(3), np.inf
    for start in starts:
        offset = relative[start]
        for _ in range(50):
            nearest = _nearest_copies(relative, offset, symmetries)
            updated = _chordal_mean(nearest)
            done = _apart(updated, offset) < 1e-9
            offset = updated
            if done:
                break
        cost = float(((_nearest_copies(relative, offset, symmetries) - offset) ** 2).sum())
        if cost < least - 1e-12:
            best, least = offset, cost
    return best


def canonical_poses(
    T_pred: Float[np.ndarray, "T 4 4"],
    T_true: Float[np.ndarray, "T 4 4"],
    centroid_pred: Float[np.ndarray, "3"],
    centroid_true: Float[np.ndarray, "3"],
    symmetries: Symmetries | None = None,
) -> Float[np.ndarray, "T 4 4"]:
    """Predicted poses of the true object's frame: rotation as :func:`align_canonical`, centroids made to coincide.

    For ADD of a reconstruction. Nothing but the constant rotation is fitted: the translation follows from the two
    meshes' own centroids. Of an object with symmetries the poses may be those of a symmetric copy: take ADD-S.

    Args:
        T_pred: Poses of the predicted object's frame in the camera frame, NaN where absent.
        T_true: Poses of the true object's frame.
        centroid_pred: ``surface_centroid`` of the predicted mesh, in its frame, m.
        centroid_true: ``surface_centroid`` of the true mesh, in its frame, m.
        symmetries: Of the true object.
    """
    T_pred, T_true = np.asarray(T_pred, np.float64), np.asarray(T_true, np.float64)
    R = align_canonical(T_pred[:, :3, :3], T_true[:, :3, :3], symmetries)
    return np.asarray(T_pred @ make_T(R, np.asarray(centroid_pred) - R @ np.asarray(centroid_true)))


@dataclass(frozen=True)
class _Surface:
    """A densely sampled surface about its centroid.

    Attributes:
        points: (N, 3) samples.
        normals: (N, 3) of the surface there.
        probes: (P, 3) some of them, spread over the surface.
        tree: Of the points.
        limit_m: By how much a symmetry may move the surface.
        diameter_m: Of the mesh.
    """

    points: Float[np.ndarray, "N 3"]
    normals: Float[np.ndarray, "N 3"]
    probes: Float[np.ndarray, "P 3"]
    tree: cKDTree
    limit_m: float
    diameter_m: float

    @classmethod
    def of(cls, vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], tolerance: float) -> _Surface:
        from scipy.spatial import cKDTree

        points, normals = sample_oriented(vertices, faces, _SAMPLES)
        points = points - surface_centroid(vertices, faces)
        # Every k-th sample is spread by area; the farthest ones are where a turn moves the surface most.
        far = np.argsort(-np.linalg.norm(points, axis=-1), kind="stable")[:: _SAMPLES // (10 * _PROBES)][:_PROBES]
        probes = np.concatenate([points[:: _SAMPLES // _PROBES], points[far]])
        size = diameter(vertices)
        return cls(points, normals, probes, cKDTree(points), tolerance * size, size)

    def moved(self, R: Float[np.ndarray, "3 3"], probes: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "Q"]:
        """Distances between the surface and itself turned by R, both ways, m."""
        return np.asarray(self.tree.query(np.concatenate([probes @ R.T, probes @ R]))[0])

    def holds(self, R: Float[np.ndarray, "3 3"]) -> bool:
        """Whether R is a symmetry."""
        few = self.probes[::12]
        return bool(self.moved(R, few).max() <= self.limit_m and self.moved(R, self.probes).max() <= self.limit_m)

    def round_about(self, axis: Float[np.ndarray, "3"]) -> bool:
        """Whether every turn about an axis is a symmetry: angles that no low order has."""
        golden = np.pi * (3.0 - np.sqrt(5.0))
        return all(self.holds(_rotation(axis, golden * k)) for k in range(1, 9))

    def refined(
        self, R: Float[np.ndarray, "3 3"], known: list[Float[np.ndarray, "3 3"]]
    ) -> Float[np.ndarray, "3 3"] | None:
        """The symmetry near R, by iterated closest points about the centroid.

        ``None`` when there is none or it is one of the known ones. It must be where the iteration comes to rest: part
        of the way to a symmetry, a slender body may well be within the limit.
        """
        if any(_apart(R, other) < _SAME_RAD for other in known):
            return None
        if np.sqrt((self.moved(R, self.probes[::6]) ** 2).mean()) > 0.05 * self.diameter_m:
            return None
        for _ in range(_STEPS):
            start, R = R, self.step(R)
            if any(_apart(R, other) < _SAME_RAD for other in known):
                return None
            if _apart(start, R) < _AT_REST_RAD:
                return R if self.holds(R) else None
        return None

    def step(self, R: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
        """One damped Gauss-Newton step of the distances to the nearest tangent planes (Chen and Medioni, 1992)."""
        probes = self.probes[::4] @ R.T
        nearest = self.tree.query(probes)[1]
        normals = self.normals[nearest]
        gap = ((probes - self.points[nearest]) * normals).sum(-1)
        lever = np.cross(probes, normals)
        damping = 1e-3 * float((lever**2).sum()) / 3.0
        turn = np.linalg.solve(lever.T @ lever + damping * np.eye(3), -lever.T @ gap)
        angle = float(np.linalg.norm(turn))
        if angle < 1e-12:
            return R
        return np.asarray(_rotation(turn / angle, min(angle, _STEP_RAD)) @ R)


def _candidates(
    moments: Float[np.ndarray, "3"], principal: Float[np.ndarray, "3 3"]
) -> list[tuple[Float[np.ndarray, "3"], int]]:
    """Axes and orders that relative second moments (ascending, greatest 1) allow; principal axes as rows.

    A turn by less than half a circle needs two alike moments across its axis, and an axis of order 2 that is not
    principal two alike moments in its plane. Alike is taken generously: a candidate that is none costs a test.
    """
    low, high = moments[1] - moments[0] < 0.2, moments[2] - moments[1] < 0.2
    if low and high:
        axes = [*principal, *_half_sphere(150)]
        return [(axis, order) for order in range(2, 6) for axis in axes]
    half_turns = [(axis, 2) for axis in principal]
    if not (low or high):
        return half_turns
    lone = 2 if low else 0
    a, b = np.delete(principal, lone, axis=0)
    turn = np.radians(np.arange(0.0, 180.0, 3.0))[:, None]
    across = np.cos(turn) * a + np.sin(turn) * b
    along = [(principal[lone], order) for order in range(MAX_ORDER, 2, -1)]
    return [*along, *half_turns, *((axis, 2) for axis in across)]


def _half_sphere(n: int) -> Float[np.ndarray, "n 3"]:
    """Directions spread evenly over a half sphere (Fibonacci lattice)."""
    z = (np.arange(n) + 0.5) / n
    turn = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(n)
    flat = np.sqrt(1.0 - z**2)
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), z], -1)


def _with_axis(surface: _Surface, axis: Float[np.ndarray, "3"]) -> Symmetries:
    """The symmetries of a body of revolution: its axis, and the half turn across it if that is one."""
    across = np.cross(axis, np.eye(3)[int(np.argmin(np.abs(axis)))])
    flip = _rotation(across / np.linalg.norm(across), np.pi)
    discrete = [np.eye(3), flip] if surface.holds(flip) else [np.eye(3)]
    return Symmetries(np.array(discrete), axis)


def _closure(surface: _Surface, found: list[Float[np.ndarray, "3 3"]]) -> list[Float[np.ndarray, "3 3"]]:
    """All products of rotations that hold, the first (the identity) first; finite groups of solids have at most 60."""
    group = list(found)
    for a in group:  # Grows while it is walked through.
        for b in found:
            product = surface.step(_nearest_rotation(a @ b))
            new = len(group) < _MAX_GROUP and all(_apart(product, other) >= _SAME_RAD for other in group)
            if new and surface.holds(product):
                group.append(product)
    return group


def _nearest_copies(
    relative: Float[np.ndarray, "T 3 3"], offset: Float[np.ndarray, "3 3"], symmetries: Symmetries
) -> Float[np.ndarray, "T 3 3"]:
    """Each relative rotation times the symmetry that brings it nearest to the offset."""
    copies = relative[:, None] @ symmetries.discrete
    if symmetries.axis is not None:
        Q = np.swapaxes(copies, -1, -2) @ offset
        skew = np.stack([Q[..., 2, 1] - Q[..., 1, 2], Q[..., 0, 2] - Q[..., 2, 0], Q[..., 1, 0] - Q[..., 0, 1]], -1)
        along = np.einsum("i,...ij,j->...", symmetries.axis, Q, symmetries.axis)
        angle = np.arctan2(skew @ symmetries.axis, np.trace(Q, axis1=-2, axis2=-1) - along)
        copies = copies @ _rotation(symmetries.axis, angle)
    nearest = np.einsum("tgij,ij->tg", copies, offset).argmax(-1)
    return np.asarray(copies[np.arange(len(copies)), nearest])


def _rotation(axis: Float[np.ndarray, "3"], angle: float | Float[np.ndarray, "*B"]) -> Float[np.ndarray, "*B 3 3"]:
    """Rotation about a unit axis by angles, rad (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = np.asarray(angle, np.float64)[..., None, None]
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross))


def _axis_of(R: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3"]:
    """The unit axis of a rotation that is not the identity."""
    values, vectors = np.linalg.eigh((R + R.T) / 2.0)
    return np.asarray(vectors[:, int(np.argmax(values))])


def _chordal_mean(R: Float[np.ndarray, "N 3 3"]) -> Float[np.ndarray, "3 3"]:
    return _nearest_rotation(R.sum(0))


def _nearest_rotation(M: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    U, _, Vt = np.linalg.svd(M)
    return np.asarray((U * np.array([1.0, 1.0, np.linalg.det(U @ Vt)])) @ Vt)


def _apart(a: Float[np.ndarray, "3 3"], b: Float[np.ndarray, "3 3"]) -> float:
    """Angle between two rotations, rad; from the chord, so that small angles keep their digits."""
    return float(2.0 * np.arcsin(min(1.0, float(np.linalg.norm(a - b)) / np.sqrt(8.0))))
