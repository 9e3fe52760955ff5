from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.errors import DatasetError
from hoiset.shards.ranges import MAX_GAP_BYTES, MAX_JOINED_BYTES, LocalRanges, Span, coalesce, cut

EXTENT = st.tuples(st.integers(0, 200), st.integers(0, 40)).map(lambda e: (e[0], e[0] + e[1]))


@given(st.lists(EXTENT, max_size=12), st.integers(0, 30), st.integers(1, 80))
def test_few_disjoint_ranges_cover_all_and_little_more(extents: list[tuple[int, int]], gap: int, most: int) -> None:
    runs = coalesce(extents, gap, most)
    wanted = {byte for start, stop in extents for byte in range(start, stop)}
    got = [byte for start, stop in runs for byte in range(start, stop)]
    assert len(got) == len(set(got))
    assert wanted <= set(got)
    assert all(0 < stop - start <= most for start, stop in runs)
    edges = sorted(wanted)
    holes = [b - a - 1 for a, b in pairwise(edges) if b - a > 1]
    assert len(got) - len(wanted) == sum(hole for hole in holes if hole <= gap)
    if most >= 300:
        assert len(runs) == bool(wanted) + sum(hole > gap for hole in holes)


def test_neighbours_are_one_range_and_long_ones_are_cut() -> None:
    assert coalesce([(100, 110), (0, 10), (15, 20)], 5, 1000) == [(0, 20), (100, 110)]
    assert coalesce([(0, 25)], 0, 10) == [(0, 10), (10, 20), (20, 25)]
    assert coalesce([], 5, 10) == []


@given(st.data(), st.binary(min_size=1, max_size=60))
def test_a_cut_is_a_slice(data: st.DataObject, whole: bytes) -> None:
    edges = sorted({0, len(whole), *data.draw(st.lists(st.integers(0, len(whole)), max_size=5))})
    pieces = [(a, whole[a:b]) for a, b in pairwise(edges)]
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    assert cut(pieces, start, stop) == whole[start:stop]


def test_local_reads_give_the_same_whether_joined_or_not(tmp_path: Path) -> None:
    data = {name: np.random.default_rng(seed).bytes(3 * MAX_JOINED_BYTES) for seed, name in enumerate("ab")}
    for name, content in data.items():
        (tmp_path / name).write_bytes(content)
    spans = [
        *(Span("a", 100 * i, 60) for i in range(5)),
        Span("a", 490, 700),
        Span("a", 0, 10),
        Span("b", 10, 90),
        Span("b", 100 + MAX_GAP_BYTES + 1, 5),
        Span("b", 100 + MAX_GAP_BYTES + 6, 0),
        Span("b", 2 * MAX_JOINED_BYTES, MAX_JOINED_BYTES),
        Span("a", 2 * MAX_JOINED_BYTES, MAX_JOINED_BYTES),
    ]
    assert LocalRanges(tmp_path).read(spans) == [data[s.name][s.offset : s.stop] for s in spans]


@pytest.mark.parametrize(
    ("spans", "found"),
    [
        ([(0, 10), (90, 20)], "found 10 bytes at 90, expected 20"),
        ([(0, 10), (90, 20), (120, 5)], "found 10 bytes at 90, expected 20"),
        ([(0, 10), (20, -4), (30, 5)], "found offset 20 and size -4"),
    ],
)
def test_a_joined_read_names_the_span_that_is_wrong(tmp_path: Path, spans: list[tuple[int, int]], found: str) -> None:
    (tmp_path / "a").write_bytes(bytes(100))
    with pytest.raises(DatasetError, match=re.escape(found)):
        LocalRanges(tmp_path).read([Span("a", *span) for span in spans])
