"""What a source of videos is, and how one is opened."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from hoiset.builder.records import SourceVideo
from hoiset.errors import SourceError

SOURCE_KINDS = ("folder", "studio", "action100m")


class Source(Protocol):
    """Where videos and their words come from."""

    name: str

    def videos(self) -> Iterator[SourceVideo]:
        """Every video, the unusable ones with a ``problem``: nothing is left out in silence.

        The order follows from the source alone: the entries of a uid come together, by start and end, each span once.
        Uids are sorted where that does not take a list of them; a source of any size yields as it reads.

        Raises:
            SourceError: The source as a whole cannot be listed.
        """
        ...


def open_source(spec: str | Path, kind: str = "folder", **options: Any) -> Source:
    """Open a source.

    Args:
        spec: What the kind takes: for ``folder`` a directory, one video file, or a table of addresses to fetch videos
            from; annotations for ``action100m``; see the studio for its own.
        kind: One of :data:`SOURCE_KINDS`.
        options: Passed to the source.

    Raises:
        SourceError: Unknown kind, or there is nothing at ``spec``.
    """
    if kind == "folder":
        from hoiset.builder.sources.folder import FolderSource
        from hoiset.builder.sources.urls import TABLE_SUFFIXES, UrlSource

        if Path(spec).suffix.lower() in TABLE_SUFFIXES and Path(spec).is_file():
            return UrlSource(spec, **options)
        return FolderSource(spec, **options)
    if kind == "studio":
        from hoiset.builder.sources.studio import StudioSource

        return StudioSource(spec, **options)
    if kind == "action100m":
        from hoiset.builder.sources.action100m.source import Action100MSource

        return Action100MSource(spec, **options)
    raise SourceError(f"unknown kind of source {kind!r}; expected one of {', '.join(SOURCE_KINDS)}")


def safe_key(uid: str, max_length: int = 64) -> str:
    """A readable key that matches ``[A-Za-z0-9_-]+``, made from a uid; different uids may share one.

    The file suffix is dropped, accents are folded, every run of other characters becomes one ``-``.
    """
    stem = re.sub(r"\.[A-Za-z0-9]{1,4}$", "", uid)
    folded = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode("ascii")
    key = re.sub(r"[^A-Za-z0-9_]+", "-", folded).strip("-")[:max_length].strip("-")
    return key or "video"
