"""``WindowDataset``: what a policy learns from, observations and actions in windows of seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from hoiset.errors import DatasetError
from hoiset.loaders.clip_cache import ClipCache, ClipValues
from hoiset.loaders.dataset import ClipDataset, Format
from hoiset.loaders.decoding import Backend, Colour, Size, VideoCache
from hoiset.loaders.digests import code_digest, describe, shard_digests
from hoiset.loaders.features import (
    FEATURES,
    Feature,
    Moments,
    kind_of,
    member_feature,
    presence,
    steps_before,
)
from hoiset.loaders.interpolation import Places, locate
from hoiset.loaders.names import item_name
from hoiset.loaders.placement import Placement
from hoiset.loaders.spans import Spans, last_times
from hoiset.shards.codec import canonical_json
from hoiset.shards.schema import ARRAY_SUFFIXES, MAX_OBJECTS

TIME, CLIP = "time.npy", "clip.json"
AHEAD_BYTES = 1 << 26
"""Most bytes of videos that are read at once for a batch."""
_Ahead = dict[tuple[int, str], memoryview]


@dataclass(frozen=True)
class _Group:
    """Keys that are asked for at the same times."""

    deltas: Float[np.ndarray, "n"]
    before: Float[np.ndarray, "n"]
    features: tuple[Feature, ...]
    videos: tuple[str, ...]


class WindowDataset:
    """A map-style dataset of windows over the clips of a :class:`ClipDataset`, whatever members that reads itself.

    A window is placed at a time *now* of a clip. For every key of ``delta_timestamps`` an item holds

    - ``<key>``: (n, ...), its value at now plus each of the n seconds. Times out of the clip are clamped to its first
      or last frame. A time within 0.1 ms of a frame is that frame's, bit for bit. Between two frames positions go
      straight, rotations along SO(3), scores straight, and codes and pixels are those of the nearest frame (the earlier
      of two as near). A value is NaN (a score 0) where it is absent in either of the two;
    - ``<key>_is_pad``: (n,) bool, true where the time is out of the clip;
    - ``<key>_mask``: (n,), (n, 2), (n, 8) or (n, 2, 8) bool, which hands, objects or pairs are there; not for all keys.

    And ``key`` (of the clip), ``index`` (of the window), ``timestamp`` (now, s from the clip's start) and ``task``
    (the clip's action in words, ``""`` where there is none).

    Keys are the array members by their item names (``hand_joints``), videos (``rgb`` (n, H, W, 3) uint8; ``depth``,
    ``masks`` (n, H, W)), a robot's ``<robot>_q``, ``<robot>_root`` and ``<robot>_source`` where the dataset has that
    layer, and what is made of them: :data:`hoiset.loaders.features.FEATURES`.

    It keeps of the index 40 bytes a clip and 20 for each member it reads, besides keys and tasks, reads each clip's
    members once while they are in the cache, and can be pickled: every process opens its own files.

    Attributes:
        features: Key -> what it is, for all keys but videos.
        decoder: What decodes H.264, ``pyav`` or ``torchcodec``.
    """

    def __init__(
        self,
        clips: ClipDataset,
        delta_timestamps: Mapping[str, Sequence[float]],
        *,
        stride_s: float | None = None,
        rate_hz: float | None = None,
        pad: bool = True,
        object: int | Literal["manipulated"] = "manipulated",
        resize: Size | Mapping[str, Size] | None = None,
        features: Iterable[Feature] = (),
        format: Format | None = None,
        decoder: Backend = "pyav",
        colour: Colour = "exact",
        cache_bytes: int = 1 << 28,
        max_open_videos: int = 16,
    ) -> None:
        """Open windows; no shard is read yet.

        Args:
            clips: The clips, in their order.
            delta_timestamps: Key -> seconds from now, increasing.
            stride_s: A window every so many seconds from the clip's first frame on; at every frame by default.
            rate_hz: The same as a rate, 1 / ``stride_s``.
            pad: Whether windows may reach out of their clip; ``False`` (with a stride) leaves those out.
            object: The object that keys about an object mean: its slot, or the first one marked as manipulated in
                ``clip.json``; without one those keys are NaN.
            resize: (h, w) of frames, for all videos or by key; they are stretched to it, and ``hand_joints_2d`` and the
                camera's K stay in pixels of the original. See :meth:`VideoCache.frames` for how.
            features: More keys, of your own; they go before those of the same name.
            format: ``torch`` or ``numpy``; as ``clips`` by default.
            decoder: ``pyav`` or ``torchcodec``, which is faster where it is installed and differs by rounding and in
                how it enlarges the colour planes.
            colour: ``exact`` pixels, those of the whole clip, or ``fast`` ones, whose 2x2 neighbours share a colour
                difference: without ``resize`` twice as fast, with it the same.
            cache_bytes: Most bytes of low-dimensional members kept in each process.
            max_open_videos: Most videos kept open in each process.

        Raises:
            DatasetError: An unknown key or option, or times that do not increase; the message lists what is there.
            MissingDependency: A decoder that does not import.
        """
        if not isinstance(clips, ClipDataset):
            raise DatasetError(
                f"found {type(clips).__name__}, expected a ClipDataset: windows are drawn at random, also of a dataset "
                "that lies elsewhere; leave out streaming=True"
            )
        if stride_s is not None and rate_hz is not None:
            raise DatasetError("found both stride_s and rate_hz, expected at most one")
        if rate_hz is not None and not rate_hz > 0:
            raise DatasetError(f"found rate_hz={rate_hz}, expected a positive rate")
        if object != "manipulated" and not (isinstance(object, int) and 0 <= object < MAX_OBJECTS):
            raise DatasetError(f"found object={object!r}, expected 'manipulated' or a slot 0 .. {MAX_OBJECTS - 1}")
        if format not in (None, "torch", "numpy"):
            raise DatasetError(f"unknown format {format!r}; expected 'torch' or 'numpy'")
        table, there = clips.table, _members(clips.table)
        mine = {f.name: f for f in features}
        deltas = {key: _checked_deltas(key, seconds) for key, seconds in delta_timestamps.items()}
        if not deltas:
            raise DatasetError("found no keys in delta_timestamps, expected at least one")
        self._videos = {key: there[key] for key in deltas if key not in mine and _is_video(there.get(key, ""))}
        self.features = {key: _feature(key, there, mine) for key in deltas if key not in self._videos}
        self._groups = _group(deltas, self.features, self._videos)
        self._object, self._format = object, format or clips.format
        self._sizes = _sizes(resize, tuple(self._videos))
        items = dict.fromkeys(name for f in self.features.values() for name in f.members)
        needs_clip = object == "manipulated" and any(f.needs_object for f in self.features.values())
        names = dict.fromkeys([TIME, *((CLIP,) if needs_clip else ()), *(there[name] for name in items)])
        self._kinds = {name: kind for name in items if (kind := kind_of(name)) is not None}
        self._reader = clips.reader
        self._keys, self._tasks = table["key"].combine_chunks(), table["action"].combine_chunks()
        self._n_frames = table["n_frames"].to_numpy()
        self._cache = ClipCache(Spans.of(table, list(names)), cache_bytes)
        self._video_spans = Spans.of(table, list(self._videos.values()))
        self._frames = VideoCache(decoder, colour=colour, max_open=max_open_videos)
        stride = 1.0 / rate_hz if rate_hz is not None else stride_s
        reach = np.concatenate(list(deltas.values()))
        self._placement = Placement.of(self._n_frames, last_times(table), reach, stride, pad=pad)

    def __len__(self) -> int:
        return len(self._placement)

    @property
    def decoder(self) -> Backend:
        """What decodes H.264."""
        return self._frames.backend

    @property
    def n_clips(self) -> int:
        """Number of clips, with or without windows."""
        return len(self._n_frames)

    @property
    def keys(self) -> list[str]:
        """Keys of the clips."""
        return list(self._keys.to_pylist())

    @property
    def shard_numbers(self) -> Int[np.ndarray, "W"]:
        """Number of the shard of each window's clip, (W,)."""
        return np.repeat(self._cache.spans.shard[:, 0].astype(np.int64), np.diff(self._placement.starts))

    def windows_of(self, clip: int) -> range:
        """Indices of the windows of a clip, by the clip's number."""
        return range(int(self._placement.starts[clip]), int(self._placement.starts[clip + 1]))

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The window at ``index``; negative counts from the end.

        Raises:
            IndexError: Out of range.
            DatasetError: A shard is missing or damaged.
            VideoError: A frame cannot be decoded.
        """
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Windows, for which what is not at hand is read together; what `DataLoader` asks for a batch."""
        n = len(self)
        for index in indices:
            if not -n <= index < n:
                raise IndexError(f"index {index} of a dataset of {n} windows")
        at = [int(index) % n for index in indices]
        places = [self._placement.clip(index) for index in at]
        rows = [row for row, _ in places]
        clips = self._clips(rows)
        ahead = self._read_ahead(dict.fromkeys(rows)) if self._videos else {}
        return [
            self._item(index, row, number, clip, ahead)
            for index, (row, number), clip in zip(at, places, clips, strict=True)
        ]

    def _item(self, index: int, row: int, number: int, clip: ClipValues, ahead: _Ahead) -> dict[str, Any]:
        now = self._placement.at(clip.time, np.asarray(number))
        item: dict[str, Any] = {
            "key": self._keys[row].as_py(),
            "index": index,
            "timestamp": float(now),
            "task": self._tasks[row].as_py() or "",
        }
        for group in self._groups:
            places = locate(clip.time, now + group.deltas)
            arrays = self._values(clip, now, group, places)
            for key in group.videos:
                arrays[key], arrays[f"{key}_is_pad"] = self._pixels(row, key, places, ahead), places.is_pad.copy()
            item.update(arrays if self._format == "numpy" else _to_torch(arrays))
        return item

    def of_clip(self, clip: int) -> dict[str, np.ndarray]:
        """All windows of a clip at once, without videos.

        Args:
            clip: Number of the clip.

        Returns:
            What an item holds for each key but videos, stacked: ``<key>`` (W, n, ...), ``<key>_is_pad`` (W, n) and
            ``<key>_mask`` (W, n, ...), in numpy.
        """
        (values,) = self._clips([clip])
        now = self._placement.times(clip, values.time)
        out: dict[str, np.ndarray] = {}
        for group in self._groups:
            places = locate(values.time, now[:, None] + group.deltas)
            out.update(self._values(values, now, group, places))
        return out

    def describe(self, add: Callable[[bytes], None]) -> None:
        """Feed a digest with all that the windows' values without videos depend on: shards, clips, windows, and code.

        Args:
            add: As ``hashlib.sha256().update``.

        Raises:
            DatasetError: The version has no manifest, or it does not know a shard.
        """
        spans = self._cache.spans
        shards = shard_digests(self._reader, spans.shards)
        plan = {
            "shards": shards,
            "members": spans.members,
            "groups": [(g.deltas.tolist(), [describe(f) for f in g.features]) for g in self._groups],
            "placement": [self._placement.stride_s, self._placement.first_s],
            "object": self._object,
            "code": code_digest(),
        }
        add(canonical_json(plan))
        for array in (spans.shard, spans.offset, spans.size, self._placement.starts):
            add(np.ascontiguousarray(array).tobytes())

    def _clips(self, rows: Sequence[int]) -> list[ClipValues]:
        return self._cache.get(self._reader, rows, [int(self._n_frames[row]) for row in rows])

    def _values(self, clip: ClipValues, now: np.ndarray, group: _Group, places: Places) -> dict[str, np.ndarray]:
        """Values, padding and masks of a group's features for windows placed at ``now`` (*B)."""
        out: dict[str, np.ndarray] = {}
        at = Moments(clip, self._kinds, places, now[..., None], now[..., None] + group.before, self._slot(clip))
        for feature in group.features:
            value = feature.value(at)
            pad = places.is_pad | at.before_places.is_pad if feature.needs_before else places.is_pad.copy()
            out[feature.name], out[f"{feature.name}_is_pad"] = value, pad
            if feature.entities is not None:
                out[f"{feature.name}_mask"] = (
                    at.present(feature.name, feature.entities)
                    if feature.is_member
                    else presence(feature.name, value, pad.ndim + feature.entities)
                )
        return out

    def _slot(self, clip: ClipValues) -> int | None:
        if self._object != "manipulated":
            return self._object
        slots = (i for i, found in enumerate(clip.clip.get("objects", ())) if found["manipulated"])
        return next(slots, None)

    def _pixels(self, row: int, key: str, places: Places, ahead: _Ahead) -> np.ndarray:
        member = self._videos[key]
        return self._frames.frames(
            (row, key),
            partial(self._read_video, row, member, ahead),
            places.nearest,
            lossless=member.endswith(".mkv"),
            resize=self._sizes.get(key),
            n_frames=int(self._n_frames[row]),
        )

    def _read_video(self, row: int, member: str, ahead: _Ahead) -> bytes:
        found = ahead.pop((row, member), None)
        return bytes(self._video_spans.read(self._reader, [row], (member,))[0][member] if found is None else found)

    def _read_ahead(self, rows: Iterable[int]) -> _Ahead:
        """Videos of clips that are not open, as many as are no burden."""
        spans, left, wanted = self._video_spans, AHEAD_BYTES, list[int]()
        for row in rows:
            if not all((row, key) in self._frames for key in self._videos):
                left -= int(spans.size[row].sum())
                if left < 0:
                    break
                wanted.append(row)
        if len(wanted) < 2:
            return {}
        found = spans.read(self._reader, wanted)
        return {(row, name): part for row, parts in zip(wanted, found, strict=True) for name, part in parts.items()}


def _members(table: pa.Table) -> dict[str, str]:
    """Item name -> member name, of what the clips have."""
    if not table.num_rows:
        raise DatasetError("found no clips to take windows of; change the filter")
    return {item_name(span["member"]): span["member"] for span in table["members"][0].as_py()}


def _is_video(member: str) -> bool:
    return member.endswith((".mp4", ".mkv"))


def _feature(key: str, there: Mapping[str, str], mine: Mapping[str, Feature]) -> Feature:
    feature = mine.get(key) or FEATURES.get(key)
    if feature is None and there.get(key, "").endswith(ARRAY_SUFFIXES) and kind_of(key) is not None:
        feature = member_feature(key)
    missing = () if feature is None else [m for m in feature.members if not there.get(m, "").endswith(ARRAY_SUFFIXES)]
    if feature is None or missing:
        members = [k for k, name in there.items() if _is_video(name) or (name.endswith(ARRAY_SUFFIXES) and kind_of(k))]
        why = f" (it needs {', '.join(missing)})" if missing else ""
        raise DatasetError(
            f"no key {key!r}{why}; members there: {', '.join(sorted(members))}; "
            f"made of them: {', '.join(sorted({**FEATURES, **mine}))}"
        )
    return feature


def _checked_deltas(key: str, seconds: Sequence[float]) -> Float[np.ndarray, "n"]:
    deltas = np.asarray(seconds, np.float64)
    if deltas.ndim != 1 or not deltas.size or not np.isfinite(deltas).all() or (np.diff(deltas) <= 0).any():
        raise DatasetError(f"{key}: found the seconds {seconds!r}, expected a list of increasing numbers")
    return deltas


def _group(
    deltas: Mapping[str, np.ndarray], features: Mapping[str, Feature], videos: Mapping[str, str]
) -> tuple[_Group, ...]:
    together: dict[tuple[float, ...], list[str]] = {}
    for key, seconds in deltas.items():
        together.setdefault(tuple(seconds.tolist()), []).append(key)
    return tuple(
        _Group(
            np.array(seconds),
            steps_before(np.array(seconds)),
            tuple(features[k] for k in keys if k in features),
            tuple(k for k in keys if k in videos),
        )
        for seconds, keys in together.items()
    )


def _sizes(resize: Size | Mapping[str, Size] | None, videos: tuple[str, ...]) -> dict[str, Size]:
    sizes = {} if resize is None else dict(resize) if isinstance(resize, Mapping) else dict.fromkeys(videos, resize)
    for key, size in sizes.items():
        if key not in videos:
            raise DatasetError(f"resize: found {key!r}, expected some of the videos asked for: {', '.join(videos)}")
        if len(size) != 2 or any(not isinstance(n, int) or n < 1 for n in size):
            raise DatasetError(f"resize: found {size!r} for {key}, expected (height, width) in px")
    return {key: (size[0], size[1]) for key, size in sizes.items()}


def _to_torch(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    import torch

    return {name: torch.from_numpy(array) for name, array in arrays.items()}
