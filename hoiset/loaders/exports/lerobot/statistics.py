"""What LeRobot normalises by, of each episode and of all; absent values do not count.

Of numbers, least, greatest, mean, standard deviation and five quantiles of what is there; an element that is never
there has zeros. Of pictures, the same of each colour, 0 .. 1, over a sample of frames. ``count`` is frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from hoiset.loaders.exports.lerobot.episodes import Episode
from hoiset.loaders.exports.lerobot.layout import CAMERA
from hoiset.loaders.running import Histogram, KeptValues, RunningMoments

QUANTILES = (0.01, 0.10, 0.50, 0.90, 0.99)
Stats = dict[str, dict[str, Any]]
"""Column -> name -> numbers, as JSON has them."""


def of_episode(columns: Mapping[str, Shaped[np.ndarray, "N D"]], episode: Episode) -> Stats:
    """Of one episode; ``columns`` are the episode's and LeRobot's own."""
    out: Stats = {}
    for name, values in columns.items():
        rows = values.astype(np.float64)
        moments = RunningMoments(rows.shape[1])
        moments.add(rows)
        out[name] = _named(moments, quantiles(rows), len(rows))
    return out | _pictures(episode.colours, episode.n_pictures)


def quantiles(rows: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "Q D"]:
    """:data:`QUANTILES` of each column by linear interpolation, as numpy's, without what is NaN."""
    ordered = np.sort(rows, axis=0)  # NaN comes last
    last = np.isfinite(rows).sum(0) - 1
    at = np.array(QUANTILES)[:, None] * np.maximum(last, 0)
    low = np.floor(at).astype(np.int64)
    high, column = np.minimum(low + 1, np.maximum(last, 0)), np.arange(rows.shape[1])
    return ordered[low, column] + (ordered[high, column] - ordered[low, column]) * (at - low)


class TotalStatistics:
    """Of all episodes, in bounded memory.

    Quantiles are exact while the values fit; beyond that the episodes are asked for a second time, for histograms of
    4096 bins.
    """

    def __init__(self, kept_bytes: int = 1 << 28) -> None:
        self._kept_bytes = kept_bytes
        self._moments: dict[str, RunningMoments] = {}
        self._kept: dict[str, KeptValues] = {}
        self._colours: Int[np.ndarray, "3 256"] = np.zeros((3, 256), np.int64)
        self._frames = self._pictures = 0

    def add(self, columns: Mapping[str, Shaped[np.ndarray, "N D"]], episode: Episode) -> None:
        """Take in an episode."""
        if not self._moments:
            width = sum(values.shape[1] for values in columns.values())
            self._moments = {name: RunningMoments(values.shape[1]) for name, values in columns.items()}
            share = {name: self._kept_bytes * values.shape[1] // width for name, values in columns.items()}
            self._kept = {name: KeptValues(share[name]) for name in columns}
        for name, values in columns.items():
            self._moments[name].add(values)
            self._kept[name].add(values)
        self._frames += len(next(iter(columns.values())))
        self._colours = self._colours + episode.colours
        self._pictures += episode.n_pictures

    def finish(self, again: Callable[[], Iterable[Mapping[str, Shaped[np.ndarray, "N D"]]]]) -> Stats:
        """The statistics; ``again`` gives the columns of all episodes once more."""
        moments = self._moments
        histograms = {n: Histogram(m.least, m.greatest) for n, m in moments.items() if not self._kept[n].fits}
        if histograms:
            for columns in again():
                for name, histogram in histograms.items():
                    histogram.add(columns[name])
        sources: dict[str, Histogram | KeptValues] = {**self._kept, **histograms}
        out = {name: _named(m, sources[name].quantiles(QUANTILES), self._frames) for name, m in moments.items()}
        return out | _pictures(self._colours, self._pictures)


def _named(moments: RunningMoments, found: Float[np.ndarray, "Q D"], count: int) -> dict[str, Any]:
    parts = {"min": moments.least, "max": moments.greatest, "mean": moments.mean, "std": moments.std}
    parts |= {_quantile_name(q): row for q, row in zip(QUANTILES, found, strict=True)}
    there = moments.count > 0
    return {name: np.where(there, values, 0.0).tolist() for name, values in parts.items()} | {"count": [count]}


def _quantile_name(q: float) -> str:
    return f"q{round(100 * q):02d}"


def _pictures(colours: Int[np.ndarray, "3 256"], count: int) -> Stats:
    if not count:
        return {}
    value, n = np.arange(256) / 255.0, colours.sum(1)
    mean = colours @ value / n
    parts = {"mean": mean, "std": np.sqrt((colours * (value - mean[:, None]) ** 2).sum(1) / n)}
    parts["min"] = value[(colours > 0).argmax(1)]
    parts["max"] = value[255 - (colours[:, ::-1] > 0).argmax(1)]
    up_to = colours.cumsum(1)
    for q in QUANTILES:
        parts[_quantile_name(q)] = value[(up_to > (q * (n - 1))[:, None]).argmax(1)]
    shaped: dict[str, Any] = {name: values.reshape(3, 1, 1).tolist() for name, values in parts.items()}
    return {CAMERA: shaped | {"count": [count]}}
