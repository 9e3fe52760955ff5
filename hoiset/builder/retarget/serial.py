"""Tools of several serial chains and how joints move them, for many positions at once: the solvers' fast path.

The same numbers as :meth:`hoiset.builder.retarget.kinematics.Kinematics.tool_and_jacobian`, which the tests hold it
against, several times faster: every joint turns about z, for what lies between joints is one constant pose, and
positions come last in memory, so that all arithmetic runs over long rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from hoiset.builder.retarget.kinematics import Kinematics

Slopes = Literal["all", "places", "none"]
"""How joints move tools: places and turns, places alone, or not asked for."""


@dataclass(frozen=True)
class Tools:
    """Where tools stand and how they move, in the frame that the chains' bases are given in.

    Attributes:
        position: (A, 3, N) m.
        rotation: (A, 3, 3, N) the axes x, y and z of each tool, one after the other.
        slope: (A, 6, dof, N) velocity, m, over angular velocity, rad, by joint; (A, 3, dof, N) of places alone, and
            (A, 0, dof, N) if not asked for.
    """

    position: Float[np.ndarray, "A 3 N"]
    rotation: Float[np.ndarray, "A 3 3 N"]
    slope: Float[np.ndarray, "A D dof N"]


class Chains:
    """Chains without branches, side by side; shorter ones are filled up with joints that do nothing.

    Args:
        chains: Kinematics of each, of which the tool is looked at.
        T_base: (A, 4, 4) where each begins.
        columns: For each, the place of its joints among the ``dof`` of positions.
        n_dofs: How many positions there are.
    """

    def __init__(
        self,
        chains: Sequence[Kinematics],
        T_base: Float[np.ndarray, "A 4 4"],
        columns: Sequence[np.ndarray],
        n_dofs: int,
    ) -> None:
        slots = [_slots(kinematics, T, where) for kinematics, T, where in zip(chains, T_base, columns, strict=True)]
        n, m = len(slots), max(1, *(len(slot.steps) for slot in slots))
        poses = np.tile(np.eye(4), (n, m, 1, 1))
        self._column = np.zeros((n, m), np.int64)
        self._gain, self._offset = np.zeros((n, m)), np.zeros((n, m))
        turns, slides = np.zeros((n, m), bool), np.zeros((n, m), bool)
        ends = np.stack([slot.end for slot in slots])
        self._fold: list[list[tuple[int, int]]] = []
        for row, slot in enumerate(slots):
            self._fold.append([])
            for place, step in enumerate(slot.steps):
                poses[row, place], self._column[row, place] = step.pose, step.column
                self._gain[row, place], self._offset[row, place] = step.gain, step.offset
                (turns if step.turns else slides)[row, place] = True
                self._fold[row].append((place, step.column))
        # Rows of [R | t] by the axes that they add up: new x, y, z and the way to the next joint.
        self._between = [np.ascontiguousarray(poses[:, place, :3].swapaxes(-1, -2)) for place in range(m)]
        self._tool = np.ascontiguousarray(ends[:, :3].swapaxes(-1, -2))
        self._turns, self._slides = turns, slides
        self._n_dofs = n_dofs
        self._plain = all([column for _, column in fold] == list(range(n_dofs)) for fold in self._fold) and bool(
            (self._gain == 1).all()
        )

    def only(self, rows: Int[np.ndarray, " R"]) -> Chains:
        """Some of the chains, in any order and any of them several times."""
        some = copy(self)
        for name in ("_column", "_gain", "_offset", "_turns", "_slides"):
            setattr(some, name, getattr(self, name)[rows])
        some._between, some._tool = [step[rows] for step in self._between], self._tool[rows]
        some._fold = [self._fold[row] for row in rows]
        return some

    def tools(self, q: Float[np.ndarray, "dof N"], slopes: Slopes = "all") -> Tools:
        """All tools at positions that the chains share, rad or m."""
        return self._place(q[self._column], slopes)

    def tools_apart(self, q: Float[np.ndarray, "A dof N"], slopes: Slopes = "all") -> Tools:
        """All tools, each at positions of its own."""
        return self._place(np.take_along_axis(q, self._column[..., None], 1), slopes)

    def _place(self, q: Float[np.ndarray, "A m N"], slopes: Slopes) -> Tools:
        A, m, N = q.shape
        value = q * self._gain[..., None] + self._offset[..., None]
        sin, cos = np.sin(value), np.cos(value)
        axes, origins = np.empty((A, 3, m, N)), np.empty((A, 3, m, N))
        R, p = np.empty((A, 3, 3, N)), np.empty((A, 3, N))
        for place in range(m):
            if place:
                step = (self._between[place] @ R.reshape(A, 3, 3 * N)).reshape(A, 4, 3, N)
                p += step[:, 3]
            else:
                step = np.broadcast_to(self._between[0][..., None], (A, 4, 3, N))
                p[:] = step[:, 3]
            R[:, 2] = step[:, 2]
            if self._turns[:, place].any():
                s, c = sin[:, place, None], cos[:, place, None]
                if not self._turns[:, place].all():
                    still = ~self._turns[:, place, None, None]
                    s, c = np.where(still, 0.0, s), np.where(still, 1.0, c)
                np.multiply(step[:, 0], c, out=R[:, 0])
                R[:, 0] += step[:, 1] * s
                np.multiply(step[:, 1], c, out=R[:, 1])
                R[:, 1] -= step[:, 0] * s
            else:
                R[:, :2] = step[:, :2]
            if self._slides[:, place].any():
                p += R[:, 2] * np.where(self._slides[:, place, None, None], value[:, place, None], 0.0)
            axes[:, :, place], origins[:, :, place] = R[:, 2], p
        step = (self._tool @ R.reshape(A, 3, 3 * N)).reshape(A, 4, 3, N)
        p = p + step[:, 3]
        if slopes == "none":
            return Tools(p, step[:, :3], np.empty((A, 0, self._n_dofs, N)))
        return Tools(p, step[:, :3], self._slopes(axes, p[:, :, None] - origins, 6 if slopes == "all" else 3))

    def _slopes(
        self, axes: Float[np.ndarray, "A 3 m N"], arms: Float[np.ndarray, "A 3 m N"], n_kinds: int
    ) -> Float[np.ndarray, "A D dof N"]:
        A, _, m, N = axes.shape
        J = np.empty((A, n_kinds, m, N))
        for k, (i, j) in enumerate(((1, 2), (2, 0), (0, 1))):
            np.multiply(axes[:, i], arms[:, j], out=J[:, k])
            J[:, k] -= axes[:, j] * arms[:, i]
        J[:, 3:] = axes[:, : n_kinds - 3]
        if self._slides.any():
            for row, place in np.argwhere(self._slides):
                J[row, :3, place], J[row, 3:, place] = axes[row, :, place], 0.0
        if self._plain:
            return J
        folded = np.zeros((A, n_kinds, self._n_dofs, N))
        for row, fold in enumerate(self._fold):
            for place, column in fold:
                folded[row, :, column] += self._gain[row, place] * J[row, :, place]
        return folded


def turn_onto(own: Float[np.ndarray, "K 3 N"], wanted: Float[np.ndarray, "K 3 N"]) -> Float[np.ndarray, "3 N"]:
    """The rotation vector, rad, that takes all three axes of frames to those wanted, or one axis the shortest way."""
    w = np.zeros(own.shape[1:])
    for a, b in zip(own, wanted, strict=True):
        for k, (i, j) in enumerate(((1, 2), (2, 0), (0, 1))):
            w[k] += a[i] * b[j] - a[j] * b[i]
    cos = np.einsum("kcn,kcn->n", own, wanted)
    if len(own) == 3:
        w, cos = w / 2, (cos - 1) / 2
    sin = np.sqrt(np.einsum("cn,cn->n", w, w))
    w *= np.arctan2(sin, cos) / np.maximum(sin, 1e-12)
    half = (sin < 1e-6) & (cos < 0)
    for at in np.flatnonzero(half):
        w[:, at] = _half_turn(own[..., at], wanted[..., at])
    return w


def _half_turn(own: Float[np.ndarray, "K 3"], wanted: Float[np.ndarray, "K 3"]) -> Float[np.ndarray, "3"]:
    """One of the rotation vectors of half a turn that do it."""
    if len(own) == 1:
        side = np.cross(own[0], np.eye(3)[np.abs(own[0]).argmin()])
        return np.asarray(np.pi * side / np.linalg.norm(side))
    S = (wanted.T @ own + np.eye(3)) / 2
    column = S[:, S.diagonal().argmax()]
    return np.asarray(np.pi * column / np.linalg.norm(column))


@dataclass(frozen=True)
class _Step:
    """A joint that moves: where its z stands as seen from the last one's, and which position it follows."""

    pose: Float[np.ndarray, "4 4"]
    column: int
    gain: float
    offset: float
    turns: bool


@dataclass(frozen=True)
class _Slots:
    steps: list[_Step]
    end: Float[np.ndarray, "4 4"]


def _slots(kinematics: Kinematics, T_base: Float[np.ndarray, "4 4"], columns: np.ndarray) -> _Slots:
    names = [joint.name for joint in kinematics.dofs]
    steps, pose = [], np.asarray(T_base, np.float64)
    for joint in kinematics.serial:
        pose = pose @ joint.origin.matrix
        if joint.kind == "fixed":
            continue
        aside = np.eye(4)
        aside[:3, :3] = _z_onto(np.asarray(joint.axis, np.float64))
        follows = joint.mimic
        column = int(columns[names.index(follows.joint if follows else joint.name)])
        gain, offset = (follows.multiplier, follows.offset) if follows else (1.0, 0.0)
        steps.append(_Step(pose @ aside, column, gain, offset, joint.kind == "revolute"))
        pose = aside.T
    return _Slots(steps, pose @ kinematics.tool_in_link)


def _z_onto(axis: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """A rotation that takes z to a unit vector."""
    x = np.cross(np.eye(3)[np.abs(axis).argmin()], axis)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(axis, x), axis], -1)
