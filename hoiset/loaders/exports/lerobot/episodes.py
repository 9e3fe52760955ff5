"""One clip as an episode: its rows, and its video at the export's constant rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped

from hoiset.loaders.dataset import ClipDataset
from hoiset.loaders.decoding import Size, VideoCache
from hoiset.loaders.exports.lerobot.layout import FRAME, Layout
from hoiset.loaders.windows import WindowDataset
from hoiset.video import encode_mp4, read_frame_table

N_PICTURES = 8
"""Frames of an episode that picture statistics are made of, as LeRobot takes a sample."""
_SHORT_SIDE_PX = 150
_AT_ONCE = 16


@dataclass(frozen=True)
class Episode:
    """A clip, exported.

    Attributes:
        columns: Name -> (N, D); NaN where absent.
        video: An mp4 of N frames; ``None`` without one.
        copied: Whether the video is the clip's own, bit for bit.
        colours: (3, 256) how often each value of red, green and blue is in the sampled pictures.
        n_pictures: How many were sampled.
    """

    columns: dict[str, Shaped[np.ndarray, "N D"]]
    video: bytes | None
    copied: bool
    colours: Int[np.ndarray, "3 256"]
    n_pictures: int


@dataclass(frozen=True)
class EpisodeReader:
    """Makes episodes of the rows of a dataset; can be sent to workers.

    Attributes:
        layout: What an episode holds.
        by_frame: One window at every frame of a clip.
        by_rate: One window at every step of the export's rate.
        videos: The same clips' encoded videos, or ``None``.
        size: (height, width) of the export's pictures, px.
        crf: Of the videos that are encoded again, 0 .. 51.
    """

    layout: Layout
    by_frame: WindowDataset
    by_rate: WindowDataset
    videos: ClipDataset | None
    size: Size
    crf: int

    def columns(self, row: int) -> dict[str, Shaped[np.ndarray, "N D"]]:
        """The rows of a clip without its video.

        A clip of the export's rate is taken frame by frame, although its clock may jitter or run a little fast or slow:
        frame i must lie within half a step of i / fps. Any other is sampled at the rate.
        """
        found = self.by_frame.of_clip(row)
        time = found["time"][:, 0]
        off = np.abs(time - time[0] - self._times(len(time)))
        near = off.max() <= 0.5 / self.layout.fps
        return self.layout.rows(found if near else self.by_rate.of_clip(row))

    def __call__(self, row: int) -> Episode:
        """The clip of a row.

        Raises:
            DatasetError: A shard is missing or damaged.
            VideoError: The video is not what the dataset says, or cannot be decoded.
        """
        columns = self.columns(row)
        if self.videos is None:
            return Episode(columns, None, False, np.zeros((3, 256), np.int64), 0)
        mp4 = bytes(self.videos[row]["rgb"])
        frames = columns[FRAME][:, 0]
        table, cache = read_frame_table(mp4), VideoCache()
        stored = (table.height, table.width)
        resize = None if stored == self.size else self.size
        picked = np.unique(table.start[frames[np.linspace(0, len(frames) - 1, N_PICTURES).astype(int)]])
        pictures = cache.frames(row, lambda: mp4, picked, resize=resize)
        step = max(1, min(self.size) // _SHORT_SIDE_PX)
        flat = pictures[:, ::step, ::step].reshape(-1, 3)
        colours = np.stack([np.bincount(flat[:, c], minlength=256) for c in range(3)])
        copied = resize is None and np.array_equal(frames, np.arange(len(table)))
        if not copied:
            mp4 = encode_mp4(self._pictures(cache, row, mp4, frames, resize), self._times(len(frames)), crf=self.crf)
        return Episode(columns, mp4, copied, colours, len(picked))

    def _times(self, n: int) -> np.ndarray:
        return np.arange(n) / self.layout.fps

    @staticmethod
    def _pictures(
        cache: VideoCache, row: int, mp4: bytes, frames: Int[np.ndarray, "N"], resize: Size | None
    ) -> Iterator[np.ndarray]:
        for start in range(0, len(frames), _AT_ONCE):
            yield from cache.frames(row, lambda: mp4, frames[start : start + _AT_ONCE], resize=resize)
