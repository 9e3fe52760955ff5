"""A corpus of rendered videos beside their ground truth: what ``hoiset studio`` writes.

``videos/`` is what a build reads (files and words, neither focal length nor gravity), ``truth/`` a finished dataset of
one sample per video that shows an interaction, ``screening.csv`` what pass 1 should make of each video. A video is
made as one unit: its file, its shards, then its record under ``.studio/``; what has a record is not rendered again.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hoiset.builder.engine.local import run_ordered
from hoiset.builder.passes import Progress, Step
from hoiset.builder.studio.footage import Footage, kind_of, shoot
from hoiset.builder.studio.params import StudioParams
from hoiset.builder.studio.store import STUDIO_VERSION
from hoiset.builder.studio.truth import LICENCE, clip_key
from hoiset.cards.finish import finish_version
from hoiset.errors import DatasetError, SourceError
from hoiset.shards.atomic import write_atomic
from hoiset.shards.writer import ShardRecord, UnitWriter

VERSION = "studio"
PARTITION = "test"
LAYERS = ("core", "video", "scene")
RECORDS = ".studio"
_WORDS = ("file", "action", "objects", "licence")
_SCREENING = ("uid", "kind", "seed", "passes", "gate", "spans")


@dataclass(frozen=True)
class CorpusReport:
    """What a corpus holds.

    Attributes:
        root: Its directory.
        videos: How many.
        samples: How many of them have a sample in ``truth/``.
        frames: Of all videos.
        duration_s: Of all videos.
        kinds: How many videos of each kind.
    """

    root: str
    videos: int
    samples: int
    frames: int
    duration_s: float
    kinds: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def make_corpus(
    out: Path,
    *,
    seed: int = 0,
    n_clips: int = 50,
    params: StudioParams | None = None,
    workers: int = 2,
    progress: Progress | None = None,
) -> CorpusReport:
    """Render a corpus, or go on with one that was stopped.

    Seeds ``seed`` .. ``seed + n_clips - 1`` make one video each; one in seven shows what pass 1 should not keep as it
    is (:mod:`hoiset.builder.studio.negatives`). Equal arguments give equal bytes, whatever the number of workers.

    Args:
        out: New, empty, or of an earlier call; videos of other seeds in it leave the tables, not the directory.
        seed: Of the first video.
        n_clips: How many.
        params: What to fix; everything else is drawn from each video's seed.
        workers: Processes that render; 0 renders in this one.
        progress: Called with every video.

    Raises:
        SourceError: ``n_clips`` is not positive or ``seed`` is negative.
        DatasetError: The directory cannot be written.
    """
    if n_clips < 1 or seed < 0:
        raise SourceError(f"found {n_clips} clips from seed {seed}; expected at least one clip and a seed of 0 or more")
    tasks = [_Task(out, s, params) for s in range(seed, seed + n_clips)]
    records = {task.seed: record for task in tasks if (record := task.record()) is not None}
    missing = [task for task in tasks if task.seed not in records]
    tell = progress or _silent
    tell(Step("studio", len(records), n_clips, 0))
    with closing(run_ordered(_renderer, missing, workers)) as outcomes:
        for task, outcome in zip(missing, outcomes, strict=True):
            if not outcome.ok:
                raise DatasetError(f"{clip_key(task.seed)} was not rendered: {outcome.detail}")
            records[task.seed] = outcome.value
            tell(Step("studio", len(records), n_clips, 0))
    made = [records[task.seed] for task in tasks]
    _write_csv(out / "videos" / "videos.csv", _WORDS, [r["words"] for r in made])
    _write_csv(out / "screening.csv", _SCREENING, [r["screening"] for r in made])
    _finish(out / "truth", made, seed, n_clips, params)
    return CorpusReport(
        root=str(out),
        videos=len(made),
        samples=sum(len(r["rows"]) for r in made),
        frames=sum(r["frames"] for r in made),
        duration_s=round(sum(r["duration_s"] for r in made), 3),
        kinds=dict(sorted(Counter(r["screening"]["kind"] for r in made).items())),
    )


@dataclass(frozen=True)
class _Task:
    """One video to make."""

    out: Path
    seed: int
    params: StudioParams | None

    @property
    def path(self) -> Path:
        return self.out / RECORDS / f"{clip_key(self.seed)}.json"

    @property
    def digest(self) -> str:
        fixed = None if self.params is None else self.params.model_dump(mode="json")
        values = {"studio": STUDIO_VERSION, "seed": self.seed, "params": fixed}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def record(self) -> dict[str, Any] | None:
        """What an earlier call made of it, if it made exactly this and its files are still there."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        files = [
            self.out / "videos" / found["words"]["file"],
            *(self.out / "truth" / s["path"] for s in found["shards"]),
        ]
        same = isinstance(found, dict) and found.get("digest") == self.digest
        return found if same and all(f.is_file() for f in files) else None


@contextmanager
def _renderer() -> Iterator[Callable[[_Task], dict[str, Any]]]:
    yield _make


def _make(task: _Task) -> dict[str, Any]:
    """Render one video and write its file, its shards and, last, its record."""
    footage = shoot(task.seed, kind_of(task.seed), task.params)
    name = f"{clip_key(task.seed)}.mp4"
    write_atomic(task.out / "videos" / name, footage.mp4)
    with UnitWriter(task.out / "truth", VERSION, PARTITION, task.seed, LAYERS) as unit:
        if footage.sample is not None:
            unit.add(footage.sample)
    record = {
        "digest": task.digest,
        "words": {"file": name, "action": footage.action, "objects": "; ".join(footage.nouns), "licence": LICENCE},
        "screening": _screening(name, task.seed, footage),
        "frames": footage.n_frames,
        "duration_s": footage.duration_s,
        "shards": [shard.to_json() for shard in unit.records],
        "rows": list(unit.rows),
    }
    write_atomic(task.path, json.dumps(record, sort_keys=True).encode())
    return record


def _screening(name: str, seed: int, footage: Footage) -> dict[str, Any]:
    return {
        "uid": name,
        "kind": footage.kind,
        "seed": seed,
        "passes": "no" if footage.gate else "yes",
        "gate": footage.gate,
        "spans": ";".join(f"{a:.3f}-{b:.3f}" for a, b in footage.spans),
    }


def _write_csv(path: Path, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_atomic(path, text.getvalue().encode())


def _finish(truth: Path, made: list[dict[str, Any]], seed: int, n_clips: int, params: StudioParams | None) -> None:
    """Index, manifest and card; shards of videos that are no longer asked for are removed first."""
    kept = {shard["path"] for record in made for shard in record["shards"]}
    for path in sorted((truth / "data" / VERSION).rglob("*.tar")):
        if path.relative_to(truth).as_posix() not in kept:
            path.unlink()
    if not any(record["rows"] for record in made):
        raise DatasetError(f"none of {n_clips} videos from seed {seed} shows an interaction; ask for more clips")
    finish_version(
        truth,
        VERSION,
        shards=[ShardRecord.from_json(shard) for record in made for shard in record["shards"]],
        rows=[row for record in made for row in record["rows"]],
        recipe=_recipe(seed, n_clips, params),
    )


def _recipe(seed: int, n_clips: int, params: StudioParams | None) -> dict[str, Any]:
    options = {"seed": seed, "n_clips": n_clips, "studio": STUDIO_VERSION}
    fixed = {} if params is None else params.model_dump(mode="json")
    return {
        "name": VERSION,
        "schema_version": "2",
        "layers": list(LAYERS),
        "source": {"kind": "studio", "options": options | fixed},
    }


def _silent(_: Step) -> None:
    pass
