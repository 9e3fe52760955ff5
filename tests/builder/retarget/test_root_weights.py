from __future__ import annotations

import dataclasses
import json
import pickle
import struct
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from hoiset.builder.retarget.robot import load_robot  # noqa: E402
from hoiset.builder.retarget.root_network import NetworkParams, RootNetwork  # noqa: E402
from hoiset.builder.retarget.root_weights import (  # noqa: E402
    WEIGHTS,
    WeightsInfo,
    has_weights,
    load_weights,
    robot_digest,
    save_weights,
)
from hoiset.errors import RobotError  # noqa: E402

SMALL = NetworkParams(channels=8, layers=1, heads=2, context=4, width=16, n_frames=4)
SHIPPED = ("g1", "fr3_dual", "robonaut2", "xlerobot")


def info(**other: object) -> WeightsInfo:
    robot = load_robot("g1")
    known = {
        "robot": "g1",
        "robot_digest": robot_digest(robot),
        "network": SMALL,
        "command": "hoiset train-root g1 --steps 1 --seed 0",
        "seed": 0,
        "steps": 1,
        "clips": 64,
        "hoiset": "0",
        "torch": "2",
        "held_out": {},
    }
    return WeightsInfo.model_validate({**known, **other})


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_weights(tmp_path / "g1.safetensors", RootNetwork(SMALL), info())
    return tmp_path / "g1.safetensors"


def test_what_is_written_is_read_again(weights: Path) -> None:
    torch.manual_seed(0)
    written = RootNetwork(SMALL)
    network, found = load_weights(load_robot("g1"), weights)
    assert found == info()
    for name, weight in network.state_dict().items():
        torch.testing.assert_close(weight, written.state_dict()[name].half().float())
    assert [path.name for path in weights.parent.iterdir()] == ["g1.safetensors"]


def test_nothing_in_the_file_is_a_pickle(weights: Path) -> None:
    data = weights.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    assert json.loads(data[8 : 8 + size])["__metadata__"]
    with pytest.raises((pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError)):
        pickle.loads(data)


def cut(data: bytes) -> bytes:
    return data[:-50]


def longer(data: bytes) -> bytes:
    return data + b"\0" * 16


def headless(data: bytes) -> bytes:
    return data[:5]


def pickled(_: bytes) -> bytes:
    return pickle.dumps({"weights": [1.0]})


def broken_header(data: bytes) -> bytes:
    return data[:8] + b"}" + data[9:]


def huge_header(data: bytes) -> bytes:
    return b"\xff" * 8 + data[8:]


@pytest.mark.parametrize("damage", [cut, longer, headless, pickled, broken_header, huge_header])
def test_damaged_files_are_refused(weights: Path, damage: object) -> None:
    assert callable(damage)
    weights.write_bytes(damage(weights.read_bytes()))
    with pytest.raises(RobotError, match=r"g1\.safetensors: found"):
        load_weights(load_robot("g1"), weights)


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    network = RootNetwork(SMALL)
    with torch.no_grad():
        network.final.bias[0] = float("nan")
    save_weights(tmp_path / "x.safetensors", network, info())
    with pytest.raises(RobotError, match="not finite"):
        load_weights(load_robot("g1"), tmp_path / "x.safetensors")


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    larger = info(network=NetworkParams(channels=16, layers=1, heads=2, context=4, width=16, n_frames=4))
    save_weights(tmp_path / "x.safetensors", RootNetwork(SMALL), larger)
    with pytest.raises(RobotError, match="do not fit the network"):
        load_weights(load_robot("g1"), tmp_path / "x.safetensors")


def test_weights_of_another_robot_are_refused(weights: Path) -> None:
    with pytest.raises(RobotError, match="hoiset train-root xlerobot"):
        load_weights(load_robot("xlerobot"), weights)


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "x.safetensors", RootNetwork(SMALL), info(format=2))
    with pytest.raises(RobotError, match="found format 2, expected 1"):
        load_weights(load_robot("g1"), tmp_path / "x.safetensors")


def test_a_robot_without_weights_is_told_how_to_train_them(tmp_path: Path) -> None:
    robot = dataclasses.replace(load_robot("g1"), name="mine")
    assert not has_weights(robot)
    with pytest.raises(RobotError, match="hoiset train-root mine"):
        load_weights(robot)


def test_the_digest_is_of_joints_not_of_looks() -> None:
    robot = load_robot("g1")
    assert robot_digest(dataclasses.replace(robot, shapes=(), title="Another")) == robot_digest(robot)
    other = (dataclasses.replace(robot.joints[0], upper=robot.joints[0].upper + 0.1), *robot.joints[1:])
    assert robot_digest(dataclasses.replace(robot, joints=other)) != robot_digest(robot)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_package_brings_weights_with_their_log(name: str) -> None:
    _, found = load_weights(load_robot(name))
    log = json.loads(WEIGHTS.joinpath(f"{name}.json").read_text("utf-8"))
    assert {key: log[key] for key in found.model_dump()} == found.model_dump(mode="json")
    assert log["log"][-1]["step"] == found.steps
    assert log["log"][-1]["loss"] < 0.5 * log["log"][0]["loss"]
    assert len(WEIGHTS.joinpath(f"{name}.safetensors").read_bytes()) < 1_000_000
