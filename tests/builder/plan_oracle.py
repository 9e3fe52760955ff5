"""The obvious way to plan, with lists: what :mod:`hoiset.builder.plan` must agree with."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

from hoiset.builder.plan import Unit, partition_of
from hoiset.builder.records import Candidate, Clip, SourceVideo
from hoiset.builder.sources.base import safe_key
from hoiset.shards.schema import PARTITIONS

_HASH_LENGTHS = (8, 16, 64)


def make_units(
    judged: Iterable[tuple[SourceVideo, Candidate]], ratios: Mapping[str, float], clips_per_shard: int
) -> list[Unit]:
    """Plan the spans that passed, with everything in memory."""
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
    return units


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
        keys = [f"{plain[i]}-{span_hash(*spans[i])[:length]}" if i in clashing else key for i, key in enumerate(keys)]
    raise ValueError("two spans of one video have the same start and end; expected different ones")


def span_hash(uid: str, start_s: float, end_s: float) -> str:
    return hashlib.sha256(f"{uid}\0{start_s!r}\0{end_s!r}".encode()).hexdigest()
