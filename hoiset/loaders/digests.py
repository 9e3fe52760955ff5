"""What tells that numbers made of windows are still those of the same data and the same code."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from hoiset.errors import DatasetError
from hoiset.loaders.features import FEATURES, Feature
from hoiset.shards.manifest import manifest_path
from hoiset.shards.reader import ShardReader

_CODE = ("features", "interpolation", "placement", "rotations", "windows")


def code_digest() -> str:
    """Of the source of all that makes windows' values, so that a change of it is never overlooked."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in (*(folder / f"{name}.py" for name in _CODE), folder.parent / "geometry.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def describe(feature: Feature) -> list[Any]:
    """Of a feature, what its values depend on: of one's own, the source of its function."""
    source = ""
    if FEATURES.get(feature.name) is not feature:
        value: Any = feature.value
        while isinstance(value, partial):
            source, value = source + repr(value.args), value.func
        try:
            source += inspect.getsource(value)
        except (OSError, TypeError):  # typed at a prompt, or made by a C extension
            source += f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value)!s}"
    return [feature.name, list(feature.members), feature.needs_before, source]


def shard_digests(reader: ShardReader, shards: Sequence[str]) -> dict[str, str]:
    """SHA-256 of shards, from the manifests of their versions.

    Raises:
        DatasetError: No such manifest, or it does not list a shard.
    """
    files: dict[str, str] = {}
    for version in sorted({PurePosixPath(shard).parts[1] for shard in shards}):
        files |= _files(reader, version)
    missing = [shard for shard in shards if shard not in files]
    if missing:
        raise DatasetError(f"the manifest does not list {', '.join(missing[:3])}; run `hoiset verify`")
    return {shard: files[shard] for shard in shards}


def _files(reader: ShardReader, version: str) -> dict[str, str]:
    name, address = manifest_path(version), reader.ranges.address
    size = reader.ranges.size(name)
    if size is None:
        raise DatasetError(f"{address} has no version {version!r} with a manifest; download {name}")
    try:
        return {file["path"]: file["sha256"] for file in json.loads(reader.read(name, 0, size))["files"]}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DatasetError(f"{address}/{name} is not a manifest ({error!r}); build the version again") from error
