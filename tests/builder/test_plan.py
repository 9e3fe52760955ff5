from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.builder.plan import make_keys, make_plan, partition_of
from hoiset.builder.records import Candidate, SourceVideo
from hoiset.shards.schema import KEY_PATTERN, PARTITIONS

RATIOS = {"train": 0.8, "validation": 0.1, "test": 0.1}
UIDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)


def judged(n_videos: int, n_spans: int = 2) -> list[tuple[SourceVideo, Candidate]]:
    videos = [SourceVideo(f"video_{i:03d}.mp4", Path("x")) for i in range(n_videos)]
    return [(v, Candidate(v.uid, k, 5.0 * k, 5.0 * k + 4, "ok")) for v in videos for k in range(n_spans)]


def test_a_simple_name_stays_readable() -> None:
    assert make_keys([("plate_push.mp4", 1.25, 3.0)]) == ["plate_push-00001250"]


@given(st.lists(st.tuples(UIDS, st.floats(0, 1e5), st.floats(0, 1e5)), unique=True, max_size=30))
def test_keys_are_legal_unique_and_do_not_depend_on_order(spans: list[tuple[str, float, float]]) -> None:
    keys = make_keys(spans)
    assert all(re.fullmatch(KEY_PATTERN, key) for key in keys)
    assert len({key.casefold() for key in keys}) == len(spans)
    assert dict(zip(reversed(spans), make_keys(spans[::-1]), strict=True)) == dict(zip(spans, keys, strict=True))


def test_names_that_clash_all_get_a_hash() -> None:
    keys = make_keys([("x.mp4", 0.0, 1.0), ("x.mov", 0.0, 1.0), ("X.mp4", 0.0, 1.0), ("../x y.mp4", 0.0, 1.0)])
    assert all(re.fullmatch(r"[xX]-00000000-[0-9a-f]{8}", key) for key in keys[:3])
    assert keys[3] == "x-y-00000000"


def test_the_same_span_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="same start and end"):
        make_keys([("a", 0.0, 1.0), ("a", 0.0, 1.0)])


def test_partitions_follow_the_ratios() -> None:
    found = [partition_of(f"video {i}", RATIOS) for i in range(5000)]
    for partition, ratio in RATIOS.items():
        assert found.count(partition) / 5000 == pytest.approx(ratio, abs=0.02)
    assert {partition_of(f"{i}", {"train": 0.0, "validation": 1.0, "test": 0.0}) for i in range(200)} == {"validation"}


def test_a_video_is_never_in_two_partitions() -> None:
    plan = make_plan(judged(60, 3), RATIOS, 4)
    by_uid: dict[str, set[str]] = {}
    for clip in plan.clips:
        by_uid.setdefault(clip.video.uid, set()).add(clip.partition)
    assert all(len(partitions) == 1 for partitions in by_uid.values())


def test_units_are_full_sorted_and_cover_everything() -> None:
    spans = judged(60)
    plan = make_plan(spans, RATIOS, 7)
    assert len(plan.clips) == len(spans)
    for partition in PARTITIONS:
        units = [u for u in plan.units if u.partition == partition]
        assert [u.number for u in units] == list(range(len(units)))
        assert all(len(u.clips) == 7 for u in units[:-1])
        keys = [clip.key for u in units for clip in u.clips]
        assert keys == sorted(keys)
    shuffled = spans[:]
    random.Random(0).shuffle(shuffled)
    assert make_plan(shuffled, RATIOS, 7) == plan


def test_what_did_not_pass_is_not_planned() -> None:
    video = SourceVideo("a.mp4", Path("x"))
    spans = [(video, Candidate("a.mp4", 0, 0, 1, "no_hands")), (video, Candidate("a.mp4", 1, 1, 2, "ok"))]
    assert [clip.start_s for clip in make_plan(spans, RATIOS, 8).clips] == [1]
    assert make_plan([], RATIOS, 8).units == ()
