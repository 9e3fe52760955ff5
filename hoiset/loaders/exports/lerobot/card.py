"""The export's page: how the Hub knows what it is, and what its columns mean."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from hoiset.loaders.exports.lerobot.layout import CAMERA, Layout

_HEAD = {
    "tags": ["LeRobot", "hoiset"],
    "task_categories": ["robotics"],
    "configs": [{"config_name": "default", "data_files": "data/*/*.parquet"}],
}


def card(source: str, layout: Layout, licences: Sequence[str], *, video: bool) -> str:
    """``README.md`` in Markdown.

    Args:
        source: Name of the dataset and version that was exported.
        layout: Its columns.
        licences: Of the footage.
        video: Whether it has the pictures.
    """
    rows = [f"| `{c.name}` | {c.dtype} ({len(c.names)}) | {c.doc} |" for c in layout.columns]
    if video:
        rows.append(f"| `{CAMERA}` | video | H.264, {layout.fps} frames a second |")
    lines = [
        "---",
        yaml.safe_dump(_HEAD, sort_keys=False).rstrip(),
        "---",
        "",
        f"# {source}, as LeRobot v3.0",
        "",
        "Human hands and objects, reconstructed from video by hoiset; one episode a clip. `meta/clips.parquet` says",
        "which clip, video and licence each episode comes from.",
        "",
        "| column | type | is |",
        "|---|---|---|",
        *rows,
        "",
        "What is absent is 0 and its mask is false; statistics leave it out. A pose is its position (m) and the first",
        "two columns of its rotation matrix, in the camera's frame (OpenCV: x right, y down, z forward).",
        "",
        f"Licences of the footage: {', '.join(licences) or 'unknown'}.",
        "",
    ]
    return "\n".join(lines)
