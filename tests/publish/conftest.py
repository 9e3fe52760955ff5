from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_writing import WritableHub, writable_hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritableHub]:
    """A Hub without a repository, and readers that keep nothing."""
    monkeypatch.setenv("HOISET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    with writable_hub(tmp_path / "hub", monkeypatch) as web:
        yield web
