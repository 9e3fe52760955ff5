"""The YAML of a dataset card: configs, features, licence, tags. Nothing is left for the Hub to infer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from hoiset.cards.robots import n_joints
from hoiset.cards.sources import source_kind
from hoiset.errors import DatasetError
from hoiset.shards.features import config_name, features_yaml
from hoiset.shards.index import list_versions, read_index
from hoiset.shards.licences import WORDS_LICENCES, terms
from hoiset.shards.manifest import list_manifests, read_manifest
from hoiset.shards.schema import PARTITIONS, SCHEMA, layers, robot_members, robots_among

_HUB_LICENCES = (
    "apache-2.0", "mit", "cc0-1.0", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0",
    "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0", "odc-by", "odbl", "pddl",
)  # fmt: skip
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
_DELIMITER = "---\n"


def front_matter(root: Path, version: str, index: pa.Table, manifest: Mapping[str, Any]) -> str:
    """The card's YAML block, delimiters included.

    Configs are made for every version with an index in ``root``; those of an existing card that are not there (another
    machine may hold them) are kept. ``version``'s core config is the default.

    Args:
        root: Dataset root.
        version: The version that the card speaks of.
        index: Its index.
        manifest: Its manifest.

    Raises:
        DatasetError: The existing README.md has YAML that cannot be read, or another version's index or manifest.
    """
    configs, infos = _kept(root)
    manifests = {version: manifest}
    for name in sorted(list_versions(root)):
        table = index if name == version else read_index(root, name)
        configs = {k: v for k, v in configs.items() if not _belongs(k, name)}
        infos = {k: v for k, v in infos.items() if not _belongs(k, name)}
        robots = robots_of(table)
        for layer, splits in layer_splits(table).items():
            config = config_name(name, layer)
            files = [{"split": s, "path": f"data/{name}/{layer}/{s}-*.tar"} for s in splits]
            configs[config] = {"config_name": config, "data_files": files}
            infos[config] = {
                "config_name": config,
                "features": features_yaml(layer, robots),
                **_sizes(table, layer, splits, manifests.get(name) or _manifest(root, name)),
            }
    for entry in configs.values():
        entry.pop("default", None)
    if version in configs:
        configs[version]["default"] = True
    data = {
        "pretty_name": f"hoiset {version}",
        **licence_entry(index, manifest["recipe"]),
        "annotations_creators": ["machine-generated"],
        "task_categories": ["robotics"],
        "tags": ["hand-object-interaction", "manipulation", "4d", "3d", "video", "timeseries", "webdataset", "hoiset"],
        "size_categories": [_size(index.num_rows)],
        "configs": [configs[name] for name in sorted(configs)],
        "dataset_info": [infos[name] for name in sorted(infos)],
    }
    return _DELIMITER + yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1000) + _DELIMITER


def layer_splits(index: pa.Table) -> dict[str, list[str]]:
    """The splits that exist of every layer that exists, both in the order of the schema."""
    spans = pc.list_flatten(index["members"])
    parents = index["partition"].take(pc.list_parent_indices(index["members"]))
    there = set(zip(pc.struct_field(spans, "layer").to_pylist(), parents.to_pylist(), strict=True))
    found = {layer: [p for p in PARTITIONS if (layer, p) in there] for layer in layers()}
    return {layer: splits for layer, splits in found.items() if splits}


def robots_of(index: pa.Table) -> tuple[str, ...]:
    """Names of the version's robots; every clip has the same."""
    return robots_among([span["member"] for span in index["members"][0].as_py()]) if index.num_rows else ()


def read_front_matter(path: Path) -> dict[str, Any]:
    """The YAML of a card; empty when there is no card or no YAML.

    Raises:
        DatasetError: The YAML cannot be read.
    """
    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        if not text.startswith(_DELIMITER):
            return {}
        data = yaml.safe_load(text[len(_DELIMITER) :].split("\n" + _DELIMITER, 1)[0])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise DatasetError(f"cannot read the YAML of {path} ({error}); move that file away") from error
    if not isinstance(data, dict):
        raise DatasetError(f"{path}: found YAML that is not a mapping; move that file away")
    return data


