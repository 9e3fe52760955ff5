from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hoiset.builder.acquire import AcquireParams, Acquirer, Machine
from hoiset.video import encode_mp4
from tests.builder.acquire.server import Web, serving


def make_clip(n_frames: int = 30, side: int = 64, seed: int = 0, fps: float = 15.0) -> bytes:
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 255, (n_frames, side, side, 3), dtype=np.uint8)
    return encode_mp4(frames, np.arange(n_frames) / fps)


@pytest.fixture(scope="session")
def clip() -> bytes:
    return make_clip()


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as web:
        yield web


@pytest.fixture
def waits() -> list[float]:
    """How long was waited, in place of waiting."""
    return []


@pytest.fixture
def acquirer(tmp_path: Path, waits: list[float]) -> Callable[..., Acquirer]:
    def make(extractors: tuple[Any, ...] = (), cookies: Path | None = None, **params: Any) -> Acquirer:
        values = {"timeout_s": 5.0, "backoff_s": 1.0, **params}
        machine = Machine(tmp_path / "cache", cookies, ("127.0.0.1",))
        return Acquirer(AcquireParams(**values), machine, extractors, waits.append)

    return make
