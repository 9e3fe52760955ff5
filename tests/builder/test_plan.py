from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.builder.ledger import Ledger
from hoiset.builder.plan import Plan, Unit, partition_of
from hoiset.builder.records import Candidate, Clip, SourceVideo
from hoiset.shards.schema import KEY_PATTERN, PARTITIONS
from tests.builder.plan_oracle import make_units

RATIOS = {"train": 0.8, "validation": 0.1, "test": 0.1}
UIDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
Judged = list[tuple[SourceVideo, Candidate]]


def plan_units(spans: Judged, clips_per_shard: int = 64) -> list[Unit]:
    with Ledger.open() as ledger:
        ledger.add_videos((str(i), video) for i, (video, _) in enumerate(spans))
        plan = Plan(ledger, RATIOS, clips_per_shard)
        for seq, (video, candidate) in enumerate(spans, start=1):
            plan.add(seq, video.uid, [candidate], "")
        plan.cut()
        units = [planned.unit for planned in plan.units()]
        assert plan.n_clips == sum(len(unit.clips) for unit in units)
        assert plan.n_units == len(units)
        return units


def keys_of(spans: list[tuple[str, float, float]]) -> dict[tuple[str, float, float], str]:
    judged = [(SourceVideo(u, Path("x")), Candidate(u, 0, start_s, end_s, "ok")) for u, start_s, end_s in spans]
    clips = [clip for unit in plan_units(judged) for clip in unit.clips]
    return {(clip.video.uid, clip.start_s, clip.end_s): clip.key for clip in clips}


def clips_of(units: list[Unit]) -> list[Clip]:
    return [clip for unit in units for clip in unit.clips]


def judged(n_videos: int, n_spans: int = 2) -> Judged:
    videos = [SourceVideo(f"video_{i:03d}.mp4", Path("x"), objects=("mug",)) for i in range(n_videos)]
    return [(v, Candidate(v.uid, k, 5.0 * k, 5.0 * k + 4, "ok")) for v in videos for k in range(n_spans)]


def test_a_simple_name_stays_readable() -> None:
    assert list(keys_of([("plate_push.mp4", 1.25, 3.0)]).values()) == ["plate_push-00001250"]


SPANS = st.lists(st.tuples(UIDS, st.floats(0, 1e5), st.floats(0, 1e5)), unique=True, max_size=30)


@settings(deadline=None)
@given(SPANS)
def test_keys_are_legal_unique_and_do_not_depend_on_order(spans: list[tuple[str, float, float]]) -> None:
    keys = keys_of(spans)
    assert all(re.fullmatch(KEY_PATTERN, key) for key in keys.values())
    assert len({key.casefold() for key in keys.values()}) == len(spans)
    assert keys_of(spans[::-1]) == keys


@settings(deadline=None)
@given(SPANS, st.integers(1, 5))
def test_a_plan_on_disk_is_the_plan_in_memory(spans: list[tuple[str, float, float]], clips_per_shard: int) -> None:
    judged = [(SourceVideo(u, Path("x")), Candidate(u, 0, start_s, end_s, "ok")) for u, start_s, end_s in spans]
    assert plan_units(judged, clips_per_shard) == make_units(judged, RATIOS, clips_per_shard)


def test_names_that_clash_all_get_a_hash() -> None:
    keys = list(keys_of([("x.mp4", 0.0, 1.0), ("x.mov", 0.0, 1.0), ("X.mp4", 0.0, 1.0), ("../x y.mp4", 0.0, 1.0)]))
    named = keys_of([(u, 0.0, 1.0) for u, _, _ in keys])
    assert all(re.fullmatch(r"[xX]-00000000-[0-9a-f]{8}", named[u, 0.0, 1.0]) for u in ("x.mp4", "x.mov", "X.mp4"))
    assert named["../x y.mp4", 0.0, 1.0] == "x-y-00000000"


def test_the_same_span_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="same start and end"):
        keys_of([("a", 0.0, 1.0), ("a", 0.0, 1.0)])


def test_partitions_follow_the_ratios() -> None:
    found = [partition_of(f"video {i}", RATIOS) for i in range(5000)]
    for partition, ratio in RATIOS.items():
        assert found.count(partition) / 5000 == pytest.approx(ratio, abs=0.02)
    assert {partition_of(f"{i}", {"train": 0.0, "validation": 1.0, "test": 0.0}) for i in range(200)} == {"validation"}


def test_a_video_is_never_in_two_partitions() -> None:
    by_uid: dict[str, set[str]] = {}
    for clip in clips_of(plan_units(judged(60, 3), 4)):
        by_uid.setdefault(clip.video.uid, set()).add(clip.partition)
    assert all(len(partitions) == 1 for partitions in by_uid.values())


def test_units_are_full_sorted_and_cover_everything() -> None:
    spans = judged(60)
    units = plan_units(spans, 7)
    assert len(clips_of(units)) == len(spans)
    for partition in PARTITIONS:
        of_partition = [u for u in units if u.partition == partition]
        assert [u.number for u in of_partition] == list(range(len(of_partition)))
        assert all(len(u.clips) == 7 for u in of_partition[:-1])
        keys = [clip.key for u in of_partition for clip in u.clips]
        assert keys == sorted(keys)
    shuffled = spans[:]
    random.Random(0).shuffle(shuffled)
    assert plan_units(shuffled, 7) == units


def test_what_did_not_pass_is_not_planned() -> None:
    video = SourceVideo("a.mp4", Path("x"))
    spans = [(video, Candidate("a.mp4", 0, 0, 1, "no_hands")), (video, Candidate("a.mp4", 1, 1, 2, "ok"))]
    assert [clip.start_s for clip in clips_of(plan_units(spans, 8))] == [1]
    assert plan_units([], 8) == []
