"""How fast the studio models, plans, renders and encodes clips at 640x480.

    python benchmarks/studio.py [--quick]

The last line is JSON: frames a second over whole clips, and processor seconds a frame.
"""

from __future__ import annotations

import argparse
import json
import os
import time

from hoiset.builder.studio import DEMO_KINDS, StudioParams, render_clip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one clip instead of four")
    quick = parser.parse_args().quick
    render_clip(0, StudioParams(width_px=64, height_px=48, duration_s=1.0, rate_hz=3.0))  # imports
    begin, cpu = time.perf_counter(), time.process_time()
    frames = 0
    for seed, kind in enumerate(DEMO_KINDS[:1] if quick else DEMO_KINDS):
        clip = render_clip(seed, StudioParams(object_kind=kind))
        frames += len(clip.time)
        print(f"{kind}: {len(clip.time)} frames, {(time.perf_counter() - begin):.1f} s so far")
    wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
    print(
        json.dumps(
            {
                "benchmark": "studio",
                "size": "640x480",
                "cores": os.cpu_count(),
                "frames": frames,
                "frames_per_s": round(frames / wall, 2),
                "cpu_s_per_frame": round(cpu / frames, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
