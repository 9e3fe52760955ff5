"""All solutions of an arm of five joints that turns in a plane: a yaw, three parallel joints in it, a roll.

Such arms (SO-100, SO-101, Koch and others) hold a tool's position and one axis square to the roll. The position fixes
the plane, the axis the direction of the roll in it: it stands square to the axis. Where the axis is nearly the plane's
normal that hardly says anything, so that within tolerance many directions do; they are sampled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoiset.builder.retarget.reach import Reach

SAMPLES = 9
"""Directions of the roll that are sampled in each of the two ranges within tolerance."""
NARROW_RAD = 0.15
"""Half of a range that three samples are enough for."""
_EPS = 1e-4
"""What axes may be off, rad or m: angles in robots' files are rounded."""


@dataclass(frozen=True)
class PlanarArm:
    """The lengths that its solutions are made of, from the chain at zero.

    **Convention:** ``v`` is the yaw's axis, ``m`` the axis of the three parallel joints with the yaw at zero and
    ``u = v x m``; angles in the plane go from u to v.

    Attributes:
        frame: (3, 3) rows u, m, v in the root frame.
        origin: (3,) a point of the yaw's axis, m.
        offset: Distance of the roll's axis from the plane through the yaw's axis, along m, m.
        shoulder: (2,) the first parallel joint in the plane, m.
        lengths: (2,) upper arm and forearm, m.
        angles: (3,) directions of upper arm, forearm and roll at zero, rad.
        hand: (2,) from the last parallel joint to the tool, along the roll and square to it in the plane, m.
        aside: Of the tool from there along its axis, m.
        turned: Angle of the axis about the roll at zero, rad, from the direction square to the roll in the plane to m.
        senses: (4,) 1 or -1, of yaw and parallel joints about v and m.
        axis: Place of the tool's axis, 0..2.
        lower: (5,) rad.
        upper: (5,) rad.
    """

    frame: Float[np.ndarray, "3 3"]
    origin: Float[np.ndarray, "3"]
    offset: float
    shoulder: Float[np.ndarray, "2"]
    lengths: Float[np.ndarray, "2"]
    angles: Float[np.ndarray, "3"]
    hand: Float[np.ndarray, "2"]
    aside: float
    turned: float
    senses: Float[np.ndarray, "4"]
    axis: int
    lower: Float[np.ndarray, "5"]
    upper: Float[np.ndarray, "5"]

    def poses(
        self, targets: Float[np.ndarray, "*B 4 4"], angle_rad: float, n_samples: int = SAMPLES
    ) -> tuple[Float[np.ndarray, "*B K 5"], Float[np.ndarray, "*B K"]]:
        """Joint positions whose tool's axis is within ``angle_rad`` of the target's.

        Returns:
            Positions, rad, and by how much each misses the position because the arm is too short or too long folded, m;
            infinite where there is no such position, joints are out of their limits, or the sample is not needed.
        """
        p = (targets[..., :3, 3] - self.origin) @ self.frame.T
        z = targets[..., :3, self.axis] @ self.frame.T
        c = p - self.aside * z
        around, far = np.arctan2(c[..., 1], c[..., 0]), np.hypot(c[..., 0], c[..., 1])
        lean = np.arcsin(np.clip(self.offset / np.maximum(far, 1e-9), -1.0, 1.0))
        yaw = np.stack([lean - around, np.pi - lean - around], -1)
        cos, sin = np.cos(yaw), np.sin(yaw)
        zu, zm, zv = cos * z[..., :1] - sin * z[..., 1:2], cos * z[..., 1:2] + sin * z[..., :1], z[..., 2:]
        along = np.stack(np.broadcast_arrays(cos * c[..., :1] - sin * c[..., 1:2], c[..., 2:]), -1) - self.shoulder
        half = np.arcsin(np.minimum(np.sin(angle_rad) / np.maximum(np.hypot(zu, zv), 1e-9), 1.0))
        share = np.linspace(-1.0, 1.0, n_samples)
        square = np.arctan2(zv, zu)[..., None] + np.array([np.pi / 2, -np.pi / 2])
        last = square[..., None] + half[..., None, None] * share
        needed = np.isin(np.arange(n_samples), [0, n_samples // 2, n_samples - 1])
        spare = (half < NARROW_RAD)[..., None, None] & ~needed
        cos, sin = np.cos(last), np.sin(last)
        wrist_u = along[..., 0, None, None] - cos * self.hand[0] + sin * self.hand[1]
        wrist_v = along[..., 1, None, None] - sin * self.hand[0] - cos * self.hand[1]
        upper, fore = self.lengths
        reach = np.hypot(wrist_u, wrist_v)
        held = np.clip(reach, abs(upper - fore) + 1e-9, upper + fore - 1e-9)
        towards = np.arctan2(wrist_v, wrist_u)
        bend_up = np.arccos(np.clip((upper**2 + held**2 - fore**2) / (2 * upper * held), -1.0, 1.0))
        bend_fore = np.arccos(np.clip((fore**2 + held**2 - upper**2) / (2 * fore * held), -1.0, 1.0))
        roll = np.arctan2(zm[..., None, None], cos * zv[..., None, None] - sin * zu[..., None, None]) - self.turned
        bend = np.array([1.0, -1.0])
        first = towards[..., None] + bend * bend_up[..., None]
        second = towards[..., None] - bend * bend_fore[..., None]
        turns = np.stack(np.broadcast_arrays(first, second, last[..., None]), -1) - self.angles
        turns[..., 1:] -= turns[..., :-1].copy()
        whole = np.broadcast_shapes(turns.shape[:-1])
        parts = [
            yaw[..., None, None, None] * self.senses[0],
            *np.moveaxis(turns * self.senses[1:], -1, 0),
            roll[..., None],
        ]
        q = np.stack([np.broadcast_to(part, whole) for part in parts], -1)
        middle = (self.lower + self.upper) / 2
        q = (q - middle + np.pi) % (2 * np.pi) - np.pi + middle
        miss = np.broadcast_to(np.abs(reach - held)[..., None], whole)
        bad = ((q < self.lower) | (q > self.upper)).any(-1) | spare[..., None]
        bad |= (far < 1e-9)[..., None, None, None, None]
        shape = (*targets.shape[:-2], 8 * n_samples)
        return q.reshape(*shape, 5), np.where(bad, np.inf, miss).reshape(shape)

    def beyond(self, targets: Float[np.ndarray, "*B 4 4"]) -> Float[np.ndarray, "*B"]:
        """By how much targets are too far away for the stretched arm, m, whatever its limits."""
        p = (targets[..., :3, 3] - self.origin) @ self.frame.T - self.aside * targets[..., :3, self.axis] @ self.frame.T
        out = np.sqrt(np.maximum(p[..., 0] ** 2 + p[..., 1] ** 2 - self.offset**2, 0.0))
        away = np.hypot(np.minimum(out - self.shoulder[0], out + self.shoulder[0]), p[..., 2] - self.shoulder[1])
        return np.asarray(np.maximum(away - self.lengths.sum() - np.hypot(*self.hand), 0.0))


def planar_arm(reach: Reach) -> PlanarArm | None:
    """The lengths of a single arm of this kind; ``None`` for any other."""
    if len(reach.chains) != 1 or reach.tasks[0] == "pose" or len(reach.home) != 5:
        return None
    if any(joint.kind != "revolute" for joint in reach.chains[0].dofs):
        return None
    T, J = (part[0] for part in reach.tools_and_jacobian(np.zeros(5)))
    tool, axis = T[:3, 3], "xyz".index(reach.tasks[0])
    a, z = J[3:].T, T[:3, axis]
    # A joint's nearest point to the tool: its column is a x (tool - point).
    points = tool - np.cross(J[:3].T, a)
    v, m, d = a[0], a[1], a[4]
    flat = [m @ v, m @ d, z @ d, *np.cross(a[2], m), *np.cross(a[3], m)]
    if np.abs(flat).max() > _EPS:
        return None
    u = np.cross(v, m)
    frame = np.stack([u, m, v])
    local = (points - points[0]) @ frame.T
    plane, roll, turn = local[1:4][:, [0, 2]], frame @ d, frame @ z
    off = frame @ (tool - points[4])
    off -= (off @ roll) * roll
    aside = float(off @ turn)
    if np.abs(off - aside * turn).max() > _EPS:
        return None
    centre = frame @ (tool - points[0]) - aside * turn
    ahead, up = roll[[0, 2]], np.array([-roll[2], roll[0]])
    beyond = centre[[0, 2]] - plane[2]
    links = np.diff(plane, axis=0)
    lengths = np.linalg.norm(links, axis=1)
    if lengths.min() < _EPS:
        return None
    directions = np.array([*links, ahead])
    return PlanarArm(
        frame=frame,
        origin=points[0],
        offset=float(centre[1]),
        shoulder=plane[0],
        lengths=lengths,
        angles=np.arctan2(directions[:, 1], directions[:, 0]),
        hand=np.array([beyond @ ahead, beyond @ up]),
        aside=aside,
        turned=float(np.arctan2(turn[1], turn[[0, 2]] @ up)),
        senses=np.array([1.0, 1.0, np.sign(a[2] @ m), np.sign(a[3] @ m)]),
        axis=axis,
        lower=reach.lower,
        upper=reach.upper,
    )
