"""How fast shards are written, beside ``tar`` and ``sha256sum`` of the same bytes in the same run.

The samples are as large as those of real builds (``sized_samples.py``), core and video. ``encoded`` writes samples that
worker processes have validated and encoded, as a build does; ``samples`` does that as well. Both end with the files
fsynced, so ``tar`` is followed by ``sync`` of its files.

Run ``python benchmarks/writing.py [--quick] [--clips N]``. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sized_samples import samples

from hoiset.shards.schema import DEFAULT_LAYERS
from hoiset.shards.writer import EncodedSample, UnitWriter

CLIPS, QUICK_CLIPS, ROUNDS = 256, 48, 5


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_CLIPS} clips")
    parser.add_argument("--clips", type=int, default=None)
    options = parser.parse_args()
    clips = options.clips or (QUICK_CLIPS if options.quick else CLIPS)
    raw = list(samples(clips))
    encoded = [EncodedSample.of(sample, DEFAULT_LAYERS, "train") for sample in raw]
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        for sample in encoded:
            for layer, of_layer in sample.layers.items():
                (root / "loose" / layer).mkdir(parents=True, exist_ok=True)
                for name, data in of_layer.items():
                    (root / "loose" / layer / f"{sample.key}.{name}").write_bytes(data)

        def with_tar() -> None:
            tars = [root / f"{layer}.tar" for layer in DEFAULT_LAYERS]
            for layer, tar in zip(DEFAULT_LAYERS, tars, strict=True):
                subprocess.run(["tar", "--format=ustar", "-cf", tar, "-C", root / "loose" / layer, "."], check=True)
            subprocess.run(["sync", *tars], check=True)
            subprocess.run(["sha256sum", *tars], check=True, stdout=subprocess.DEVNULL)
            for tar in tars:
                tar.unlink()

        def with_encoded() -> None:
            with UnitWriter(root / "out", "v2", "train", 0) as unit:
                for sample in encoded:
                    unit.add_encoded(sample)
            shutil.rmtree(root / "out")

        def with_samples() -> None:
            with UnitWriter(root / "out", "v2", "train", 0) as unit:
                for sample in raw:
                    unit.add(sample)
            shutil.rmtree(root / "out")

        ways = {"tar + sha256sum": with_tar, "encoded": with_encoded, "samples": with_samples}
        taken = [[seconds(work) for work in ways.values()] for _ in range(ROUNDS)]
    best = {name: min(times[i] for times in taken) for i, name in enumerate(ways)}
    gigabytes = sum(len(data) for s in encoded for of_layer in s.layers.values() for data in of_layer.values()) / 1e9
    rows = {}
    print(f"{clips} clips, {gigabytes:.2f} GB\n{'':<16} {'MB/s':>6} {'of tar':>7}")
    for name, best_s in best.items():
        rows[name] = {
            "mb_per_s": round(1000 * gigabytes / best_s),
            "of_tar": round(best["tar + sha256sum"] / best_s, 2),
        }
        print(f"{name:<16} {rows[name]['mb_per_s']:>6} {rows[name]['of_tar']:>7.2f}")
    load = [round(x, 2) for x in os.getloadavg()]
    print(json.dumps({"benchmark": "writing", "gb": round(gigabytes, 3), "load": load, "rows": rows}))


if __name__ == "__main__":
    main()
