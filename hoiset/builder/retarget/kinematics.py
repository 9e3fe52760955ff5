"""Forward kinematics and Jacobians of a whole robot or of one chain, for any batch of joint positions.

Written here rather than taken from pytorch-kinematics: 0.10 is no faster on such chains, cannot read MJCF beside
mujoco 4, and has no numpy face. The same code takes numpy arrays and torch tensors, keeps their type, precision and
device, and is differentiable in torch; the tests hold it against mujoco.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from hoiset.builder.retarget.robot import Arm, Finger, Joint, Pose, Robot
from hoiset.errors import RobotError


class Kinematics:
    """Kinematics of some of a robot's joints, seen from one link.

    Attributes:
        robot: The robot.
        base: Link whose frame poses are given in.
        dofs: Joints of ``q``, in its order.
        links: Links of ``T_base_link``, in its order; the base first.
        lower: (dof,) f8 least positions, rad or m.
        upper: (dof,) f8 greatest positions, rad or m.
        velocity: (dof,) f8 greatest speeds, rad/s or m/s; infinite where unstated.
        home: (dof,) f8 positions at rest, rad or m.
    """

    def __init__(self, robot: Robot, base: str, joints: tuple[Joint, ...], tool: Pose | None = None) -> None:
        """Take ``joints``, which hang on ``base``, the nearer first; ``tool`` is a frame in the last link."""
        self.robot, self.base = robot, base
        self.links = (base, *(joint.child for joint in joints))
        self.dofs = tuple(joint for joint in joints if joint.kind != "fixed" and joint.mimic is None)
        self.lower = np.array([joint.lower for joint in self.dofs], np.float64)
        self.upper = np.array([joint.upper for joint in self.dofs], np.float64)
        self.velocity = np.array([joint.velocity for joint in self.dofs], np.float64)
        positions = {joint.name: position for joint, position in zip(robot.dofs, robot.home, strict=True)}
        self.home = np.array([positions[joint.name] for joint in self.dofs], np.float64)
        self._joints = joints
        self._tool = (tool or Pose()).matrix
        self._constants: dict[Any, _Constants] = {}

    @cached_property
    def serial(self) -> tuple[Joint, ...]:
        """The joints between the base and the tool."""
        return tuple(self._joints[index] for index in self._ancestors[-1])

    @property
    def tool_in_link(self) -> np.ndarray:
        """``T_link_tool`` (4, 4) f8."""
        return self._tool

    def forward(self, q: Any) -> Any:
        """Poses of all links.

        Args:
            q: (..., dof) array or tensor, rad or m; limits are not looked at.

        Returns:
            ``T_base_link`` (..., L, 4, 4) in the order of :attr:`links`, of the kind and dtype of ``q``.

        Raises:
            RobotError: ``q`` is not (..., dof) of floats.
        """
        return _poses(*self._forward(q))

    def tool(self, q: Any) -> Any:
        """``T_base_tool`` (..., 4, 4): the wrist of an arm, the tip of a finger, the last link of a whole robot."""
        xp, R, p = self._forward(q)
        return _poses(xp, R[-1:], p[-1:])[..., 0, :, :] @ self._on(q).tool

    def jacobian(self, q: Any, link: str | None = None) -> Any:
        """Geometric Jacobian of the tool, or of a link's origin.

        Args:
            q: (..., dof) array or tensor, rad or m.
            link: One of :attr:`links`; the tool where ``None``.

        Returns:
            (..., 6, dof): velocity of the origin, m, over angular velocity, rad, both in the base frame, by joint.

        Raises:
            RobotError: ``q`` is not (..., dof) of floats, or there is no such link.
        """
        return self._jacobian(q, link)[1]

    def tool_and_jacobian(self, q: Any) -> tuple[Any, Any]:
        """:meth:`tool` and :meth:`jacobian` for little more than the price of one."""
        return self._jacobian(q, None)

    def clamp(self, q: Any) -> Any:
        """``q`` with every position inside its limits."""
        c = self._on(q)
        return _xp(q).clip(q, c.lower, c.upper)

    def within(self, q: Any, tolerance: float = 0.0) -> Any:
        """(...) bool: whether all positions are finite and inside their limits, widened by ``tolerance`` (rad or m)."""
        c = self._on(q)
        return ((q >= c.lower - tolerance) & (q <= c.upper + tolerance)).all(-1)

    def _on(self, q: Any) -> _Constants:
        if not hasattr(q, "dtype") or not hasattr(q, "shape") or not _xp(q).is_floating(q):
            raise RobotError(
                f"{self.robot.name}: found positions {type(q).__name__}, expected an array or tensor of floats"
            )
        if not len(q.shape) or q.shape[-1] != len(self.dofs):
            raise RobotError(
                f"{self.robot.name}: found positions of shape {tuple(q.shape)}, expected (..., {len(self.dofs)})"
            )
        key = (q.dtype, getattr(q, "device", None))
        if key not in self._constants:
            self._constants[key] = _Constants(self, q)
        return self._constants[key]

    def _forward(self, q: Any) -> tuple[Any, list[Any], list[Any]]:
        """Rotations (..., 3, 3) and origins (..., 3, 1) of all links, one each."""
        xp, c = _xp(q), self._on(q)
        value = q[..., c.dof_of] * c.multiplier + c.offset
        sin, versine = xp.sin(value)[..., None, None], (1.0 - xp.cos(value))[..., None, None]
        # Rodrigues for all joints at once, with the fixed rotation in front already multiplied in.
        turns = c.R + sin * c.RK + versine * c.RKK
        shifts = c.xyz + value[..., None, None] * c.Raxis
        batch = tuple(q.shape[:-1])
        R: list[Any] = [xp.broadcast_to(c.eye, (*batch, 3, 3))]
        p: list[Any] = [xp.broadcast_to(c.zero, (*batch, 3, 1))]
        for index, (parent, moving) in enumerate(self._steps):
            turn, shift = (
                (c.fixed_R[index], c.fixed_xyz[index])
                if moving is None
                else (
                    turns[..., moving, :, :],
                    shifts[..., moving, :, :],
                )
            )
            R.append(R[parent] @ turn)
            p.append(R[parent] @ shift + p[parent])
        return xp, R, p

    def _jacobian(self, q: Any, link: str | None) -> tuple[Any, Any]:
        if link is not None and link not in self.links:
            raise RobotError(f"{self.robot.name}: found no link {link!r} in the chain, expected one of {self.links}")
        xp, R, p = self._forward(q)
        c = self._on(q)
        at = len(self.links) - 1 if link is None else self.links.index(link)
        tool = _poses(xp, [R[at]], [p[at]])[..., 0, :, :] @ (c.tool if link is None else c.eye4)
        columns: list[Any] = [xp.broadcast_to(c.zero6, (*q.shape[:-1], 6))] * len(self.dofs)
        for index in self._ancestors[at]:
            moving = self._steps[index][1]
            if moving is None:
                continue
            axis = (R[index + 1] @ c.axis[moving])[..., 0]
            if self._joints[index].kind == "revolute":
                arm = tool[..., :3, 3] - p[index + 1][..., 0]
                column = xp.concat([xp.cross(axis, arm), axis], -1)
            else:
                column = xp.concat([axis, xp.zeros_like(axis)], -1)
            dof = c.dof_list[moving]
            columns[dof] = columns[dof] + column * c.multiplier[moving]
        if not columns:
            return tool, xp.broadcast_to(c.zero6[:, None][:, :0], (*q.shape[:-1], 6, 0))
        return tool, xp.stack(columns, -1)

    @cached_property
    def _steps(self) -> tuple[tuple[int, int | None], ...]:
        """For every joint: the place of its parent among the links, and its own among the moving joints."""
        place = {link: index for index, link in enumerate(self.links)}
        moving = [joint.name for joint in self._joints if joint.kind != "fixed"]
        return tuple(
            (place[joint.parent], None if joint.kind == "fixed" else moving.index(joint.name)) for joint in self._joints
        )

    @cached_property
    def _ancestors(self) -> tuple[tuple[int, ...], ...]:
        """For every link: the joints between it and the base."""
        ancestors: list[tuple[int, ...]] = [()]
        for index, (parent, _) in enumerate(self._steps):
            ancestors.append((*ancestors[parent], index))
        return tuple(ancestors)


def whole(robot: Robot) -> Kinematics:
    """Kinematics of all joints, seen from the root."""
    return Kinematics(robot, robot.root, robot.joints)


def chain(robot: Robot, of: Arm | Finger) -> Kinematics:
    """Kinematics of an arm or finger, seen from its base."""
    return Kinematics(robot, of.base, robot.path(of.base, of.link), of.tool)


class _Constants:
    """A chain's numbers in the kind, dtype and on the device of some ``q``."""

    def __init__(self, of: Kinematics, q: Any) -> None:
        xp = _xp(q)
        names = [joint.name for joint in of.dofs]
        moving = [joint for joint in of._joints if joint.kind != "fixed"]
        for joint in moving:
            if joint.mimic is not None and joint.mimic.joint not in names:
                raise RobotError(
                    f"{of.robot.name}: found {joint.name!r} in a chain without {joint.mimic.joint!r}, which it "
                    "follows; begin the chain at a link that carries both"
                )
        poses = np.array([joint.origin.matrix for joint in moving]).reshape(-1, 4, 4)
        axis = np.array([joint.axis for joint in moving]).reshape(-1, 3)
        turns = np.array([joint.kind == "revolute" for joint in moving], bool).reshape(-1, 1, 1)
        K = np.cross(axis[:, None], np.eye(3)[None]).swapaxes(-1, -2) * turns
        R = poses[:, :3, :3]
        fixed = [joint.origin.matrix for joint in of._joints]
        self.dof_list = [names.index(joint.mimic.joint if joint.mimic else joint.name) for joint in moving]
        self.dof_of = xp.integers(self.dof_list, q)
        self.multiplier = xp.like([joint.mimic.multiplier if joint.mimic else 1.0 for joint in moving], q)
        self.offset = xp.like([joint.mimic.offset if joint.mimic else 0.0 for joint in moving], q)
        self.R, self.RK, self.RKK = (xp.like(matrix, q) for matrix in (R, R @ K, R @ K @ K))
        self.xyz = xp.like(poses[:, :3, 3:], q)
        self.Raxis = xp.like(R @ (axis[..., None] * ~turns), q)
        self.axis = xp.like(axis[..., None], q)
        self.fixed_R = [xp.like(T[:3, :3], q) for T in fixed]
        self.fixed_xyz = [xp.like(T[:3, 3:], q) for T in fixed]
        self.eye, self.eye4 = xp.like(np.eye(3), q), xp.like(np.eye(4), q)
        self.zero, self.zero6 = xp.like(np.zeros((3, 1)), q), xp.like(np.zeros(6), q)
        self.tool = xp.like(of._tool, q)
        self.lower, self.upper = xp.like(of.lower, q), xp.like(of.upper, q)


