"""From judged spans to units of work: keys, partitions and shards."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from hoiset.builder.ledger import Ledger, read_video
from hoiset.builder.records import Candidate, Clip
from hoiset.builder.sources.base import safe_key
from hoiset.shards.schema import PARTITIONS

_HASH_LENGTHS = (8, 16, 64)
_PAGE = 1024


@dataclass(frozen=True)
class Unit:
    """The clips of one output shard.

    Shards are numbered by unit, whatever becomes of the clips: one of which none succeeds leaves a gap in the numbers,
    so that no other shard's name or bytes depend on a failure.

    Attributes:
        partition: ``train``, ``validation`` or ``test``.
        number: Of the shard within its partition.
        clips: In the order of their keys.
    """

    partition: str
    number: int
    clips: tuple[Clip, ...]

    @property
    def name(self) -> str:
        """``train-00000``."""
        return f"{self.partition}-{self.number:05d}"


@dataclass(frozen=True)
class PlannedUnit:
    """A unit with what belongs to it besides its clips.

    Attributes:
        unit: Its clips.
        digests: sha256 of each clip's file, in their order.
    """

    unit: Unit
    digests: tuple[str, ...]


class Plan:
    """Everything that a build will make, kept in a ledger; one unit at a time is in memory.

    Add what passed, then :meth:`cut` once. The plan depends on nothing but what was added, and not on the order.

    Args:
        ledger: Holds the videos that the candidates are of.
        ratios: Partition -> share of the source videos, adding up to 1. With few videos a partition may stay empty.
        clips_per_shard: At most so many clips in a unit.
    """

    def __init__(self, ledger: Ledger, ratios: Mapping[str, float], clips_per_shard: int) -> None:
        self._db, self._ratios, self._size = ledger.db, ratios, clips_per_shard

    def add(self, seq: int, uid: str, candidates: Iterable[Candidate], sha256: str) -> None:
        """Take the spans of a video that passed.

        Args:
            seq: The video's number in the ledger.
            uid: The video's.
            candidates: Of the video; those that did not pass are left out.
            sha256: Of the video's file.
        """
        partition = PARTITIONS.index(partition_of(uid, self._ratios))
        for span in candidates:
            if span.passed:
                plain = plain_key(uid, span.start_s)
                self._db.execute(
                    "INSERT INTO clips (partition, plain, key, folded, uid, start_s, end_s, seq, sha256) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (partition, plain, plain, plain.casefold(), uid, span.start_s, span.end_s, seq, sha256),
                )

    def cut(self) -> None:
        """Give every clip its key and cut the clips into units.

        Raises:
            ValueError: Two spans of one video have the same start and end.
        """
        self._name()
        self._db.execute("CREATE UNIQUE INDEX clips_by_key ON clips (partition, key)")
        for partition in range(len(PARTITIONS)):
            for number, (first, count) in enumerate(self._cuts(partition)):
                self._db.execute(
                    "INSERT INTO units (partition, number, first, clips) VALUES (?, ?, ?, ?)",
                    (partition, number, first, count),
                )

    def _name(self) -> None:
        """Make the keys unique: those that would be equal all get a hash of their span.

        Equal is what a file system without upper case takes for equal.
        """
        self._db.execute("CREATE INDEX clips_by_folded ON clips (folded)")
        for length in _HASH_LENGTHS:
            self._db.execute(
                "CREATE TEMP TABLE clashing AS SELECT id FROM clips WHERE folded IN "
                "(SELECT folded FROM clips GROUP BY folded HAVING count(*) > 1)"
            )
            if not self._db.execute("SELECT count(*) FROM clashing").fetchone()[0]:
                self._db.execute("DROP TABLE clashing")
                return
            last = 0
            query = (
                "SELECT id, plain, uid, start_s, end_s FROM clips JOIN clashing USING (id) WHERE id > ? "
                "ORDER BY id LIMIT ?"
            )
            while page := self._db.execute(query, (last, _PAGE)).fetchall():
                for i, plain, uid, start_s, end_s in page:
                    key = f"{plain}-{_span_hash(uid, start_s, end_s)[:length]}"
                    self._db.execute("UPDATE clips SET key = ?, folded = ? WHERE id = ?", (key, key.casefold(), i))
                last = page[-1][0]
            self._db.execute("DROP TABLE clashing")
        if self._db.execute("SELECT 1 FROM clips GROUP BY folded HAVING count(*) > 1").fetchone():
            raise ValueError("two spans of one video have the same start and end; expected different ones")

    def _cuts(self, partition: int) -> Iterator[tuple[str, int]]:
        """First key and number of clips of each unit."""
        key = ""
        query = "SELECT key FROM clips WHERE partition = ? AND key > ? ORDER BY key LIMIT ?"
        while keys := self._db.execute(query, (partition, key, self._size)).fetchall():
            yield keys[0][0], len(keys)
            key = keys[-1][0]

    @property
    def n_clips(self) -> int:
        """Clips of all units."""
        return int(self._db.execute("SELECT count(*) FROM clips").fetchone()[0])

    @property
    def n_units(self) -> int:
        """Units of all partitions."""
        return int(self._db.execute("SELECT count(*) FROM units").fetchone()[0])

    def units(self, *, unfinished: bool = False) -> Iterator[PlannedUnit]:
        """Units by partition, then number.

        Args:
            unfinished: Only those without a record.
        """
        at = (-1, -1)
        where = "(partition, number) > (?, ?)" + (" AND record IS NULL" if unfinished else "")
        query = f"SELECT partition, number, first, clips FROM units WHERE {where} ORDER BY partition, number LIMIT 1"  # noqa: S608
        while (row := self._db.execute(query, at).fetchone()) is not None:
            partition, number, first, count = row
            yield self._unit(partition, number, first, count)
            at = (partition, number)

    def _unit(self, partition: int, number: int, first: str, count: int) -> PlannedUnit:
        rows = self._db.execute(
            "SELECT key, start_s, end_s, sha256, video FROM clips JOIN videos USING (seq) "
            "WHERE partition = ? AND key >= ? ORDER BY key LIMIT ?",
            (partition, first, count),
        ).fetchall()
        name = PARTITIONS[partition]
        clips = tuple(Clip(key, read_video(video), start_s, end_s, name) for key, start_s, end_s, _, video in rows)
        return PlannedUnit(Unit(name, number, clips), tuple(row[3] for row in rows))

    def finish(self, unit: Unit, digest: str, record: dict[str, Any] | None) -> None:
        """Keep a unit's digest, and its record once it is finished."""
        text = None if record is None else json.dumps(record)
        self._db.execute(
            "UPDATE units SET digest = ?, record = ? WHERE partition = ? AND number = ?",
            (digest, text, PARTITIONS.index(unit.partition), unit.number),
        )

    def records(self) -> Iterator[dict[str, Any]]:
        """Records of the finished units, by partition, then number."""
        for partition in range(len(PARTITIONS)):
            yield from self._records(partition)

    def index_rows(self) -> Iterator[dict[str, Any]]:
        """Index rows of the finished units, ordered by key."""
        streams = (
            (row for record in self._records(partition) for row in record["rows"])
            for partition in range(len(PARTITIONS))
        )
        return heapq.merge(*streams, key=itemgetter("key"))

    def _records(self, partition: int) -> Iterator[dict[str, Any]]:
        at = -1
        query = (
            "SELECT number, record FROM units WHERE partition = ? AND number > ? AND record IS NOT NULL "
            "ORDER BY number LIMIT 1"
        )
        while (row := self._db.execute(query, (partition, at)).fetchone()) is not None:
            yield json.loads(row[1])
            at = row[0]

    def outline(self) -> Iterator[dict[str, Any]]:
        """Name, number of clips and digest of every unit, once all have been given to :meth:`finish`."""
        for partition, number, clips, digest in self._db.execute(
            "SELECT partition, number, clips, digest FROM units ORDER BY partition, number"
        ):
            yield {"unit": f"{PARTITIONS[partition]}-{number:05d}", "clips": clips, "digest": digest}


def plain_key(uid: str, start_s: float) -> str:
    """The readable form of a sample's key: the uid's and the start in ms."""
    return f"{safe_key(uid)}-{round(start_s * 1000):08d}"


def _span_hash(uid: str, start_s: float, end_s: float) -> str:
    return hashlib.sha256(f"{uid}\0{start_s!r}\0{end_s!r}".encode()).hexdigest()


def partition_of(uid: str, ratios: Mapping[str, float]) -> str:
    """Partition of a source video: its uid's hash picks a point in [0, 1), the ratios cut that range in their order."""
    point = int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8]) / 2**64
    edge = 0.0
    for partition in PARTITIONS:
        edge += ratios[partition]
        if point < edge:
            return partition
    return next(p for p in reversed(PARTITIONS) if ratios[p] > 0)
