from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hoiset.builder.retarget import so3  # noqa: E402
from hoiset.builder.retarget.robot import Robot, load_robot  # noqa: E402
from hoiset.builder.retarget.simulate import Body, SimulatedClips, SimulationParams, simulate  # noqa: E402
from hoiset.errors import RobotError  # noqa: E402

ROBOTS = ("g1", "fr3_dual", "robonaut2", "xlerobot")
CLEAN = SimulationParams(
    noise_m=0, noise_rad=0, gravity_rad=0, jumps=0, hidden=0, one_handed=0, without_gravity=0, shared_rad=0
)
TIME = np.linspace(0.0, 2.0, 6)


def draw(name: str, n: int = 64, params: SimulationParams = CLEAN, seed: int = 0) -> tuple[Body, SimulatedClips]:
    body = Body(load_robot(name))
    return body, simulate(body, n, TIME, torch.Generator().manual_seed(seed), params)


@pytest.mark.parametrize("name", ROBOTS)
def test_wrists_are_where_the_true_root_and_joints_put_them(name: str) -> None:
    body, clips = draw(name)
    k = body.kinematics
    q = clips.q.numpy()
    assert (q >= k.lower - 1e-5).all()
    assert (q <= k.upper + 1e-5).all()
    T_root_wrist = torch.linalg.inv(clips.root.double())[:, None, None] @ clips.true_wrist.double()
    torch.testing.assert_close(T_root_wrist, body.wrists(clips.q.double()), atol=1e-5, rtol=0)
    up = torch.tensor(body.robot.up)
    torch.testing.assert_close(clips.gravity, -(clips.root[:, :3, :3] @ up), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ROBOTS)
def test_what_is_observed_is_the_truth_where_nothing_spoils_it(name: str) -> None:
    body, clips = draw(name)
    assert clips.seen.all()
    torch.testing.assert_close(clips.wrist[..., :3, 3], clips.true_wrist[..., :3, 3], atol=1e-6, rtol=0)
    for side, axis in enumerate(body.free_axes):
        observed, true = clips.wrist[:, :, side, :3, :3], clips.true_wrist[:, :, side, :3, :3]
        if axis < 0:
            torch.testing.assert_close(observed, true, atol=1e-5, rtol=0)
        else:
            torch.testing.assert_close(observed[..., axis], true[..., axis], atol=1e-5, rtol=0)
            assert so3.angle(true.mT @ observed)[:, 0].std() > 0.5


@pytest.mark.parametrize("name", ["g1", "fr3_dual", "xlerobot"])
def test_left_and_right_are_mirror_images(name: str) -> None:
    body, clips = draw(name, 1000)
    T = body.wrists(clips.q)[:, 0]
    p, fingers = T[..., :3, 3], T[..., :3, 1]
    across = torch.tensor([1.0, -1.0, 1.0])
    for left, right in ((p[:, 0], p[:, 1] * across), (fingers[:, 0], fingers[:, 1] * across)):
        assert (left.mean(0) - right.mean(0)).abs().max() < 0.05
        assert (left.std(0) - right.std(0)).abs().max() < 0.05


def test_the_waist_moves_both_arms_and_little() -> None:
    body, clips = draw("g1", params=SimulationParams())
    waist = [name.startswith("waist") for name in body.dofs]
    assert body.shared.tolist() == waist
    spread = clips.q[:, 0].std(0)
    assert spread[body.shared].max() < 0.2 < spread[~body.shared].min()


def test_joints_that_carry_arms_but_are_not_theirs_rest() -> None:
    body, clips = draw("robonaut2")
    at = body.dofs.index("r2/waist/joint0")
    assert not body.moves[at]
    assert (clips.q[..., at] == body.kinematics.home[at]).all()


def test_motion_is_as_slow_as_people() -> None:
    _, clips = draw("g1", 200)
    step = (clips.true_wrist[:, 1:, :, :3, 3] - clips.true_wrist[:, :-1, :, :3, 3]).norm(dim=-1)
    speed = step / np.diff(TIME)[0]
    assert 0.02 < speed.median() < 0.5
    assert speed.quantile(0.99) < 3.0


def test_cameras_stand_on_all_sides() -> None:
    _, clips = draw("g1", 1000)
    T_root_camera = torch.linalg.inv(clips.root)
    octants = (T_root_camera[:, :3, 3] > 0).long() @ torch.tensor([1, 2, 4])
    assert torch.bincount(octants, minlength=8).min() > 1000 / 8 * 0.7
    assert clips.root[:, :3, :3].mean(0).abs().max() < 0.06


def test_clips_are_spoilt_as_often_as_asked() -> None:
    _, clips = draw("g1", 1000, SimulationParams())
    assert abs((clips.gravity == 0).all(-1).float().mean() - 0.3) < 0.04
    alone = ~clips.seen.any(1).all(-1)
    assert 0.2 < alone.float().mean() < 0.35
    assert clips.seen.any((1, 2)).all()
    off = (clips.wrist - clips.true_wrist)[..., :3, 3].norm(dim=-1)[clips.seen]
    assert 0.004 < off.median() < 0.012
    assert (off > 0.05).float().mean() > 0.005
    assert torch.equal(clips.wrist[~clips.seen], torch.eye(4).expand(int((~clips.seen).sum()), 4, 4))


def test_the_same_generator_gives_the_same_clips_and_another_others() -> None:
    first, again, other = (draw("g1", 8, SimulationParams(), seed)[1] for seed in (3, 3, 4))
    assert torch.equal(first.wrist, again.wrist)
    assert torch.equal(first.gravity, again.gravity)
    assert not torch.equal(first.wrist, other.wrist)


def test_rows_are_some_of_the_clips() -> None:
    _, clips = draw("xlerobot", 6)
    assert torch.equal(clips.rows(2, 3).q, clips.q[2:5])


def test_a_robot_without_arms_is_refused() -> None:
    with pytest.raises(RobotError, match="found no arm"):
        Body(Robot("stump", "Stump", "base", ()))
