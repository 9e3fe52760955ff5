"""What the licences of the sources forbid, and what they ask of who passes on what was made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hoiset.shards.licences import WORDS_LICENCES, Terms, terms

PIXELS = ("video", "scene", "robot_video")
"""Layers that show the footage, or are drawn after it frame by frame."""
_NAMED = 3


@dataclass(frozen=True)
class Refusal:
    """A layer that may not be passed on.

    Attributes:
        layer: Its name.
        licence: Of the footage, as the source gives it; ``""`` is unknown.
        clips: Clips that it concerns.
        videos: Source videos that it concerns.
        examples: Addresses, or names, of the first of them.
    """

    layer: str
    licence: str
    clips: int
    videos: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        licence = f"licence {self.licence!r}" if self.licence else "no known licence"
        rest = self.videos - len(self.examples)
        names = ", ".join(self.examples) + (f" and {rest} more" if rest else "")
        return f"{self.layer}: {self.clips} clips of {self.videos} sources with {licence} ({names})"


@dataclass(frozen=True)
class Obligation:
    """What somebody's licence asks of a dataset that was made of their work.

    Attributes:
        what: The work.
        licence: Its licence by name.
        link: Where work and licence are to be found.
        asks: What it asks for, one sentence each.
        layers: Layers that were made of it; empty for all.
        copy: Whether a copy of the licence has to go along.
    """

    what: str
    licence: str
    link: str
    asks: tuple[str, ...]
    layers: tuple[str, ...] = ()
    copy: bool = False


WORDS = {
    "action100m": Obligation(
        "the annotations of Action100M, from which the words of the clips were taken",
        WORDS_LICENCES["action100m"].name,
        WORDS_LICENCES["action100m"].link,
        (
            "Use is for noncommercial research only.",
            "What is derived from the annotations, this dataset included, is passed on under the same licence.",
            "A copy of the licence goes with every copy of the dataset.",
            "Publications acknowledge Action100M.",
        ),
        copy=True,
    )
}
"""Kind of source, as a recipe names it, -> what its annotations ask for."""


def refusals(index: pa.Table, layers: Iterable[str]) -> tuple[Refusal, ...]:
    """Layers, and licences, under which footage may not be passed on.

    A licence that is not known permits nothing: that is so of web videos unless their source says otherwise. Depth maps
    and masks follow the footage frame by frame, so that a licence has to permit changed pictures as well.

    Args:
        index: Its columns ``uid``, ``url`` and ``licence``.
        layers: That are to be pushed.
    """
    out = []
    for layer in (layer for layer in PIXELS if layer in layers):
        for licence in sorted({str(x or "") for x in index["licence"].unique().to_pylist()}):
            if _permits(terms(licence), layer):
                continue
            rows = index.filter(pc.equal(pc.fill_null(index["licence"], ""), licence))
            names = dict(zip(rows["uid"].to_pylist(), rows["url"].to_pylist(), strict=True))
            examples = tuple(_line(names[uid] or uid) for uid in sorted(names)[:_NAMED])
            out.append(Refusal(layer, licence, rows.num_rows, len(names), examples))
    return tuple(out)


def _permits(permitted: Terms, layer: str) -> bool:
    return permitted.redistribute and (permitted.derivatives or layer == "video")


def obligations(recipe: Mapping[str, Any], index: pa.Table, layers: Sequence[str]) -> tuple[Obligation, ...]:
    """What the licences of words and footage ask for.

    Args:
        recipe: Of the manifest.
        index: Its column ``licence``.
        layers: That are to be pushed; only the footage that they show counts.
    """
    source = recipe.get("source")
    kind = source.get("kind") if isinstance(source, Mapping) else None
    words = [WORDS[kind]] if kind in WORDS else []
    pixels = tuple(layer for layer in PIXELS if layer in layers)
    counted = pc.value_counts(pc.fill_null(index["licence"], "")).to_pylist() if pixels else []
    asked = ((one["values"], one["counts"], _asks(terms(one["values"]))) for one in counted)
    footage = [
        Obligation(f"the footage of {n} clips", _line(licence), "", asks, pixels)
        for licence, n, asks in sorted(asked)
        if asks
    ]
    return (*words, *footage)


def _asks(permitted: Terms) -> tuple[str, ...]:
    sentences = (
        (permitted.attribution, "Source and address, which the index has of every clip, are named where it is shown."),
        (permitted.noncommercial, "Use is noncommercial."),
        (permitted.share_alike, "What is made of it is passed on under the same licence."),
        (permitted.redistribute and not permitted.derivatives, "It is not passed on in a changed form."),
    )
    return tuple(sentence for holds, sentence in sentences if holds)


def notice(version: str, obliged: Sequence[Obligation], licence_files: Sequence[str], overridden: str) -> str:
    """The text of the notice, in Markdown.

    Args:
        version: Name of the version.
        obliged: What there is to say.
        licence_files: Files beside it that hold licences, by name.
        overridden: Why footage is passed on that no licence permits; ``""`` where none is.
    """
    parts = [f"# What the sources of {version} ask for\n"]
    for one in obliged:
        link = f" (<{one.link}>)" if one.link else ""
        layers = f" It concerns the layers: {', '.join(one.layers)}." if one.layers else ""
        asks = "".join(f"- {sentence}\n" for sentence in one.asks)
        parts.append(f"## {one.licence}\n\nOf {one.what}{link}.{layers}\n\n{asks}")
    if overridden:
        parts.append(
            "## Footage without such a licence\n\nWho pushed this dataset passes on footage that no licence known to "
            f"hoiset permits to pass on, and gives as the reason:\n\n    {overridden}\n"
        )
    if licence_files:
        parts.append("The texts that came with the sources: " + ", ".join(f"`{n}`" for n in licence_files) + ".\n")
    return "\n".join(parts)


def one_line(text: str) -> str:
    """A text that somebody gave, as one line without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _line(text: str) -> str:
    return one_line(text)[:120]
