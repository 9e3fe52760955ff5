"""Wall time per second of video, and peak memory, of a whole build.

``python benchmarks/build.py [--quick] [--workers N]`` builds two (``--quick``: one) of the real 640x360 30 fps clips in
``../shared/data/videos``, or rendered clips where those are absent. A first build of another clip warms caches of the
operating system and the isolated model's environment; what a process needs to start is measured apart, by a build of
nothing but a file that is no video. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from hoiset.builder.sources import open_source
from hoiset.video import probe

VIDEOS = Path(__file__).resolve().parents[2] / "shared" / "data" / "videos"
CLIPS = ("plate_push.mp4", "snackbox_push.mp4")
BOUND_S, BOUND_BYTES = 5.0, 3 * 10**9


@dataclass(frozen=True)
class Run:
    """What one build took."""

    wall_s: float
    peak_bytes: int


class PeakMemory(threading.Thread):
    """Largest sum of a process tree's resident memory; shared pages count once (proportional set size)."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process, self.peak = psutil.Process(pid), 0

    def run(self) -> None:
        """Sample until the process has ended."""
        while self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE:
            total = 0
            for process in (self.process, *self.process.children(recursive=True)):
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:
                    continue
            self.peak = max(self.peak, total)
            time.sleep(0.1)


def build(source: Path, out: Path, workers: int | None) -> Run:
    command = [sys.executable, "-m", "hoiset.cli", "build", "--split", "v2", "--source", str(source), "--out", str(out)]
    if workers is not None:
        command += ["--workers", str(workers)]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    memory = PeakMemory(process.pid)
    memory.start()
    process.wait()
    return Run(time.perf_counter() - start, memory.peak)


def clips(folder: Path, names: tuple[str, ...]) -> float:
    """Fill a source folder; seconds of video in it."""
    folder.mkdir()
    if VIDEOS.is_dir():
        for name in names:
            shutil.copy(VIDEOS / name, folder / name)
    else:
        for video in open_source(folder.parent / "studio", "studio", n_clips=len(names)).videos():
            shutil.copy(video.path, folder / f"{video.uid}.mp4")
    return sum(probe(path).duration_s for path in folder.iterdir())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one clip instead of two")
    parser.add_argument("--workers", type=int, default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "nothing").mkdir()
        (root / "nothing" / "no_video.mp4").write_bytes(b"")
        build(root / "nothing", root / "warm", arguments.workers)
        cold = build(root / "nothing", root / "cold", arguments.workers)
        video_s = clips(root / "clips", CLIPS[:1] if arguments.quick else CLIPS)
        run = build(root / "clips", root / "out", arguments.workers)
    rate = (run.wall_s - cold.wall_s) / video_s
    started = f"{run.wall_s:.1f} s, of which {cold.wall_s:.1f} s to start"
    print(f"{video_s:.1f} s of video in {started}: {rate:.2f} s per second")
    print(f"peak memory of all processes: {run.peak_bytes / 1e9:.2f} GB")
    result = {
        "video_s": video_s,
        **asdict(run),
        "start_s": cold.wall_s,
        "wall_s_per_video_s": rate,
        "within_bounds": rate <= BOUND_S and run.peak_bytes <= BOUND_BYTES,
    }
    print(json.dumps({name: round(v, 3) if isinstance(v, float) else v for name, v in result.items()}))


if __name__ == "__main__":
    main()
