"""README.md of a dataset directory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from hoiset.cards.front_matter import front_matter, layer_splits
from hoiset.cards.statistics import Statistics, describe
from hoiset.shards.atomic import write_atomic
from hoiset.shards.features import clip_table, config_name, schema_table
from hoiset.shards.index import list_versions, read_index
from hoiset.shards.manifest import figure_paths, read_manifest
from hoiset.shards.schema import PARTITIONS

MAX_ROWS = 20
_MARKUP = "&<>|`[]*!\\"

_CONVENTIONS = """\
Metres, radians, seconds, pixels. Camera frame: OpenCV (x right, y down, z forward), origin at the static camera.
`T_a_b` maps points of b to a. Pixel (0, 0) is the centre of the top-left pixel. Hands: 0 = left, 1 = right. Joints:
wrist, then thumb, index, middle, ring, little, each from palm to tip. Absent values are NaN and marked in the source
arrays. `T` is the number of frames; up to 8 objects a clip."""

_LIMITATIONS = """\
- The camera is static and monocular: metric scale comes from the cue named in `camera.scale_source`, and the focal
  length is an estimate unless `camera.focal_source` is `given`.
- Depth along the viewing ray is the least certain coordinate of every joint and pose. Check `quality` and the source
  arrays before trusting a frame; infilled frames are marked.
- Object meshes come from few views; the side that the camera never saw is a guess (`mesh_source`). Objects without
  enough evidence were left out, and `dropped` says why.
- Words are those of the sources, reduced to a lemma and nouns; nobody has checked them clip by clip."""


def write_card(root: Path, version: str) -> Path:
    """Write README.md from the index and manifest of ``version``; configs of other versions in ``root`` are kept.

    Args:
        root: Dataset root, with the index, the manifest and the figures of the version.
        version: The version that the body speaks of and whose core layer is the default config.

    Returns:
        The file. Equal data give equal bytes.

    Raises:
        DatasetError: Index or manifest are missing or damaged, an existing card's YAML cannot be read, or the disk
            refuses.
    """
    root = Path(root)
    index, manifest = read_index(root, version), read_manifest(root, version)
    statistics = describe(root, index)
    sections = (
        _head(version, statistics, figure_paths(root, version)),
        _contents(statistics),
        _quality(statistics),
        _screen(statistics),
        _loading(version, index),
        _schema(),
        _licences(statistics),
        _provenance(root, version, manifest),
        "## Limitations\n\n" + _LIMITATIONS + "\n",
    )
    path = root / "README.md"
    text = front_matter(root, version, index) + "\n" + "\n\n".join(s.strip() for s in sections if s) + "\n"
    write_atomic(path, text.encode())
    return path


def _cell(text: str) -> str:
    """Untrusted words in a table: one line, no markup."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return "".join(f"&#{ord(c)};" if c in _MARKUP else c for c in line[:80]) or "(unknown)"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _counted(title: str, counts: list[tuple[str, int]], unit: str) -> str:
    if not counts:
        return ""
    rows = [(_cell(name), str(n)) for name, n in counts[:MAX_ROWS]]
    rest = f"\nand {len(counts) - MAX_ROWS} more.\n" if len(counts) > MAX_ROWS else ""
    return _table((title, unit), rows) + rest + "\n"


def _head(version: str, s: Statistics, figures: list[str]) -> str:
    n_clips, hours = sum(s.clips.values()), sum(s.hours.values())
    text = (
        f"# hoiset {version}\n\n"
        f"4D hand-object interaction from video: {n_clips} clips ({_duration(hours)}, {s.n_frames} frames) of "
        f"{s.n_videos} source videos, each with up to two metric 3D hands, object meshes with 6DoF poses, grasp "
        "states and words, seen by a static camera.\n"
    )
    return text + "".join(f"\n![{Path(f).stem}]({f})\n" for f in figures)


def _duration(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 3600:.0f} s"


