"""From judged spans to units of work: keys, partitions and shards."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hoiset.builder.records import Candidate, Clip, SourceVideo
from hoiset.builder.sources.base import safe_key
from hoiset.shards.schema import PARTITIONS

_HASH_LENGTHS = (8, 16, 64)


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
class Plan:
    """Everything that a build will make.

    Attributes:
        units: By partition, then number.
    """

    units: tuple[Unit, ...]

    @property
    def clips(self) -> tuple[Clip, ...]:
        """All clips in the order of the units."""
        return tuple(clip for unit in self.units for clip in unit.clips)


def make_plan(
    judged: Iterable[tuple[SourceVideo, Candidate]], ratios: Mapping[str, float], clips_per_shard: int
) -> Plan:
    """Plan the spans that passed.

    Args:
        judged: Every video with each of its candidates; those that did not pass are left out.
        ratios: Partition -> share of the source videos, adding up to 1. With few videos a partition may stay empty.
        clips_per_shard: At most so many clips in a unit.

    Returns:
        A plan that depends on nothing but the arguments, and not on their order.
    """
    spans = [(video, candidate) for video, candidate in judged if candidate.passed]
    keys = make_keys([(v.uid, c.start_s, c.end_s) for v, c in spans])
    clips = sorted(
        (
            Clip(key, video, span.start_s, span.end_s, partition_of(video.uid, ratios))
            for key, (video, span) in zip(keys, spans, strict=True)
        ),
        key=lambda clip: clip.key,
    )
    units = []
    for partition in PARTITIONS:
        members = [clip for clip in clips if clip.partition == partition]
        for number, first in enumerate(range(0, len(members), clips_per_shard)):
            units.append(Unit(partition, number, tuple(members[first : first + clips_per_shard])))
    return Plan(tuple(units))


def make_keys(spans: list[tuple[str, float, float]]) -> list[str]:
    """Unique sample keys of (uid, start_s, end_s): the uid's readable form and the start in ms.

    Keys that would be equal (on a file system without upper case, too) all get a hash of their span.
    """
    plain = [f"{safe_key(uid)}-{round(start_s * 1000):08d}" for uid, start_s, _ in spans]
    keys = plain
    for length in _HASH_LENGTHS:
        groups: dict[str, list[int]] = defaultdict(list)
        for i, key in enumerate(keys):
            groups[key.casefold()].append(i)
        clashing = {i for group in groups.values() if len(group) > 1 for i in group}
        if not clashing:
            return keys
        keys = [f"{plain[i]}-{_span_hash(*spans[i])[:length]}" if i in clashing else key for i, key in enumerate(keys)]
    raise ValueError("two spans of one video have the same start and end; expected different ones")


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
