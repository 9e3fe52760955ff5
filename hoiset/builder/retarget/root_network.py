"""Where a robot's root should stand: flow matching on SE(3), equivariant by construction.

A Vector Neuron network (Deng et al., ICCV 2021, with its direction-gated ReLU) reads a window of wrists: every frame of
every hand is a token of vectors, tokens attend to each other over time and hands, and what is hidden takes no part. Its
feed-forward parts see a token's vectors from the token's own wrist. What comes out are vectors that turn with the
input. A flow (Lipman et al., ICLR 2023) carries poses from a wide prior to likely roots, rotations along geodesics,
positions along lines; its velocity is read from those vectors as seen from the moving root itself. So if the input and
the prior's noise are moved, every root moves with them. The window is read once, however many roots are drawn from it.

**Convention:** the input is in metres in the camera frame; inside, lengths are in units of :data:`SCALE_M` from the
centroid of the wrists that are seen. Vectors are laid out (..., 3, C), channels last, so that a map of channels is one
matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hoiset.builder.params import Params
from hoiset.builder.retarget import so3

SCALE_M = 0.3
PRIOR_M = 0.5
"""Spread of the prior about the centroid, by axis."""
N_VECTORS = 5
_N_WAVES = 8


class NetworkParams(Params):
    """Size of a network, and the window that it reads.

    Attributes:
        channels: Vectors a token.
        layers: Of attention.
        heads: Of attention.
        context: Vectors that the flow reads.
        width: Of the flow's hidden layers.
        n_frames: Of a window.
        window_s: From its first frame to its last.
    """

    channels: int = 40
    layers: int = 3
    heads: int = 4
    context: int = 40
    width: int = 224
    n_frames: int = 10
    window_s: float = 2.0


@dataclass(frozen=True)
class Prior:
    """Where the flow begins, relative to the input.

    Attributes:
        R: (..., 3, 3) rotations.
        t: (..., 3) offsets from the centroid, m.
    """

    R: Float[Tensor, "*B 3 3"]
    t: Float[Tensor, "*B 3"]


@dataclass(frozen=True)
class Context:
    """A window as the flow sees it.

    Attributes:
        vectors: (B, 3, C), turning with the input.
        centroid: (B, 3) m.
        gravity: (B, 3), zero where unknown.
        known: (B, 4) 0 or 1: gravity, left hand, right hand, both; these do not turn.
    """

    vectors: Float[Tensor, "B 3 C"]
    centroid: Float[Tensor, "B 3"]
    gravity: Float[Tensor, "B 3"]
    known: Float[Tensor, "B 4"]


def draw_prior(shape: tuple[int, ...], generator: torch.Generator) -> Prior:
    """Rotations from all of them, offsets about the centroid."""
    R = so3.uniform(shape, generator)
    return Prior(R, PRIOR_M * torch.randn((*shape, 3), generator=generator))


class VectorReLU(nn.Module):
    """A linear map of vectors, and where one points against a learnt direction, that part of it removed."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.map, self.direction = _linear(n_in, n_out), _linear(n_in, n_out)

    def forward(self, x: Float[Tensor, "*B 3 I"]) -> Float[Tensor, "*B 3 O"]:
        """Vectors of vectors."""
        q, k = self.map(x), self.direction(x)
        against = (q * k).sum(-2, keepdim=True).clamp(max=0.0)
        return q - against / (k.square().sum(-2, keepdim=True) + 1e-6) * k


class VectorNorm(nn.Module):
    """Vectors scaled by a learnt weight so that a token's mean square length is one, as a layer norm does."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Float[Tensor, "*B 3 C"]) -> Float[Tensor, "*B 3 C"]:
        """Vectors of vectors."""
        return x * torch.rsqrt(3.0 * x.square().mean((-2, -1), keepdim=True) + 1e-4) * self.weight


class LocalLayer(nn.Module):
    """A token's vectors as its own wrist sees them, through an ordinary network, and back.

    Seen from the wrist they no longer turn with the input, so the network between may be anything.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3 * channels, 3 * channels), nn.Linear(3 * channels, 3 * channels)

    def forward(self, x: Float[Tensor, "*B 3 C"], R: Float[Tensor, "*B 3 3"]) -> Float[Tensor, "*B 3 C"]:
        """Vectors of vectors; ``R`` is the wrists' orientation."""
        y = self.second(nn.functional.silu(self.first((R.mT @ x).flatten(-2))))
        return R @ y.unflatten(-1, (3, -1))


