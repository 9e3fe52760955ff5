"""Ranges over a web server on loopback."""

from __future__ import annotations

import multiprocessing
import pickle
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from hoiset.errors import DatasetError
from hoiset.shards.blocks import BlockCache
from hoiset.shards.ranges import Span
from hoiset.shards.remote import GAP_BYTES, RUN_BYTES, Patience, RemoteRanges
from tests.web import Web, serve

pytest.importorskip("aiohttp", reason="pip install 'hoiset[http]'")
SIZE = 2_000_000
BLOCK = 1 << 16
HASTE = Patience(attempts=4, first_wait_s=0.0, longest_wait_s=0.0)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    (tmp_path / "web").mkdir()
    (tmp_path / "web/a.tar").write_bytes(random.Random(0).randbytes(SIZE))
    (tmp_path / "web/b.tar").write_bytes(random.Random(1).randbytes(1000))
    with serve(tmp_path / "web") as served:
        yield served


def ranges(web: Web, cache: BlockCache | None = None) -> RemoteRanges:
    return RemoteRanges(web.url, cache=cache, patience=HASTE)


def cache_at(path: Path, most: int = 10**8) -> BlockCache:
    return BlockCache(path / "cache", most)


@pytest.mark.parametrize("cached", [False, True])
def test_any_ranges_in_any_order_are_those_of_the_file(web: Web, tmp_path: Path, cached: bool) -> None:
    data = {name: (web.root / name).read_bytes() for name in ("a.tar", "b.tar")}
    reader = ranges(web, cache_at(tmp_path) if cached else None)
    draw = random.Random(3)
    for _ in range(8):
        spans = []
        for _ in range(draw.randrange(1, 9)):
            name = draw.choice(["a.tar", "b.tar"])
            start = draw.randrange(len(data[name]) + 1)
            spans.append(Span(name, start, draw.randrange(min(len(data[name]) - start, 200_000) + 1)))
        spans.append(Span("a.tar", SIZE, 0))
        assert reader.read(spans) == [data[s.name][s.offset : s.stop] for s in spans]


def test_nearby_ranges_are_one_request_and_no_more_bytes_travel(web: Web) -> None:
    reader = ranges(web)
    near = [Span("a.tar", 100_000 + 30_000 * i, 20_000) for i in range(5)]
    reader.read([*reversed(near), Span("a.tar", 1_000_000, 10)])
    assert sorted(web.sent) == [("a.tar", 100_000, 140_000), ("a.tar", 1_000_000, 10)]
    assert GAP_BYTES < 1_000_000 - 240_000