def _kept(root: Path) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Configs and infos of the existing card, by config name."""
    data = read_front_matter(Path(root) / "README.md")
    return _by_config(data.get("configs")), _by_config(data.get("dataset_info"))


def _by_config(entries: Any) -> dict[str, dict[str, Any]]:
    listed: Iterable[Any] = [entries] if isinstance(entries, Mapping) else entries or []
    return {str(e["config_name"]): dict(e) for e in listed if isinstance(e, Mapping) and "config_name" in e}


def _belongs(config: str, version: str) -> bool:
    return any(config == config_name(version, layer) for layer in layers())


def licence_entry(index: pa.Table, recipe: Mapping[str, Any]) -> dict[str, str]:
    """The Hub's licence of the data: the annotations', else the sources' own when all agree, else ``other``.

    Args:
        index: Of the version.
        recipe: Of its manifest.
    """
    words = WORDS_LICENCES.get(source_kind(recipe))
    if words is not None:
        return {"license": words.id}
    found = {terms(x).id or str(x or "").strip() for x in index["licence"].unique().to_pylist()}
    if len(found) == 1 and next(iter(found)) in _HUB_LICENCES:
        return {"license": found.pop()}
    name = "mixed-see-card" if len(found) > 1 else "unknown-see-card"
    return {"license": "other", "license_name": name, "license_link": "README.md"}


def _manifest(root: Path, version: str) -> Mapping[str, Any] | None:
    return read_manifest(root, version) if version in list_manifests(root) else None


def _sizes(index: pa.Table, layer: str, splits: list[str], manifest: Mapping[str, Any] | None) -> dict[str, Any]:
    """Examples and bytes of a config: of a split the data of its members, unpacked, of a download its tars."""
    spans = pc.list_flatten(index["members"]).combine_chunks()
    here = pc.equal(pc.struct_field(spans, "layer"), layer)
    spans, clip = spans.filter(here), pc.list_parent_indices(index["members"]).combine_chunks().filter(here)
    partition = index["partition"].take(clip).to_numpy()
    size = _unpacked(spans, index["n_frames"].take(clip).to_numpy(), n_joints(index))
    counted: list[dict[str, Any]] = [
        {
            "name": split,
            "num_bytes": int(size[partition == split].sum()),
            "num_examples": int(pc.sum(pc.equal(index["partition"], split)).as_py()),
        }
        for split in splits
    ]
    tars = [entry["bytes"] for entry in (manifest or {"files": ()})["files"] if entry["layer"] == layer]
    return {
        "splits": counted,
        **({"download_size": sum(tars)} if tars else {}),
        "dataset_size": int(size.sum()),
    }


def _unpacked(spans: pa.StructArray, n_frames: np.ndarray, robots: Mapping[str, int]) -> np.ndarray:
    """(N,) bytes of members as readers hold them: packed arrays as long as their frames make them.

    Args:
        spans: (N,) of the index.
        n_frames: (N,) of their clips.
        robots: Robot -> number of its joints.
    """
    size = pc.struct_field(spans, "size").to_numpy()
    member = pc.struct_field(spans, "member").to_numpy(zero_copy_only=False)
    known = [(m, 0) for m in SCHEMA] + [(m, dof) for robot, dof in robots.items() for m in robot_members(robot)]
    for m, dof in known:
        if m.name.endswith(".gz") and m.dtype is not None and m.shape is not None:
            values = math.prod(dof if n == "dof" else int(n) for n in m.shape if n != "T")
            size = np.where(member == m.name, n_frames * values * np.dtype(m.dtype).itemsize, size)
    return size


def _size(n_rows: int) -> str:
    return next((name for limit, name in _SIZES if n_rows < limit), "10M<n<100M")
