from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hoiset.builder.acquire.cache import Fetched, VideoCache
from hoiset.builder.acquire.facts import Facts
from hoiset.builder.engine.cache import digest_file

SIZE = 1000


def fetcher(calls: list[str] | None = None, data: bytes = b"x" * SIZE) -> Callable[[Path], Fetched]:
    def fetch(folder: Path) -> Fetched:
        if calls is not None:
            calls.append(folder.name)
        path = folder / "file"
        path.write_bytes(data)
        return Fetched(path, Facts(digest_file(path), len(data), 1.0, 30.0, 64, 64))

    return fetch


def stored(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "videos").iterdir())


def put(cache: VideoCache, key: str) -> None:
    with cache.hold(key, fetcher()):
        pass


def test_what_is_there_is_not_fetched_again(tmp_path: Path):
    calls: list[str] = []
    for cache in (VideoCache(tmp_path, 10 * SIZE), VideoCache(tmp_path, 10 * SIZE)):
        for _ in range(2):
            with cache.hold("aa", fetcher(calls)) as fetched:
                assert fetched.path.read_bytes() == b"x" * SIZE
    assert calls == ["aa"]


@pytest.mark.parametrize("damage", [b"y" * SIZE, b"x" * (SIZE - 1), b""])
def test_what_the_disk_has_damaged_is_fetched_again(tmp_path: Path, damage: bytes):
    put(VideoCache(tmp_path, 10 * SIZE), "aa")
    (tmp_path / "videos" / "aa").write_bytes(damage)
    calls: list[str] = []
    with VideoCache(tmp_path, 10 * SIZE).hold("aa", fetcher(calls)) as fetched:
        assert fetched.path.read_bytes() == b"x" * SIZE
    assert calls == ["aa"]


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path):
    cache = VideoCache(tmp_path, 3 * SIZE)
    for key in ("aa", "bb", "cc"):
        put(cache, key)
    put(cache, "aa")
    put(cache, "dd")
    assert stored(tmp_path) == ["aa", "cc", "dd"]
    assert cache.facts("bb") is not None
    assert not (tmp_path / "locks" / "bb.lock").exists()


def test_what_is_in_use_stays(tmp_path: Path):
    cache, other = VideoCache(tmp_path, SIZE), VideoCache(tmp_path, SIZE)
    with cache.hold("aa", fetcher()) as fetched:
        with other.hold("bb", fetcher()) as second:
            assert fetched.path.is_file()
            assert second.path.is_file()
        other.make_room(SIZE)
        assert stored(tmp_path) == ["aa"]


def test_parts_that_nobody_goes_on_with_count_and_go(tmp_path: Path):
    cache = VideoCache(tmp_path, 2 * SIZE)

    def interrupted(folder: Path) -> Fetched:
        (folder / "file.part").write_bytes(b"x" * SIZE)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), cache.hold("aa", interrupted):
        pass
    assert (tmp_path / "parts" / "aa" / "file.part").is_file()
    put(cache, "bb")
    assert (tmp_path / "parts" / "aa" / "file.part").is_file()
    put(cache, "cc")
    assert not (tmp_path / "parts" / "aa").exists()
    assert stored(tmp_path) == ["bb", "cc"]


def _work(root: Path, log: Path, seed: int) -> None:
    """Use files in another order than the others do, and look at each twice while it is held."""
    cache = VideoCache(root, 3 * SIZE)

    def fetch(folder: Path) -> Fetched:
        with log.open("a") as file:
            file.write(f"{folder.name}\n")
        assert not any(folder.iterdir()), "two processes fetch the same file at a time"
        return fetcher()(folder)

    for i in range(60):
        with cache.hold(f"{(i * (seed + 1) + seed) % 7:02d}", fetch) as fetched:
            assert fetched.path.stat().st_size == SIZE
            os.sched_yield()
            assert fetched.path.read_bytes() == b"x" * SIZE


def test_processes_share_it(tmp_path: Path):
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    workers = [context.Process(target=_work, args=(tmp_path / "cache", log, seed)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    cache = VideoCache(tmp_path / "cache", 3 * SIZE)
    cache.make_room(0)
    assert len(stored(tmp_path / "cache")) <= 3
    assert len(log.read_text().split()) >= 7


def _hold_and_die(root: Path, ready: multiprocessing.synchronize.Event) -> None:
    with VideoCache(root, SIZE).hold("aa", fetcher()):
        ready.set()
        time.sleep(60)


def test_a_process_that_is_killed_holds_nothing(tmp_path: Path):
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    worker = context.Process(target=_hold_and_die, args=(tmp_path, ready))
    worker.start()
    assert ready.wait(60)
    worker.kill()
    worker.join()
    VideoCache(tmp_path, SIZE).make_room(SIZE)
    assert stored(tmp_path) == []


def test_notes(tmp_path: Path):
    cache = VideoCache(tmp_path, SIZE)
    assert cache.noted("aa") is None
    cache.note("aa", {"reason": "private"})
    assert cache.noted("aa") == {"reason": "private"}
    (tmp_path / "notes" / "aa" / "aa.json").write_text("[")
    assert cache.noted("aa") is None


def test_old_notes_go(tmp_path: Path):
    cache = VideoCache(tmp_path, SIZE)
    cache.note("aa1", {"reason": "private"})
    long_ago = time.time() - 2 * 86400
    os.utime(tmp_path / "notes" / "aa" / "aa1.json", (long_ago, long_ago))
    cache.note("aa2", {"reason": "private"})
    assert (cache.noted("aa1"), cache.noted("aa2")) == (None, {"reason": "private"})
