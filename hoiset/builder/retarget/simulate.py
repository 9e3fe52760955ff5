"""Motions that a robot can make, seen by cameras anywhere: what its root is learnt from.

Joint paths are drawn, not planned: a start about the pose at rest with both wrists before the robot, then a few slow
waves in every joint, as slow as people's. Forward kinematics gives the wrists, a random camera sees them, and what a
reconstruction does to hands (noise, jumps, frames and hands that are missing, gravity unknown) is done to them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hoiset.builder.params import Params
from hoiset.builder.retarget import so3
from hoiset.builder.retarget.kinematics import Kinematics, chain
from hoiset.builder.retarget.reach import arms_of, task_of
from hoiset.builder.retarget.records import HANDS
from hoiset.builder.retarget.robot import Arm, Robot
from hoiset.errors import RobotError


class SimulationParams(Params):
    """How motions are drawn and spoilt.

    Attributes:
        n_starts: Starts to choose from; the first with both wrists well placed is taken, else the last.
        spread: Least and greatest spread of a clip's start about home, as a share of half of each joint's range.
        margin: Share of a joint's range at each end that no start is in.
        shared_rad: Spread of joints that both arms hang on (a waist) about home: people bend it little.
        amplitude: Least and greatest size of a joint's waves, rad or m; drawn evenly by its logarithm.
        frequency_hz: Slowest and fastest wave.
        apart_m: Least and greatest distance of a start's wrists from each other: people's, not the robot's.
        camera_m: Farthest that the camera stands from the root, by axis.
        noise_m: Greatest noise of positions; a clip's is drawn evenly up to it.
        noise_rad: The same of orientations.
        gravity_rad: Noise of gravity's direction.
        jumps: Share of clips with a hand that is elsewhere for a few frames.
        jump_m: Size of such a jump.
        hidden: Share of clips with a span of one hand missing.
        one_handed: Share of clips with one hand alone.
        without_gravity: Share of clips with gravity unknown.
    """

    n_starts: int = 10
    spread: tuple[float, float] = (0.03, 0.15)
    margin: float = 0.04
    shared_rad: float = 0.1
    amplitude: tuple[float, float] = (0.03, 0.6)
    frequency_hz: tuple[float, float] = (0.05, 0.6)
    apart_m: tuple[float, float] = (0.1, 0.8)
    camera_m: float = 2.0
    noise_m: float = 0.01
    noise_rad: float = 0.05
    gravity_rad: float = 0.02
    jumps: float = 0.2
    jump_m: float = 0.06
    hidden: float = 0.3
    one_handed: float = 0.25
    without_gravity: float = 0.3


@dataclass(frozen=True)
class SimulatedClips:
    """Clips of one robot.

    Attributes:
        time: (T,) s.
        wrist: ``T_camera_wrist`` (B, T, 2, 4, 4) as observed, m; left, right; the identity where not seen.
        seen: (B, T, 2) whether there is an observation.
        gravity: (B, 3) unit vector in the camera frame as observed; zero where unknown.
        root: ``T_camera_root`` (B, 4, 4), the truth.
        true_wrist: ``T_camera_wrist`` (B, T, 2, 4, 4) before anything was done to it.
        q: (B, T, dof) joint positions, in the order of :attr:`Body.dofs`.
    """

    time: Float[Tensor, "T"]
    wrist: Float[Tensor, "B T 2 4 4"]
    seen: Bool[Tensor, "B T 2"]
    gravity: Float[Tensor, "B 3"]
    root: Float[Tensor, "B 4 4"]
    true_wrist: Float[Tensor, "B T 2 4 4"]
    q: Float[Tensor, "B T dof"]

    def rows(self, start: int, n_clips: int) -> SimulatedClips:
        """Some of the clips."""
        k = slice(start, start + n_clips)
        return SimulatedClips(
            self.time, self.wrist[k], self.seen[k], self.gravity[k], self.root[k], self.true_wrist[k], self.q[k]
        )


class Body:
    """The part of a robot between its root and its wrists.

    The arms are those of :func:`hoiset.builder.retarget.reach.arms_of`, with the waist where the robot's file offers
    one; joints that carry arms and belong to none stay at home.

    Attributes:
        robot: The robot.
        arms: One a side, left and right, ``None`` where it has none.
        kinematics: Of all joints between the root and the arms' ends.
        moves: (dof,) whether an arm has the joint.
        shared: (dof,) whether both arms have it.
        sides: (2,) whether there is an arm.
        shoulders: (2, 3) where an arm's own first joint is at home, m, root frame.
        free_axes: (2,) index of the wrist's axis that an arm follows where the turn about it is free, else -1.
    """

    def __init__(self, robot: Robot) -> None:
        """Take a robot with one arm at least.

        Raises:
            RobotError: It has no arm.
        """
        self.robot = robot
        arms = arms_of(robot)
        self.arms = tuple(next((arm for arm in arms if arm.side == side), None) for side in HANDS)
        used = {joint.name for arm in self.arms if arm for joint in robot.path(robot.root, arm.link)}
        if not used:
            raise RobotError(f"{robot.name}: found no arm, expected one at least to follow a hand")
        self.kinematics = Kinematics(robot, robot.root, tuple(joint for joint in robot.joints if joint.name in used))
        chains = [{j.name for j in robot.path(arm.base, arm.link)} if arm else set[str]() for arm in self.arms]
        names = [joint.name for joint in self.kinematics.dofs]
        self.moves = np.array([any(name in chain for chain in chains) for name in names])
        self.shared = np.array([all(name in chain for chain in chains) for name in names])
        self.sides = np.array([arm is not None for arm in self.arms])
        self.free_axes = tuple(_free_axis(robot, arm) for arm in self.arms)
        self.shoulders = np.array([self._shoulder(arm) if arm else np.zeros(3) for arm in self.arms])

    @property
    def dofs(self) -> tuple[str, ...]:
        """Names of the joints of ``q``."""
        return tuple(joint.name for joint in self.kinematics.dofs)

    def wrists(self, q: Any) -> Any:
        """``T_root_wrist`` (..., 2, 4, 4) of ``q`` (..., dof), a tensor; the identity for a side without an arm."""
        T = self.kinematics.forward(q)
        eye = torch.eye(4, dtype=q.dtype).expand(*q.shape[:-1], 4, 4)
        sides = [
            T[..., self.kinematics.links.index(arm.link), :, :] @ torch.as_tensor(tool, dtype=q.dtype) if arm else eye
            for arm, tool in zip(self.arms, self._tools, strict=True)
        ]
        return torch.stack(sides, -3)

    def _shoulder(self, arm: Arm) -> Float[np.ndarray, "3"]:
        """Where the arm's first own joint is at home, m, root frame."""
        own = {name for name, shared in zip(self.dofs, self.shared, strict=True) if not shared}
        first = next(joint for joint in self.robot.path(arm.base, arm.link) if joint.name in own)
        T = self.kinematics.forward(self.kinematics.home)
        return np.asarray(T[self.kinematics.links.index(first.child), :3, 3])

    @cached_property
    def _tools(self) -> list[Float[np.ndarray, "4 4"]]:
        return [arm.tool.matrix if arm else np.eye(4) for arm in self.arms]


