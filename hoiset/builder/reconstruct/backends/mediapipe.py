"""MediaPipe 0.10.21 (Apache-2.0, models inside its wheel) as hand detector and person segmenter.

It wants numpy 1, so it runs as an isolated worker; see ``mediapipe_worker.py`` beside this file.
Hands: Zhang et al., "MediaPipe Hands: On-device Real-time Hand Tracking", 2020.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

        With ``video`` the hands are tracked from frame to frame in a graph of its own for this call, so that equal
        frames give equal results.
        """
        found: dict[int, dict[str, np.ndarray]] = {}
        options = {"video": video, "max_hands": MAX_HANDS, "min_detection": 0.5, "min_tracking": 0.5}
        self._worker.process.request("hands", options, _checked(rgb), found.__setitem__)
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

        self._worker.process.request("person", {}, _checked(rgb), append)
        return np.frombuffer(masks, np.uint8).reshape(-1, *shape)


class _Checked:
    """The frames, checked one by one; iterable as often as what it wraps, and saying so in the same way."""

    def __init__(self, rgb: Iterable[np.ndarray]) -> None:
        self._rgb = rgb

    def __iter__(self) -> Iterator[np.ndarray]:
        for index, frame in enumerate(self._rgb):
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or min(frame.shape[:2]) < 2:
                raise ClipError("bad_frame", f"frame {index} is {frame.dtype} {frame.shape}; expected uint8 (H, W, 3)")
            yield frame


def _checked(rgb: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    return iter(_Checked(rgb)) if iter(rgb) is rgb else _Checked(rgb)


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
