"""Clips a second, and bytes that travel, of hoiset, `datasets` and WebDataset over the same files.

An epoch is all members of the core layer of all clips as numpy arrays, in one process, without shuffling where a peer
does not; the best of three, in turns. A choice is one clip of fifty, by its verb, from a web server on loopback: a
peer that has no index reads everything and throws away.

Run ``python benchmarks/loading.py [--quick] [--clips N]``. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import datasets
import webdataset

import hoiset
from tests.loaders.clips import make_long, shard_bytes
from tests.web import serve

CLIPS, QUICK_CLIPS = 600, 100
CHOICE = 'verb = "pour"'


def tars(root: Path) -> list[str]:
    """Shards of the core layer."""
    return sorted(str(p) for p in (root / "data").rglob("*.tar"))


def readers(root: Path) -> dict[str, Callable[[], Iterator[Any]]]:
    """Name -> an epoch."""
    clips = hoiset.load_dataset(root, format="numpy")
    stream = hoiset.StreamingClips(clips)
    files = {"train": tars(root)}
    return {
        "hoiset, in order": lambda: iter(clips),
        "hoiset, shuffled stream": lambda: iter(stream),
        "webdataset, in order": lambda: iter(webdataset.WebDataset(tars(root), shardshuffle=False).decode()),
        "datasets, streaming": lambda: iter(
            datasets.load_dataset("webdataset", data_files=files, split="train", streaming=True)
        ),
    }


def seconds(epoch: Callable[[], Iterator[Any]], n_clips: int) -> float:
    """Of one epoch, which must have all clips."""
    start = time.perf_counter()
    found = sum(1 for _ in epoch())
    taken = time.perf_counter() - start
    if found != n_clips:
        raise SystemExit(f"found {found} clips, expected {n_clips}")
    return taken


def chosen(root: Path) -> dict[str, Any]:
    """Bytes, requests and seconds of the choice."""
    out: dict[str, Any] = {}
    with serve(root) as web, tempfile.TemporaryDirectory() as cache:
        urls = [f"{web.url}/{Path(t).relative_to(root)}" for t in tars(root)]

        def ours() -> int:
            clips = hoiset.load_dataset(web.url, where=CHOICE, format="numpy", cache=cache)
            return sum(1 for _ in clips)

        def theirs() -> int:
            piped = [f"pipe:curl -s {url}" for url in urls]
            rows = webdataset.WebDataset(piped, shardshuffle=False).decode()
            return sum(row["clip.json"]["text"]["verb"] == "pour" for row in rows)

        for name, read in {"hoiset": ours, "hoiset, again": ours, "webdataset": theirs}.items():
            web.sent.clear()
            start = time.perf_counter()
            found = read()
            taken = time.perf_counter() - start
            sent = [n for path, _, n in web.sent if path.endswith(".tar")]
            out[name] = {
                "clips": found,
                "shard_bytes": sum(sent),
                "index_bytes": web.bytes_sent - sum(sent),
                "requests": len(web.sent),
                "seconds": round(taken, 3),
            }
    return out


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--clips", type=int, default=0)
    options = parser.parse_args()
    n_clips = options.clips or (QUICK_CLIPS if options.quick else CLIPS)
    with tempfile.TemporaryDirectory() as folder:
        root = make_long(Path(folder) / "set", n_clips)
        best: dict[str, float] = {}
        for _ in range(3):
            for name, epoch in readers(root).items():
                best[name] = min(seconds(epoch, n_clips), best.get(name, float("inf")))
        rates = {name: round(n_clips / taken, 1) for name, taken in best.items()}
        choice, whole = chosen(root), shard_bytes(root)
    for name, rate in rates.items():
        print(f"{name:28} {rate:10.1f} clips/s")
    for name, found in choice.items():
        share = found["shard_bytes"] / whole
        print(f"{name:28} {found['clips']} of {n_clips} clips: {share:.2%} of the shards' bytes, {found}")
    print(json.dumps({"clips": n_clips, "shard_bytes": whole, "clips_per_s": rates, "choice": choice}))


if __name__ == "__main__":
    main()
