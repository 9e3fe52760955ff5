"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real videos and ground truth beside the repository; no test may write to it."""
    if SHARED_DATA.is_dir():
        return SHARED_DATA
    reason = "real clips and ground truth are not there: ../shared/data beside the repository is missing"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