def simulate(
    body: Body,
    n_clips: int,
    time: Float[np.ndarray, "T"],
    generator: torch.Generator,
    params: SimulationParams | None = None,
) -> SimulatedClips:
    """Draw clips; the same generator gives the same clips.

    Args:
        body: Of the robot.
        n_clips: How many.
        time: (T,) s, ascending.
        generator: On the CPU.
        params: How.

    Returns:
        Clips, f4.
    """
    params = params or SimulationParams()
    at = torch.as_tensor(time, dtype=torch.float32)
    q = _paths(body, n_clips, at, generator, params)
    T_root_wrist = body.wrists(q)
    root = _cameras(n_clips, generator, params)
    true = root[:, None, None] @ T_root_wrist
    up = torch.tensor(body.robot.up, dtype=torch.float32)
    tilt = so3.exp(params.gravity_rad * torch.randn((n_clips, 3), generator=generator))
    gravity = -(tilt @ root[:, :3, :3] @ up[:, None])[..., 0]
    known = torch.rand(n_clips, generator=generator) >= params.without_gravity
    seen = _seen(body, n_clips, len(at), generator, params)
    wrist = torch.where(seen[..., None, None], _spoilt(_turned(body, true, generator), generator, params), torch.eye(4))
    return SimulatedClips(at, wrist, seen, gravity * known[:, None], root, true, q)


def _free_axis(robot: Robot, arm: Arm | None) -> int:
    task = task_of(arm, chain(robot, arm)) if arm else "pose"
    return -1 if task == "pose" else "xyz".index(task)


def _turned(body: Body, wrist: Float[Tensor, "B T 2 4 4"], generator: torch.Generator) -> Float[Tensor, "B T 2 4 4"]:
    """Wrists turned about the axis that an arm follows alone: people hold their hands as they like."""
    out = wrist.clone()
    for side, axis in enumerate(body.free_axes):
        angle = 2 * math.pi * torch.rand((len(wrist), 1, 1), generator=generator)
        if axis >= 0:
            out[:, :, side, :3, :3] = out[:, :, side, :3, :3] @ so3.exp(angle * torch.eye(3)[axis])
    return out


