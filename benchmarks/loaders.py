"""Training windows a second out of hoiset and its peers: the same clips, two workers each, medians of five.

Clips are 6 s at 30 Hz, 640x480, of two hands' and objects' worth of numbers and four kinds of video that a codec has to
work for (H.264, a key frame every 8 frames). Jobs:

- ``windows``: 16 frames at 256x256 and four arrays of poses and states, at random;
- ``low_dim``: the four arrays alone, at random;
- ``clips``: whole clips in order, arrays decoded, video as bytes;
- ``frames``: the 16 frames alone, beside PyAV alone.

Each loader is a process of its own (``benchmarks/peers``) with two workers, started anew for each of five rounds, in
turns. hoiset and LeRobot draw windows at random. ``webdataset``, ``datasets`` and Energon have no random access: the
nearest is to shuffle a stream of clips and to take one window out of each. ``four a clip`` takes four, which are alike,
for a quarter of the reading and opening. They and PyAV read plain tars of just the members of the job. Energon's are
indexed by
``energon prepare`` and decoded by its AVDecoder; ``datasets`` decodes by PyAV. LeRobot reads an export, decodes by
torchcodec on FFmpeg's libraries, and shrinks by an image transform; ``stored small`` is an export whose pictures were
shrunk beforehand, so that it decodes less than all others.

Rates are of the time that passes and, in brackets, of the processors' time that a loader's processes took together,
which other load on the machine hardly changes. ``first_s`` is from the start of the process to its first batch of
``windows`` (``frames`` for PyAV), and ``worker_mb`` what a worker holds unshared then, in 1e6 bytes.

Run ``python benchmarks/loaders.py [--quick] [--clips N] [--size H W] [--only hoiset webdataset ...]``. The last line is
JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from hoiset.loaders import load_dataset
from hoiset.loaders.exports.lerobot import export_lerobot
from hoiset.shards.index import write_index
from hoiset.shards.writer import UnitWriter
from hoiset.video import encode_mp4

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.peers.measuring import KEYS, MORE, Spec
from tests.clips import textured
from tests.factories import make_sample
from tests.isolated import run_isolated

PEERS = Path(__file__).parent / "peers"
ISOLATED = ("energon", "lerobot")
LOADERS = ("hoiset", "pyav", "webdataset", "datasets", "energon", "lerobot")
ROUNDS = 5
CLIPS_A_SHARD = 15


def video(seed: int, spec: Spec) -> bytes:
    rng = np.random.default_rng(seed)
    base = textured(spec.height, spec.width, seed).astype(np.int16)
    noise = rng.normal(0, 3, (4, *base.shape)).astype(np.int16)
    frames = (np.clip(np.roll(base, 3 * i, 1) + noise[i % 4], 0, 255).astype(np.uint8) for i in range(spec.n_frames))
    return encode_mp4(frames, np.arange(spec.n_frames) / spec.fps)


def make_clips(root: Path, spec: Spec) -> None:
    """A dataset of hoiset."""
    videos = [video(seed, spec) for seed in range(4)]
    rows: list[dict[str, Any]] = []
    for first in range(0, spec.n_clips, CLIPS_A_SHARD):
        with UnitWriter(root, "v2", "train", first // CLIPS_A_SHARD) as unit:
            for i in range(first, min(first + CLIPS_A_SHARD, spec.n_clips)):
                sample = make_sample(f"clip_{i:05d}", i, spec.n_frames, 2)
                sample["time.npy"] = np.arange(spec.n_frames) / spec.fps
                sample["rgb.mp4"] = videos[i % 4]
                sample["clip.json"]["camera"] |= {"width": spec.width, "height": spec.height}
                unit.add(sample)
        rows += unit.rows
    write_index(root, "v2", rows)


def make_plain(root: Path, folder: Path, members: tuple[str, ...]) -> None:
    """WebDataset tars of some members as they are."""
    clips = load_dataset(root, layers=("core", "video"), members=members, decode_video=False, format="numpy")
    folder.mkdir()
    for first in range(0, len(clips), CLIPS_A_SHARD):
        with tarfile.open(folder / f"train-{first // CLIPS_A_SHARD:05d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for i in range(first, min(first + CLIPS_A_SHARD, len(clips))):
                for name, value in clips[i].items():
                    if name in members:
                        _add(tar, f"{clips[i]['key']}.{name}", value)


def _add(tar: tarfile.TarFile, name: str, value: Any) -> None:
    buffer = BytesIO()
    if isinstance(value, np.ndarray):
        np.save(buffer, value)
    data, suffix = (buffer.getvalue(), "npy") if buffer.getvalue() else (value, "mp4")
    info = tarfile.TarInfo(f"{name}.{suffix}")
    info.size = len(data)
    tar.addfile(info, BytesIO(data))


def prepare(folder: Path, spec: Spec, loaders: list[str]) -> None:
    """All that the loaders read."""
    make_clips(folder / "clips", spec)
    make_plain(folder / "clips", folder / "plain", (*KEYS, "rgb"))
    if "energon" in loaders:
        make_plain(folder / "clips", folder / "plain_numbers", KEYS)
        for name in ("plain", "plain_numbers"):
            _say(run_isolated(PEERS / "prepare_energon.py", folder / name, folder=folder))
    if "lerobot" in loaders:
        export_lerobot(folder / "clips", folder / "lerobot")
        export_lerobot(folder / "clips", folder / "lerobot_numbers", video=False)
        if (spec.height, spec.width) != (spec.size, spec.size):
            export_lerobot(folder / "clips", folder / "lerobot_small", size=(spec.size, spec.size))
    spec.save(folder)


def measure(name: str, folder: Path, seconds: float) -> dict[str, dict[str, float]]:
    """All jobs of a loader, once."""
    script = PEERS / f"peer_{name}.py"
    if name in ISOLATED:
        done = run_isolated(script, folder, str(seconds), folder=folder)
    else:
        environment = dict(os.environ) | {"PYTHONPATH": str(Path(__file__).parents[1])}
        command = [sys.executable, script, folder, str(seconds)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    _say(done)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _say(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, done.args))} ended with {done.returncode}:\n{done.stderr[-4000:]}")


def ratios(rates: dict[str, dict[str, float]]) -> dict[str, float]:
    """Of hoiset to the best peer of each job."""
    peers = [name for name in LOADERS if name in rates and name not in ("hoiset", "pyav")]
    ours, out = rates["hoiset"], dict[str, float]()
    for job in ("windows", "low_dim"):
        for more in ("", MORE):
            best = max((rates[name][job + more] for name in peers if job + more in rates[name]), default=0.0)
            mine = {name: rate for name, rate in ours.items() if name.startswith(job) and best}
            out |= {f"{name} to the best peer{more}": rate / best for name, rate in mine.items()}
    if "webdataset" in rates:
        out["clips to webdataset"] = ours["clips"] / rates["webdataset"]["clips"]
    if "pyav" in rates:
        out |= {f"{k} to pyav": rate / rates["pyav"]["frames"] for k, rate in ours.items() if k.startswith("frames")}
    if "lerobot" in rates and "windows, stored small" in rates["lerobot"]:
        small = rates["lerobot"]["windows, stored small"]
        out |= {f"{k} to lerobot, stored small": rate / small for k, rate in ours.items() if k.startswith("windows")}
    return {name: round(ratio, 3) for name, ratio in out.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="30 clips of 3 s, one second a job")
    parser.add_argument("--clips", type=int, default=None)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640), metavar=("H", "W"), help="of the clips")
    parser.add_argument("--only", nargs="+", choices=LOADERS, default=list(LOADERS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=None, help="of each measurement")
    options = parser.parse_args()
    n_clips = options.clips or (30 if options.quick else 120)
    seconds = options.seconds or (1.0 if options.quick else 4.0)
    spec = Spec(n_clips, 90 if options.quick else 180, 30, *options.size, 256)
    rounds: dict[str, list[dict[str, dict[str, float]]]] = {name: [] for name in options.only}
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), spec, options.only)
        for _ in range(options.rounds):
            for name in options.only:
                rounds[name].append(measure(name, Path(folder), seconds))
    rates, core_rates = (
        {
            name: {job: round(median(found[job][what] for found in all_), 1) for job in all_[0]}
            for name, all_ in rounds.items()
        }
        for what in ("per_s", "per_core_s")
    )
    cold = {
        name: {
            what: round(median(next(iter(found.values()))[what] for found in all_), 2)
            for what in ("first_s", "worker_mb")
        }
        for name, all_ in rounds.items()
    }
    for name, jobs in rates.items():
        told = ", ".join(f"{job} {rate:.1f}/s ({core_rates[name][job]:.1f})" for job, rate in jobs.items())
        print(f"{name:<11} first batch {cold[name]['first_s']:5.1f} s, {cold[name]['worker_mb']:5.0f} MB; {told}")
    compared, by_core = (ratios(found) if "hoiset" in found else {} for found in (rates, core_rates))
    for name, ratio in compared.items():
        print(f"{name:<56} {ratio:7.2f} ({by_core[name]:.2f})")
    load = [round(x, 2) for x in os.getloadavg()]
    known = {"benchmark": "loaders", "clips": n_clips, "per_s": rates, "per_core_s": core_rates, "cold": cold}
    known |= {"ratios": compared, "ratios_per_core_s": by_core}
    print(json.dumps({**known, "cores": os.cpu_count(), "load": load}))


if __name__ == "__main__":
    main()