def _contents(s: Statistics) -> str:
    rows = [(p, str(s.clips[p]), _duration(s.hours[p])) for p in PARTITIONS if p in s.clips]
    return (
        "## What is in it\n\n"
        + _table(("split", "clips", "duration"), rows)
        + "\nNo source video is in two splits.\n\n"
        + _counted("verb", s.verbs, "clips")
        + _counted("object", s.labels, "objects")
        + _counted("object state", s.states, "clips")
        + _counted("grasping hand", s.grasps, "clips")
    )


def _quality(s: Statistics) -> str:
    if not s.quality:
        return ""
    rows = [(f"`{name}`", *(f"{v:.3f}" for v in values)) for name, values in s.quality.items()]
    return "## Quality\n\n" + _table(("value", "10th percentile", "median", "90th percentile"), rows)


def _screen(s: Statistics) -> str:
    if not s.screen:
        return ""
    total = sum(n for _, n in s.screen)
    rows = [(_cell(gate), str(n), f"{100 * n / total:.1f} %") for gate, n in s.screen]
    return "## Yield of screening\n\n" + _table(("gate", "candidates", "share"), rows)


def _loading(version: str, index: pa.Table) -> str:
    there = layer_splits(index)
    splits = there.get("core")
    if not splits:
        return "## How to load it\n\nThis version has no clips.\n"
    split, layers = splits[0], tuple(there)
    configs = ", ".join(f"`{config_name(version, layer)}` ({layer})" for layer in there)
    return f"""## How to load it

Configs: {configs}. They hold the same keys in the same order.

```python
import datasets
clips = datasets.load_dataset("path/or/repo", "{version}", split="{split}", streaming=True)
# with the config of the video layer: clips.cast_column("rgb.mp4", datasets.Video()) decodes with torchcodec
```

```python
import webdataset
clips = webdataset.WebDataset("data/{version}/core/{split}-00000.tar", shardshuffle=False).decode()
```

```python
import hoiset
clips = hoiset.load_dataset("path/or/repo", "{version}", split="{split}", layers={layers!r}, grasp="right")
```
"""


def _schema() -> str:
    return f"## Schema\n\n{_CONVENTIONS}\n\n{schema_table()}\n`clip.json`:\n\n{clip_table()}"


def _licences(s: Statistics) -> str:
    text = "## Sources and licences\n\nThe footage stays under the licence of its source.\n\n"
    return text + _counted("licence", s.licences, "clips") + _counted("focal length from", s.focal_sources, "clips")


def _selected(selection: Mapping[str, Any] | None) -> str:
    if selection is None:
        return ""
    text = (
        f"Chosen from {selection['clips']} clips, whose manifest has the SHA-256 `{selection['manifest_sha256']}`, "
        f"with this query; nothing was encoded again.\n\n"
    )
    query = "".join(f"    {line}\n" for line in str(selection["query"]).splitlines() or [""])
    return f"{text}{query}\n{_selected(selection.get('of'))}"


def _provenance(root: Path, version: str, manifest: Mapping[str, Any]) -> str:
    backends = [
        tuple(_cell(str(b.get(name) or "")) if b.get(name) else "" for name in ("name", "version", "weights"))
        for b in manifest["backends"]
    ]
    others = ", ".join(f"`{v}`" for v in list_versions(root) if v != version)
    recipe = json.dumps(manifest["recipe"], sort_keys=True, indent=1, ensure_ascii=False).replace("```", "` ` `")
    return (
        f"## Provenance\n\nMade by hoiset {manifest['hoiset']}, schema {manifest['schema']}. "
        f"`manifest/{version}.json` lists every file with its SHA-256; `hoiset verify` checks them.\n\n"
        + _selected(manifest.get("selection"))
        + (_table(("backend", "version", "weights"), backends) + "\n" if backends else "")
        + f"<details><summary>Recipe</summary>\n\n```json\n{recipe}\n```\n\n</details>\n"
        + (f"\nOther versions here: {others}.\n" if others else "")
    )
