"""A build whose passes take milliseconds: a "video" is a text file whose words say what becomes of it.

``python -m tests.builder.fakes SOURCE OUT WORKERS [RAY_ADDRESS]`` runs one, to be killed.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hoiset.builder.engine.cache import StageCache
from hoiset.builder.engine.options import EngineOptions
from hoiset.builder.recipe import PartitionRatios, Recipe
from hoiset.builder.reconstruct.pipeline import Backends
from hoiset.builder.records import Candidate, Clip, SourceVideo
from hoiset.builder.retarget import HandMotion, RobotMotion, RobotSource
from hoiset.builder.retarget.records import HANDS
from hoiset.builder.retarget.robot import Robot
from hoiset.builder.run import build
from hoiset.builder.stages import Stages
from hoiset.errors import AcquireError, ClipError, RobotError
from tests.factories import make_sample


@dataclass(frozen=True)
class FakeModel:
    name: str
    version: str = "fake-1+abcd"


@contextlib.contextmanager
def backends(profile: str) -> Iterator[Any]:
    yield Backends(hands=FakeModel("hands"), person=FakeModel("person"))


def screen(video: SourceVideo, hands: Any, params: Any, step_s: Any, known_hands: Any = None) -> tuple[Candidate, ...]:
    _log("screen", video.uid)
    words = video.path.read_text().split() if video.path.is_file() else ["no_video"]
    if "screen_bug" in words:
        raise ZeroDivisionError("in pass 1")
    _fetch(video.path, words, "screen")
    gate = next((w for w in words if w in {"no_video", "no_hands"}), "ok")
    measured = {"shift": 0.5, "unreached": float("nan")}
    return tuple(Candidate(video.uid, k, 4.0 * k, 4.0 * k + 3, gate, "", measured) for k in range(1 + ("two" in words)))


def reconstruct(clip: Clip, models: Any, params: Any, cache: StageCache, provenance: dict[str, Any]) -> Any:
    _log("reconstruct", clip.key)
    words = clip.video.path.read_text().split()
    _fetch(clip.video.path, words, "full")
    if "clip_error" in words:
        raise ClipError("no_hands", "none in any frame")
    if "bug" in words:
        raise IndexError("in pass 2")
    if "slow" in words:
        time.sleep(0.2)
    if "crash" in words:
        os._exit(7)
    seed = zlib.crc32(clip.key.encode())
    arrays, digest = cache.run("fake", "1", params, [clip.key], lambda: {"x": np.arange(1000) + seed}, "fake")
    sample = make_sample(clip.key, int(arrays["x"][0]) % 1000, n_frames=5 if "far" in words else 4)
    sample["clip.json"]["source"]["uid"] = clip.video.uid
    stage = {"name": "fake", "version": "1", "backend": models.hands.version, "digest": digest}
    sample["clip.json"]["provenance"] = {**provenance, "stages": [stage], "fallbacks": []}
    if "invalid" in words:
        sample["hand_score.npy"] = sample["hand_score.npy"][:, :1]
    return sample


def retarget(motion: HandMotion, robot: Robot, *, params: Any = None, seed: int = 0) -> RobotMotion:
    """Robots at rest on top of the hands; the hands of a clip of 5 frames cannot be followed."""
    _log("retarget", robot.name)
    if len(motion.time) == 5:
        raise RobotError("too far away")
    seen = motion.seen & np.array([any(arm.side == side for arm in robot.arms) for side in HANDS])
    return RobotMotion(
        robot.name,
        tuple(joint.name for joint in robot.dofs),
        np.where(seen.any(1)[:, None], np.array(robot.home) + 1e-3 * seed, np.nan),
        np.tile(np.eye(4), (len(seen), 1, 1)),
        np.where(seen, RobotSource.CONVERGED, RobotSource.ABSENT).astype(np.uint8),
        np.where(seen[..., None], 0.001, np.nan) * np.ones(2),
        {"root": {"source": "given", "score": 1.0}},
    )


def _fetch(path: Path, words: list[str], quality: str) -> None:
    """``private_screen`` can never be fetched; ``network_full`` can when ``<name>.online`` is there."""
    if f"private_{quality}" in words:
        raise AcquireError("private", "the owner says no", final=True)
    if f"network_{quality}" in words and not path.with_suffix(".online").exists():
        raise AcquireError("network", "timed out", final=False)


STAGES = Stages(screen=screen, reconstruct=reconstruct, backends=backends, retarget=retarget)
RECIPE = Recipe(name="v2", clips_per_shard=2, partitions=PartitionRatios(train=0.5, validation=0.3, test=0.2))


def _log(what: str, name: str) -> None:
    """Leave a trace that another process can read."""
    if path := os.environ.get("FAKE_LOG"):
        with Path(path).open("a") as file:
            file.write(f"{what} {name}\n")


def make_source(root: Path, words: dict[str, str]) -> Path:
    """A folder of such videos: stem -> words."""
    root.mkdir(parents=True, exist_ok=True)
    for stem, text in words.items():
        (root / f"{stem}.mp4").write_text(text)
    return root


def dataset_bytes(out: Path) -> dict[str, bytes]:
    """Every file of a dataset, all but the state and the report of pass 1, which says how long it took."""
    files = (p for p in out.rglob("*") if p.is_file() and ".hoiset" not in p.parts and p.parent.name != "screen")
    files = (*files, out / "screen/candidates.parquet")
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in files}


if __name__ == "__main__":
    ENGINE = EngineOptions(kind="ray", address=sys.argv[4], cpus=1, flush_s=0) if sys.argv[4:] else None
    build(RECIPE, sys.argv[1], sys.argv[2], workers=int(sys.argv[3]), stages=STAGES, engine=ENGINE)
