"""Soft terms that keep a robot's arms out of each other, out of its body and above a table.

The robot's simple shapes are taken as they are drawn: spheres and capsules (cylinders as capsules) exactly, a box
against another shape by its signed distance from points along that shape's axis. Fingers and jaws are left out, for
they move after the arms do, and so are links that a joint holds together, links whose contacts the robot's file
excludes, and shapes that overlap at home.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field

from hoiset.builder.params import Params
from hoiset.builder.retarget.kinematics import Kinematics
from hoiset.builder.retarget.mjspec import adjacent_links
from hoiset.builder.retarget.reach import Reach, arms_of
from hoiset.builder.retarget.robot import Robot, Shape
from hoiset.builder.retarget.trajectory import Terms

POINTS = 4
"""Points along an axis that are held against a box."""


class CollisionParams(Params):
    """How hard shapes push each other away."""

    margin_m: float = Field(0.005, ge=0)
    """Distance from which on shapes push."""
    unit_m: float = Field(0.01, gt=0)
    """Depth that weighs as much as a tool one tolerance from its target."""


@dataclass(frozen=True)
class _Contacts:
    """Points of shapes that are near each other.

    ``row`` (N,) trajectory's frame, ``distance`` (N,) m, ``links`` (N, 2) whose shapes they are, -1 for the table,
    ``points`` (N, 2, 3) on them and ``normal`` (N, 3) from the second to the first, root frame.
    """

    row: Int[np.ndarray, " N"]
    distance: Float[np.ndarray, " N"]
    links: Int[np.ndarray, "N 2"]
    points: Float[np.ndarray, "N 2 3"]
    normal: Float[np.ndarray, "N 3"]


class Collisions:
    """Wishes (:data:`hoiset.builder.retarget.trajectory.Wishes`) of a robot's shapes to stay apart.

    Args:
        robot: The robot.
        reach: The arms whose joints are free; those in front of them stay at home.
        table: (4,) unit normal in the root frame and offset, m: the table is where normal . x < offset.
        params: Margin and weight.
    """

    def __init__(
        self,
        robot: Robot,
        reach: Reach,
        table: Float[np.ndarray, "4"] | None = None,
        params: CollisionParams | None = None,
    ) -> None:
        self.params, self.table = params or CollisionParams(), table
        names = [robot.dofs[place].name for place in reach.dofs]
        base = {joint.name for arm in arms_of(robot) for joint in robot.path(robot.root, arm.base)}
        known = base | set(names)
        shapes = [shape for shape in robot.shapes if shape.collides and _carried(robot, shape.link) <= known]
        self._links = sorted({shape.link for shape in shapes}, key=robot.links.index)
        wanted = {joint.name for link in self._links for joint in robot.path(robot.root, link)}
        joints = tuple(joint for joint in robot.joints if joint.name in wanted)
        self._kinematics = Kinematics(robot, robot.root, joints)
        self._free = np.array([joint.name in names for joint in self._kinematics.dofs], bool)
        dofs = [joint for joint in self._kinematics.dofs if joint.name in names]
        self._columns = np.array([names.index(joint.name) for joint in dofs], np.int64)
        at = self._kinematics.links.index
        self._place = np.array([at(link) for link in self._links], np.int64)
        self._turning = np.array([at(joint.child) for joint in dofs], np.int64)
        self._axis = np.array([joint.axis for joint in dofs])
        self._slides = np.array([joint.kind == "prismatic" for joint in dofs])
        self._moves = np.zeros((len(self._links) + 1, len(names)), bool)
        for row, link in enumerate(self._links):
            self._moves[row, [names.index(name) for name in _carried(robot, link) if name in names]] = True
        self._of = np.array([self._links.index(shape.link) for shape in shapes], np.int64)
        self._ends = np.array([_ends(shape) for shape in shapes]).reshape(-1, 2, 3)
        self._radius = np.array([_radius(shape) for shape in shapes])
        self._box = np.array([shape.kind == "box" for shape in shapes], bool)
        self._half = np.array([shape.size if shape.kind == "box" else (0.0,) * 3 for shape in shapes]).reshape(-1, 3)
        self._frame = np.array([shape.pose.matrix for shape in shapes]).reshape(-1, 4, 4)
        axis = np.linalg.norm(self._ends[:, 0] - self._ends[:, 1], axis=-1) / 2 + self._radius
        self._bound = np.where(self._box, np.linalg.norm(self._half, axis=-1), axis)
        self._round, self._flat = self._pairs(robot, reach.home[None])

    @property
    def pairs(self) -> int:
        """How many pairs of shapes are held against each other."""
        return len(self._round) + len(self._flat)

    def depth(self, q: Float[np.ndarray, "*B dof"]) -> Float[np.ndarray, "*B"]:
        """Greatest depth of a shape in another or in the table, m; 0 where all are apart."""
        rows = np.asarray(q, np.float64).reshape(-1, np.shape(q)[-1])
        found = self._contacts(self._forward(rows), 0.0)
        out = np.zeros(len(rows))
        np.maximum.at(out, found.row, -found.distance)
        return np.asarray(out.reshape(np.shape(q)[:-1]))

    def pushes(self, q: Float[np.ndarray, "N dof"]) -> bool:
        """Whether any shapes come so near to each other that they push."""
        return bool(len(self._contacts(self._forward(q), self.params.margin_m).row))

    def __call__(self, q: Float[np.ndarray, "B T dof"], rows: Int[np.ndarray, " B"]) -> Terms:  # noqa: ARG002
        """Cost, slope and curvature of every frame."""
        n = q.shape[-1]
        flat = q.reshape(-1, n)
        T = self._forward(flat)
        found = self._contacts(T, self.params.margin_m)
        cost, g, H = np.zeros(len(flat)), np.zeros((len(flat), n)), np.zeros((len(flat), n, n))
        if len(found.row):
            r = (self.params.margin_m - found.distance) / self.params.unit_m
            J = self._slopes(T, found, n) / self.params.unit_m
            order = np.argsort(found.row, kind="stable")
            frames, first = np.unique(found.row[order], return_index=True)
            r, J = r[order], J[order]
            cost[frames] = np.add.reduceat(r**2 / 2, first)
            g[frames] = np.add.reduceat(-r[:, None] * J, first)
            H[frames] = np.add.reduceat(J[:, :, None] * J[:, None, :], first)
        return cost.reshape(q.shape[:2]), g.reshape(q.shape), H.reshape(*q.shape, n)

    def _forward(self, q: Float[np.ndarray, "N dof"]) -> Float[np.ndarray, "N L 4 4"]:
        positions = np.tile(self._kinematics.home, (len(q), 1))
        positions[:, self._free] = q[:, self._columns]
        return np.asarray(self._kinematics.forward(positions))

    def _slopes(self, T: Float[np.ndarray, "N L 4 4"], found: _Contacts, n: int) -> Float[np.ndarray, "C dof"]:
        """Of the distances."""
        joints = T[found.row][:, self._turning]
        axis = np.einsum("cjab,jb->cja", joints[..., :3, :3], self._axis)
        out = np.zeros((len(found.row), n))
        for side, sign in ((0, 1.0), (1, -1.0)):
            arm = found.points[:, side, None] - joints[..., :3, 3]
            along = np.where(self._slides[:, None], axis, np.cross(axis, arm))
            moved = self._moves[found.links[:, side]][:, self._columns]
            out[:, self._columns] += sign * moved * np.einsum("cja,ca->cj", along, found.normal)
        return out

    def _contacts(self, T: Float[np.ndarray, "N L 4 4"], margin: float) -> _Contacts:
        shapes = T[:, self._place[self._of]]
        R, p = shapes[..., :3, :3], shapes[..., :3, 3]
        ends = np.einsum("nsab,seb->nsea", R, self._ends) + p[:, :, None]
        parts = [self._round_contacts(ends, margin), self._flat_contacts(ends, R, p, margin)]
        if self.table is not None:
            parts.append(self._table_contacts(ends, R, margin))
        columns = zip(*parts, strict=True)
        return _Contacts(*(np.concatenate(column) for column in columns))

    def _round_contacts(self, ends: np.ndarray, margin: float) -> tuple[np.ndarray, ...]:
        """Capsules against capsules."""
        centre = ends.mean(2)
        row, a, b = self._near(self._round, centre, margin)
        first, second = _closest(ends[row, a], ends[row, b])
        gap = first - second
        length = np.linalg.norm(gap, axis=-1)
        fallback = centre[row, a] - centre[row, b]
        normal = np.where((length > 1e-9)[:, None], gap, fallback)
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
        distance = length - self._radius[a] - self._radius[b]
        near = distance < margin
        links = np.stack([self._of[a], self._of[b]], -1)
        return row[near], distance[near], links[near], np.stack([first, second], 1)[near], normal[near]

    def _flat_contacts(self, ends: np.ndarray, R: np.ndarray, p: np.ndarray, margin: float) -> tuple[np.ndarray, ...]:
        """Points along the first shapes' axes against boxes; of each pair the deepest."""
        centre = np.einsum("nsab,sb->nsa", R, self._frame[:, :3, 3]) + p
        row, a, b = self._near(self._flat, centre, margin)
        share = np.linspace(0, 1, POINTS)[:, None]
        points = ends[row, a, 0, None] * (1 - share) + ends[row, a, 1, None] * share
        R_box = R[row, b] @ self._frame[b, :3, :3]
        local = (points - centre[row, b, None]) @ R_box
        q = np.abs(local) - self._half[b][:, None]
        outside = np.maximum(q, 0.0)
        length = np.linalg.norm(outside, axis=-1)
        distance = length + np.minimum(q.max(-1), 0.0) - self._radius[a][:, None]
        each = np.arange(len(row))
        at = (each, distance.argmin(-1))
        face = np.eye(3)[q[at].argmax(-1)]
        normal = np.where((length[at] > 1e-9)[:, None], outside[at] / np.maximum(length[at], 1e-12)[:, None], face)
        normal = (R_box @ (normal * np.where(local[at] < 0, -1.0, 1.0))[..., None])[..., 0]
        keep = distance[at] < margin
        links = np.stack([self._of[a], self._of[b]], -1)
        # The normal is the box's, so both ends may be taken at the point itself.
        both = np.repeat(points[at][:, None], 2, 1)
        return row[keep], distance[at][keep], links[keep], both[keep], normal[keep]

    def _near(self, pairs: np.ndarray, centre: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Frames and shapes of pairs whose bounding spheres are near each other."""
        a, b = pairs.T
        gap = centre[:, a] - centre[:, b]
        row, pair = np.nonzero(np.einsum("npa,npa->np", gap, gap) < (self._bound[a] + self._bound[b] + margin) ** 2)
        return row, a[pair], b[pair]

    def _table_contacts(self, ends: np.ndarray, R: np.ndarray, margin: float) -> tuple[np.ndarray, ...]:
        assert self.table is not None
        normal, offset = self.table[:3], self.table[3]
        movable = np.flatnonzero(self._moves[self._of].any(-1))
        R_box = np.einsum("nsab,sbc->nsac", R, self._frame[:, :3, :3])
        corner = np.einsum("nsab,nsb->nsa", R_box, np.copysign(self._half, np.einsum("nsab,a->nsb", R_box, normal)))
        ends = np.where(self._box[:, None, None], (ends.mean(2) - corner)[:, :, None], ends)
        height = ends @ normal - offset - np.where(self._box, 0.0, self._radius)[:, None]
        row, shape, end = np.nonzero(height[:, movable] < margin)
        shape = movable[shape]
        links = np.stack([self._of[shape], np.full(len(shape), -1)], -1)
        points = np.repeat(ends[row, shape, end][:, None], 2, 1)
        return row, height[row, shape, end], links, points, np.broadcast_to(normal, (len(row), 3))

    def _pairs(self, robot: Robot, home: Float[np.ndarray, "1 dof"]) -> tuple[np.ndarray, np.ndarray]:
        """Shapes (N, 2) that move against each other and are apart at home: round ones, and any against a box."""
        held = {frozenset(pair) for pair in (*robot.exclude, *adjacent_links(robot))}
        round_pairs, flat_pairs = [], []
        for first in range(len(self._of)):
            for second in range(first + 1, len(self._of)):
                a, b = self._of[first], self._of[second]
                if (self._moves[a] == self._moves[b]).all() or frozenset((self._links[a], self._links[b])) in held:
                    continue
                boxes = (self._box[first], self._box[second])
                if not any(boxes):
                    round_pairs.append((first, second))
                elif boxes == (True, False) or (all(boxes) and self._half[first].min() > self._half[second].min()):
                    flat_pairs.append((second, first))
                else:
                    flat_pairs.append((first, second))
        self._round = np.array(round_pairs, np.int64).reshape(-1, 2)
        self._flat = np.array(flat_pairs, np.int64).reshape(-1, 2)
        table, self.table = self.table, None
        touching = self._contacts(self._forward(home), 0.0).links
        self.table = table
        overlap = {frozenset(pair) for pair in touching.tolist()}
        return self._apart(self._round, overlap), self._apart(self._flat, overlap)

    def _apart(self, pairs: np.ndarray, overlap: set[frozenset[int]]) -> np.ndarray:
        keep: Bool[np.ndarray, " N"] = np.array(
            [frozenset(links) not in overlap for links in self._of[pairs].tolist()], bool
        )
        return np.asarray(pairs[keep]) if len(pairs) else pairs


def _carried(robot: Robot, link: str) -> set[str]:
    """Joints between the root and a link that move, a follower as the joint that it follows."""
    return {
        joint.mimic.joint if joint.mimic else joint.name
        for joint in robot.path(robot.root, link)
        if joint.kind != "fixed"
    }


def _ends(shape: Shape) -> Float[np.ndarray, "2 3"]:
    """Ends of a shape's axis in its link; of a box those of the longest capsule inside."""
    if shape.kind == "box":
        half = np.array(shape.size)
        along = np.eye(3)[half.argmax()] * (half.max() - half.min())
    else:
        along = np.array([0.0, 0.0, 0.0 if shape.kind == "sphere" else shape.size[1]])
    T = shape.pose.matrix
    return np.asarray(np.stack([-along, along]) @ T[:3, :3].T + T[:3, 3])


def _radius(shape: Shape) -> float:
    return min(shape.size) if shape.kind == "box" else shape.size[0]


def _closest(
    first: Float[np.ndarray, "N 2 3"], second: Float[np.ndarray, "N 2 3"]
) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N 3"]]:
    """Nearest points of two segments (Ericson, Real-Time Collision Detection, 5.1.9)."""
    p, q = first[:, 0], second[:, 0]
    u, v, w = first[:, 1] - p, second[:, 1] - q, p - q
    a, e, f = (u * u).sum(-1), (v * v).sum(-1), (v * w).sum(-1)
    b, c = (u * v).sum(-1), (u * w).sum(-1)
    tiny = 1e-12
    denominator = a * e - b * b
    s = np.where(denominator > tiny, np.clip((b * f - c * e) / np.maximum(denominator, tiny), 0, 1), 0.0)
    t = (b * s + f) / np.maximum(e, tiny)
    clipped = np.clip(np.where(e > tiny, t, 0.0), 0, 1)
    s = np.where(a > tiny, np.clip((b * clipped - c) / np.maximum(a, tiny), 0, 1), 0.0)
    return p + s[:, None] * u, q + clipped[:, None] * v