class VectorAttention(nn.Module):
    """Tokens attend to each other by the inner products of their vectors."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (_linear(channels, channels) for _ in range(4))

    def forward(self, x: Float[Tensor, "B N 3 C"], bias: Float[Tensor, "B 1 1 N"]) -> Float[Tensor, "B N 3 C"]:
        """What every token takes from the others; ``bias`` is minus infinity for those that are hidden."""
        n_batch, n_tokens, _, channels = x.shape

        def split(layer: nn.Linear) -> Tensor:
            y = layer(x).reshape(n_batch, n_tokens, 3, self.heads, -1).permute(0, 3, 1, 2, 4)
            return y.reshape(n_batch, self.heads, n_tokens, -1)

        mask = bias.expand(n_batch, 1, n_tokens, n_tokens)
        y = nn.functional.scaled_dot_product_attention(split(self.query), split(self.key), split(self.value), mask)
        y = y.reshape(n_batch, self.heads, n_tokens, 3, -1).permute(0, 2, 3, 1, 4)
        out: Tensor = self.out(y.reshape(n_batch, n_tokens, 3, channels))
        return out


class RootNetwork(nn.Module):
    """Roots of a window: :meth:`read` once, then :meth:`velocity` as often as need be."""

    def __init__(self, params: NetworkParams | None = None) -> None:
        super().__init__()
        p = self.params = params or NetworkParams()
        self.enter = nn.ModuleList([_linear(N_VECTORS, p.channels), _linear(N_VECTORS, p.channels)])
        self.moment = nn.Parameter(torch.zeros(2, p.n_frames, 1, p.channels))
        self.norms = nn.ModuleList([VectorNorm(p.channels) for _ in range(2 * p.layers)])
        self.attention = nn.ModuleList([VectorAttention(p.channels, p.heads) for _ in range(p.layers)])
        self.local = nn.ModuleList([LocalLayer(p.channels) for _ in range(p.layers)])
        self.open = VectorReLU(p.channels, p.channels)
        self.close = VectorReLU(p.channels * p.heads, p.context)
        self.last = VectorNorm(p.channels)
        self.weigh = nn.Linear(p.channels, p.heads)
        self.leave = _linear(p.channels * p.heads, p.context)
        n_in = 3 * p.context + 3 + 3 + 4 + 2 * _N_WAVES + 1
        self.first = nn.Linear(n_in, p.width)
        self.hidden = nn.ModuleList([nn.Linear(p.width, p.width) for _ in range(2)])
        self.final = nn.Linear(p.width, 6)
        nn.init.normal_(self.moment, std=0.3)
        nn.init.zeros_(self.final.weight)
        nn.init.zeros_(self.final.bias)

    def read(
        self,
        wrist: Float[Tensor, "B T 2 4 4"],
        seen: Bool[Tensor, "B T 2"],
        gravity: Float[Tensor, "B 3"],
    ) -> Context:
        """Take in windows.

        Args:
            wrist: ``T_camera_wrist``, m; what stands where a hand is not seen is never looked at.
            seen: Whether there is a hand; every window needs one at least.
            gravity: Unit vectors in the camera frame, zero where unknown.
        """
        there = seen[..., None]
        p = torch.where(there, wrist[..., :3, 3], 0.0)
        centroid = p.sum((1, 2)) / seen.sum((1, 2))[:, None]
        p = (p - centroid[:, None, None]) / SCALE_M
        g = gravity[:, None, None].expand_as(p)
        x = torch.cat([p[..., None], wrist[..., :3, :3], g[..., None]], -1)
        x = torch.where(there[..., None], x, 0.0)
        tokens = torch.stack([layer(x[:, :, hand]) for hand, layer in enumerate(self.enter)], 1)
        x = (tokens * (1.0 + self.moment)).flatten(1, 2)
        shown = seen.transpose(1, 2).flatten(1)
        bias = torch.where(shown, 0.0, -torch.inf).to(x.dtype)
        x = x + self.open(x)
        R = torch.where(there[..., None], wrist[..., :3, :3], torch.eye(3, dtype=x.dtype))
        R = R.transpose(1, 2).flatten(1, 2)
        for i, (attention, local) in enumerate(zip(self.attention, self.local, strict=True)):
            x = x + attention(self.norms[2 * i](x), bias[:, None, None])
            x = x + local(self.norms[2 * i + 1](x), R)
        x = self.last(x)
        weight = (self.weigh((x.square().sum(-2) + 1e-6).sqrt()) + bias[..., None]).softmax(1)
        pooled = torch.einsum("bnh,bnxc->bxhc", weight, x).flatten(2)
        hands = seen.any(1).to(x.dtype)
        known = torch.stack([gravity.square().sum(-1).round(), *hands.unbind(-1), hands.prod(-1)], -1)
        return Context(self.leave(pooled) + self.close(pooled), centroid, gravity, known)

    def velocity(
        self,
        context: Context,
        R: Float[Tensor, "B K 3 3"],
        t: Float[Tensor, "B K 3"],
        tau: Float[Tensor, "B K"],
    ) -> tuple[Float[Tensor, "B K 3"], Float[Tensor, "B K 3"]]:
        """Velocity of roots on their way.

        Args:
            context: Of the windows.
            R: ``R_camera_root``.
            t: Offsets from the centroid, m.
            tau: 0 at the prior, 1 at the root.

        Returns:
            Angular velocity in the root frame, rad, and velocity in the root frame, units of :data:`SCALE_M`.
        """
        local = torch.einsum("bxc,bkxy->bkyc", context.vectors, R).flatten(2)
        offset = torch.einsum("bkx,bkxy->bky", t, R) / SCALE_M
        down = torch.einsum("bx,bkxy->bky", context.gravity, R)
        known = context.known[:, None].expand(*tau.shape, -1)
        h = self.first(torch.cat([local, offset, down, known, _waves(tau)], -1))
        for layer in self.hidden:
            h = h + layer(nn.functional.silu(h))
        out = self.final(nn.functional.silu(h))
        return out[..., :3], out[..., 3:]

    @torch.no_grad()
    def sample(
        self, context: Context, prior: Prior, up: Float[Tensor, "3"], n_steps: int = 12
    ) -> tuple[Float[Tensor, "B K 3 3"], Float[Tensor, "B K 3"]]:
        """Carry a prior (B, K) to roots by Euler's steps.

        Args:
            context: Of the windows.
            prior: Where to begin.
            up: The robot's own up, root frame.
            n_steps: Of equal length.

        Returns:
            ``R_camera_root`` and the root's position in the camera frame, m.
        """
        R, t = levelled(prior.R, context.gravity, up), prior.t
        for step in range(n_steps):
            tau = torch.full(t.shape[:-1], step / n_steps, dtype=t.dtype)
            turn, shift = self.velocity(context, R, t, tau)
            t = t + (R @ shift[..., None])[..., 0] * SCALE_M / n_steps
            R = R @ so3.exp(turn / n_steps)
        return levelled(R, context.gravity, up), t + context.centroid[:, None]


def levelled(
    R: Float[Tensor, "B K 3 3"], gravity: Float[Tensor, "B 3"], up: Float[Tensor, "3"]
) -> Float[Tensor, "B K 3 3"]:
    """Roots made upright where gravity is known."""
    upright = so3.level(R, up.to(R.dtype), -gravity[:, None].expand(*R.shape[:2], 3))
    return torch.where((gravity != 0).any(-1)[:, None, None, None], upright, R)


def _waves(tau: Float[Tensor, "*B"]) -> Float[Tensor, "*B W"]:
    angles = tau[..., None] * torch.pi * 2.0 ** torch.arange(_N_WAVES, dtype=tau.dtype).div(2)
    return torch.cat([angles.sin(), angles.cos(), tau[..., None]], -1)


def _linear(n_in: int, n_out: int) -> nn.Linear:
    return nn.Linear(n_in, n_out, bias=False)
