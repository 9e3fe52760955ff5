"""Videos that exist only in words, so that a plan of any size costs milliseconds a thousand."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hoiset.builder.reconstruct.pipeline import Backends
from hoiset.builder.records import Candidate, SourceVideo
from hoiset.builder.stages import Stages
from tests.builder.fakes import FakeModel

SEGMENTS = 10


def videos(n: int) -> Iterator[SourceVideo]:
    """Segments of videos, as a source of any size yields them."""
    for i in range(n):
        start_s = 8.0 * (i % SEGMENTS)
        yield SourceVideo(
            uid=f"v{i // SEGMENTS:08d}",
            path=Path("/nowhere/video.mp4"),
            action=f"a person picks up object {i} and puts it down",
            objects=("mug", "plate"),
            start_s=start_s,
            end_s=start_s + 6.5,
        )


def measure(video: SourceVideo, hands: Any, params: Any, step_s: Any = None) -> tuple[Candidate, ...]:
    """Gates at random, though the same in every run; half of the segments pass."""
    point = hashlib.sha256(f"{video.uid}{video.start_s}".encode()).digest()[0] / 256
    measured = {f"measure_{k}": point * k for k in range(10)}
    gate = "ok" if point < 0.5 else "camera_moves" if point < 0.8 else "no_hands"
    return (Candidate(video.uid, 0, video.start_s or 0.0, video.end_s or 0.0, gate, "why", measured),)


@contextlib.contextmanager
def no_models(profile: str) -> Iterator[Any]:
    yield Backends(hands=FakeModel("hands"), person=FakeModel("person"))


STAGES = Stages(screen=measure, backends=no_models)
