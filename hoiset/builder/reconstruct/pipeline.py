"""Pass 2: one clip from pixels to a sample, stage by stage, each cached under what it depends on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from hoiset import video
from hoiset.builder.engine.cache import StageCache, digest_file, digest_json
from hoiset.builder.params import Params
from hoiset.builder.reconstruct.backends.base import HandDetector
from hoiset.builder.reconstruct.camera import CameraParams, estimate_camera
from hoiset.builder.reconstruct.hands import HandParams, reconstruct_hands
from hoiset.builder.reconstruct.object_stage import from_arrays, reconstruct_objects, to_arrays
from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.package import StageRecord, make_sample
from hoiset.builder.records import Camera, Clip, Frames, HandDetections, Hands
from hoiset.errors import ClipError, VideoError
from hoiset.shards.schema import Sample

DETECT_VERSION = "1"
HANDS_VERSION = "1"
OBJECTS_VERSION = "1"


class VideoParams(Params):
    """How clips are sampled and stored.

    Attributes:
        short_side_px: Larger videos are shrunk to this; smaller ones stay.
        max_fps: Higher frame rates are thinned to this, Hz.
        crf: H.264 constant rate factor.
        gop: Greatest distance between key frames, frames.
    """

    short_side_px: int = 720
    max_fps: float = 31.0
    crf: int = 20
    gop: int = 8


class ReconstructParams(Params):
    """Parameters of all stages of pass 2."""

    video: VideoParams = VideoParams()
    camera: CameraParams = CameraParams()
    hands: HandParams = HandParams()
    objects: ObjectParams = ObjectParams()


@dataclass(frozen=True)
class Backends:
    """The models that pass 2 runs on.

    Attributes:
        hands: Finds hands in frames.
    """

    hands: HandDetector


@dataclass(frozen=True)
class _Decoded:
    """What one pass over the file leaves in memory: small frames and times, never the full-size clip."""

    small: np.ndarray
    time: np.ndarray
    size: tuple[int, int]


def reconstruct_clip(
    clip: Clip, backends: Backends, params: ReconstructParams, cache: StageCache, provenance: dict[str, Any]
) -> Sample:
    """Reconstruct one clip.

    Args:
        clip: A span of a video file that passed the screen.
        backends: Models.
        params: Parameters of every stage.
        cache: Results of earlier runs.
        provenance: ``hoiset``, ``recipe``, ``recipe_digest``, ``profile`` of the build.

    Returns:
        A sample with every member of the core and video layers.

    Raises:
        ClipError: The clip cannot be reconstructed.
        BackendUnavailable: A model cannot be started.
    """
    source = digest_json([digest_file(clip.video.path), clip.start_s, clip.end_s])
    frames_seen = _FramesSeen(clip, params)
    detections, detect = _detect(frames_seen, source, backends.hands, params, cache)
    decoded = frames_seen.finish()
    given = digest_json([clip.video.focal_px, clip.video.gravity])
    camera = _camera(clip, decoded, detections, params)
    hands, lift = _hands(detections, camera, decoded.time, [detect.digest, given], params, cache)
    arrays, digest = cache.run(
        "objects",
        OBJECTS_VERSION,
        params.objects,
        [source, lift.digest],
        lambda: to_arrays(reconstruct_objects(decoded.small, decoded.time, hands, camera, params.objects)),
    )
    objects = from_arrays(arrays)
    stages = (detect, lift, StageRecord("objects", OBJECTS_VERSION, "static_camera", digest))
    rgb_mp4 = video.encode_mp4(
        (rgb for _, rgb in _frames(clip, params)), decoded.time, crf=params.video.crf, gop=params.video.gop
    )
    return make_sample(clip, decoded.time, camera, hands, objects, rgb_mp4, stages, provenance)


def _frames(clip: Clip, params: ReconstructParams) -> Iterator[tuple[float, np.ndarray]]:
    return video.iter_frames(
        clip.video.path,
        start_s=clip.start_s,
        end_s=clip.end_s,
        max_fps=params.video.max_fps,
        short_side_px=params.video.short_side_px,
    )


class _FramesSeen:
    """Passes frames on to a detector and keeps a small copy of each."""

    def __init__(self, clip: Clip, params: ReconstructParams) -> None:
        self._clip, self._params = clip, params
        self._small: list[np.ndarray] = []
        self._time: list[float] = []
        self._size = (0, 0)

    def __iter__(self) -> Iterator[np.ndarray]:
        self._small, self._time = [], []
        try:
            for time_s, rgb in _frames(self._clip, self._params):
                height, width = rgb.shape[:2]
                self._size = (width, height)
                shrink = min(1.0, self._params.objects.work_short_side_px / min(height, width))
                small = (round(width * shrink), round(height * shrink))
                self._small.append(rgb if shrink == 1.0 else cv2.resize(rgb, small, interpolation=cv2.INTER_AREA))
                self._time.append(time_s)
                yield rgb
        except VideoError as error:
            raise ClipError("no_video", str(error)) from error

    def finish(self) -> _Decoded:
        """What was seen; decodes now if the detector's result came from the cache."""
        if not self._small:
            for _ in self:
                pass
        if len(self._small) < 2:
            raise ClipError("too_short", f"{len(self._small)} frames")
        time = np.array(self._time, np.float64)
        return _Decoded(np.stack(self._small), time - time[0], self._size)


def _detect(
    frames: _FramesSeen, source: str, detector: HandDetector, params: ReconstructParams, cache: StageCache
) -> tuple[HandDetections, StageRecord]:
    backend = f"{detector.name} {detector.version}"
    arrays, digest = cache.run(
        "detect_hands",
        DETECT_VERSION,
        params.video,
        [source],
        lambda: {k: np.asarray(v) for k, v in vars(detector.detect(iter(frames), video=True)).items()},
        backend,
    )
    return HandDetections(**arrays), StageRecord("detect_hands", DETECT_VERSION, backend, digest)


def _camera(clip: Clip, decoded: _Decoded, detections: HandDetections, params: ReconstructParams) -> Camera:
    native_width = video.probe(clip.video.path).width
    shell = Frames(np.zeros((len(decoded.time), decoded.size[1], decoded.size[0], 0), np.uint8), decoded.time)
    return estimate_camera(clip.video, shell, detections, native_width, params.camera)


def _hands(
    detections: HandDetections,
    camera: Camera,
    time: np.ndarray,
    inputs: list[str],
    params: ReconstructParams,
    cache: StageCache,
) -> tuple[Hands, StageRecord]:
    def compute() -> dict[str, np.ndarray]:
        hands = asdict(reconstruct_hands(detections, camera, time, params.hands))
        hands["fallbacks"] = np.array(hands["fallbacks"], dtype=np.str_)
        return hands

    settings = digest_json(params.camera.model_dump(mode="json"))
    arrays, digest = cache.run("hands", HANDS_VERSION, params.hands, [*inputs, settings], compute)
    fallbacks = tuple(str(f) for f in arrays.pop("fallbacks"))
    return Hands(**arrays, fallbacks=fallbacks), StageRecord("hands", HANDS_VERSION, "pnp", digest)
