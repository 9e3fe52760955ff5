"""Roots that a network proposes for a clip: many for each window of it, then the densest of all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from hoiset.builder.retarget.root_frames import densest
from hoiset.builder.retarget.root_network import PRIOR_M, Prior, RootNetwork
from hoiset.builder.retarget.root_score import RootProblem
from hoiset.geometry import make_T


@dataclass(frozen=True)
class Windows:
    """A clip's frames as a network takes them.

    Attributes:
        frames: (W, n) the frame nearest to each instant of each window.
        seen: (W, n, 2) whether a hand is there, at most :data:`TOLERANCE_S` from the instant.
    """

    frames: Int[np.ndarray, "W N"]
    seen: Bool[np.ndarray, "W N 2"]


TOLERANCE_S = 0.12
STRIDE_S = 1.0
N_STEPS = 12


def cut_windows(problem: RootProblem, window_s: float, n_frames: int) -> Windows:
    """Windows that overlap by half, the last one at the clip's end; those without a hand are left out."""
    start, end = float(problem.time[0]), float(problem.time[-1])
    starts = np.arange(start, max(start, end - window_s) + 1e-9, STRIDE_S)
    if len(starts) and end - window_s - starts[-1] > 1e-9:
        starts = np.append(starts, end - window_s)
    at = starts[:, None] + np.linspace(0.0, window_s, n_frames)
    frames = np.empty(at.shape, np.int64)
    seen = np.zeros((*at.shape, 2), bool)
    time, there = problem.time, problem.seen
    after = np.clip(np.searchsorted(time, at), 0, len(time) - 1)
    before = np.maximum(after - 1, 0)
    frames = np.where(np.abs(time[before] - at) <= np.abs(time[after] - at), before, after)
    close = np.abs(time[frames] - at) <= TOLERANCE_S
    seen = there[frames] & close[..., None]
    some = seen.any((1, 2))
    return Windows(frames[some], seen[some])


def propose_roots(
    problem: RootProblem,
    network: RootNetwork,
    rng: np.random.Generator,
    *,
    n_hypotheses: int = 32,
    n_kept: int = 32,
) -> Float[np.ndarray, "K 4 4"]:
    """Draw roots for every window and keep the densest.

    Args:
        problem: The whole clip.
        network: Of the robot.
        rng: Where the prior comes from.
        n_hypotheses: A window.
        n_kept: Of all, at most.

    Returns:
        ``T_camera_root``, upright where gravity is known, the densest first; none for a clip without a usable window.
    """
    windows = cut_windows(problem, network.params.window_s, network.params.n_frames)
    n = len(windows.frames)
    if n == 0:
        return np.zeros((0, 4, 4))
    wrist = torch.as_tensor(problem.wrist[windows.frames])
    gravity = np.zeros(3) if problem.gravity is None else problem.gravity
    quaternions = rng.normal(size=(n, n_hypotheses, 4))
    offsets = PRIOR_M * rng.normal(size=(n, n_hypotheses, 3))
    prior = Prior(torch.as_tensor(_rotations(quaternions)), torch.as_tensor(offsets))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            context = network.read(wrist, torch.as_tensor(windows.seen), torch.as_tensor(gravity).expand(n, 3))
            R, t = network.sample(context, prior, torch.tensor(problem.robot.up, dtype=wrist.dtype), N_STEPS)
    finally:
        torch.set_num_threads(threads)
    roots = make_T(R.reshape(-1, 3, 3).numpy(), t.reshape(-1, 3).numpy())
    return roots[densest(roots, n_kept)]


def _rotations(q: Float[np.ndarray, "*B 4"]) -> Float[np.ndarray, "*B 3 3"]:
    w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return np.stack(rows, -1).reshape(*w.shape, 3, 3)
