"""What a policy's inputs and outputs are normalised by, computed once for a selection of clips and kept."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from hoiset.errors import DatasetError
from hoiset.loaders.running import BINS, Histogram, KeptValues, RunningMoments
from hoiset.loaders.windows import WindowDataset
from hoiset.shards.atomic import write_atomic
from hoiset.shards.codec import canonical_json

VERSION = "1"
"""Raised when the same windows would give other numbers."""
FIELDS = ("count", "absent", "mean", "std", "min", "max", "q01", "q99")


@dataclass(frozen=True)
class KeyStatistics:
    """Of every element of one step of a key; each array has the shape of a step. Steps that are padding do not count.

    Attributes:
        count: Values that were there.
        absent: Values that were NaN.
        mean: NaN, as all that follow, where nothing was there; in the unit of the key.
        std: Population standard deviation.
        min: Least.
        max: Greatest.
        q01: First percentile.
        q99: Last percentile.
        quantile_error: How far ``q01`` and ``q99`` may be off, as a share of ``max - min``: 0 where they are exact.
    """

    count: Int[np.ndarray, "*S"]
    absent: Int[np.ndarray, "*S"]
    mean: Float[np.ndarray, "*S"]
    std: Float[np.ndarray, "*S"]
    min: Float[np.ndarray, "*S"]
    max: Float[np.ndarray, "*S"]
    q01: Float[np.ndarray, "*S"]
    q99: Float[np.ndarray, "*S"]
    quantile_error: float


@dataclass(frozen=True)
class Statistics:
    """Statistics of some keys.

    Attributes:
        digest: Of the clips, their shards, the windows, the keys and the code.
        n_windows: Windows that were looked at.
        keys: Key -> its statistics.
    """

    digest: str
    n_windows: int
    keys: dict[str, KeyStatistics]

    def save(self, path: str | Path) -> None:
        """Write JSON; equal statistics give equal bytes. Raises DatasetError where the disk refuses."""
        keys = {
            name: {"shape": list(key.count.shape), "quantile_error": key.quantile_error}
            | {field: getattr(key, field).ravel() for field in FIELDS}
            for name, key in self.keys.items()
        }
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, canonical_json({"statistics": self.digest, "n_windows": self.n_windows, "keys": keys}))

    @classmethod
    def load(cls, path: str | Path) -> Statistics:
        """Read what :meth:`save` wrote.

        Raises:
            DatasetError: No such file, or another one.
        """
        try:
            found = json.loads(Path(path).read_bytes())
            keys = {name: _key_of(entry) for name, entry in found["keys"].items()}
            return cls(str(found["statistics"]), int(found["n_windows"]), keys)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DatasetError(f"{path} holds no statistics ({error!r}); delete it or name another file") from error


def _key_of(entry: dict[str, Any]) -> KeyStatistics:
    shape = tuple(entry["shape"])
    kinds = {field: np.int64 if field in ("count", "absent") else np.float64 for field in FIELDS}
    arrays = {f: np.array([np.nan if x is None else x for x in entry[f]], kinds[f]).reshape(shape) for f in FIELDS}
    return KeyStatistics(**arrays, quantile_error=float(entry["quantile_error"]))


def compute_statistics(
    windows: WindowDataset,
    keys: Sequence[str] | None = None,
    *,
    store: str | Path | None = None,
    quantile_bytes: int = 1 << 28,
) -> Statistics:
    """Statistics over all windows, or what was stored of the same windows, keys and code before.

    Every clip is read once, in order, whatever its windows: the result depends on nothing else. Quantiles are exact
    while the values fit in memory; otherwise the clips are read a second time for histograms of 4096 bins.

    Args:
        windows: What is normalised; its values are weighted as a training epoch sees them.
        keys: Only these; by default all of floating point. Codes, masks and pixels have no statistics.
        store: A folder, or a ``.json`` file; by default ``hoiset/statistics`` in the user's cache folder.
        quantile_bytes: How many bytes of values are kept, for all keys together, to take exact quantiles of.

    Raises:
        DatasetError: A key that is not in the windows or has no statistics, a shard or the manifest is missing or
            damaged, or ``store`` is a file of something else.
    """
    first = windows.of_clip(0)
    known = [name for name in windows.features if first[name].dtype.kind == "f"]
    chosen = known if keys is None else list(keys)
    for name in chosen:
        if name not in known:
            raise DatasetError(f"no statistics of {name!r}; keys with statistics there: {', '.join(known) or 'none'}")
    digest = _digest(windows, chosen)
    path = Path(store) if store is not None else _default_folder()
    path = path if path.suffix == ".json" else path / f"{digest}.json"
    if path.exists():
        found = Statistics.load(path)
        if found.digest == digest:
            return found
    out = _compute(windows, chosen, {n: first[n].shape[2:] for n in chosen}, digest, quantile_bytes)
    out.save(path)
    return out


def _compute(
    windows: WindowDataset, keys: list[str], shapes: dict[str, tuple[int, ...]], digest: str, quantile_bytes: int
) -> Statistics:
    moments = {name: RunningMoments(int(np.prod(shapes[name]))) for name in keys}
    kept = {name: KeptValues(quantile_bytes // max(len(keys), 1)) for name in keys}
    for name, rows in _rows(windows, keys):
        moments[name].add(rows)
        kept[name].add(rows)
    histograms = {n: Histogram(moments[n].least, moments[n].greatest) for n in keys if not kept[n].fits}
    if histograms:
        for name, rows in _rows(windows, list(histograms)):
            histograms[name].add(rows)
    out = {}
    for name, m in moments.items():
        low, high = (histograms[name] if name in histograms else kept[name]).quantiles()
        there = m.count > 0
        real = {"mean": m.mean, "std": m.std, "min": m.least, "max": m.greatest, "q01": low, "q99": high}
        arrays: dict[str, np.ndarray] = {"count": m.count, "absent": m.absent}
        arrays |= {field: np.where(there, values, np.nan) for field, values in real.items()}
        error = 1 / BINS if name in histograms else 0.0
        out[name] = KeyStatistics(**{f: a.reshape(shapes[name]) for f, a in arrays.items()}, quantile_error=error)
    return Statistics(digest, len(windows), out)


def _rows(windows: WindowDataset, keys: list[str]) -> Iterator[tuple[str, Float[np.ndarray, "N D"]]]:
    for clip in range(windows.n_clips):
        values = windows.of_clip(clip)
        for name in keys:
            steps = values[name][~values[f"{name}_is_pad"]]
            yield name, steps.reshape(len(steps), -1)


def _digest(windows: WindowDataset, keys: list[str]) -> str:
    digest = hashlib.sha256(f"statistics {VERSION} {' '.join(keys)} ".encode())
    add: Callable[[bytes], None] = digest.update
    windows.describe(add)
    return digest.hexdigest()


def _default_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "hoiset" / "statistics"
