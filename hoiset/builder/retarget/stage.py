"""Retargeting as a stage of a build: from a sample's hands to its layer of robots."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import numpy as np
from pydantic import Field, field_validator, model_validator

from hoiset.builder.engine.cache import StageCache, digest_json
from hoiset.builder.params import Params
from hoiset.builder.retarget.choice import ChosenRobot, RobotModel, expand, open_model, open_robot
from hoiset.builder.retarget.metrics import measure
from hoiset.builder.retarget.records import HANDS, HandMotion, RobotMotion, RobotSource
from hoiset.builder.retarget.retarget import RetargetParams, retarget, tolerance
from hoiset.builder.retarget.root import network_digest
from hoiset.errors import BackendUnavailable, ClipError, MissingDependency, RobotError
from hoiset.shards.codec import canonical_json
from hoiset.shards.schema import Sample

RETARGET_VERSION = "2"
PACKAGES = ("numpy", "scipy", "torch", "mujoco")
"""Packages whose versions may change a trajectory's last bits."""

Retarget = Callable[..., RobotMotion]
"""As :func:`hoiset.builder.retarget.retarget`."""


class RobotsParams(Params):
    """The robots of a version.

    Attributes:
        robots: By name; short names are written out.
        models: Robots of the user's own.
        seed: Of whatever is drawn at random.
        solver: How each is retargeted.
        video: Whether there is a layer of videos of them.
    """

    robots: tuple[str, ...] = ()
    models: tuple[RobotModel, ...] = ()
    seed: int = Field(default=0, ge=0)
    solver: RetargetParams = RetargetParams()
    video: bool = False

    @field_validator("robots")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return expand(value)
        except RobotError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _some_and_each_once(self) -> RobotsParams:
        names = self.names
        if not names:
            raise ValueError("found no robots, expected one at least, or no [retarget] at all")
        if len(set(names)) < len(names):
            raise ValueError(f"found the robots {', '.join(names)}, expected each name once")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Of all robots, sorted."""
        return tuple(sorted((*self.robots, *(model.name for model in self.models))))

    def open(self) -> list[ChosenRobot]:
        """The robots, sorted by name.

        Raises:
            RobotError: One cannot be read.
            MissingDependency: One needs a package that is not installed.
        """
        absent = [name for name in ("torch", "safetensors") if find_spec(name) is None]
        if self.solver.method != "search" and absent:
            raise MissingDependency(
                f"root networks need {' and '.join(absent)}: pip install 'hoiset[build,torch]', or choose roots "
                'without, method = "search" under [retarget.solver]'
            )
        chosen = [*map(open_robot, self.robots), *map(open_model, self.models)]
        return sorted(chosen, key=lambda one: one.robot.name)


def hand_motion(sample: Sample) -> HandMotion:
    """The hands of a sample."""
    gravity = sample["clip.json"]["camera"]["gravity"]
    return HandMotion(
        time=np.asarray(sample["time.npy"], np.float64),
        wrist=np.asarray(sample["hand_wrist.npy.gz"], np.float64),
        joints=np.asarray(sample["hand_joints.npy.gz"], np.float64),
        gravity=None if gravity is None else np.asarray(gravity, np.float64),
    )


def add_robots(
    sample: Sample, robots: list[ChosenRobot], params: RobotsParams, cache: StageCache, run: Retarget = retarget
) -> Sample:
    """The sample with its layer of robots.

    A robot whose retargeting fails has NaN and ``unreachable`` where there are hands, and the reason in
    ``robots.json``: nothing else of the clip is lost.

    Args:
        sample: With its core members.
        robots: :meth:`RobotsParams.open`.
        params: Of the recipe.
        cache: Results of earlier runs.
        run: What retargets one robot.
    """
    motion = hand_motion(sample)
    gravity = sample["clip.json"]["camera"]["gravity"]
    hands = digest_json([*map(_hex, (motion.time, motion.wrist, motion.joints)), gravity])
    backend = " ".join(f"{package}-{found}" for package, found in _versions().items())
    members: dict[str, Any] = {}
    described, stages = [], []
    for chosen in robots:
        name = chosen.robot.name
        arrays, digest = cache.run(
            f"retarget_{name}",
            RETARGET_VERSION,
            params.solver,
            [hands, chosen.digest, str(params.seed), network_digest(chosen.robot)],
            partial(_attempt, run, motion, chosen, params),
            backend,
        )
        found = _from_arrays(arrays, chosen)
        members |= {
            f"{name}_q.npy.gz": found.q.astype(np.float32),
            f"{name}_root.npy.gz": found.root.astype(np.float32),
            f"{name}_source.npy": found.source.astype(np.uint8),
            f"{name}_residual.npy.gz": found.residual.astype(np.float32),
        }
        described.append(_describe(found, chosen, motion, sample["clip.json"]["camera"]["gravity_source"]))
        if params.video:
            members[f"{name}_sim.mp4"], described[-1]["video"] = _drawn({**sample, **members}, chosen, cache)
        stages.append({"name": f"retarget_{name}", "version": RETARGET_VERSION, "backend": backend, "digest": digest})
    versions = [{"package": package, "version": found} for package, found in _versions().items()]
    return {**sample, **members, "robots.json": {"robots": described, "versions": versions, "stages": stages}}


def _drawn(sample: Sample, chosen: ChosenRobot, cache: StageCache) -> tuple[bytes, str]:
    """The robot's video, and what drew it, or why nothing could."""
    from hoiset.video import decode_mp4_bytes
    from hoiset.view.robot_video import blank_video, find_backend, robot_video

    began = time.perf_counter()
    rgb, clock = decode_mp4_bytes(bytes(sample["rgb.mp4"]))
    try:
        return robot_video(sample, chosen.robot, rgb), find_backend()
    except BackendUnavailable as error:
        return blank_video(rgb, clock, str(error)), str(error)
    finally:
        cache.stage_s["robot_video"] = cache.stage_s.get("robot_video", 0.0) + time.perf_counter() - began