def test_long_ranges_travel_side_by_side(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hoiset.shards.remote.RUN_BYTES", 1 << 19)
    (found,) = ranges(web).read([Span("a.tar", 0, SIZE)])
    assert found == (web.root / "a.tar").read_bytes()
    assert len(web.sent) == 4
    assert RUN_BYTES % BLOCK == 0


def test_what_was_read_is_not_asked_for_again(web: Web, tmp_path: Path) -> None:
    spans = [Span("a.tar", 70_000, 100_000), Span("b.tar", 10, 20)]
    first = ranges(web, cache_at(tmp_path)).read(spans)
    assert web.bytes_sent == 2 * BLOCK + 1000
    web.sent.clear()
    assert ranges(web, cache_at(tmp_path)).read(spans) == first
    assert ranges(web, cache_at(tmp_path)).read([Span("a.tar", 65_536, 10)]) == [
        (web.root / "a.tar").read_bytes()[65_536:65_546]
    ]
    assert web.sent == []
    ranges(web, cache_at(tmp_path)).read([Span("a.tar", 0, 300_000)])
    assert sorted(web.sent) == [("a.tar", 0, BLOCK), ("a.tar", 3 * BLOCK, 2 * BLOCK)]


def test_a_cache_smaller_than_what_is_read_changes_nothing(web: Web, tmp_path: Path) -> None:
    cache = cache_at(tmp_path, 3 * BLOCK)
    for _ in range(2):
        assert ranges(web, cache).read([Span("a.tar", 0, SIZE)]) == [(web.root / "a.tar").read_bytes()]
        assert ranges(web, cache).read([Span("a.tar", 5, 10)]) == [(web.root / "a.tar").read_bytes()[5:15]]
    assert cache.used() <= cache.most_bytes


def test_a_file_that_changed_is_never_mixed_with_what_it_was(web: Web, tmp_path: Path) -> None:
    cache = cache_at(tmp_path)
    reader = ranges(web, cache)
    reader.read([Span("a.tar", 0, 10)])
    new = random.Random(9).randbytes(SIZE)
    (web.root / "a.tar").write_bytes(new)
    with pytest.raises(DatasetError, match=r"a\.tar, bytes 131072 to 163840: changed while it was read; open the"):
        reader.read([Span("a.tar", 140_000, 10)])
    assert ranges(web, cache).read([Span("a.tar", 0, 200_000)]) == [new[:200_000]]


@pytest.mark.parametrize("statuses", [[503], [429, 500], [0], [-1, 408]])
def test_a_failure_that_passes_is_asked_again(web: Web, statuses: list[int]) -> None:
    web.statuses += statuses
    assert ranges(web).read([Span("b.tar", 3, 5)]) == [(web.root / "b.tar").read_bytes()[3:8]]
    assert web.statuses == []


@pytest.mark.parametrize(("status", "left"), [(503, 0), (0, None), (403, 3), (401, 3)])
def test_a_failure_that_stays_names_file_and_range_and_no_secret(web: Web, status: int, left: int | None) -> None:
    url = web.url.replace("http://", "http://me:hunter2@") + "?token=hunter2"
    reader = RemoteRanges(url, patience=HASTE)
    reader.size("b.tar")
    web.statuses += [status] * HASTE.attempts * (1 if status else 3)  # a closed connection is opened again by itself
    with pytest.raises(DatasetError, match=r"cannot read http://127.*/b\.tar, bytes 3 to 8: ") as caught:
        reader.read([Span("b.tar", 3, 5)])
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in reader.address
    assert caught.value.__cause__ is None
    assert left is None or len(web.statuses) == left


def test_what_is_not_there_or_too_short_is_said(web: Web) -> None:
    reader = ranges(web)
    with pytest.raises(DatasetError, match=r"/c\.tar: it is not there"):
        reader.read([Span("c.tar", 0, 1)])
    with pytest.raises(DatasetError, match=r"b\.tar: found 10 bytes at 990, expected 20; the shard is truncated"):
        reader.read([Span("b.tar", 990, 20)])
    for wrong in (Span("../b.tar", 0, 1), Span("/etc/passwd", 0, 1), Span("b.tar", -1, 1), Span("b.tar", 0, 1 << 60)):
        with pytest.raises(DatasetError, match=r"do not trust|hoiset verify"):
            reader.read([wrong])
    assert web.sent == []


def test_a_server_without_ranges_is_refused(web: Web) -> None:
    web.ranges = False
    with pytest.raises(DatasetError, match="does not answer byte ranges"):
        ranges(web).read([Span("b.tar", 3, 5)])


def test_a_server_that_is_gone_is_no_missing_file(web: Web) -> None:
    reader = RemoteRanges("http://127.0.0.1:9/x", patience=HASTE)
    with pytest.raises(DatasetError, match=r"cannot read http://127\.0\.0\.1:9/x/b\.tar: .*tried 4 times"):
        reader.read([Span("b.tar", 3, 5)])


def _read(reader: RemoteRanges) -> bytes:
    return reader.read([Span("a.tar", 500_000, 5), Span("b.tar", 0, 5)])[0]


def test_a_used_reader_crosses_processes(web: Web, tmp_path: Path) -> None:
    reader = ranges(web)
    here = _read(reader)
    assert _read(pickle.loads(pickle.dumps(reader))) == here
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_read, [reader, reader]) == [here, here]
    reader.close()
    assert _read(reader) == here