def _paths(
    body: Body, n: int, time: Float[Tensor, "T"], generator: torch.Generator, params: SimulationParams
) -> Float[Tensor, "B T dof"]:
    k = body.kinematics
    lower, upper, home = (torch.as_tensor(v, dtype=torch.float32) for v in (k.lower, k.upper, k.home))
    moves, shared = torch.as_tensor(body.moves), torch.as_tensor(body.shared)
    narrow, wide = params.spread
    spread = narrow + (wide - narrow) * torch.rand((n, 1, 1), generator=generator)
    reach = torch.where(shared, torch.tensor(params.shared_rad), spread * 0.5 * (upper - lower))
    starts = home + reach * torch.randn((n, params.n_starts, len(home)), generator=generator)
    inside = params.margin * (upper - lower)
    starts = torch.where(moves, torch.clamp(starts, lower + inside, upper - inside), home)
    good = _well_placed(body, body.wrists(starts), params)
    first = torch.where(good.any(-1), good.int().argmax(-1), params.n_starts - 1)
    start = starts[torch.arange(n), first]
    n_waves = 3
    low, high = (math.log(v) for v in params.amplitude)
    size = torch.exp(low + (high - low) * torch.rand((n, 1, 1, 1), generator=generator))
    slow, fast = params.frequency_hz
    shape = (n, 1, n_waves, len(home))
    frequency = slow + (fast - slow) * torch.rand(shape, generator=generator)
    phase = 2 * math.pi * torch.rand(shape, generator=generator)
    each = torch.randn(shape, generator=generator)
    middle = 0.5 * (time[0] + time[-1])
    waves = torch.sin(2 * math.pi * frequency * (time[:, None, None] - middle) + phase) - torch.sin(phase)
    sway = (size * each * waves).sum(2) * torch.where(shared, 0.2, 1.0)
    return torch.where(moves, start[:, None] + sway, home).clamp(lower, upper)


def _well_placed(body: Body, T_root_wrist: Float[Tensor, "*B 2 4 4"], params: SimulationParams) -> Bool[Tensor, "*B"]:
    """Whether wrists are before their shoulders, above its root, and as far from each other as people's."""
    at = T_root_wrist[..., :3, 3]
    sides = torch.as_tensor(body.sides)
    forward, up = (torch.tensor(v, dtype=at.dtype) for v in (body.robot.forward, body.robot.up))
    before = (at - torch.as_tensor(body.shoulders, dtype=at.dtype)) @ forward
    placed = ((before > 0.05) & (at @ up > -0.05)) | ~sides
    distance = (at[..., 0, :] - at[..., 1, :]).norm(dim=-1)
    apart = (distance > params.apart_m[0]) & (distance < params.apart_m[1])
    return placed.all(-1) & (apart | ~sides.all())


def _cameras(n: int, generator: torch.Generator, params: SimulationParams) -> Float[Tensor, "B 4 4"]:
    T = torch.eye(4).repeat(n, 1, 1)
    T[:, :3, :3] = so3.uniform((n,), generator)
    T[:, :3, 3] = params.camera_m * (2 * torch.rand((n, 3), generator=generator) - 1)
    return T


def _seen(
    body: Body, n: int, n_frames: int, generator: torch.Generator, params: SimulationParams
) -> Bool[Tensor, "B T 2"]:
    seen = torch.as_tensor(body.sides).expand(n, n_frames, 2).clone()
    frames = torch.arange(n_frames)
    start = torch.rand(n, generator=generator) * n_frames
    length = (0.1 + 0.6 * torch.rand(n, generator=generator)) * n_frames
    hand = torch.randint(2, (n,), generator=generator)
    has_gap = torch.rand(n, generator=generator) < params.hidden
    gap = (frames >= start[:, None]) & (frames < (start + length)[:, None]) & has_gap[:, None]
    rows = torch.arange(n)
    seen[rows, :, hand] &= ~gap
    if body.sides.all():
        alone = torch.rand(n, generator=generator) < params.one_handed
        other = torch.randint(2, (n,), generator=generator)
        seen[rows, :, other] &= ~alone[:, None]
    nobody = ~seen.any((1, 2))
    seen[nobody] = torch.as_tensor(body.sides)
    return seen


def _spoilt(
    wrist: Float[Tensor, "B T 2 4 4"], generator: torch.Generator, params: SimulationParams
) -> Float[Tensor, "B T 2 4 4"]:
    n, n_frames = wrist.shape[:2]
    strength = torch.rand((n, 1, 1, 1), generator=generator)
    shift = params.noise_m * strength * torch.randn((n, n_frames, 2, 3), generator=generator)
    turn = params.noise_rad * strength * torch.randn((n, n_frames, 2, 3), generator=generator)
    jumps = (torch.rand((n, 1, 1, 1), generator=generator) < params.jumps) & (
        torch.rand((n, n_frames, 2, 1), generator=generator) < 1.5 / n_frames
    )
    shift = shift + jumps * params.jump_m * torch.randn((n, n_frames, 2, 3), generator=generator)
    turn = turn + jumps * 5 * params.noise_rad * torch.randn((n, n_frames, 2, 3), generator=generator)
    out = wrist.clone()
    out[..., :3, 3] += shift
    out[..., :3, :3] = out[..., :3, :3] @ so3.exp(turn)
    return out
