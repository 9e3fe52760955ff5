"""A dataset large enough to tell a part of it from all of it."""

from __future__ import annotations

from pathlib import Path

from hoiset.shards.index import write_index
from hoiset.shards.writer import UnitWriter
from tests.factories import make_clip, make_sample

N_FRAMES = 600


def make_long(root: Path, n_clips: int = 100, clips_per_shard: int = 20) -> Path:
    """Core shards and an index of clips of about 300 kB; the verb of every 50th is ``pour``, of the others ``push``."""
    base = {**make_sample("base", n_frames=N_FRAMES)}
    del base["rgb.mp4"]
    rows = []
    for number, start in enumerate(range(0, n_clips, clips_per_shard)):
        with UnitWriter(root, "v2", "train", number, layer_names=("core",)) as unit:
            for i in range(start, min(start + clips_per_shard, n_clips)):
                verb = "pour" if i % 50 == 7 else "push"
                unit.add({**base, "clip.json": make_clip(f"clip_{i:03d}", N_FRAMES, verb=verb)})
        rows += unit.rows
    write_index(root, "v2", rows)
    return root


def shard_bytes(root: Path) -> int:
    """Bytes of all shards."""
    return sum(p.stat().st_size for p in (root / "data").rglob("*.tar"))
