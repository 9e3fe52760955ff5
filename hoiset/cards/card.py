"""README.md of a dataset directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from hoiset.cards import words
from hoiset.cards.fidelity import fidelity_section
from hoiset.cards.front_matter import front_matter, layer_splits, robots_of
from hoiset.cards.markdown import cell, counted, details, duration, size, table
from hoiset.cards.robots import robots_section
from hoiset.cards.sheet import choose
from hoiset.cards.sources import citation, sources_section
from hoiset.cards.statistics import Statistics, describe
from hoiset.shards.atomic import write_atomic
from hoiset.shards.features import clip_table, config_name, schema_table
from hoiset.shards.index import list_versions, read_index
from hoiset.shards.manifest import figure_path, figure_paths, manifest_path, read_manifest
from hoiset.shards.removed import REMOVED_FILE, read_removed
from hoiset.shards.schema import PARTITIONS, ROBOT_FIELDS
from hoiset.shards.sizes import layer_sizes


def write_card(root: Path, version: str) -> Path:
    """Write README.md from the index and manifest of ``version``; configs of other versions in ``root`` are kept.

    Args:
        root: Dataset root, with the index, the manifest and the figures of the version.
        version: The version that the body speaks of and whose core layer is the default config.

    Returns:
        The file. Equal data give equal bytes.

    Raises:
        DatasetError: Index, manifest or figures of an evaluation are missing or damaged, an existing card's YAML cannot
            be read, or the disk refuses.
    """
    root = Path(root)
    index, manifest = read_index(root, version), read_manifest(root, version)
    statistics = describe(root, index)
    pictures = figure_paths(root, version)
    sections = (
        _head(version, statistics, index, pictures),
        _contents(version, statistics, pictures),
        _loading(version, index),
        _making(root, version, statistics, manifest, pictures),
        _quality(version, statistics, pictures),
        robots_section(index),
        fidelity_section(root, version, manifest),
        _schema(index, manifest),
        f"## Intended use\n\n{words.USE}\n",
        f"## Limitations\n\n{words.LIMITATIONS}\n",
        sources_section(version, index, manifest["recipe"]),
        _removal(root),
        f"## Citation\n\n```bibtex\n{citation(version, statistics, manifest)}```\n",
    )
    path = root / "README.md"
    text = front_matter(root, version, index, manifest) + "\n" + "\n\n".join(s.strip() for s in sections if s) + "\n"
    write_atomic(path, text.encode())
    return path


def _picture(version: str, name: str, what: str, there: list[str]) -> str:
    path = figure_path(version, name)
    return f"![{what}]({path})\n\n" if path in there else ""


def _head(version: str, s: Statistics, index: pa.Table, pictures: list[str]) -> str:
    n_clips, hours = sum(s.clips.values()), sum(s.hours.values())
    text = (
        f"# hoiset {version}\n\n"
        f"4D hand-object interaction from video: {n_clips:,} clips ({duration(hours)}, {s.n_frames:,} frames) of "
        f"{s.n_videos:,} source videos, each with up to two metric 3D hands, object meshes with 6DoF poses, grasp "
        "states and words, seen by a static camera.\n\n"
    )
    if not n_clips:
        return text
    shown = choose(index)
    sheet = _picture(version, "sheet.jpg", "What was reconstructed, drawn over frames of some of the clips", pictures)
    if sheet:
        return (
            text
            + sheet
            + (
                f"Reconstructed hands (blue left, orange right) and meshes over {len(shown.keys)} clips, the best of "
                f"each verb first. {shown.permitted:,} of {shown.total:,} clips may be shown by their licences.\n"
            )
        )
    why = "no pictures of it were drawn"
    if not shown.has_video:
        why = "this version has no video layer"
    elif not shown.permitted:
        why = f"none of its {shown.total:,} clips has a licence that permits to show changed pictures of it"
    hands = _picture(version, "hands.png", "Reconstructed hands in the image plane, without the footage", pictures)
    return f"{text}{hands}No footage is shown here: {why}.\n"


def _contents(version: str, s: Statistics, pictures: list[str]) -> str:
    n_clips = sum(s.clips.values())
    rows = [(p, f"{s.clips[p]:,}", duration(s.hours[p])) for p in PARTITIONS if p in s.clips]
    text = "## What is in it\n\n" + table(("split", "clips", "duration"), rows, right=(1, 2))
    text += "\nNo source video is in two splits.\n\n"
    if not n_clips:
        return text
    facts = []
    if s.duration_s is not None:
        least, median, longest = s.duration_s
        facts.append(f"A clip takes {least:.1f} to {longest:.1f} s, {median:.1f} s in the median")
    if s.fps is not None:
        low, high = (f"{x:.3g}" for x in s.fps)
        facts.append(f"at {low if low == high else f'{low} to {high}'} frames a second")
    sizes = ", ".join(name for name, _ in s.pictures[:3]) + " px" + (" and other sizes" if len(s.pictures) > 3 else "")
    text += f"{' '.join(facts)}, in pictures of {sizes}. " if facts else ""
    text += f"{s.n_objects:,} objects have a mesh, {s.n_manipulated:,} of them are moved by a hand.\n\n"
    text += _picture(version, "overview.png", "Verbs, objects, object states and durations", pictures)
    tables = (
        counted("verb", s.verbs, "clips")
        + counted("object", s.labels, "objects")
        + counted("object state", s.states, "clips")
        + counted("grasping hand", s.grasps, "clips")
        + counted("focal length from", s.focal_sources, "clips")
    )
    return text + details("The same in numbers", tables)


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


def _making(root: Path, version: str, s: Statistics, manifest: Mapping[str, Any], pictures: list[str]) -> str:
    recipe = manifest["recipe"]
    backends = [
        tuple(cell(str(b.get(name) or "")) if b.get(name) else "" for name in ("name", "version", "weights"))
        for b in manifest["backends"]
    ]
    profile = f", profile `{cell(str(recipe['profile']))}`" if recipe.get("profile") else ""
    text = f"## How it was made\n\nBy hoiset {manifest['hoiset']}, schema {manifest['schema']}{profile}, without "
    text += f"anybody's hand.\n\n{words.PASSES}\n\n"
    fed = (recipe.get("oracle") or {}).get("feed") or []
    text += words.ORACLE.format(stages=cell(", ".join(map(str, fed)))) + "\n\n" if fed else ""
    text += table(("backend", "version", "weights"), backends) + "\n" if backends else ""
    text += _screen(version, s, pictures)
    text += _selected(manifest.get("selection"))
    as_json = json.dumps(recipe, sort_keys=True, indent=1, ensure_ascii=False).replace("```", "` ` `")
    text += details("Recipe: every threshold", f"```json\n{as_json}\n```")
    text += (
        f"\n`{manifest_path(version)}` lists every file with its SHA-256; `hoiset verify` checks them. The same "
        "recipe, videos and weights give the same bytes.\n"
    )
    others = ", ".join(f"`{v}`" for v in list_versions(root) if v != version)
    return text + (f"\nOther versions here: {others}.\n" if others else "")


def _screen(version: str, s: Statistics, pictures: list[str]) -> str:
    if not s.screen:
        return ""
    total = sum(n for _, n in s.screen)
    rows = [(cell(gate), f"{n:,}", f"{100 * n / total:.1f} %") for gate, n in s.screen]
    return (
        "### Yield of pass 1\n\n"
        + _picture(version, "yield.png", "Candidates that passed, and those that each gate stopped", pictures)
        + details("The same in numbers", table(("gate", "candidates", "share"), rows, right=(1, 2)))
        + "\n"
    )


def _selected(selection: Mapping[str, Any] | None) -> str:
    if selection is None:
        return ""
    text = (
        f"Chosen from {selection['clips']} clips, whose manifest has the SHA-256 `{selection['manifest_sha256']}`, "
        f"with this query; nothing was encoded again.\n\n"
    )
    query = "".join(f"    {line}\n" for line in str(selection["query"]).splitlines() or [""])
    return f"{text}{query}\n{_selected(selection.get('of'))}"


def _quality(version: str, s: Statistics, pictures: list[str]) -> str:
    if not s.quality:
        return ""
    rows = [(f"`{name}`", *(f"{v:.3f}" for v in values)) for name, values in s.quality.items()]
    return (
        "## Quality\n\nWhat the pipeline says of each clip, to filter by: `hoiset filter PATH 'quality.score > 0.5'`. "
        "`hand_reprojection` is a share of the hand's size, all others go from 0 to 1.\n\n"
        + _picture(version, "quality.png", "Histograms of the quality columns", pictures)
        + details(
            "The same in numbers",
            table(("value", "10th percentile", "median", "90th percentile"), rows, right=(1, 2, 3)),
        )
    )


def _schema(index: pa.Table, manifest: Mapping[str, Any]) -> str:
    text = f"## Schema\n\n{words.CONVENTIONS}\n\n{schema_table(robots_of(index))}\n"
    text += details("Fields of <code>clip.json</code>", clip_table())
    if robots_of(index):
        text += details("Fields of <code>robots.json</code>", clip_table(ROBOT_FIELDS))
    if not index.num_rows:
        return text
    rows = []
    for layer, of_layer in layer_sizes(index).items():
        files = [entry for entry in manifest["files"] if entry["layer"] == layer]
        total, a_clip = size(sum(entry["bytes"] for entry in files)), size(of_layer.median)
        most = f"`{of_layer.largest}` ({of_layer.largest_share:.0%})"
        rows.append((layer, f"{len(files):,}", total, a_clip, size(of_layer.median_per_6_s), most))
    header = ("layer", "shards", "size", "a clip (median)", "6 s (median)", "takes most")
    return f"{text}\nWhat the layers take:\n\n" + table(header, rows, right=(1, 2, 3, 4))


def _removal(root: Path) -> str:
    n = len(read_removed(root))
    text = f"## Removing a video\n\n{words.REMOVAL}\n"
    return text + (f"\n{n:,} video{'s were' if n > 1 else ' was'} removed so far (`{REMOVED_FILE}`).\n" if n else "")
