"""Clips of all the timings that an export must bring to one rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hoiset.shards.index import write_index
from hoiset.shards.writer import UnitWriter
from hoiset.video import encode_mp4
from tests.factories import FPS, make_rgb, make_sample


def timed(key: str, seed: int, time_s: np.ndarray, **kwargs: Any) -> dict[str, Any]:
    """A sample whose frames stand at given times."""
    sample = make_sample(key, seed, n_frames=len(time_s), **kwargs)
    sample["time.npy"] = np.asarray(time_s, np.float64)
    sample["rgb.mp4"] = encode_mp4(make_rgb(seed, len(time_s)), time_s)
    sample["clip.json"]["source"]["end_s"] = float(time_s[-1]) + 1 / FPS
    return sample


def write(root: Path, samples: dict[str, list[dict[str, Any]]]) -> Path:
    """A dataset without a card; partition -> its samples."""
    rows: list[dict[str, Any]] = []
    for partition, some in samples.items():
        with UnitWriter(root, "v2", partition, 0) as unit:
            for sample in some:
                unit.add(sample)
        rows += unit.rows
    write_index(root, "v2", rows)
    return root


def of_many_rates(root: Path) -> Path:
    """Five clips: of 15 Hz, of 15.2 Hz, jittered about 15 Hz, of 24 Hz, and of irregular steps; the last validates."""
    rng = np.random.default_rng(0)
    at = np.arange(20) / FPS
    train = [
        timed("constant", 0, at, n_objects=2),
        timed("fast_clock", 1, at * FPS / 15.2, verb="lift", action="Lift a mug."),
        timed("jittered", 2, at + np.r_[0.0, rng.uniform(-0.01, 0.01, 19)], n_objects=0),
        timed("more_frames", 3, np.arange(30) / 24.0),
    ]
    train[1]["hand_joints.npy.gz"][5:9] = np.nan
    train[1]["hand_wrist.npy.gz"][5:9] = np.nan
    for name in ("hand_joints_2d.npy.gz", "contact.npy.gz"):
        train[1][name][5:9] = np.nan
    train[1]["hand_source.npy"][5:9] = train[1]["hand_score.npy"][5:9] = 0
    irregular = timed("irregular", 4, np.cumsum(np.r_[0.0, rng.uniform(0.03, 0.12, 24)]), action="", objects=[])
    return write(root, {"train": train, "validation": [irregular]})