def _attempt(run: Retarget, motion: HandMotion, chosen: ChosenRobot, params: RobotsParams) -> dict[str, np.ndarray]:
    try:
        return _to_arrays(run(motion, chosen.robot, params=params.solver, seed=params.seed))
    except (RobotError, ClipError, np.linalg.LinAlgError) as error:
        return _to_arrays(failed(motion, chosen, f"{type(error).__name__}: {error}"))


def failed(motion: HandMotion, chosen: ChosenRobot, reason: str) -> RobotMotion:
    """What stands for a trajectory that could not be made."""
    robot, n_frames = chosen.robot, len(motion.time)
    sides = np.array([any(arm.side == side for arm in robot.arms) for side in HANDS])
    return RobotMotion(
        robot=robot.name,
        joints=tuple(joint.name for joint in robot.dofs),
        q=np.full((n_frames, len(robot.dofs)), np.nan),
        root=np.full((n_frames, 4, 4), np.nan),
        source=np.where(motion.seen & sides, RobotSource.UNREACHABLE, RobotSource.ABSENT).astype(np.uint8),
        residual=np.full((n_frames, 2, 2), np.nan),
        report={"failure": reason},
    )


def _hex(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _to_arrays(motion: RobotMotion) -> dict[str, np.ndarray]:
    arrays = {name: np.asarray(getattr(motion, name)) for name in ("q", "root", "source", "residual")}
    return {**arrays, "report": np.array(canonical_json(motion.report).decode(), dtype=np.str_)}


def _from_arrays(arrays: Mapping[str, np.ndarray], chosen: ChosenRobot) -> RobotMotion:
    parts = {name: arrays[name] for name in ("q", "root", "source", "residual")}
    joints = tuple(joint.name for joint in chosen.robot.dofs)
    return RobotMotion(robot=chosen.robot.name, joints=joints, **parts, report=json.loads(str(arrays["report"])))


def _describe(
    found: RobotMotion, chosen: ChosenRobot, motion: HandMotion, gravity_source: str | None
) -> dict[str, Any]:
    """The robot's entry of ``robots.json``."""
    robot, report = chosen.robot, dict(found.report)
    failure, root = report.pop("failure", None), report.get("root") or {}
    position_m, rotation_rad = tolerance(robot)
    return {
        "robot": robot.name,
        "title": robot.title,
        "model": chosen.model,
        "model_digest": chosen.digest,
        "joints": [joint.name for joint in robot.dofs],
        "lower": [joint.lower for joint in robot.dofs],
        "upper": [joint.upper for joint in robot.dofs],
        "velocity": [joint.velocity if np.isfinite(joint.velocity) else None for joint in robot.dofs],
        "failure": failure,
        "video": None,
        "root_source": root.get("source"),
        "root_score": root.get("score"),
        "gravity_source": root.get("gravity_source", gravity_source),
        "tolerance": {"position_m": position_m, "rotation_rad": rotation_rad},
        "metrics": measure(found, robot, motion.time, motion.seen).to_json(),
        "report": canonical_json(report).decode(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    return found
