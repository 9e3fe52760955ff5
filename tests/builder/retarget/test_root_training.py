from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from hoiset.builder.retarget.robot import load_robot  # noqa: E402
from hoiset.builder.retarget.root_network import NetworkParams  # noqa: E402
from hoiset.builder.retarget.root_training import (  # noqa: E402
    TrainingParams,
    flow_loss,
    held_out_errors,
    train,
    window_time,
)
from hoiset.builder.retarget.root_weights import load_weights  # noqa: E402
from hoiset.builder.retarget.simulate import Body, simulate  # noqa: E402

SMALL = NetworkParams(channels=16, layers=1, heads=2, context=8, width=48, n_frames=6)
QUICK = TrainingParams(n_clips=16, n_draws=8, log_every=10, rate=5e-3, warm_up=5)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small steps are faster on one thread, and far faster where the machine is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_training_lowers_the_loss_and_is_the_same_again() -> None:
    robot = load_robot("xlerobot")
    rows: list[tuple[int, float, float]] = []
    first = train(robot, steps=30, seed=1, network=SMALL, params=QUICK, progress=lambda *row: rows.append(row))
    assert [row[0] for row in rows] == [10, 20, 30]
    assert rows == first.log
    assert rows[-1][2] < 0.7 * rows[0][2]
    assert (first.steps, first.clips) == (30, 30 * 16)
    again = train(robot, steps=30, seed=1, network=SMALL, params=QUICK)
    other = train(robot, steps=30, seed=2, network=SMALL, params=QUICK)
    weights = [torch.cat([w.flatten() for w in t.network.state_dict().values()]) for t in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_length_is_needed_and_only_one() -> None:
    for length in ({}, {"minutes": 1.0, "steps": 1}, {"steps": 0}, {"minutes": -1.0}):
        with pytest.raises(ValueError, match="expected one of them"):
            train(load_robot("xlerobot"), **length)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["g1", "fr3_dual", "robonaut2", "xlerobot"])
def test_shipped_networks_beat_chance_by_far_on_motions_they_never_saw(name: str) -> None:
    robot = load_robot(name)
    network, info = load_weights(robot)
    errors = held_out_errors(network, robot, n_clips=48, n_draws=8)
    assert errors["all"]["single_m"] < 0.25
    assert errors["gravity"]["single_rad"] < np.deg2rad(40)
    assert errors["all"]["best_m"] < errors["all"]["single_m"]
    assert info.held_out["all"]["clips"] == 256


def test_the_loss_of_a_shipped_network_is_far_below_that_of_a_new_one() -> None:
    robot = load_robot("g1")
    network, _ = load_weights(robot)
    generator = torch.Generator().manual_seed(0)
    clips = simulate(Body(robot), 64, window_time(network.params), generator)
    up = torch.tensor(robot.up, dtype=torch.float32)
    fresh = type(network)(network.params)
    with torch.no_grad():
        losses = [float(flow_loss(n, clips, up, 8, torch.Generator().manual_seed(1))) for n in (network, fresh)]
    assert losses[0] < 0.35 * losses[1]


def test_the_command_writes_weights_and_their_log(
    tmp_path: Path, run_command: Callable[..., tuple[int, str, str]]
) -> None:
    out = tmp_path / "x.safetensors"
    code, text, _ = run_command("train-root", "xlerobot", "--steps", "2", "--seed", "3", "--out", out)
    assert code == 0
    assert "step 2" in text
    _, info = load_weights(load_robot("xlerobot"), out)
    log = json.loads((tmp_path / "x.json").read_text("utf-8"))
    assert info.command == log["command"] == "hoiset train-root xlerobot --steps 2 --seed 3"
    assert log["log"][-1]["step"] == info.steps == 2


def test_the_command_wants_one_length_and_a_fitting_name(
    tmp_path: Path, run_command: Callable[..., tuple[int, str, str]]
) -> None:
    assert run_command("train-root", "g1", "--out", tmp_path / "x.safetensors")[0] == 2
    assert run_command("train-root", "g1", "--steps", "1", "--out", tmp_path / "x.bin")[0] == 2
    code, _, error = run_command("train-root", "nobody", "--steps", "1", "--out", tmp_path / "x.safetensors")
    assert code == 1
    assert "found no robot 'nobody'" in error
