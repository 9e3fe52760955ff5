"""Files of root networks: weights as safetensors, what they are for as JSON in the file's own header.

Nothing in such a file is code, and nothing is loaded that does not fit the robot and the network to the letter.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hoiset.builder.params import Params
from hoiset.builder.retarget.robot import Robot
from hoiset.builder.retarget.root_network import NetworkParams, RootNetwork
from hoiset.errors import MissingDependency, RobotError

WEIGHTS = resources.files("hoiset.builder.retarget.weights")
"""Where the package's own weights lie."""
FORMAT = 1
_KEY = "hoiset_root_network"


class WeightsInfo(Params):
    """What weights are for and where they come from.

    Attributes:
        format: Of the file.
        robot: Name.
        robot_digest: Of the robot's joints and arms, see :func:`robot_digest`.
        network: Size.
        command: That trained them.
        seed: Of the training.
        steps: Taken.
        clips: Simulated.
        hoiset: Version.
        torch: Version.
        held_out: Errors on clips that training never saw.
    """

    format: int = FORMAT
    robot: str
    robot_digest: str
    network: NetworkParams
    command: str
    seed: int
    steps: int
    clips: int
    hoiset: str
    torch: str
    held_out: dict[str, Any]


def robot_digest(robot: Robot) -> str:
    """Digest of what a root network depends on: joints, arms, home, up and forward, but no shapes or words."""
    parts = {
        "root": robot.root,
        "joints": [asdict(joint) for joint in robot.joints],
        "arms": [asdict(arm) for arm in robot.arms],
        "home": robot.home,
        "up": robot.up,
        "forward": robot.forward,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def save_weights(path: Path, network: RootNetwork, info: WeightsInfo) -> None:
    """Write weights in half precision; the file appears whole or not at all.

    Raises:
        MissingDependency: safetensors is not installed.
    """
    import torch

    save = _safetensors().torch.save
    tensors = {name: weight.detach().to(torch.float16).contiguous() for name, weight in network.named_parameters()}
    data = save(tensors, metadata={_KEY: info.model_dump_json()})
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(data)
    beside.replace(path)


def has_weights(robot: Robot) -> bool:
    """Whether the package brings weights for a robot of this name."""
    return WEIGHTS.joinpath(f"{robot.name}.safetensors").is_file()


def load_weights(robot: Robot, path: Path | None = None) -> tuple[RootNetwork, WeightsInfo]:
    """A robot's root network.

    Args:
        robot: Whose.
        path: A file that ``hoiset train-root`` wrote; the package's own by default.

    Raises:
        RobotError: There are no weights for this robot, or the file is damaged, not such a file, or for other joints.
        MissingDependency: safetensors is not installed.
    """
    import torch

    place = path if path is not None else WEIGHTS.joinpath(f"{robot.name}.safetensors")
    advice = f"train it: hoiset train-root {robot.name} --minutes 10 --out FILE"
    if not place.is_file():
        raise RobotError(f"found no root network for {robot.name} at {place.name}; {advice}")
    data = place.read_bytes()
    info = _read_info(data, place.name)
    if info.robot_digest != robot_digest(robot):
        raise RobotError(
            f"{place.name}: found weights for joints of {info.robot!r} with digest {info.robot_digest}, expected "
            f"{robot_digest(robot)} of {robot.name!r}: its file has changed or is another's; {advice}"
        )
    network = RootNetwork(info.network)
    try:
        tensors = _safetensors().torch.load(data)
        network.load_state_dict({name: weight.to(torch.float32) for name, weight in tensors.items()})
    except (_safetensors().SafetensorError, RuntimeError, ValueError) as error:
        raise RobotError(f"{place.name}: found weights that do not fit the network ({error}); {advice}") from error
    if not all(bool(weight.isfinite().all()) for weight in network.parameters()):
        raise RobotError(f"{place.name}: found weights that are not finite, expected numbers; {advice}")
    return network.eval(), info


def _read_info(data: bytes, where: str) -> WeightsInfo:
    size = int.from_bytes(data[:8], "little")
    try:
        if not 0 < size <= len(data) - 8:
            raise ValueError(f"a header of {size} bytes in a file of {len(data)}")
        text = json.loads(data[8 : 8 + size])["__metadata__"][_KEY]
        info = WeightsInfo.model_validate_json(text)
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise RobotError(
            f"{where}: found no header of a root network ({error}), expected a file that `hoiset train-root` wrote"
        ) from error
    if info.format != FORMAT:
        raise RobotError(f"{where}: found format {info.format}, expected {FORMAT}; train again with this version")
    return info


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        raise MissingDependency("root networks need safetensors: pip install 'hoiset[build]'") from error
    return safetensors
