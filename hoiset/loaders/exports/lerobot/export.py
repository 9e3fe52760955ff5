"""``export_lerobot``: a choice of clips becomes a LeRobot dataset, one episode a clip."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hoiset.errors import DatasetError
from hoiset.filter import Where
from hoiset.loaders.dataset import ClipDataset, load_dataset
from hoiset.loaders.decoding import Size
from hoiset.loaders.exports.lerobot import tables
from hoiset.loaders.exports.lerobot.card import card
from hoiset.loaders.exports.lerobot.episodes import Episode, EpisodeReader
from hoiset.loaders.exports.lerobot.files import CHUNK_FILES, FileNumber, ParquetFiles
from hoiset.loaders.exports.lerobot.layout import CAMERA, SOURCE_FRAME, Actions, Layout
from hoiset.loaders.exports.lerobot.statistics import Stats, TotalStatistics, of_episode
from hoiset.loaders.exports.lerobot.videos import VideoFiles
from hoiset.loaders.windows import WindowDataset
from hoiset.shards.atomic import write_atomic, writing
from hoiset.shards.codec import canonical_json
from hoiset.shards.schema import MAX_OBJECTS, PARTITIONS
from hoiset.shards.staging import check_apart, new_directory

NUMBERED = "chunk-{chunk_index:03d}/file-{file_index:03d}"
DATA_PATH, EPISODES_PATH = f"data/{NUMBERED}.parquet", f"meta/episodes/{NUMBERED}.parquet"
DATA_MB, VIDEO_MB = 100, 200
_EPISODES_AT_ONCE = 50
_worker: EpisodeReader | None = None


@dataclass(frozen=True)
class Exported:
    """What an export made.

    Attributes:
        episodes: How many, one a clip.
        frames: Of all episodes.
        tasks: How many different ones.
        fps: Frames a second.
        copied: Episodes whose video is the clip's own, bit for bit; the others were encoded again.
    """

    episodes: int
    frames: int
    tasks: int
    fps: int
    copied: int


def export_lerobot(
    path: str | Path,
    out: str | Path,
    version: str = "v2",
    *,
    where: Where = None,
    split: str | None = None,
    fps: int | None = None,
    actions: Actions = "absolute",
    video: bool = True,
    size: Size | None = None,
    crf: int = 20,
    workers: int = 0,
    progress: Callable[[int, int], object] = lambda _done, _total: None,
) -> Exported:
    """Write a LeRobot v3.0 dataset (docs/lerobot.md).

    The same clips and options give the same bytes, whatever the number of workers. Memory does not grow with the number
    of clips but for their index.

    Args:
        path: As :func:`hoiset.load_dataset`.
        out: New or empty directory; it appears when it is whole.
        version: Version, the name of the recipe that built it.
        where: Which clips, as :func:`hoiset.load_dataset`.
        split: ``train``, ``validation`` or ``test``; all by default, in that order.
        fps: Frames a second; by default the clips' most common rate, rounded. Clips whose frames lie within half a step
            of that rate are taken frame by frame. Of others, numbers between frames are interpolated as windows are,
            and pictures and codes are those of the nearest frame.
        actions: ``absolute``, the next frame's poses; ``delta``, the wrist's motion to them, in its own frame.
        video: Whether to write pictures.
        size: (height, width) of the pictures, px; by default the clips' own, which must then be one.
        crf: Of pictures that must be encoded again because their rate or size changes, 0 .. 51.
        workers: Processes; 0 does all in this one.
        progress: Called with how many episodes are done, and how many there are.

    Raises:
        DatasetError: No such dataset, version, split or clips, pictures of several sizes, a directory that is not
            empty, a clip that is damaged, or a disk that refuses.
        FilterError: A query that cannot be read.
        VideoError: A video that cannot be read.
    """
    target = Path(out).absolute()
    check_apart(Path(path).absolute(), target)
    layers = ("core", "video") if video else ("core",)
    found = load_dataset(path, version, split, layers=layers, members=(), where=where, format="numpy")
    if not len(found):
        raise DatasetError(f"{path} {version}: no clip matches, expected at least one; change --where or --split")
    clips = ClipDataset(found.reader.ranges, _ordered(found.table), (), format="numpy")
    layout = Layout(_common_fps(clips.table) if fps is None else fps, actions, _n_objects(clips.table))
    picture = (size or _common_size(clips.table)) if video else None
    keys = {key: [0.0] for key in layout.keys}
    by_frame, by_rate = (
        WindowDataset(clips, keys, rate_hz=rate, features=(SOURCE_FRAME,), cache_bytes=1 << 20)
        for rate in (None, layout.fps)
    )
    videos = ClipDataset(clips.reader.ranges, clips.table, ("rgb.mp4",), decode_video=False) if video else None
    reader = EpisodeReader(layout, by_frame, by_rate, videos, picture or (0, 0), crf)
    with new_directory(target) as staging, _Writing(staging, clips.table, layout, picture) as writer:
        for row, episode in enumerate(_episodes(reader, len(clips), workers)):
            writer.add(row, episode)
            progress(row + 1, len(clips))
        return writer.finish(reader, f"{Path(path).name} {version}")


class _Writing:
    """The files of an export that is being written."""

    def __init__(self, root: Path, table: pa.Table, layout: Layout, picture: Size | None) -> None:
        self._root, self._table, self._layout, self._picture = root, table, layout, picture
        self._rows: list[dict[str, Any]] = []
        self._stats: list[Stats] = []
        self._totals = TotalStatistics()
        self._frames = self._copied = 0
        self._open = ExitStack()
        self._data = self._open.enter_context(ParquetFiles(root, DATA_PATH, DATA_MB << 20))
        self._episodes = self._open.enter_context(ParquetFiles(root, EPISODES_PATH, DATA_MB << 20))
        path = f"videos/{CAMERA}/{NUMBERED}.mp4"
        self._videos = self._open.enter_context(VideoFiles(root, path, layout.fps, VIDEO_MB << 20))

    def __enter__(self) -> _Writing:
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    @cached_property
    def _tasks(self) -> dict[str, int]:
        rows = self._table.select(["action", "verb", "nouns"]).to_pylist()
        return {task: i for i, task in enumerate(dict.fromkeys(map(tables.task_of, rows)))}

    def _task(self, number: int) -> str:
        return tables.task_of(self._table.select(["action", "verb", "nouns"]).slice(number, 1).to_pylist()[0])

    def add(self, number: int, episode: Episode) -> None:
        """Append an episode."""
        columns = self._columns(number, self._frames, episode.columns)
        n, first = len(columns["index"]), self._frames
        place = self._data.add(tables.frame_table(columns))
        row = {"episode_index": number, "tasks": [self._task(number)], "length": n, **_numbered("data", place)}
        row |= {"dataset_from_index": first, "dataset_to_index": first + n}
        if episode.video is not None:
            at, prefix = self._videos.add(episode.video), f"videos/{CAMERA}"
            row |= {**_numbered(prefix, at.number), f"{prefix}/from_timestamp": at.from_s}
            row[f"{prefix}/to_timestamp"] = at.to_s
        self._rows.append(row)
        self._stats.append(of_episode(columns, episode))
        self._totals.add(columns, episode)
        self._frames += n
        self._copied += episode.copied
        if len(self._rows) == _EPISODES_AT_ONCE:
            self._flush()

    def _columns(self, number: int, first: int, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        n = len(next(iter(columns.values())))
        task = self._tasks[self._task(number)]
        return {**columns, **tables.frame_columns(n, self._layout.fps, number, first, task)}

    def _flush(self) -> None:
        if self._rows:
            place = self._episodes.place(tables.episode_table(self._rows, self._stats).nbytes)
            rows = [row | _numbered("meta/episodes", place) for row in self._rows]
            self._episodes.add(tables.episode_table(rows, self._stats))
            self._rows, self._stats = [], []

    def finish(self, reader: EpisodeReader, source: str) -> Exported:
        """Write what is known at the end."""
        self._flush()
        self._open.close()
        stats = self._totals.finish(lambda: self._again(reader))
        clips = self._table.select([name for name in tables.CLIP_COLUMNS if name in self._table.column_names])
        number = pa.array(range(len(clips)), pa.int64())
        licences = sorted({x for x in clips["licence"].to_pylist() if x})
        page = card(source, self._layout, licences, video=self._picture is not None)
        with writing(self._root):
            pq.write_table(clips.add_column(0, "episode_index", number), self._root / "meta/clips.parquet")
            pq.write_table(tables.task_table(list(self._tasks)), self._root / "meta/tasks.parquet")
        write_atomic(self._root / "meta/stats.json", canonical_json(stats))
        write_atomic(self._root / "README.md", page.encode())
        write_atomic(self._root / "meta/info.json", canonical_json(self._info()))
        return Exported(len(clips), self._frames, len(self._tasks), self._layout.fps, self._copied)

    def _again(self, reader: EpisodeReader) -> Iterator[dict[str, np.ndarray]]:
        first = 0
        for number in range(self._table.num_rows):
            columns = self._columns(number, first, reader.columns(number))
            first += len(columns["index"])
            yield columns

    def _info(self) -> dict[str, Any]:
        """``meta/info.json``."""
        counts, splits, start = Counter(self._table["partition"].to_pylist()), {}, 0
        for name in PARTITIONS:
            if counts[name]:
                splits[name] = f"{start}:{start + counts[name]}"
                start += counts[name]
        return {
            "codebase_version": "v3.0",
            "robot_type": "human_hands",
            "total_episodes": self._table.num_rows,
            "total_frames": self._frames,
            "total_tasks": len(self._tasks),
            "chunks_size": CHUNK_FILES,
            "data_files_size_in_mb": DATA_MB,
            "video_files_size_in_mb": VIDEO_MB,
            "fps": self._layout.fps,
            "splits": splits,
            "data_path": DATA_PATH,
            "video_path": f"videos/{{video_key}}/{NUMBERED}.mp4" if self._picture is not None else None,
            "features": self._layout.feature_info(self._picture),
        }


def _numbered(prefix: str, number: FileNumber) -> dict[str, int]:
    return {f"{prefix}/chunk_index": number.chunk, f"{prefix}/file_index": number.file}


def _ordered(table: pa.Table) -> pa.Table:
    """By partition, then by key."""
    rank = [PARTITIONS.index(name) for name in table["partition"].to_pylist()]
    return table.take(pa.array(np.lexsort((np.array(table["key"].to_pylist()), np.array(rank)))))


def _n_objects(table: pa.Table) -> int:
    return min(max((n or 0 for n in table["n_objects"].to_pylist()), default=0), MAX_OBJECTS)


def _common_fps(table: pa.Table) -> int:
    rates = Counter(round(rate) for rate in table["fps"].to_pylist() if rate and round(rate) >= 1)
    if not rates:
        raise DatasetError("found no clip of a frame rate of 1 or more a second, expected one; give --fps")
    return min(rates, key=lambda rate: (-rates[rate], rate))


def _common_size(table: pa.Table) -> Size:
    sizes = Counter(zip(table["height"].to_pylist(), table["width"].to_pylist(), strict=True))
    if len(sizes) > 1:
        there = ", ".join(f"{h}x{w} ({n} clips)" for (h, w), n in sorted(sizes.items()))
        raise DatasetError(
            f"found pictures of {there}, expected one size: give --size HEIGHTxWIDTH, to which all are stretched, "
            "or choose by --where 'width = ... and height = ...'"
        )
    (found,) = sizes
    return int(found[0]), int(found[1])


def _episodes(reader: EpisodeReader, n: int, workers: int) -> Iterator[Episode]:
    """Episodes in order; few are held."""
    if workers == 0:
        yield from map(reader, range(n))
        return
    with ProcessPoolExecutor(workers, get_context("forkserver"), _start, (reader,)) as pool:
        try:
            yield from _in_turn(pool, range(n), 2 * workers)
        except BrokenProcessPool as error:
            raise DatasetError("a worker process was killed, perhaps for memory; use fewer --workers") from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _in_turn(pool: ProcessPoolExecutor, rows: Iterable[int], ahead: int) -> Iterator[Episode]:
    waiting: deque[Future[Episode]] = deque()
    for row in rows:
        waiting.append(pool.submit(_read, row))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _start(reader: EpisodeReader) -> None:
    global _worker
    _worker = reader


def _read(row: int) -> Episode:
    assert _worker is not None
    return _worker(row)


def default_workers() -> int:
    """As many as the process may use cores, at most 16."""
    return min(16, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
