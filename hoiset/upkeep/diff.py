"""What two datasets, or two versions of one, have in common and what not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoiset.errors import DatasetError
from hoiset.shards.index import read_index
from hoiset.shards.manifest import read_manifest
from hoiset.shards.reader import ShardReader
from hoiset.upkeep.differences import differences

_CLIP = "clip.json"
Span = tuple[str, int, int]
"""Shard, offset and size of a member."""


@dataclass(frozen=True)
class Change:
    """A clip that is in both and not the same.

    Attributes:
        key: Of the clip.
        members: Members whose bytes differ, or that only one side has; ``partition`` where it is in another one.
        fields: Dotted paths in ``clip.json`` that differ.
        stages: Stages of the provenance whose version, backend or digest differ, or that only one side ran.
    """

    key: str
    members: tuple[str, ...]
    fields: tuple[str, ...]
    stages: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """All of it.

    Attributes:
        added: Keys that only the second has.
        removed: Keys that only the first has.
        changed: Clips that are not the same.
        n_equal: Clips that are the same, byte for byte, in the same partition.
        recipe: Dotted paths of the recipes that differ.
        bytes_read: Bytes of members that were read, of both sides: the others' shards have the same digest.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Change, ...]
    n_equal: int
    recipe: tuple[str, ...]
    bytes_read: int

    @property
    def is_empty(self) -> bool:
        """Whether the clips are the same; recipes may differ."""
        return not (self.added or self.removed or self.changed)

    def counts(self) -> dict[str, dict[str, int]]:
        """Changed clips by member, by field of ``clip.json`` and by stage."""
        kinds = ("members", "fields", "stages")
        return {kind: dict(Counter(x for c in self.changed for x in getattr(c, kind)).most_common()) for kind in kinds}


class _Side:
    """One of the two."""

    def __init__(self, root: Path, version: str) -> None:
        manifest = read_manifest(root, version)
        self.recipe = manifest["recipe"]
        self.sha256 = {entry["path"]: entry["sha256"] for entry in manifest["files"]}
        self.root = root
        self.reader = ShardReader(root)
        self.bytes_read = 0
        table = read_index(root, version, ["key", "partition", "members"])
        self.clips: dict[str, tuple[str, dict[str, Span]]] = {}
        for row in table.to_pylist():
            spans = {m["member"]: (m["shard"], m["offset"], m["size"]) for m in row["members"]}
            self.clips[row["key"]] = (row["partition"], spans)

    def place(self, span: Span) -> tuple[str, int, int]:
        """Equal places hold equal bytes, on whichever side."""
        if span[0] not in self.sha256:
            raise DatasetError(f"{self.root}: {span[0]} is in the index and not in the manifest; verify it")
        return self.sha256[span[0]], span[1], span[2]

    def read(self, span: Span) -> bytes:
        self.bytes_read += span[2]
        return self.reader.read(*span)


def diff_datasets(root_a: Path, version_a: str, root_b: Path, version_b: str) -> Difference:
    """Compare two versions clip by clip.

    Bytes are read only where the digest of the shard, the offset or the size differ: of members, and of ``clip.json``
    to say which stage a change comes from.

    Args:
        root_a: Dataset directory.
        version_a: Version in it.
        root_b: The other; may be the same directory.
        version_b: Version in it.

    Raises:
        DatasetError: A version is not there, or a shard that must be read is missing or damaged.
    """
    a, b = _Side(root_a, version_a), _Side(root_b, version_b)
    with a.reader, b.reader:
        common = sorted(a.clips.keys() & b.clips.keys())
        changed = tuple(change for key in common for change in _change(key, a, b))
    return Difference(
        tuple(sorted(b.clips.keys() - a.clips.keys())),
        tuple(sorted(a.clips.keys() - b.clips.keys())),
        changed,
        len(common) - len(changed),
        tuple(differences(a.recipe, b.recipe)),
        a.bytes_read + b.bytes_read,
    )


def _change(key: str, a: _Side, b: _Side) -> Iterator[Change]:
    (partition_a, spans_a), (partition_b, spans_b) = a.clips[key], b.clips[key]
    names = sorted({*spans_a, *spans_b})
    members = [name for name in names if not _same(a, spans_a.get(name), b, spans_b.get(name))]
    members += ["partition"] if partition_a != partition_b else []
    if not members:
        return
    fields: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    if _CLIP in members and _CLIP in spans_a and _CLIP in spans_b:
        clip_a, clip_b = (_clip(side, spans[_CLIP]) for side, spans in ((a, spans_a), (b, spans_b)))
        fields = tuple(differences(clip_a, clip_b))
        stages = tuple(differences(_stages(clip_a), _stages(clip_b)))
    yield Change(key, tuple(members), fields, tuple(dict.fromkeys(stage.partition(".")[0] for stage in stages)))


def _same(a: _Side, span_a: Span | None, b: _Side, span_b: Span | None) -> bool:
    if span_a is None or span_b is None or span_a[2] != span_b[2]:
        return False
    return a.place(span_a) == b.place(span_b) or a.read(span_a) == b.read(span_b)


def _clip(side: _Side, span: Span) -> dict[str, Any]:
    try:
        clip: dict[str, Any] = json.loads(side.read(span))
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{side.root}/{span[0]}: found a clip.json that is not JSON; verify it") from error
    return clip


def _stages(clip: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Name -> version, backend and digest; a name that comes twice counts its place."""
    seen: Counter[str] = Counter()
    out = {}
    for stage in (clip.get("provenance") or {}).get("stages") or []:
        name = str(stage.get("name")).replace(".", "_")
        seen[name] += 1
        out[name if seen[name] == 1 else f"{name}-{seen[name]}"] = {**stage}
    return out