class _Numpy:
    """The few operations whose names or arguments differ between numpy and torch."""

    sin, cos, clip, broadcast_to, zeros_like = np.sin, np.cos, np.clip, np.broadcast_to, np.zeros_like
    stack, concat = np.stack, np.concatenate

    @staticmethod
    def cross(a: Any, b: Any) -> Any:
        return np.cross(a, b)

    @staticmethod
    def is_floating(q: Any) -> bool:
        return isinstance(q, np.ndarray) and bool(np.issubdtype(q.dtype, np.floating))

    @staticmethod
    def like(values: Any, q: Any) -> Any:
        return np.asarray(values, q.dtype)

    @staticmethod
    def integers(values: list[int], q: Any) -> Any:  # noqa: ARG004
        return np.asarray(values, np.int64)


def _xp(q: Any) -> Any:
    if type(q).__module__.partition(".")[0] != "torch":
        return _Numpy
    from hoiset.builder.retarget import torch_face

    return torch_face


def _poses(xp: Any, R: list[Any], p: list[Any]) -> Any:
    upper = xp.concat([xp.stack(R, -3), xp.stack(p, -3)], -1)
    bottom = xp.zeros_like(upper[..., :1, :])
    bottom[..., 3] = 1.0
    return xp.concat([upper, bottom], -2)
