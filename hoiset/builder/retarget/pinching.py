"""What a hand's fingers wish together: tips at their places, and at a human's distances from the thumb.

A pinch is its distance first. Its direction counts a little: few robots' thumbs can oppose a finger as a human's does,
and what would be lost on the direction would be missing in the distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from hoiset.builder.retarget.robot_hands import Hand
from hoiset.builder.retarget.robust import huber
from hoiset.builder.retarget.trajectory import Terms

UNIT_M = 0.002
"""What counts as one tolerance of a fingertip or of a pinch."""
KNEE = 5.0
WAY = 0.2
"""Weight of a pinch's direction against that of its distance."""


@dataclass(frozen=True)
class TipTask:
    """What the tips of one hand are to do.

    Attributes:
        hand: The robot's.
        targets: Fingertips in the wrist's frame, m; NaN for none.
        span: Vectors from the thumb's tip to the other fingers', m; no pairs at all where pinches do not matter.
        weight: How much each counts.
    """

    hand: Hand
    targets: Float[np.ndarray, "T F 3"]
    span: Float[np.ndarray, "T P 3"]
    weight: Float[np.ndarray, "T P"]


class Pinching:
    """Wishes of all fingers of a hand together: tips at their places, and at their distances from the thumb."""

    def __init__(self, task: TipTask) -> None:
        hand = task.hand
        self.columns, self.n = hand.columns, len(hand.dofs)
        self.chains = hand.serial
        self.targets, self.span = (np.ascontiguousarray(np.moveaxis(x, 0, -1)) for x in (task.targets, task.span))
        self.weight = np.ascontiguousarray(task.weight.T)
        self.length = np.linalg.norm(self.span, axis=1)
        self.thumb = hand.fingers.index(0)
        self.others = [place for place in range(len(hand.fingers)) if place != self.thumb]

    def __call__(self, q: Float[np.ndarray, "B T dof"], rows: Int[np.ndarray, " B"]) -> Terms:  # noqa: ARG002
        """Cost, slope and curvature of every frame."""
        B, T, n = q.shape
        found = self.chains.tools(np.ascontiguousarray(q.reshape(-1, n).T), "places")
        tips = found.position.reshape(-1, 3, B, T)
        off = self.targets[:, :, None] - tips
        cost, pull = _pull(off, np.ones((1, 1, 1)))
        apart = tips[self.others] - tips[self.thumb]
        length = np.sqrt(np.einsum("pcbt,pcbt->pbt", apart, apart))
        along = apart / np.maximum(length, 1e-9)[:, :, None].swapaxes(1, 2)
        short = (self.length[:, None] - length)[:, None]
        cost_short, pull_short = _pull(short, self.weight[:, None])
        way = self.span[:, :, None] - apart
        cost_way, pull_way = _pull(way, WAY * self.weight[:, None])
        forces = pull[:, None] * off
        forces_apart = pull_way[:, None] * way + pull_short[:, None] * short * along
        for place, force in zip(self.others, forces_apart, strict=True):
            forces[place] += force
            forces[self.thumb] -= force
        flat = [x.reshape(*x.shape[:-2], B * T) for x in (forces, pull, pull_way, pull_short, along)]
        g, H = self._curved([found.slope[place][:, mine] for place, mine in enumerate(self.columns)], *flat)
        total = cost.sum(0) + cost_short.sum(0) + cost_way.sum(0)
        return total, g.T.reshape(B, T, n), H.transpose(2, 1, 0).reshape(B, T, n, n)

    def _curved(
        self,
        J: list[Float[np.ndarray, "3 J N"]],
        forces: Float[np.ndarray, "F 3 N"],
        pull: Float[np.ndarray, "F N"],
        pull_way: Float[np.ndarray, "P N"],
        pull_short: Float[np.ndarray, "P N"],
        along: Float[np.ndarray, "P 3 N"],
    ) -> tuple[Float[np.ndarray, "dof N"], Float[np.ndarray, "dof dof N"]]:
        """Slope and curvature, put together of what each finger and each pair of them adds."""
        g, H = np.zeros((self.n, forces.shape[-1])), np.zeros((self.n, self.n, forces.shape[-1]))

        def add(first: int, second: int, K: np.ndarray, sign: float) -> None:
            block = sign * np.einsum("can,cbn->abn", J[first], K)
            H[np.ix_(self.columns[first], self.columns[second])] += block
            if first != second:
                H[np.ix_(self.columns[second], self.columns[first])] += block.swapaxes(0, 1)

        for place, mine in enumerate(self.columns):
            g[mine] = -np.einsum("can,cn->an", J[place], forces[place])
            add(place, place, pull[place] * J[place], 1.0)
        for pair, place in enumerate(self.others):
            u = along[pair]
            K = [
                pull_way[pair] * slope + pull_short[pair] * u[:, None] * np.einsum("cn,can->an", u, slope)
                for slope in (J[place], J[self.thumb])
            ]
            add(place, place, K[0], 1.0)
            add(self.thumb, self.thumb, K[1], 1.0)
            add(place, self.thumb, K[1], -1.0)
        return g, H


def _pull(
    r: Float[np.ndarray, "K D B T"], weight: Float[np.ndarray, "K 1 T"]
) -> tuple[Float[np.ndarray, "K B T"], Float[np.ndarray, "K B T"]]:
    """Cost of residuals, m, and what they pull with, per m; those with NaN are made 0."""
    weight = weight / UNIT_M
    length = np.sqrt(np.einsum("kcbt,kcbt->kbt", r, r)) * weight
    absent = np.isnan(length)
    np.copyto(r, 0.0, where=absent[:, None])
    length[absent] = 0.0
    cost, share = huber(length, KNEE)
    return cost, share * weight**2 * ~absent
