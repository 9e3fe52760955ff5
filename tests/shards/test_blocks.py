from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from hoiset.errors import DatasetError
from hoiset.shards.blocks import BlockCache, default_cache


def files(root: Path) -> list[Path]:
    return [p for p in root.glob("*/*") if p.is_file()]


def test_blocks_come_back_and_others_do_not(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path / "blocks", 10_000)
    cache.put({"a": b"1" * 100, "b": b""})
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"1" * 100, b"", None)
    assert (tmp_path / "blocks").stat().st_mode & 0o077 == 0


def test_the_bound_holds_and_what_was_used_last_stays(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path, 1000)
    for i in range(9):
        cache.put({f"k{i}": bytes(100)})
    for i, path in enumerate(cache._path(f"k{i}") for i in range(9)):
        os.utime(path, (1000 + i, 1000 + i))
    assert cache.get("k0") is not None
    for i in range(9, 12):
        cache.put({f"k{i}": bytes(100)})
        assert cache.used() <= 1000
    there = [i for i in range(12) if cache.get(f"k{i}") is not None]
    assert there == [0, 5, 6, 7, 8, 9, 10, 11]
    cache.put({"large": bytes(2000)})
    assert cache.get("large") is None


def test_a_damaged_block_is_none(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path, 10_000)
    for damage in (b"", b"12", b"x" * 104):
        cache.put({"a": b"1" * 100})
        cache._path("a").write_bytes(damage)
        assert cache.get("a") is None
    cache.put({"a": b"1" * 100})
    assert cache.get("a") == b"1" * 100


def test_a_lost_ledger_is_counted_again(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path, 1000)
    for i in range(5):
        cache.put({f"k{i}": bytes(150)})
    (tmp_path / "used").write_text("nonsense")
    cache.put({"a": bytes(300)})
    assert cache.used() <= 1000
    assert cache.get("a") is not None


def _write(cache: BlockCache, worker: int) -> None:
    for i in range(60):
        cache.put({f"{worker}-{i}": bytes([worker]) * 100, f"shared-{i}": b"s" * 100})
        assert cache.used() <= cache.most_bytes
        for key, byte in ((f"{worker}-{i}", bytes([worker])), (f"shared-{i}", b"s")):
            assert cache.get(key) in (None, byte * 100)


def test_many_processes_share_one(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path, 3000)
    with multiprocessing.get_context("fork").Pool(3) as pool:
        pool.starmap(_write, [(cache, worker) for worker in range(3)])
    assert 0 < cache.used() <= 3000
    assert not [p for p in files(tmp_path) if p.name.startswith("tmp")]


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match=r"cannot write to the cache .*HOISET_CACHE_GB=0"):
        BlockCache(tmp_path / "file", 1000).put({"a": b"1"})


def test_arguments_win_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOISET_CACHE", "HOISET_CACHE_GB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == BlockCache(tmp_path / "hoiset/blocks", 16_000_000_000)
    monkeypatch.setenv("HOISET_CACHE", str(tmp_path / "mine"))
    monkeypatch.setenv("HOISET_CACHE_GB", "0.5")
    assert default_cache() == BlockCache(tmp_path / "mine", 500_000_000)
    assert default_cache(tmp_path / "yours", 2) == BlockCache(tmp_path / "yours", 2_000_000_000)
    assert default_cache(gigabytes=0) is None
    monkeypatch.setenv("HOISET_CACHE_GB", "0")
    assert default_cache() is None
    for wrong in ("many", "-1", "nan", "inf"):
        monkeypatch.setenv("HOISET_CACHE_GB", wrong)
        with pytest.raises(DatasetError, match=f"a cache of {wrong} GB"):
            default_cache()
