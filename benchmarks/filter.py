"""How long queries take over the index of ten million clips, and in how much memory.

The index has the columns, types and encodings of the one that a build writes; its words follow Zipf's law, its clips
come from videos of five. Every query runs in a process of its own, cold (the file is dropped from the page cache where
the system lets us) and warm. Seconds are those of the query; those of the process include starting Python.

Run ``python benchmarks/filter.py [--quick] [--rows N] [FILE]``; FILE is made where it is not there and then kept. The
last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hoiset.shards.index import GROUP_ROWS, index_options, index_schema
from hoiset.shards.schema import DEFAULT_LAYERS, PARTITIONS, members

ROWS, QUICK_ROWS = 10_000_000, 200_000
CLIPS_A_SHARD, CLIPS_A_VIDEO = 64, 5


def _listed(words: str) -> list[str]:
    return words.split()


VERBS = _listed(
    "pick place open close pour stir cut push pull lift wash wipe fold turn press slice chop mix take put hold move "
    "rotate insert remove peel squeeze shake spread scoop sprinkle tip grab stack unfold screw twist tear wrap throw"
)
NOUNS = _listed(
    "cup plate bowl knife pan spoon bottle lid box cloth mug fork board paper onion tomato egg bag jar pot glass "
    "sponge towel drawer door phone pen book screw hammer drill wire brush scissors tape tray kettle carrot dough "
    "bread"
)
STATES = ("static", "moving", "grasped_left", "grasped_right", "grasped_both")
QUERIES = {
    "all of it": 'verb in ("pour","stir") and object ~ "mug" and grasp = "both" and quality.score > 0.8 '
    "and duration_s < 10",
    "numbers": "quality.score > 0.95 and duration_s < 3",
    "verb": 'verb = "pour"',
    "object": 'object ~ "plates"',
    "grasp": 'grasp = "both" and not state = "moving"',
    "one video": 'uid = "video-00000777.mp4"',
    "text": 'action ~ "red mug"',
}


def vocabulary(words: list[str], n: int) -> pa.Array:
    """``n`` words, the common ones first, then phrases of two and names."""
    phrases = [f"{a} {b}" for a in ("paper", "wooden", "red", "small", "metal", "glass") for b in words]
    return pa.array([*words, *phrases, *(f"thing{i}" for i in range(n))][:n])


class Maker:
    """Row groups of a realistic index, one after the other."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(7)
        self.verbs, self.nouns = vocabulary(VERBS, 600), vocabulary(NOUNS, 4000)

    def zipf(self, words: pa.Array, n: int) -> pa.Array:
        """Words, the first ones often."""
        weights = 1 / np.arange(1, len(words) + 1)
        return words.take(pa.array(self.rng.choice(len(words), n, p=weights / weights.sum())))

    def lists(self, counts: np.ndarray, words: pa.Array) -> pa.ListArray:
        """So many words a row."""
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        return pa.ListArray.from_arrays(offsets, self.zipf(words, int(offsets[-1])))

    def table(self, start: int, n: int) -> pa.Table:
        """Rows of the index."""
        rng, at = self.rng, np.arange(start, start + n)
        keys = pa.array([f"video-{i // CLIPS_A_VIDEO:08d}-{i % CLIPS_A_VIDEO:03d}" for i in at])
        videos = at // CLIPS_A_VIDEO
        partitions = pa.array(PARTITIONS).take(pa.array(np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, 2])[videos * 7919 % 10]))
        labels = self.lists(rng.integers(0, 4, n), self.nouns)
        verbs = self.zipf(self.verbs, n)
        nouns = self.lists(rng.integers(1, 4, n), self.nouns)
        duration = rng.gamma(3.0, 2.0, n).clip(0.5, 60)
        held = pa.array([[], ["left"], ["right"], ["left", "right"], ["left", "right", "both"]])
        first = pa.array([words[0] for words in nouns.to_pylist()])
        columns = {
            "key": keys,
            "partition": partitions,
            "uid": pa.array([f"video-{v:08d}.mp4" for v in videos]),
            "url": pa.array([f"https://example.org/watch?v={v * 2654435761 % 2**32:08x}" for v in videos]),
            "licence": pa.array(["CC-BY-4.0", "CC0-1.0", ""]).take(pa.array(videos % 3)),
            "start_s": (at % CLIPS_A_VIDEO) * 20.0,
            "end_s": (at % CLIPS_A_VIDEO) * 20.0 + duration,
            "duration_s": duration,
            "n_frames": (duration * 15).astype(np.int32),
            "fps": np.full(n, 15.0),
            "width": np.full(n, 640, np.int32),
            "height": np.full(n, 360, np.int32),
            "focal_source": pa.array(np.full(n, "assumed")),
            "action": pa.compute.binary_join_element_wise("The person", verbs, "the", first, "on the table.", " "),
            "verb": verbs,
            "nouns": nouns,
            "labels": labels,
            "n_objects": pa.compute.list_value_length(labels),
            "n_manipulated": pa.compute.list_value_length(labels),
            "states": pa.array([[s] for s in STATES] + [list(STATES[:2])]).take(pa.array(rng.integers(0, 6, n))),
            "grasps": held.take(pa.array(rng.choice(5, n, p=[0.2, 0.15, 0.35, 0.2, 0.1]))),
            "members": self.members(at),
        }
        for field in index_schema():
            if field.name not in columns:
                columns[field.name] = pa.array(rng.random(n), mask=rng.random(n) < 0.02)
        return pa.table([columns[name] for name in index_schema().names], schema=index_schema())

    def members(self, at: np.ndarray) -> pa.ListArray:
        """Where the members of these clips stand."""
        names = [(layer, member.name) for layer in DEFAULT_LAYERS for member in members(layer)]
        n, k = len(at), len(names)
        shards = {s: [f"data/v2/{layer}/train-{s:05d}.tar" for layer, _ in names] for s in set(at // CLIPS_A_SHARD)}
        sizes = self.rng.integers(1000, 2_000_000, n * k)
        fields = [
            pa.array([layer for layer, _ in names]).take(pa.array(np.tile(np.arange(k), n))),
            pa.array([name for _, name in names]).take(pa.array(np.tile(np.arange(k), n))),
            pa.array([path for s in at // CLIPS_A_SHARD for path in shards[s]]),
            pa.array(np.cumsum(sizes)),
            pa.array(sizes),
        ]
        kind = index_schema().field("members").type.value_type
        return pa.ListArray.from_arrays(
            pa.array(np.arange(n + 1) * k, pa.int32()), pa.StructArray.from_arrays(fields, fields=list(kind))
        )


def make(path: Path, rows: int) -> None:
    """Write the index as a build would, a row group at a time."""
    maker, part = Maker(), path.with_suffix(".part")
    with pq.ParquetWriter(part, index_schema(), **index_options(index_schema())) as writer:
        for start in range(0, rows, GROUP_ROWS):
            writer.write_table(maker.table(start, min(GROUP_ROWS, rows - start)), row_group_size=GROUP_ROWS)
    part.replace(path)


ASK = """
import json, sys, time
start = time.perf_counter()
from hoiset.filter import ClipIndex, parse
import_s = time.perf_counter() - start
start, cpu = time.perf_counter(), time.process_time()
index, query = ClipIndex.open(sys.argv[1]), parse(sys.argv[2])
columns = ["key"] if sys.argv[3] == "keys" else []
clips = sum(len(found.rows) for found in index.find(query, columns))
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
print(json.dumps({"clips": clips, "s": seconds, "cpu_s": cpu, "import_s": import_s, "peak_mib": peak}))
"""


def ask(path: Path, query: str, what: str, *, cold: bool) -> dict[str, float]:
    """Answer one query in a process of its own."""
    if cold:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", ASK, path, query, what], capture_output=True, text=True, check=True)
    return {**json.loads(done.stdout), "process_s": time.perf_counter() - start}


def measure(path: Path) -> list[dict[str, object]]:
    out: list[dict[str, object]] = []
    print(
        f"{'query':<12} {'what':<6} {'clips':>9} {'cold s':>7} {'warm s':>7} {'cpu s':>6} {'process s':>9} {'MiB':>6}"
    )
    for name, query in QUERIES.items():
        for what in ("count", "keys"):
            cold, *warm = (ask(path, query, what, cold=first) for first in (True, False, False, False))
            best = min(warm, key=lambda found: found["s"])
            peak = max(found["peak_mib"] for found in (cold, *warm))
            row = {"query": name, "what": what, "clips": best["clips"], "cold_s": cold["s"], "warm_s": best["s"]}
            row |= {"cpu_s": best["cpu_s"], "process_s": best["process_s"], "peak_mib": peak}
            out.append({key: round(v, 3) if isinstance(v, float) else v for key, v in row.items()})
            print(
                f"{name:<12} {what:<6} {best['clips']:>9} {cold['s']:>7.2f} {best['s']:>7.2f} {best['cpu_s']:>6.2f} "
                f"{best['process_s']:>9.2f} {peak:>6.0f}"
            )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROWS} rows")
    parser.add_argument("--rows", type=int, default=None)
    options = parser.parse_args()
    rows = options.rows or (QUICK_ROWS if options.quick else ROWS)
    with tempfile.TemporaryDirectory() as scratch:
        path = options.file or Path(scratch) / "v2.parquet"
        if not path.exists():
            start = time.perf_counter()
            make(path, rows)
            print(f"made {rows} rows in {time.perf_counter() - start:.0f} s: {path.stat().st_size / 2**20:.0f} MiB")
        rows = pq.read_metadata(path).num_rows
        found = measure(path)
    load = [round(x, 2) for x in os.getloadavg()]
    print(json.dumps({"benchmark": "filter", "rows": rows, "cores": os.cpu_count(), "load": load, "queries": found}))


if __name__ == "__main__":
    main()
