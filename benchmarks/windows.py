"""How many training windows a second: low-dimensional ones, and with 16 frames of 256x256 video.

Clips are five seconds at 15 Hz with two noisy, textured hands' worth of numbers and video that a codec has to work for.
Windows are drawn at random. Beside ours stand the naive way (decode the whole clip, slice) and PyAV alone decoding the
same frames: sought to the key frame before the first frame, decoded to the last, as RGB; opened from memory for every
window, and (``held_pyav``) with every clip's container kept open, which no dataset of real size can. ``ours_fast`` has
``colour="fast"``, which is the conversion that PyAV alone does. Every method sees the same windows in the same order,
in turns, on one thread; its time is the processor's, so that other load on the machine does not count. With workers,
time is what passes.

Run ``python benchmarks/windows.py [--quick] [--clips N]``. The last line is JSON.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer

from hoiset.loaders import WindowDataset, collate, load_dataset
from hoiset.loaders.dataset import Format
from hoiset.shards.index import write_index
from hoiset.shards.writer import UnitWriter

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.clips import textured
from tests.factories import make_sample

N_FRAMES, FPS, SIZE = 75, 15.0, 256
LOW_DIM = ("hand_joints", "hand_wrist", "object_pose", "object_state")
ACTIONS = [i / FPS for i in range(16)]


def video(seed: int, size: tuple[int, int]) -> bytes:
    from hoiset.video import encode_mp4

    rng = np.random.default_rng(seed)
    base = textured(*size, seed).astype(np.int16)
    frames = (
        np.clip(np.roll(base, 3 * i, 1) + rng.normal(0, 3, base.shape), 0, 255).astype(np.uint8)
        for i in range(N_FRAMES)
    )
    return encode_mp4(frames, np.arange(N_FRAMES) / FPS)


def make(root: Path, n_clips: int, size: tuple[int, int]) -> None:
    """A dataset without a card, its videos of four kinds."""
    videos = [video(seed, size) for seed in range(4)]
    rows: list[dict[str, Any]] = []
    for number in range(0, n_clips, 32):
        with UnitWriter(root, "v2", "train", number // 32) as unit:
            for i in range(number, min(number + 32, n_clips)):
                sample = make_sample(f"clip_{i:05d}", i, N_FRAMES, 1)
                sample["rgb.mp4"] = videos[i % 4]
                sample["clip.json"]["camera"] |= {"width": size[1], "height": size[0]}
                unit.add(sample)
        rows += unit.rows
    write_index(root, "v2", rows)


def rate(turns: dict[str, Callable[[int], object]], windows: list[list[int]]) -> dict[str, float]:
    """Windows a second of processor time of each method; each block of windows is given to all methods in turn."""
    seconds = dict.fromkeys(turns, 0.0)
    for block in windows:
        for name, turn in turns.items():
            start = time.process_time()
            for index in block:
                turn(index)
            seconds[name] += time.process_time() - start
    count = sum(map(len, windows))
    return {name: count / s for name, s in seconds.items()}


def opened(data: bytes) -> InputContainer:
    source = av.open(io.BytesIO(data))
    source.streams.video[0].codec_context.thread_count = 1
    return source


def bare_pyav(source: InputContainer, first: int, last: int, size: int) -> np.ndarray:
    """Frames first .. last of a constant rate."""
    stream = source.streams.video[0]
    source.seek(round((first + 0.1) / FPS / stream.time_base), stream=stream)
    frames = []
    for frame in source.decode(stream):
        number = round(frame.time * FPS)
        if number >= first:
            frames.append(frame.reformat(size, size, "rgb24").to_ndarray())
        if number == last:
            break
    return np.stack(frames)


def low_dim(root: Path, n: int, rng: np.random.Generator) -> dict[str, float]:
    clips = load_dataset(root, format="numpy", members=("time", *LOW_DIM))
    exact = WindowDataset(clips, dict.fromkeys(LOW_DIM, ACTIONS))
    between = WindowDataset(clips, {key: [i / 10 for i in range(16)] for key in LOW_DIM})
    actions = {"hand_wrist_9d": [-1 / FPS, 0.0], "hand_wrist_relative_9d": [(i + 1) / FPS for i in range(16)]}
    policy = WindowDataset(clips, actions)

    def naive(index: int) -> dict[str, np.ndarray]:
        clip, frame = divmod(index, N_FRAMES)
        item = clips[clip]
        at = np.minimum(np.arange(frame, frame + 16), N_FRAMES - 1)
        return {name: item[name][at] for name in LOW_DIM}

    blocks = [rng.integers(0, len(exact), 100).tolist() for _ in range(max(n // 100, 1))]
    for index in blocks[0]:
        exact[index], between[index], policy[index], naive(index)
    turns = {"ours": exact.__getitem__, "naive": naive, "between_frames": between.__getitem__}
    return rate(turns | {"relative_actions": policy.__getitem__}, blocks)


def with_video(root: Path, n: int, rng: np.random.Generator, resize: int | None) -> dict[str, float]:
    clips = load_dataset(root, format="numpy", layers=("core", "video"), members=("rgb", *LOW_DIM))
    encoded = load_dataset(root, format="numpy", layers=("video",), decode_video=False)
    size = None if resize is None else (resize, resize)
    keys = {"rgb": ACTIONS, **dict.fromkeys(LOW_DIM, ACTIONS)}
    ours = WindowDataset(clips, keys, resize=size)
    fast = WindowDataset(clips, keys, resize=size, colour="fast")

    def naive(index: int) -> np.ndarray:
        clip, frame = divmod(index, N_FRAMES)
        return clips[clip]["rgb"][frame : frame + 16].copy()

    def bare(index: int) -> np.ndarray:
        clip, frame = divmod(index, N_FRAMES)
        with opened(encoded[clip]["rgb"]) as source:
            return bare_pyav(source, frame, frame + 15, resize or SIZE)

    containers = [opened(item["rgb"]) for item in encoded]

    def held(index: int) -> np.ndarray:
        clip, frame = divmod(index, N_FRAMES)
        return bare_pyav(containers[clip], frame, frame + 15, resize or SIZE)

    starts = rng.integers(0, len(clips), n) * N_FRAMES + rng.integers(0, N_FRAMES - 16, n)
    blocks = np.array_split(starts, max(n // 5, 1))
    turns = {
        "ours": ours.__getitem__,
        "ours_fast": fast.__getitem__,
        "bare_pyav": bare,
        "held_pyav": held,
        "naive": naive,
    }
    for turn in turns.values():
        turn(int(starts[0]))
    return rate(turns, [block.tolist() for block in blocks])


def by_workers(
    root: Path, n: int, workers: int, keys: dict[str, list[float]], batch: int, format: Format = "torch"
) -> float:
    """Windows a second out of a DataLoader, once its workers run."""
    from torch.utils.data import DataLoader, Subset

    clips = load_dataset(root, format=format, layers=("core", "video"))
    ours = WindowDataset(clips, keys)
    picks = np.random.default_rng(1).integers(0, len(ours), n + 4 * batch).tolist()
    loader: Iterable[Any] = DataLoader(
        Subset(ours, picks), batch_size=batch, num_workers=workers, collate_fn=collate, prefetch_factor=2
    )
    batches = iter(loader)
    for _ in range(4):
        next(batches)
    start, count = time.perf_counter(), 0
    for found in batches:
        count += len(found["key"])
    return count / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="64 clips and fewer windows")
    parser.add_argument("--clips", type=int, default=None)
    options = parser.parse_args()
    n_clips = options.clips or (64 if options.quick else 256)
    n_low, n_video = (2000, 60) if options.quick else (20_000, 400)
    rng, found = np.random.default_rng(0), dict[str, dict[str, float]]()
    with tempfile.TemporaryDirectory() as folder:
        square, wide = Path(folder) / "square", Path(folder) / "wide"
        make(square, n_clips, (SIZE, SIZE))
        make(wide, min(n_clips, 64), (360, 640))
        found["low_dim"] = low_dim(square, n_low, rng)
        found["video_256"] = with_video(square, n_video, rng, None)
        found["video_640x360_to_224"] = with_video(wide, n_video // 2, rng, 224)
        keys = dict.fromkeys(LOW_DIM, ACTIONS)
        for workers in (1, 2):
            found[f"workers_{workers}"] = {
                "low_dim": by_workers(square, n_low, workers, keys, 64),
                "low_dim_numpy": by_workers(square, n_low, workers, keys, 64, "numpy"),
                "video_256": by_workers(square, n_video, workers, {"rgb": ACTIONS, **keys}, 4),
            }
    for name, rates in found.items():
        print(f"{name:<22}" + "".join(f"{method:>18} {value:>9.1f}" for method, value in rates.items()))
    ratios = {"low_dim_to_naive": found["low_dim"]["ours"] / found["low_dim"]["naive"]}
    for name in ("video_256", "video_640x360_to_224"):
        for ours in ("ours", "ours_fast"):
            for other in ("bare_pyav", "held_pyav", "naive"):
                ratios[f"{name}_{ours}_to_{other}"] = found[name][ours] / found[name][other]
    ratios["two_workers_to_one"] = found["workers_2"]["video_256"] / found["workers_1"]["video_256"]
    for name, ratio in ratios.items():
        print(f"{name:<32} {ratio:8.2f}")
    load = [round(x, 2) for x in os.getloadavg()]
    rates = {name: {k: round(v, 1) for k, v in r.items()} for name, r in found.items()}
    ratios = {name: round(ratio, 3) for name, ratio in ratios.items()}
    print(
        json.dumps(
            {"benchmark": "windows", "windows_per_s": rates, "ratios": ratios, "cores": os.cpu_count(), "load": load}
        )
    )


if __name__ == "__main__":
    main()
