"""The last step of a build: index, figures, manifest and card, in the order in which they need each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from hoiset.cards.card import write_card
from hoiset.cards.croissant import write_croissant
from hoiset.cards.figures import write_figures
from hoiset.shards.index import write_index
from hoiset.shards.manifest import write_manifest
from hoiset.shards.writer import ShardRecord


def finish_version(
    root: Path,
    version: str,
    *,
    shards: Iterable[ShardRecord],
    rows: Iterable[Mapping[str, Any]],
    recipe: Mapping[str, Any],
    backends: Iterable[Mapping[str, Any]] = (),
    selection: Mapping[str, Any] | None = None,
    ordered: bool = False,
    bring: Callable[[str], None] | None = None,
) -> None:
    """Write everything of a version that is not a shard; may be called again after a kill, with the same result.

    Args:
        root: Dataset root.
        version: Name of the version (the recipe's).
        shards: :attr:`UnitWriter.records` of all units; consumed lazily.
        rows: :attr:`UnitWriter.rows` of all units.
        recipe: The recipe as plain JSON types.
        backends: See :func:`hoiset.shards.manifest.write_manifest`.
        selection: See :func:`hoiset.shards.manifest.write_manifest`.
        ordered: See :func:`hoiset.shards.index.write_index`.
        bring: Called with the path of a shard that must be in ``root`` now, where they are kept elsewhere.
    """
    write_index(root, version, rows, ordered=ordered)
    write_figures(root, version, bring=bring)
    write_manifest(root, version, shards, recipe=recipe, backends=backends, selection=selection)
    write_faces(root, version)


def write_faces(root: Path, version: str) -> None:
    """Write what people and catalogues look at first: ``README.md`` and ``croissant.json``.

    Args:
        root: Dataset root, with index, manifest and figures of the version.
        version: The version that they speak of.
    """
    write_card(root, version)
    write_croissant(root, version)
