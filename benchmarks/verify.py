"""How long ``hoiset verify`` takes for a gigabyte, beside ``sha256sum`` of the same files in the same run.

The dataset has clips as large as those of real builds (``sized_samples.py``). Both read from the page cache, where it
is large enough, and run as processes of their own; starting Python and importing is told apart. ``sha256sum`` runs once
over all files, and once with as many at once as there are cores.

Run ``python benchmarks/verify.py [--quick] [--clips N]``. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sized_samples import make_dataset

CLIPS, QUICK_CLIPS, ROUNDS = 1024, 96, 3
CODE = """
import json, sys, time
from hoiset.shards.verify import verify_dataset
start = time.perf_counter()
report = verify_dataset(sys.argv[1], processes=int(sys.argv[2]) or None)
seconds = time.perf_counter() - start
assert report.ok, report.problems[:3]
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
print(json.dumps({"s": seconds, "peak_mib": peak}))
"""


def timed(command: list[str | Path]) -> tuple[float, float, str]:
    """Wall time and core time of a command, s, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    wall_s = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, printed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_CLIPS} clips")
    parser.add_argument("--clips", type=int, default=None)
    options = parser.parse_args()
    clips = options.clips or (QUICK_CLIPS if options.quick else CLIPS)
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        make_dataset(root, clips)
        files = sorted(root.glob("data/**/*.tar"))
        gigabytes = sum(f.stat().st_size for f in files) / 1e9
        commands: dict[str, list[str | Path]] = {
            "sha256sum": ["sha256sum", *files],
            "sha256sum, all cores": ["sh", "-c", f'printf "%s\\n" "$@" | xargs -P {cores} -n 1 sha256sum', "", *files],
            "verify, one process": [sys.executable, "-c", CODE, root, "1"],
            "verify": [sys.executable, "-c", CODE, root, "0"],
        }
        found = {name: min(timed(command) for _ in range(ROUNDS)) for name, command in commands.items()}
    rows = {}
    print(f"{clips} clips, {gigabytes:.2f} GB, {cores} cores")
    print(f"{'':<22} {'s/GB':>6} {'core s/GB':>9} {'start s':>7} {'MiB':>5}")
    for name, (wall_s, core_s, printed) in found.items():
        inside = json.loads(printed) if name.startswith("verify") else {"s": wall_s, "peak_mib": 0}
        counted = name != "verify"  # a server forks its workers, whose core time is nobody's to ask for
        row = {"s_per_gb": inside["s"] / gigabytes, "core_s_per_gb": core_s / gigabytes if counted else float("nan")}
        row |= {"start_s": wall_s - inside["s"], "peak_mib": inside["peak_mib"]}
        rows[name] = {key: round(value, 2) for key, value in row.items() if value == value}
        speeds = f"{row['s_per_gb']:>6.2f} {row['core_s_per_gb']:>9.2f}"
        print(f"{name:<22} {speeds} {row['start_s']:>7.2f} {row['peak_mib']:>5.0f}")
    load = [round(x, 2) for x in os.getloadavg()]
    print(json.dumps({"benchmark": "verify", "gb": round(gigabytes, 3), "cores": cores, "load": load, "rows": rows}))


if __name__ == "__main__":
    main()
