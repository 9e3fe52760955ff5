from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hoiset.shards.ranges import coalesce, cut

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
