from __future__ import annotations

from dataclasses import dataclass

import pytest

torch = pytest.importorskip("torch")

from hoiset.builder.retarget import so3  # noqa: E402
from hoiset.builder.retarget.root_network import (  # noqa: E402
    NetworkParams,
    Prior,
    RootNetwork,
    VectorReLU,
    draw_prior,
)

UP = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
SMALL = NetworkParams(channels=16, layers=2, heads=2, context=8, width=32)


@pytest.fixture(scope="module")
def network() -> RootNetwork:
    torch.manual_seed(0)
    net = RootNetwork(SMALL)
    with torch.no_grad():
        net.final.weight.normal_(std=0.2)
    return net.double().eval()


@dataclass
class Windows:
    wrist: torch.Tensor
    seen: torch.Tensor
    gravity: torch.Tensor
    prior: Prior

    def moved(self, R: torch.Tensor, t: torch.Tensor) -> Windows:
        T = torch.eye(4, dtype=torch.float64)
        T[:3, :3], T[:3, 3] = R, t
        return Windows(T @ self.wrist, self.seen, self.gravity @ R.T, Prior(R @ self.prior.R, self.prior.t @ R.T))


def windows(kind: str = "whole", n: int = 4, k: int = 5) -> Windows:
    generator = torch.Generator().manual_seed(1)
    n_frames = SMALL.n_frames
    wrist = torch.eye(4, dtype=torch.float64).repeat(n, n_frames, 2, 1, 1)
    wrist[..., :3, :3] = so3.uniform((n, n_frames, 2), generator).double()
    wrist[..., :3, 3] = 0.3 * torch.randn((n, n_frames, 2, 3), generator=generator, dtype=torch.float64)
    seen = torch.ones((n, n_frames, 2), dtype=torch.bool)
    if kind == "hidden":
        seen = torch.rand((n, n_frames, 2), generator=generator) < 0.5
        seen[:, 0, 0] = True
    elif kind == "one hand":
        seen[..., 1] = False
    gravity = torch.nn.functional.normalize(torch.randn((n, 3), generator=generator, dtype=torch.float64), dim=-1)
    if kind == "no gravity":
        gravity = torch.zeros_like(gravity)
    prior = draw_prior((n, k), generator)
    return Windows(wrist, seen, gravity, Prior(prior.R.double(), prior.t.double()))


def sample(net: RootNetwork, w: Windows) -> tuple[torch.Tensor, torch.Tensor]:
    out: tuple[torch.Tensor, torch.Tensor] = net.sample(net.read(w.wrist, w.seen, w.gravity), w.prior, UP)
    return out


@pytest.mark.parametrize("kind", ["whole", "hidden", "one hand", "no gravity"])
def test_roots_follow_the_input_wherever_it_is_moved(network: RootNetwork, kind: str) -> None:
    w = windows(kind)
    R, t = sample(network, w)
    turn = so3.uniform((), torch.Generator().manual_seed(5)).double()
    shift = torch.tensor([3.0, -2.0, 5.0], dtype=torch.float64)
    R_moved, t_moved = sample(network, w.moved(turn, shift))
    torch.testing.assert_close(R_moved, turn @ R, atol=1e-5, rtol=0)
    torch.testing.assert_close(t_moved, t @ turn.T + shift, atol=1e-5, rtol=0)


def test_single_precision_is_equivariant_too(network: RootNetwork) -> None:
    w = windows("hidden")
    turn = so3.uniform((), torch.Generator().manual_seed(5)).double()
    moved = w.moved(turn, torch.ones(3, dtype=torch.float64))
    torch.manual_seed(0)
    net = RootNetwork(SMALL)
    net.load_state_dict({name: v.float() for name, v in network.state_dict().items()})
    contexts = [net.read(x.wrist.float(), x.seen, x.gravity.float()) for x in (w, moved)]
    want = torch.einsum("xy,byc->bxc", turn.float(), contexts[0].vectors)
    torch.testing.assert_close(contexts[1].vectors, want, atol=1e-5, rtol=1e-5)


def test_hidden_frames_are_never_looked_at(network: RootNetwork) -> None:
    w = windows("hidden")
    R, t = sample(network, w)
    for hidden in (7.0, float("nan")):
        wrist = torch.where(w.seen[..., None, None], w.wrist, torch.full_like(w.wrist, hidden))
        again = sample(network, Windows(wrist, w.seen, w.gravity, w.prior))
        assert torch.equal(again[0], R)
        assert torch.equal(again[1], t)


def test_frames_that_are_seen_matter(network: RootNetwork) -> None:
    w = windows()
    _, t = sample(network, w)
    seen = w.seen.clone()
    seen[:, 3] = False
    assert (sample(network, Windows(w.wrist, seen, w.gravity, w.prior))[1] - t).abs().max() > 1e-4


def test_hands_are_told_apart(network: RootNetwork) -> None:
    w = windows()
    swapped = Windows(w.wrist.flip(2), w.seen, w.gravity, w.prior)
    assert (sample(network, w)[1] - sample(network, swapped)[1]).abs().max() > 1e-3


def test_roots_stand_upright_where_gravity_is_known(network: RootNetwork) -> None:
    R, _ = sample(network, windows())
    torch.testing.assert_close(R @ UP, -windows().gravity[:, None].expand(4, 5, 3), atol=1e-5, rtol=0)


def test_one_sample_does_not_depend_on_the_others(network: RootNetwork) -> None:
    w = windows()
    R, t = sample(network, w)
    alone = Windows(w.wrist[1:2], w.seen[1:2], w.gravity[1:2], Prior(w.prior.R[1:2, 2:3], w.prior.t[1:2, 2:3]))
    R_alone, t_alone = sample(network, alone)
    torch.testing.assert_close(R_alone[0, 0], R[1, 2], atol=1e-10, rtol=0)
    torch.testing.assert_close(t_alone[0, 0], t[1, 2], atol=1e-10, rtol=0)


def test_the_relu_bends_by_direction_and_turns_with_its_input() -> None:
    torch.manual_seed(0)
    layer = VectorReLU(4, 6).double()
    x = torch.randn((50, 3, 4), dtype=torch.float64)
    q, k = layer.map(x), layer.direction(x)
    against = (q * k).sum(-2) < 0
    assert 0.2 < against.double().mean() < 0.8
    out = layer(x)
    torch.testing.assert_close((out * k).sum(-2)[against], torch.zeros(int(against.sum())).double(), atol=1e-4, rtol=0)
    torch.testing.assert_close(out.mT[~against], q.mT[~against])
    turn = so3.uniform((), torch.Generator().manual_seed(2)).double()
    torch.testing.assert_close(layer(turn @ x), turn @ out)
