"""What pass 1 costs: against the least that it could, with one worker and two, and for the whole of Action100M.

Every clip is screened, and next to that its sampled frames alone are decoded by plain PyAV at the same size and the
hand model is run on all of them: the sum is what a screen without any judgement would cost. Cost is processor time of
this process and the model's, on one decoding thread for either. Then the clips go through the engine's pool with one
worker and with two; where the machine is busy with other things, that ratio says little, and its load is printed
beside it.

Run ``python benchmarks/screen.py [--quick] [--rounds N] [FOLDER]``; the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil

from hoiset.builder.engine.local import run_ordered
from hoiset.builder.recipe import load_recipe
from hoiset.builder.reconstruct.backends.mediapipe import MediaPipeHands, MediaPipeWorker
from hoiset.builder.records import SourceVideo
from hoiset.builder.screen import ScreenParams, screen_video
from hoiset.builder.sources import open_source
from hoiset.builder.stages import Stages, handler_factory
from hoiset.video import probe

QUICK = ("blender_sauce.gif", "close_laptop.mp4", "ego_engine.mp4", "humanoid_pouring.mp4", "plush_toy.mp4", "salt.mp4")
AIM_RATIO, AIM_SCALING = 1.3, 1.7
SEGMENTS, FOOTAGE_YEARS = 147e6, 14.6
YEAR_H = 365.25 * 24


@dataclass(frozen=True)
class Cost:
    """Processor time of one clip, s, the least of several rounds; ``hands`` whether it got as far as the hand model."""

    uid: str
    duration_s: float
    decode_s: float
    model_s: float
    screen_s: float
    hands: bool

    @property
    def ratio(self) -> float:
        """To the least that it could cost."""
        return self.screen_s / (self.decode_s + self.model_s)


def processor_s() -> float:
    """Time that this process and all that it started have used, s."""
    me = psutil.Process()
    return sum(sum(p.cpu_times()[:2]) for p in (me, *me.children(recursive=True)))


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor time of some work, s, and its result."""
    before = processor_s()
    result = work()
    return processor_s() - before, result


def plain_decode(video: SourceVideo, params: ScreenParams) -> list[np.ndarray]:
    """The sampled frames of a file, by nothing but PyAV."""
    frames, last_s = [], -np.inf
    with av.open(str(video.path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            if frame.time - last_s < 0.9 / params.sample_fps:
                continue
            last_s = frame.time
            scale = min(1.0, params.working_short_side_px / min(frame.width, frame.height))
            width, height = (2 * round(n * scale / 2) for n in (frame.width, frame.height))
            frames.append(frame.reformat(width, height, "rgb24").to_ndarray())
    return frames


def measure(videos: list[SourceVideo], params: ScreenParams, rounds: int) -> list[Cost]:
    """The cost of every clip; what is compared is measured in turns."""
    costs = []
    with MediaPipeWorker() as worker:
        worker.start()
        hands = MediaPipeHands(worker)
        hands.detect(plain_decode(videos[0], params), video=False)
        for video in videos:
            took: dict[str, list[float]] = {"decode": [], "model": [], "screen": []}
            for _ in range(rounds):
                decode_s, frames = timed(lambda v=video: plain_decode(v, params))
                model_s, _ = timed(lambda f=frames: hands.detect(f, video=False))
                screen_s, found = timed(lambda v=video: screen_video(v, hands, params))
                for name, value in zip(took, (decode_s, model_s, screen_s), strict=True):
                    took[name].append(value)
            asked = any(np.isfinite(c.measured["hand_ratio"]) for c in found)
            least = {f"{name}_s": min(values) for name, values in took.items()}
            cost = Cost(video.uid, probe(video.path).duration_s, **least, hands=asked)
            costs.append(cost)
            parts = f"decode {cost.decode_s:5.2f} s, model {cost.model_s:5.2f} s, screen {cost.screen_s:5.2f} s"
            print(f"{cost.uid:22} {cost.duration_s:5.1f} s of footage: {parts}, ratio {cost.ratio:.2f}", flush=True)
    return costs


def pool_s(videos: list[SourceVideo], workers: int) -> float:
    """Wall-clock time that the engine's pool takes for the videos, s; its processes are warm."""
    factory = handler_factory(load_recipe("v2"), Stages(), None)
    warm_up = [min(videos, key=lambda v: v.path.stat().st_size)] * (4 * workers)
    with closing(run_ordered(factory, [*warm_up, *videos], workers)) as outcomes:
        for _ in warm_up:
            next(outcomes)
        start = time.perf_counter()
        for outcome in outcomes:
            assert outcome.ok, outcome.detail
        return time.perf_counter() - start


def total_ratio(costs: list[Cost]) -> float:
    """Of the sums."""
    return round(sum(c.screen_s for c in costs) / sum(c.decode_s + c.model_s for c in costs), 3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("../shared/data/videos"))
    parser.add_argument("--quick", action="store_true", help="six short clips, one round, no pool")
    parser.add_argument("--rounds", type=int, default=3, help="the least of so many is taken")
    options = parser.parse_args()
    videos = [v for v in open_source(options.folder).videos() if not options.quick or v.uid in QUICK]
    costs = measure(videos, ScreenParams(), 1 if options.quick else options.rounds)
    screen_s, footage_s = sum(c.screen_s for c in costs), sum(c.duration_s for c in costs)
    result: dict[str, Any] = {
        "benchmark": "screen",
        "quick": options.quick,
        "segments": len(costs),
        "footage_s": round(footage_s, 1),
        "screen_s": round(screen_s, 2),
        "decode_s": round(sum(c.decode_s for c in costs), 2),
        "model_s": round(sum(c.model_s for c in costs), 2),
        "ratio": total_ratio(costs),
        "ratio_of_still": total_ratio([c for c in costs if c.hands]),
        "ratio_worst": max((round(c.ratio, 3), c.uid) for c in costs),
        "ratio_aim": AIM_RATIO,
        "segments_per_core_hour": round(3600 * len(costs) / screen_s),
        "core_hours_of_147m_segments": round(screen_s / len(costs) * SEGMENTS / 3600),
        "core_hours_of_14.6_years": round(screen_s / footage_s * FOOTAGE_YEARS * YEAR_H),
    }
    if not options.quick:
        load = os.getloadavg()[0]
        order = sorted(videos, key=lambda v: (-v.path.stat().st_size, v.uid)) * 2
        one_s, two_s = pool_s(order, 1), pool_s(order, 2)
        result |= {"one_worker_s": round(one_s, 1), "two_workers_s": round(two_s, 1)}
        result |= {"scaling": round(one_s / two_s, 2), "scaling_aim": AIM_SCALING, "load_before": round(load, 1)}
        result["cores"] = len(os.sched_getaffinity(0))
    print(
        f"screening {len(costs)} segments of {footage_s / len(costs):.1f} s takes {screen_s:.1f} core-seconds: "
        f"{result['segments_per_core_hour']} segments per core-hour; 147 million segments of this length would take "
        f"{result['core_hours_of_147m_segments']:,} core-hours, {FOOTAGE_YEARS} years of footage seen once "
        f"{result['core_hours_of_14.6_years']:,}"
    )
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
