"""Train a robot's root network on simulated motions, every one of them fresh, and measure it on held-out ones."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hoiset.builder.params import Params
from hoiset.builder.retarget import so3
from hoiset.builder.retarget.robot import Robot
from hoiset.builder.retarget.root_network import (
    SCALE_M,
    NetworkParams,
    RootNetwork,
    draw_prior,
    levelled,
)
from hoiset.builder.retarget.simulate import Body, SimulatedClips, SimulationParams, simulate

HELD_OUT_SEED = 987_654_321
"""Of the clips that training never draws."""


class TrainingParams(Params):
    """How a network is trained.

    Attributes:
        n_clips: Fresh clips a step.
        n_ahead: Steps whose clips are simulated together.
        n_draws: Flows a clip: the window is read once for all of them.
        rate: Greatest learning rate; it rises over the first steps and then falls along a cosine.
        warm_up: Steps over which it rises.
        decay: Of the weights.
        average: Of the running mean of weights, which is what is kept.
        log_every: Steps between two lines of the log.
    """

    n_clips: int = 64
    n_ahead: int = 8
    n_draws: int = 16
    rate: float = 2e-3
    warm_up: int = 100
    decay: float = 1e-4
    average: float = 0.998
    log_every: int = 50


@dataclass(frozen=True)
class Training:
    """A trained network.

    Attributes:
        network: With the mean weights.
        steps: Taken.
        clips: Simulated.
        seconds: Taken.
        log: Rows of step, seconds and mean loss since the row before.
    """

    network: RootNetwork
    steps: int
    clips: int
    seconds: float
    log: list[tuple[int, float, float]] = field(default_factory=list)


def train(
    robot: Robot,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    network: NetworkParams | None = None,
    simulation: SimulationParams | None = None,
    params: TrainingParams | None = None,
    progress: Callable[[int, float, float], None] | None = None,
) -> Training:
    """Train for a time or for a number of steps; the latter gives the same weights again on the same machine.

    Args:
        robot: Whose root is to be found.
        minutes: How long; the learning rate follows the time that has passed.
        steps: Or how many steps.
        seed: Of weights, clips and flows.
        network: Its size.
        simulation: How clips are drawn.
        params: Of the training.
        progress: Called with every row of the log.

    Raises:
        ValueError: Neither or both of ``minutes`` and ``steps``, or not above 0.
        RobotError: The robot has no arm.
    """
    if (minutes is None) == (steps is None) or (minutes or steps or 0) <= 0:
        raise ValueError(f"found minutes {minutes} and steps {steps}, expected one of them, above 0")
    params = params or TrainingParams()
    body = Body(robot)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = RootNetwork(network)
    mean = {name: weight.detach().clone() for name, weight in net.named_parameters()}
    optimiser = torch.optim.AdamW(net.parameters(), lr=params.rate, weight_decay=params.decay, betas=(0.9, 0.98))
    frames = window_time(net.params)
    up = torch.tensor(robot.up, dtype=torch.float32)
    began, done, losses, log, step = clock.monotonic(), 0.0, list[float](), list[tuple[int, float, float]](), 0
    while done < 1.0:
        for group in optimiser.param_groups:
            group["lr"] = params.rate * min(1.0, (step + 1) / params.warm_up) * 0.5 * (1.0 + math.cos(math.pi * done))
        if step % params.n_ahead == 0:
            ahead = simulate(body, params.n_clips * params.n_ahead, frames, generator, simulation)
        clips = ahead.rows(params.n_clips * (step % params.n_ahead), params.n_clips)
        loss = flow_loss(net, clips, up, params.n_draws, generator)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        step += 1
        keep = min(params.average, step / (step + 10.0))
        with torch.no_grad():
            for name, weight in net.named_parameters():
                mean[name].lerp_(weight, 1.0 - keep)
        losses.append(loss.item())
        passed = clock.monotonic() - began
        done = step / steps if steps is not None else passed / (60.0 * (minutes or 1.0))
        if step % params.log_every == 0 or done >= 1.0:
            log.append((step, round(passed, 1), round(float(np.mean(losses)), 5)))
            losses.clear()
            if progress is not None:
                progress(*log[-1])
    net.load_state_dict(mean)
    return Training(net.eval(), step, step * params.n_clips, clock.monotonic() - began, log)


def window_time(params: NetworkParams) -> Float[np.ndarray, "T"]:
    """Times of a window's frames, s."""
    return np.linspace(0.0, params.window_s, params.n_frames)


def flow_loss(
    net: RootNetwork, clips: SimulatedClips, up: Float[Tensor, "3"], n_draws: int, generator: torch.Generator
) -> Float[Tensor, ""]:
    """Mean square error of the velocity, rotation (rad) and translation (units of 0.3 m) alike."""
    context = net.read(clips.wrist, clips.seen, clips.gravity)
    n = len(clips.root)
    prior = draw_prior((n, n_draws), generator)
    tau = torch.rand((n, n_draws), generator=generator)
    R0, t0 = levelled(prior.R, clips.gravity, up), prior.t
    R1, t1 = clips.root[:, None, :3, :3], (clips.root[:, :3, 3] - context.centroid)[:, None]
    turn, shift = so3.log(R0.mT @ R1), t1 - t0
    R = R0 @ so3.exp(tau[..., None] * turn)
    t = t0 + tau[..., None] * shift
    got_turn, got_shift = net.velocity(context, R, t, tau)
    want_shift = torch.einsum("bkx,bkxy->bky", shift, R) / SCALE_M
    return (got_turn - turn).square().mean() + (got_shift - want_shift).square().mean()


def held_out_errors(
    net: RootNetwork, robot: Robot, n_clips: int = 256, n_draws: int = 8, params: SimulationParams | None = None
) -> dict[str, Any]:
    """Errors of roots drawn for clips that training never saw.

    Returns:
        For all clips, those with gravity and those without: median distance, m, and angle, rad, of a single draw and
        of the best of ``n_draws`` (the one nearest to the truth: a bound for any choice), and the number of clips.
    """
    generator = torch.Generator().manual_seed(HELD_OUT_SEED)
    clips = simulate(Body(robot), n_clips, window_time(net.params), generator, params)
    context = net.read(clips.wrist, clips.seen, clips.gravity)
    prior = draw_prior((n_clips, n_draws), generator)
    R, t = net.sample(context, prior, torch.tensor(robot.up, dtype=torch.float32))
    distance = (t - clips.root[:, None, :3, 3]).norm(dim=-1)
    angle = so3.angle(R.mT @ clips.root[:, None, :3, :3])
    nearest = (distance / 0.1 + angle / math.radians(15.0)).argmin(1, keepdim=True)
    known = (clips.gravity != 0).any(-1)
    out: dict[str, Any] = {}
    for name, rows in (("all", known | True), ("gravity", known), ("no_gravity", ~known)):
        out[name] = {
            "clips": int(rows.sum()),
            "single_m": float(distance[rows, 0].median()),
            "single_rad": float(angle[rows, 0].median()),
            "best_m": float(distance.gather(1, nearest)[rows].median()),
            "best_rad": float(angle.gather(1, nearest)[rows].median()),
        }
    return out
