"""``robot_sim.mp4``: a clip beside the robot that follows its hands, seen by the clip's own camera."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hoiset import video
from hoiset.builder.retarget.choice import RobotModel, open_model, open_robot
from hoiset.builder.retarget.robot import Robot
from hoiset.errors import BackendUnavailable, DatasetError
from hoiset.shards.index import read_index
from hoiset.shards.reader import ShardReader, read_sample
from hoiset.shards.schema import RobotSource, Sample
from hoiset.view.robot_scene import RobotScene, make_scene

BACKENDS = ("egl", "osmesa")
"""Ways to draw without a display, by preference; both run on a processor alone."""
SHORT_SIDE_PX = 360
_PROBE_TIMEOUT_S = 60
_SHEET = 6
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WORDS = {RobotSource.ABSENT: "-", RobotSource.CONVERGED: "ok", RobotSource.INTERPOLATED: "between"}


@lru_cache(maxsize=1)
def find_backend() -> str:
    """What mujoco can draw with here, found by letting it draw in a process of its own.

    Raises:
        BackendUnavailable: Nothing; the message says what was tried and what to install.
    """
    said = []
    for backend in BACKENDS:
        done = subprocess.run(
            [sys.executable, "-m", "hoiset.view.robot_renderer", "--probe"],
            env=_environment(backend),
            capture_output=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
        if done.returncode == 0 and done.stdout.endswith(b"drew 768"):
            return backend
        words = done.stderr.decode(errors="replace").strip().splitlines()
        said.append(f"{backend}: {words[-1] if words else f'exit code {done.returncode}'}")
    raise BackendUnavailable(
        f"mujoco cannot draw here ({'; '.join(said)}); install EGL (apt: libegl1 libgl1-mesa-dri) or OSMesa (apt: "
        "libosmesa6)"
    )


def write_robot_video(
    root: Path, version: str, key: str, robot: str, out_path: Path, model: Path | None = None
) -> None:
    """Draw a clip of a dataset directory.

    Args:
        root: Dataset directory.
        version: Such as ``v2``.
        key: Of the clip.
        robot: One of the version's robots.
        out_path: ``.mp4`` for the whole clip, ``.png`` or ``.jpg`` for one of its frames above the other, six in all.
        model: The robot's file, for one of the user's own.

    Raises:
        DatasetError: No such clip, no such robot, no layer of robots or video, or the robot has changed since.
        RobotError: The robot's file cannot be read.
        BackendUnavailable: Nothing can draw here.
        ValueError: Another suffix.
    """
    suffix = out_path.suffix.lower()
    if suffix not in (".mp4", ".png", ".jpg"):
        raise ValueError(f"found {out_path.name!r}, expected a name that ends in .mp4, .png or .jpg")
    rows = {row["key"]: row for row in read_index(root, version, ["key", "members"]).to_pylist()}
    if key not in rows:
        some = ", ".join(list(rows)[:5])
        raise DatasetError(f"no clip {key!r} in {version} of {root}; there are {len(rows)}, such as {some}")
    sample = read_sample(ShardReader(root), rows[key]["members"])
    if "robots.json" not in sample or "rgb.mp4" not in sample:
        raise DatasetError(
            f"{root} has no layers robots and video of {version}; `hoiset build --robots` makes the first"
        )
    described = {one["robot"]: one for one in sample["robots.json"]["robots"]}
    if robot not in described:
        raise DatasetError(f"{version} of {root} has no robot {robot!r}; robots there: {', '.join(described)}")
    chosen = open_robot(robot) if model is None else open_model(RobotModel(path=str(model), name=robot))
    if chosen.digest != described[robot]["model_digest"]:
        raise DatasetError(
            f"{robot} is not as it was when {root} was built; expected the same version, or the same file"
        )
    rgb, _ = video.decode_mp4_bytes(bytes(sample["rgb.mp4"]))
    made = robot_video(sample, chosen.robot, rgb)
    if suffix == ".mp4":
        out_path.write_bytes(made)
        return
    frames, _ = video.decode_mp4_bytes(made)
    picked = np.linspace(0, len(frames) - 1, min(_SHEET, len(frames))).round().astype(int)
    _, data = cv2.imencode(suffix, np.vstack(list(frames[picked]))[..., ::-1])
    out_path.write_bytes(data.tobytes())


def robot_video(
    sample: Sample,
    robot: Robot,
    rgb: UInt8[np.ndarray, "T H W 3"],
    *,
    short_side_px: int = SHORT_SIDE_PX,
) -> bytes:
    """Draw a clip's robot beside its frames.

    Args:
        sample: With its core members and the robot's.
        robot: The robot.
        rgb: The clip's frames.
        short_side_px: Of each of the two pictures; larger frames are shrunk to it.

    Returns:
        The mp4; equal samples give equal bytes on one machine, but drawing differs between drivers.

    Raises:
        BackendUnavailable: Nothing can draw here, or it failed.
    """
    height, width = _size(rgb, short_side_px)
    q, root = sample[f"{robot.name}_q.npy.gz"], sample[f"{robot.name}_root.npy.gz"]
    scene = make_scene(sample, robot, q, root, (height, width))
    drawn = draw_scene(scene, (height, width))
    return video.encode_mp4(_side_by_side(sample, robot, rgb, drawn, (height, width)), sample["time.npy"])


def blank_video(
    rgb: UInt8[np.ndarray, "T H W 3"], time: Float[np.ndarray, " T"], reason: str, *, short_side_px: int = SHORT_SIDE_PX
) -> bytes:
    """A clip beside an empty picture with the reason why nothing could be drawn."""
    height, width = _size(rgb, short_side_px)
    right = np.full((height, width, 3), 40, np.uint8)
    _write(right, textwrap.wrap(reason, max(12, width // 6)))
    frames = (cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in rgb)
    return video.encode_mp4((np.hstack([frame, right]) for frame in frames), time)


def _size(rgb: UInt8[np.ndarray, "T H W 3"], short_side_px: int) -> tuple[int, int]:
    shrink = min(1.0, short_side_px / min(rgb.shape[1:3]))
    height, width = (max(2, round(n * shrink / 2) * 2) for n in rgb.shape[1:3])
    return height, width


def draw_scene(scene: RobotScene, size: tuple[int, int]) -> UInt8[np.ndarray, "T H W 3"]:
    """Frames of a scene, drawn in a process of its own.

    Raises:
        BackendUnavailable: Nothing can draw here, or it failed.
    """
    backend = find_backend()
    with tempfile.TemporaryDirectory(prefix="hoiset-") as folder:
        (Path(folder) / "scene.xml").write_text(scene.xml, encoding="utf-8")
        parts = {name: getattr(scene, name) for name in ("qpos", "mocap_pos", "mocap_quat", "capsules")}
        np.savez(Path(folder) / "frames.npz", size=np.array(size), **parts)
        done = subprocess.run(
            [sys.executable, "-m", "hoiset.view.robot_renderer", folder],
            env=_environment(backend),
            capture_output=True,
            check=False,
        )
    expected = len(scene.qpos) * size[0] * size[1] * 3
    if len(done.stdout) != expected:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise BackendUnavailable(f"mujoco could not draw with {backend} ({words[-1] if words else 'no words'})")
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, *size, 3)


def _environment(backend: str) -> dict[str, str]:
    here = Path(__file__).parents[2]
    path = os.pathsep.join([str(here), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "MUJOCO_GL": backend, "PYOPENGL_PLATFORM": backend, "PYTHONPATH": path}


def _side_by_side(
    sample: Sample, robot: Robot, rgb: Iterable[np.ndarray], drawn: np.ndarray, size: tuple[int, int]
) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    residual, source = sample[f"{robot.name}_residual.npy.gz"], sample[f"{robot.name}_source.npy"]
    for t, (frame, robot_frame) in enumerate(zip(rgb, drawn, strict=True)):
        left = cv2.resize(frame, (size[1], size[0]), interpolation=cv2.INTER_AREA)
        right = robot_frame.copy()
        lines = [robot.title, *(_said(h, source[t, h], residual[t, h]) for h in range(2) if source[:, h].any())]
        _write(right, lines)
        yield np.hstack([left, right])


def _write(image: UInt8[np.ndarray, "H W 3"], lines: Sequence[str]) -> None:
    for i, line in enumerate(lines):
        for shift, colour in ((1, (0, 0, 0)), (0, (255, 255, 255))):
            cv2.putText(image, line, (6 + shift, 14 + 14 * i + shift), _FONT, 0.35, colour, 1, cv2.LINE_AA)


def _said(hand: int, source: int, residual: Float[np.ndarray, "2"]) -> str:
    word = _WORDS.get(RobotSource(int(source)), "unreachable")
    far = f" {1e3 * residual[0]:.0f} mm {np.rad2deg(residual[1]):.0f} deg" if np.isfinite(residual).all() else ""
    return f"{('left', 'right')[hand]}: {word}{far}"
