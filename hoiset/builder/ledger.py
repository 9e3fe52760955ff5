"""What a run has to look up, sort and count, on a local disk: a list in memory would grow with the corpus.

It is made anew from the source and the records in storage by every run, and thrown away with it; nothing that has to
last is kept here. SQLite does what is needed (order, uniqueness, counts) from the standard library, in memory that does
not grow.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hoiset.builder.records import SourceVideo

_PAGE = 256
_SCHEMA = """
CREATE TABLE records (name TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE videos (seq INTEGER PRIMARY KEY, uid TEXT NOT NULL, name TEXT NOT NULL, video TEXT NOT NULL,
                     record TEXT);
CREATE INDEX videos_by_uid ON videos (uid, seq);
CREATE INDEX videos_to_do ON videos (seq) WHERE record IS NULL;
CREATE TABLE clips (id INTEGER PRIMARY KEY, partition INTEGER NOT NULL, plain TEXT NOT NULL, key TEXT NOT NULL,
                    folded TEXT NOT NULL, uid TEXT NOT NULL, start_s REAL NOT NULL, end_s REAL NOT NULL,
                    seq INTEGER NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE units (partition INTEGER NOT NULL, number INTEGER NOT NULL, first TEXT NOT NULL, clips INTEGER NOT NULL,
                    digest TEXT, record TEXT, PRIMARY KEY (partition, number)) WITHOUT ROWID;
"""


class Ledger:
    """The videos of a source with what is known of each, the clips of a plan, and its units.

    Attributes:
        db: For the tables that :mod:`hoiset.builder.plan` keeps here.
    """

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=FILE; PRAGMA locking_mode=EXCLUSIVE;"
        )
        self.db.executescript(_SCHEMA)

    @staticmethod
    @contextmanager
    def open(folder: Path | None = None) -> Iterator[Ledger]:
        """A new ledger.

        Args:
            folder: A local folder with room for it, about 2 KB a video and 4 KB a clip; the system's temporary one by
                default.
        """
        with tempfile.TemporaryDirectory(prefix="hoiset-", dir=folder, ignore_cleanup_errors=True) as scratch:
            ledger = Ledger(Path(scratch) / "ledger.sqlite")
            try:
                yield ledger
            finally:
                ledger.db.close()

    def remember(self, records: Iterable[dict[str, Any]]) -> None:
        """Take the records of earlier runs, each with its ``name``; the newest of a name counts."""
        self._many("INSERT OR REPLACE INTO records VALUES (?, ?)", ((r["name"], json.dumps(r)) for r in records))

    def add_videos(self, videos: Iterable[tuple[str, SourceVideo]]) -> None:
        """Take the source's videos with the names of their records; those with a record are judged already."""
        rows = ((video.uid, name, json.dumps({**vars(video), "path": str(video.path)})) for name, video in videos)
        self._many(
            "INSERT INTO videos (uid, name, video, record) VALUES (?1, ?2, ?3, (SELECT record FROM records "
            "WHERE name = ?2))",
            rows,
        )
        self.db.execute("DELETE FROM records")

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Write what is added in the block at once."""
        self.db.execute("BEGIN")
        try:
            yield
        finally:
            self.db.execute("COMMIT")

    def _many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with self.bulk():
            self.db.executemany(statement, rows)

    def count_videos(self) -> int:
        """How many videos the source has."""
        return int(self.db.execute("SELECT count(*) FROM videos").fetchone()[0])

    def unjudged(self) -> Iterator[tuple[int, str, SourceVideo]]:
        """Number, record's name and video of those without a record, in the order of the source."""
        last = 0
        query = "SELECT seq, name, video FROM videos WHERE record IS NULL AND seq > ? ORDER BY seq LIMIT ?"
        while page := self.db.execute(query, (last, _PAGE)).fetchall():
            for seq, name, video in page:
                yield seq, name, read_video(video)
            last = page[-1][0]

    def judge(self, seq: int, record: dict[str, Any]) -> None:
        """Keep what pass 1 made of a video."""
        self.db.execute("UPDATE videos SET record = ? WHERE seq = ?", (json.dumps(record), seq))

    def judged(self) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Number, uid and record of every judged video, ordered by uid, then as in the source."""
        uid, last = "", 0
        query = (
            "SELECT seq, uid, record FROM videos WHERE (uid, seq) > (?, ?) AND record IS NOT NULL "
            "ORDER BY uid, seq LIMIT ?"
        )
        while page := self.db.execute(query, (uid, last, _PAGE)).fetchall():
            for seq, of_uid, record in page:
                yield seq, of_uid, json.loads(record)
            last, uid = page[-1][:2]


def read_video(text: str) -> SourceVideo:
    """A video from its JSON in the ledger."""
    values = {name: _tupled(value) for name, value in json.loads(text).items()}
    return SourceVideo(**{**values, "path": Path(values["path"])})


def _tupled(value: Any) -> Any:
    return tuple(_tupled(v) for v in value) if isinstance(value, list) else value
