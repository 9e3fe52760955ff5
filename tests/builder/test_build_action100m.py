"""From captions to shards, with a fetcher and passes that take milliseconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from hoiset.builder.recipe import load_recipe
from hoiset.builder.records import Candidate, SourceVideo
from hoiset.builder.run import build, screen
from hoiset.shards.verify import verify_dataset
from tests.builder.fakes import STAGES
from tests.builder.sources.action100m.corpus import pouring, uid_of, write_json, write_parquet


class Fetcher:
    """Has every video at once."""

    def __init__(self, params: Any) -> None:
        pass

    @contextmanager
    def fetch(self, video: SourceVideo, quality: str) -> Iterator[SourceVideo]:
        if video.problem:
            yield video
            return
        assert video.remote == f"youtube:{video.uid}"
        yield replace(video, path=Path(__file__), sha256="0" * 64)


def judge(video: SourceVideo, hands: Any, params: Any, step_s: Any) -> tuple[Candidate, ...]:
    if video.problem:
        return (Candidate(video.uid, 0, 0.0, 0.0, "no_video", video.problem),)
    return (Candidate(video.uid, 0, video.start_s or 0.0, video.end_s or 0.0, "ok"),)


def make(clip: Any, *args: Any, **given: Any) -> Any:
    words = replace(clip.video, path=Path(__file__).with_name("__init__.py"))
    sample = STAGES.reconstruct(replace(clip, video=words), *args, **given)
    text = sample["clip.json"]["text"]
    objects = {"objects": list(clip.video.objects), "objects_source": list(clip.video.objects_source)}
    sample["clip.json"]["text"] = {**text, **objects, "action": clip.video.action}
    return sample


PASSES = replace(STAGES, screen=judge, reconstruct=make, acquire=Fetcher)


def make_source(root: Path) -> Path:
    root.mkdir()
    write_parquet(root / "b.parquet", [[pouring(uid_of(9), 2)], [pouring(uid_of(i), 3) for i in (4, 1)]])
    write_json(root / "a.json", {})
    return root


def test_a_segment_is_an_entry_of_pass_1(tmp_path: Path) -> None:
    report = screen("action100m", make_source(tmp_path / "in"), tmp_path / "out", workers=0, stages=PASSES)
    assert report.gates == {"no_video": 1, "ok": 8}
    rows = pq.read_table(tmp_path / "out" / "screen" / "candidates.parquet").to_pylist()
    assert [(r["uid"], r["start_s"], r["end_s"]) for r in rows if r["gate"] == "ok"] == [
        (uid_of(uid), 10.0 * i, 10.0 * i + 10) for uid, n in ((1, 3), (4, 3), (9, 2)) for i in range(n)
    ]
    assert [(r["uid"], r["detail"][:17]) for r in rows if r["gate"] != "ok"] == [("a.json, row 1", "a.json, row 1: no")]


def test_the_words_arrive_in_the_dataset(tmp_path: Path) -> None:
    recipe = load_recipe("action100m").model_copy(update={"layers": ("core",), "clips_per_shard": 3})
    report = build(recipe, make_source(tmp_path / "in"), tmp_path / "out", workers=0, stages=PASSES)
    assert report.statuses == {"ok": 8}
    assert verify_dataset(tmp_path / "out", "action100m").ok
    index = pq.read_table(tmp_path / "out" / "index" / "action100m.parquet").to_pylist()
    assert {tuple(row["nouns"]) for row in index} == {("water", "glass", "jug")}
    partitions = {(row["uid"], row["partition"]) for row in index}
    assert len(partitions) == 3  # no video is in two
