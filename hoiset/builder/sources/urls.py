"""A table of addresses: videos that are fetched when they are looked at."""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from hoiset.builder.acquire.address import Address, parse_address
from hoiset.builder.records import SourceVideo
from hoiset.builder.sources.annotations import Annotation, Spans, read_table
from hoiset.errors import AcquireError

TABLE_SUFFIXES = (".csv", ".jsonl", ".parquet")


class UrlSource:
    """Videos of the web, from a csv, JSON lines or parquet file: column ``url``, and those of a folder's table.

    An address is one of a video file, of a page that yt-dlp knows, or ``youtube:`` and the 11 characters of an id.
    """

    name = "urls"

    def __init__(self, spec: str | Path) -> None:
        self._table = Path(spec)

    def videos(self) -> Iterator[SourceVideo]:
        """See :meth:`hoiset.builder.sources.base.Source.videos`."""
        seen: Spans = {}
        videos = [remote_video(row, taken=(), seen=seen) for row in read_table(self._table)]
        yield from sorted(videos, key=lambda v: (v.uid, v.start_s or 0.0, v.end_s or float("inf")))


def remote_video(row: Annotation, taken: Container[str], seen: Spans) -> SourceVideo:
    """The video of a row without a file; what is wrong with it becomes its ``problem``.

    Args:
        row: Of the table.
        taken: Uids of files, which no remote video may share.
        seen: Spans of the rows before; this one's is added.
    """
    uid, remote, problem = row.url, "", row.problem
    try:
        address = parse_address(row.url)
        uid, remote = _uid(address), address.name
    except AcquireError as error:
        uid = ascii(row.url)[1:-1]
        problem = problem or error.detail
    if row.file:
        problem = problem or f"row {row.number} names a file; give the directory as the source to use files"
    if uid in taken:
        problem = problem or f"row {row.number} has the address of a video that is in the directory as well"
    repeats = row.repeats(uid, seen)
    problem = problem or repeats
    return row.video(uid, Path(), problem, "" if problem else remote)


def _uid(address: Address) -> str:
    """A YouTube video's own id, as other sources name it; host and path of any other address."""
    if address.youtube_id:
        return address.youtube_id
    parts = urlsplit(address.url)
    return parts.netloc + parts.path + (f"?{parts.query}" if parts.query else "")
