"""Datasets as fixtures; a test module imports the names it uses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.factories import make_dataset


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished dataset of 5 clips in 2 train shards and 1 validation shard; not to be written to."""
    return make_dataset(tmp_path_factory.mktemp("dataset"), n_clips=5)


@pytest.fixture
def dataset(pristine: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may damage."""
    return Path(shutil.copytree(pristine, tmp_path / "dataset"))
