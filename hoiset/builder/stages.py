"""What a worker process of a build does: judge a video, reconstruct a clip, retarget its hands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import hoiset
from hoiset.builder.acquire import AcquireParams, Acquirer
from hoiset.builder.acquire.formats import Quality
from hoiset.builder.engine.cache import StageCache, digest_file
from hoiset.builder.engine.executor import Handler, HandlerFactory
from hoiset.builder.oracle import Oracle
from hoiset.builder.recipe import Recipe
from hoiset.builder.reconstruct.backends.base import HandDetector
from hoiset.builder.reconstruct.pipeline import Backends, reconstruct_clip
from hoiset.builder.records import Candidate, Clip, SourceVideo
from hoiset.builder.retarget.retarget import retarget
from hoiset.builder.retarget.stage import Retarget, add_robots
from hoiset.builder.screen import ScreenParams, screen_video
from hoiset.builder.screen.draw import Draw
from hoiset.builder.screen.keepsakes import Keepsake, make_keepsakes
from hoiset.builder.screen.stopwatch import Stopwatch
from hoiset.errors import DatasetError
from hoiset.shards.schema import Sample
from hoiset.shards.storage import Storage
from hoiset.shards.writer import EncodedSample


@contextmanager
def open_backends(profile: str) -> Iterator[Backends]:
    """The models of a profile; started when first used.

    Args:
        profile: ``cpu``: MediaPipe, in one isolated process.
    """
    if profile != "cpu":
        raise ValueError(f"found profile {profile!r}, expected 'cpu'")
    from hoiset.builder.reconstruct.backends.mediapipe import MediaPipeHands, MediaPipePerson, MediaPipeWorker

    with MediaPipeWorker() as worker:
        yield Backends(hands=MediaPipeHands(worker), person=MediaPipePerson(worker))


@dataclass(frozen=True)
class Stages:
    """The two passes and what they run on; all importable by name, since they are sent to other processes.

    Attributes:
        screen: Pass 1 of one video; adds its seconds by step to its last argument.
        reconstruct: Pass 2 of one clip, as :func:`hoiset.builder.reconstruct.pipeline.reconstruct_clip`; ``given`` is
            passed only where a recipe feeds ground truth.
        backends: Profile -> the models, opened once per process.
        acquire: Parameters -> what makes remote videos local.
        retarget: Hands and a robot -> the robot's trajectory, as :func:`hoiset.builder.retarget.retarget`.
    """

    screen: Callable[[SourceVideo, HandDetector, ScreenParams, dict[str, float]], tuple[Candidate, ...]] = screen_video
    reconstruct: Callable[..., Sample] = reconstruct_clip
    backends: Callable[[str], AbstractContextManager[Backends]] = open_backends
    acquire: Callable[[AcquireParams], Acquirer] = Acquirer
    retarget: Retarget = retarget


@dataclass(frozen=True)
class Judged:
    """Pass 1's answer on one video.

    Attributes:
        candidates: Its spans.
        sha256: Of its file, ``""`` where it cannot be read.
        bytes: Size of its file.
        stage_s: Stage -> seconds.
        keepsakes: Pictures of those of its spans that may be shown.
    """

    candidates: tuple[Candidate, ...]
    sha256: str
    bytes: int = 0
    stage_s: Mapping[str, float] = field(default_factory=dict)
    keepsakes: tuple[Keepsake, ...] = ()


@dataclass(frozen=True)
class Made:
    """Pass 2's answer on one clip.

    Attributes:
        backends: Name, version and weights of the backends that it came from.
        sample: The sample, where it travels with the answer.
        staged: Name of the file in the staging folder that holds it, where it does not.
        stage_s: Stage -> seconds.
    """

    backends: tuple[dict[str, str], ...]
    sample: EncodedSample | None = None
    staged: str = ""
    stage_s: Mapping[str, float] = field(default_factory=dict)

    def take(self, staging: Storage | None) -> EncodedSample:
        """The sample, wherever it is.

        Raises:
            SchemaError: Its file is damaged.
            DatasetError: Its file is not there.
        """
        if self.sample is not None:
            return self.sample
        data = staging.read(self.staged) if staging is not None else None
        if data is None:
            raise DatasetError(
                f"the sample {self.staged} is not in {staging}; expected a folder that all workers share"
            )
        return EncodedSample.from_bytes(data)


def handler_factory(
    recipe: Recipe, stages: Stages, cache: Path | None, staging: Storage | None = None
) -> HandlerFactory:
    """What the executor opens in each of its processes.

    Args:
        recipe: Of the build.
        stages: What to run.
        cache: Folder of the stages' results, or ``None`` to keep none.
        staging: Where samples wait to be written, where they cannot travel with the answers.
    """
    return partial(_open_handler, recipe, stages, StageCache(cache), staging)


@contextmanager
def _open_handler(recipe: Recipe, stages: Stages, cache: StageCache, staging: Storage | None) -> Iterator[Handler]:
    provenance = {
        "hoiset": hoiset.__version__,
        "recipe": recipe.name,
        "recipe_digest": recipe.digest,
        "profile": recipe.profile,
    }
    oracle = Oracle(recipe.oracle) if recipe.oracle.feed else None
    known = {"given": oracle} if oracle is not None else {}
    seen = {"known_hands": oracle.hands_seen} if oracle is not None and oracle.knows_hands else {}
    acquirer, draw = stages.acquire(recipe.acquire), Draw()
    robots = recipe.retarget.open() if recipe.retarget is not None else []
    with stages.backends(recipe.profile) as backends:

        def handle(task: SourceVideo | Clip) -> Judged | Made:
            cache.stage_s.clear()
            if isinstance(task, SourceVideo):
                with _timed_fetch(acquirer, task, "screen", cache) as video:
                    candidates = stages.screen(video, backends.hands, recipe.screen, cache.stage_s, **seen)
                    sha256, size = _digest_and_size(video)
                    with Stopwatch(cache.stage_s).step("thumbnails") if video.remote else nullcontext():
                        keepsakes = make_keepsakes(video, candidates, draw)
                    return Judged(candidates, sha256, size, dict(cache.stage_s), keepsakes)
            with _timed_fetch(acquirer, task.video, "full", cache) as video:
                clip = replace(task, video=video)
                sample = stages.reconstruct(clip, backends, recipe.reconstruct, cache, dict(provenance), **known)
            if recipe.retarget is not None:
                sample = add_robots(sample, robots, recipe.retarget, cache, stages.retarget)
            encoded = EncodedSample.of(sample, recipe.layers, task.partition)
            described = tuple(_describe(getattr(backends, f.name)) for f in fields(backends))
            if staging is None:
                return Made(described, encoded, stage_s=dict(cache.stage_s))
            name = f"{task.key}.zip"
            staging.write(name, encoded.to_bytes())
            return Made(described, staged=name, stage_s=dict(cache.stage_s))

        yield handle


def _describe(backend: Any) -> dict[str, str]:
    version, _, weights = backend.version.partition("+")
    return {"name": backend.name, "version": version, "weights": weights}


@contextmanager
def _timed_fetch(acquirer: Acquirer, video: SourceVideo, quality: Quality, cache: StageCache) -> Iterator[SourceVideo]:
    began = time.perf_counter()
    with acquirer.fetch(video, quality) as fetched:
        if video.remote:
            cache.stage_s["fetch"] = time.perf_counter() - began
        yield fetched


def _digest_and_size(video: SourceVideo) -> tuple[str, int]:
    try:
        return video.sha256 or digest_file(video.path), video.path.stat().st_size
    except OSError:
        return "", 0  # the screen has judged it ``no_video``, so nothing is built from it
