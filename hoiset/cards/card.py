"""README.md of a dataset directory."""

from __future__ import annotations

from pathlib import Path


def write_card(root: Path, version: str) -> Path:
    """Write README.md from the index and manifest of ``version``; configs of other versions in ``root`` are kept."""
    raise NotImplementedError
