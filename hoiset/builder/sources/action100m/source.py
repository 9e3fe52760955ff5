"""The source: one entry a chosen segment, fetched from YouTube when its turn comes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hoiset.builder.records import SourceVideo
from hoiset.builder.sources.action100m.choosing import Choice, Chooser, Segment, unusable
from hoiset.builder.sources.action100m.params import Action100MParams
from hoiset.builder.sources.action100m.reading import find_tables, read_rows


class Action100MSource:
    """Segments of Action100M's videos that its words recommend.

    The rows are read as a stream, and nothing is kept of a row but its uid, in a temporary file: memory does not grow
    with the corpus.

    Args:
        spec: Directory or file of its parquet (or JSON) form, or ``hf://datasets/owner/name[@revision][/path]``.
        params: The rules.

    Raises:
        SourceError: There is nothing at ``spec``, or it cannot be reached.
    """

    name = "action100m"

    def __init__(self, spec: str | Path, params: Action100MParams | None = None) -> None:
        self._tables = find_tables(spec)
        self._params = params or Action100MParams()

    def videos(self) -> Iterator[SourceVideo]:
        """One entry a chosen segment, and one for every row that cannot be used, which has a ``problem``.

        The order follows from the files alone: by file name, then row, then start and end. It is not the uids' order,
        which would take the whole corpus in memory, but it gives what that is wanted for: a video's segments come
        together, so that it is fetched once; no uid comes back later, as the second row of a video is a problem with a
        uid of its own; and no span comes twice.

        Raises:
            SourceError: A file cannot be read, or is not of Action100M.
        """
        for choice in self.choices():
            if choice.problem:
                yield SourceVideo(choice.uid, Path(), problem=choice.problem)
            for segment in choice.segments:
                yield self._video(choice.uid, segment)

    def choices(self) -> Iterator[Choice]:
        """What became of every row, in the order of :meth:`videos`, which says what it raises."""
        chooser = Chooser(self._params)
        with closing(_SeenUids()) as seen:
            for table in self._tables:
                for row in read_rows(table):
                    choice = chooser.choose(row)
                    if not choice.problem and not seen.add(choice.uid):
                        choice = unusable(row.where, f"video {choice.uid} again; its first row counts")
                    yield choice

    def _video(self, uid: str, segment: Segment) -> SourceVideo:
        return SourceVideo(
            uid=uid,
            path=Path(),
            remote=f"youtube:{uid}",
            url=f"https://www.youtube.com/watch?v={uid}",
            licence=self._params.licence,
            action=segment.caption.brief,
            objects=tuple(noun for noun, _ in segment.objects),
            objects_source=tuple(field for _, field in segment.objects),
            summary=segment.caption.summary,
            start_s=segment.start_s,
            end_s=segment.end_s,
        )


class _SeenUids:
    """A set of texts on disk: SQLite drops the temporary file of a database without a name when it is closed."""

    def __init__(self) -> None:
        # an executor may take up in one thread what was begun in another, never in both at once
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("CREATE TABLE seen (uid TEXT PRIMARY KEY) WITHOUT ROWID")

    def add(self, uid: str) -> bool:
        """Whether it is new."""
        return self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (uid,)).rowcount == 1

    def close(self) -> None:
        """Remove it."""
        self._db.close()
