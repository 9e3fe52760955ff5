"""Clone behaviour: from what a hand is doing to where its wrist goes next.

Run ``python examples/02_windows_and_training.py DATASET``. Needs hoiset[torch].
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

import hoiset
from hoiset.loaders import Normaliser, WindowDataset, collate, compute_statistics

HAND = 1  # right
OBSERVED_S = [-0.2, -0.1, 0.0]
ACTED_S = [0.1, 0.2, 0.3, 0.4]
OBSERVATIONS = ("hand_wrist_9d", "hand_joints_local")
ACTION = "hand_wrist_relative_9d"


class Policy(nn.Module):
    """Observations of one hand, flattened, to poses of its wrist in the frame of the wrist now."""

    def __init__(self, n_observed: int, hidden: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_observed, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, len(ACTED_S) * 9),
        )  # fmt: skip

    def forward(self, observed: Tensor) -> Tensor:
        """(B, n_observed) to (B, n, 9)."""
        return self.layers(observed).unflatten(-1, (len(ACTED_S), 9))


def observe(batch: dict[str, Tensor]) -> Tensor:
    """(B, n_observed): all observations of the hand; what is absent reads as the mean."""
    parts = [batch[key][:, :, HAND].flatten(1) for key in OBSERVATIONS]
    return torch.nan_to_num(torch.cat(parts, 1))


def loss_of(policy: Policy, batch: dict[str, Tensor]) -> Tensor:
    """Mean squared error over the steps that are real: inside of the clip, and with a hand."""
    real = batch[f"{ACTION}_mask"][:, :, HAND] & ~batch[f"{ACTION}_is_pad"]
    error = policy(observe(batch)) - torch.nan_to_num(batch[ACTION][:, :, HAND])
    return (error.square().mean(-1) * real).sum() / real.sum().clamp(min=1)


def main(dataset: str, epochs: int = 20, workers: int = 0, where: str = 'grasp = "right"') -> list[float]:
    torch.manual_seed(0)
    clips = hoiset.load_dataset(dataset, "v2", split="train", where=where)
    windows = WindowDataset(clips, {**{key: OBSERVED_S for key in OBSERVATIONS}, ACTION: ACTED_S}, rate_hz=10)
    normaliser = Normaliser(compute_statistics(windows))
    loader = DataLoader(
        windows, batch_size=64, shuffle=True, num_workers=workers, collate_fn=collate, persistent_workers=workers > 0
    )
    first = normaliser.apply(collate([windows[0]]))
    policy = Policy(observe(first).shape[1])
    optimiser = torch.optim.AdamW(policy.parameters(), lr=3e-3)
    losses = []
    for epoch in range(epochs):
        total = 0.0
        for batch in loader:
            loss = loss_of(policy, normaliser.apply(batch))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() / len(loader)
        losses.append(total)
        print(f"epoch {epoch}: {total:.4f}")

    # What the policy puts out is normalised; inverted it is position (m) and rotation again.
    with torch.no_grad():
        predicted = policy(observe(first))
    both = predicted.unsqueeze(2).expand(-1, -1, 2, -1)
    step = normaliser.invert_to(ACTION, both)[0, 0, HAND]
    print(f"in {ACTED_S[0]} s the wrist of {windows[0]['key']} moves by {step[:3].norm() * 1000:.1f} mm")
    return losses


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--where", default='grasp = "right"', help="which clips to learn from")
    options = parser.parse_args()
    main(options.dataset, options.epochs, options.workers, options.where)
