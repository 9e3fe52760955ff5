"""Whose footage it is: licences and attribution of every source video."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from hoiset.cards.markdown import cell, link, table
from hoiset.cards.statistics import Statistics
from hoiset.cards.words import CITATION, SOURCES
from hoiset.shards.index import index_path
from hoiset.shards.licences import Terms, terms
from hoiset.shards.manifest import data_digest

MAX_SOURCES = 50


def sources_section(version: str, index: pa.Table, recipe: Mapping[str, Any]) -> str:
    """What each licence permits, and a table of the videos with their addresses."""
    text = "## Sources, licences and attribution\n\nThe footage stays under the licence of its source."
    text += " What was reconstructed from it, and the words, come with no rights to the footage.\n\n"
    note, _ = SOURCES.get(source_kind(recipe), ("", ""))
    text += f"{note}\n\n" if note else ""
    if not index.num_rows:
        return text
    text += _licences(index) + "\nThe videos, with their addresses where they are known:\n\n"
    videos = _videos(index)
    shown = list(videos.items())[:MAX_SOURCES]
    rows = [(link(uid, url), cell(licence), f"{n:,}") for uid, (url, licence, n) in shown]
    text += table(("source video", "licence", "clips"), rows, right=(2,))
    if len(videos) > len(shown):
        text += (
            f"\nand {len(videos) - len(shown):,} more: `{index_path(version)}` has `uid`, `url` and `licence` of every "
            "clip.\n"
        )
    return text


def source_kind(recipe: Mapping[str, Any]) -> str:
    """The kind of source of a recipe, ``""`` where it does not say."""
    source = recipe.get("source")
    return str(source.get("kind", "")) if isinstance(source, Mapping) else ""


def citation(version: str, statistics: Statistics, manifest: Mapping[str, Any]) -> str:
    """BibTeX of a version, and of what its annotations come from."""
    text = CITATION.format(
        label=re.sub(r"[^A-Za-z0-9]+", "_", version),
        version=version.replace("_", r"\_"),
        clips=sum(statistics.clips.values()),
        videos=statistics.n_videos,
        hoiset=manifest["hoiset"],
        digest=data_digest(manifest)[:16],
    )
    _, source = SOURCES.get(source_kind(manifest["recipe"]), ("", ""))
    return text + source


def _videos(index: pa.Table) -> dict[str, tuple[str, str, int]]:
    """Address, licence and clips of every video, by its id."""
    found: dict[str, tuple[str, str, int]] = {}
    for row in index.select(["uid", "url", "licence"]).to_pylist():
        url, licence, n = found.get(row["uid"], ("", "", 0))
        found[row["uid"]] = (url or row["url"] or "", licence or row["licence"] or "", n + 1)
    return dict(sorted(found.items()))


def _licences(index: pa.Table) -> str:
    counts: dict[str, int] = {}
    for licence in index["licence"].to_pylist():
        counts[licence or ""] = counts.get(licence or "", 0) + 1
    rows = [
        (cell(licence), f"{n:,}", _permits(terms(licence)))
        for licence, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    shown = rows[:MAX_SOURCES]
    return table(("licence of the footage", "clips", "what it is taken to permit"), shown, right=(1,)) + (
        f"\nand {len(rows) - len(shown):,} more.\n" if len(rows) > len(shown) else ""
    )


def _permits(found: Terms) -> str:
    if not found.redistribute:
        return "nothing: not known, or no licence to pass the footage on"
    conditions = [
        words
        for holds, words in (
            (found.attribution, "name the source"),
            (found.noncommercial, "noncommercial only"),
            (found.share_alike, "same licence"),
        )
        if holds
    ]
    what = "copies and changed pictures" if found.derivatives else "unchanged copies"
    return what + (f" ({', '.join(conditions)})" if conditions else "")
