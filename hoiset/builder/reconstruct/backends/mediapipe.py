"""MediaPipe 0.10.21 (Apache-2.0, models inside its wheel) as hand detector and person segmenter.

It wants numpy 1, so it runs as an isolated worker; see ``mediapipe_worker.py`` beside this file.
Hands: Zhang et al., "MediaPipe Hands: On-device Real-time Hand Tracking", 2020.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from hoiset.builder.engine.worker import IsolatedWorker
from hoiset.builder.records import HandDetections
from hoiset.errors import ClipError

MEDIAPIPE_VERSION = "0.10.21"
MAX_HANDS = 4
SCRIPT = Path(__file__).with_name("mediapipe_worker.py")


class MediaPipeWorker:
    """The one process that both MediaPipe backends of a build share; a context manager."""

    def __init__(self, *, start_timeout_s: float = 900.0) -> None:
        self.process = IsolatedWorker(SCRIPT, start_timeout_s=start_timeout_s)

    def __enter__(self) -> MediaPipeWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> dict[str, Any]:
        """Start the process unless it runs; returns its hello. Raises BackendUnavailable."""
        return self.process.start()

    def close(self) -> None:
        """End the process."""
        self.process.close()


class _MediaPipeBackend:
    """What both backends share: a name, a version with the weights' digest, the context manager."""

    name = "mediapipe"
    _operation = ""

    def __init__(self, worker: MediaPipeWorker) -> None:
        self._worker = worker

    @property
    def version(self) -> str:
        """Version and weights, ``mediapipe-0.10.21+<8 hex digits>``. Starts the worker; raises BackendUnavailable."""
        hello = self._worker.start()
        return f"mediapipe-{hello['version']}+{hello['digests'][self._operation][:8]}"


class MediaPipeHands(_MediaPipeBackend):
    """Hand detector: up to four hands a frame, 21 joints each. Implements ``HandDetector``."""

    name = "mediapipe-hands"
    _operation = "hands"

    def detect(self, rgb: Iterable[UInt8[np.ndarray, "H W 3"]], *, video: bool) -> HandDetections:
        """Detect hands; see :class:`hoiset.builder.reconstruct.backends.base.HandDetector`.

        With ``video`` palms are looked for in squares of several scales and the hands found are followed from frame to
        frame; where ``rgb`` is a sequence, hands are then also followed backward from where they were first found.
        """
        found: dict[int, dict[str, np.ndarray]] = {}
        request = self._worker.process.request
        request("hands", {"video": video, "max_hands": MAX_HANDS}, _Items(rgb).once_or_again(), found.__setitem__)
        if video and isinstance(rgb, np.ndarray | Sequence):
            added: dict[int, dict[str, np.ndarray]] = {}
            backward = _Items(rgb[::-1], [found[i]["landmarks_px"] for i in reversed(range(len(found)))])
            request("fill", {"max_hands": MAX_HANDS}, backward, added.__setitem__)
            for i, more in added.items():
                here = found[len(found) - 1 - i]
                here.update({name: np.concatenate([a, more[name]]) for name, a in here.items()})
        return _pad([found[i] for i in range(len(found))])


class MediaPipePerson(_MediaPipeBackend):
    """Person segmenter. Implements ``PersonSegmenter``."""

    name = "mediapipe-person"
    _operation = "person"

    def segment(self, rgb: Iterable[UInt8[np.ndarray, "H W 3"]]) -> UInt8[np.ndarray, "T H W"]:
        """Segment people; see :class:`hoiset.builder.reconstruct.backends.base.PersonSegmenter`."""
        masks = bytearray()
        shape: tuple[int, ...] = (0, 0)

        def append(index: int, arrays: dict[str, np.ndarray]) -> None:
            nonlocal shape
            shape = arrays["person"].shape
            del masks[index * arrays["person"].size :]
            masks.extend(arrays["person"].reshape(-1).data)

        self._worker.process.request("person", {}, _Items(rgb).once_or_again(), append)
        return np.frombuffer(masks, np.uint8).reshape(-1, *shape)


class _Items:
    """What the worker gets for each frame; iterable as often as the frames are."""

    def __init__(self, rgb: Iterable[np.ndarray], known: list[np.ndarray] | None = None) -> None:
        self._rgb = rgb
        self._known = known

    def once_or_again(self) -> Iterable[dict[str, np.ndarray]]:
        """Itself, or an iterator where the frames are one: the worker's handle asks which it is before it retries."""
        return iter(self) if iter(self._rgb) is self._rgb else self

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        for index, frame in enumerate(self._rgb):
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or min(frame.shape[:2]) < 2:
                raise ClipError("bad_frame", f"frame {index} is {frame.dtype} {frame.shape}; expected uint8 (H, W, 3)")
            yield {"frame": frame} if self._known is None else {"frame": frame, "known": self._known[index]}


def _pad(found: list[dict[str, np.ndarray]]) -> HandDetections:
    """Detections of all frames with as many slots as the fullest frame needs, at least one."""
    t, n = len(found), max([1, *(len(f["score"]) for f in found)])
    landmarks, world = np.full((t, n, 21, 2), np.nan), np.full((t, n, 21, 3), np.nan)
    right, score = np.full((t, n), 0.5), np.zeros((t, n))
    for i, f in enumerate(found):
        k = len(f["score"])
        landmarks[i, :k], world[i, :k] = f["landmarks_px"], f["world_m"]
        right[i, :k], score[i, :k] = f["right_probability"], f["score"]
    return HandDetections(landmarks, world, right, score)
