from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from hoiset.builder.retarget import so3  # noqa: E402


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-5, 0.3, 3.0, math.pi - 1e-9])
def test_log_undoes_exp(angle: float) -> None:
    axis = torch.nn.functional.normalize(torch.tensor([0.3, -0.8, 0.5], dtype=torch.float64), dim=0)
    torch.testing.assert_close(so3.log(so3.exp(angle * axis)), angle * axis, atol=1e-8, rtol=0)


def test_log_of_half_turns() -> None:
    R = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
    torch.testing.assert_close(so3.angle(R), torch.tensor(math.pi, dtype=torch.float64))
    torch.testing.assert_close(so3.exp(so3.log(R)), R)


def test_uniform_rotations_favour_no_direction() -> None:
    R = so3.uniform((4000,), torch.Generator().manual_seed(0))
    torch.testing.assert_close(R @ R.mT, torch.eye(3).expand_as(R), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(4000), atol=1e-5, rtol=0)
    assert R.mean(0).abs().max() < 0.05


def test_levelled_rotations_take_the_axis_to_the_direction() -> None:
    generator = torch.Generator().manual_seed(0)
    R = so3.uniform((100,), generator).double()
    axis = torch.tensor([0.0, 0.0, -1.0], dtype=torch.float64)
    direction = torch.nn.functional.normalize(torch.randn((100, 3), generator=generator, dtype=torch.float64), dim=-1)
    direction[0], direction[1] = -(R[0] @ axis), R[1] @ axis
    out = so3.level(R, axis, direction)
    torch.testing.assert_close(out @ axis, direction, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(out), torch.ones(100, dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close(out[1], R[1], atol=1e-5, rtol=0)
