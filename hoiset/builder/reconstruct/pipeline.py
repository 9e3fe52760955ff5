"""Pass 2: one clip from pixels to a sample, stage by stage, each cached under what it depends on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import cv2
import numpy as np

from hoiset import video
from hoiset.builder.engine.cache import StageCache, digest_file, digest_json
from hoiset.builder.params import Params
from hoiset.builder.reconstruct.backends.base import HandDetector, PersonSegmenter
from hoiset.builder.reconstruct.camera import CameraParams, estimate_camera
from hoiset.builder.reconstruct.given import Given, GivenSource
from hoiset.builder.reconstruct.hands import HandParams, reconstruct_hands
from hoiset.builder.reconstruct.object_stage import from_arrays, reconstruct_objects, to_arrays
from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.objects.people import PeopleMasks
from hoiset.builder.reconstruct.objects.states import sample_indices
from hoiset.builder.reconstruct.package import StageRecord, make_sample
from hoiset.builder.records import Camera, Clip, Frames, HandDetections, Hands
from hoiset.errors import ClipError, VideoError
from hoiset.shards.schema import Sample

DETECT_VERSION = "3"
HANDS_VERSION = "7"
PEOPLE_VERSION = "1"
OBJECTS_VERSION = "16"


class VideoParams(Params):
    """How clips are sampled and stored.

    Attributes:
        short_side_px: Larger videos are stored shrunk to this; smaller ones stay.
        detect_short_side_px: Models look at frames shrunk to this.
        person_rate_hz: Rate at which people are segmented.
        max_fps: Higher frame rates are thinned to this, Hz.
        crf: H.264 constant rate factor.
        gop: Greatest distance between key frames, frames.
    """

    short_side_px: int = 720
    detect_short_side_px: int = 480
    person_rate_hz: float = 2.0
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
        person: Separates people from the rest.
    """

    hands: HandDetector
    person: PersonSegmenter


def reconstruct_clip(
    clip: Clip,
    backends: Backends,
    params: ReconstructParams,
    cache: StageCache,
    provenance: dict[str, Any],
    given: GivenSource | None = None,
) -> Sample:
    """Reconstruct one clip.

    Args:
        clip: A span of a video file that passed the screen.
        backends: Models.
        params: Parameters of every stage.
        cache: Results of earlier runs.
        provenance: ``hoiset``, ``recipe``, ``recipe_digest``, ``profile`` of the build.
        given: What is known of clips from elsewhere; it replaces what the stages would have estimated.

    Returns:
        A sample with every member of the core and video layers.

    Raises:
        ClipError: The clip cannot be reconstructed.
        BackendUnavailable: A model cannot be started.
    """
    source = digest_json([_digest_video(clip), clip.start_s, clip.end_s])
    frames = decode_clip(clip, params.video)
    known = given(clip, frames.start_s + frames.time, frames.size) if given else Given()
    if known.detections is None:
        detections, detect = _detect(frames, source, backends.hands, params, cache)
    else:
        detections, detect = known.detections, StageRecord("detect_hands", "", known.name, known.digest)
    camera = known.camera or _camera(clip, frames, detections, params)
    if known.hands is None:
        about = digest_json([clip.video.focal_px, clip.video.gravity, params.camera.model_dump(mode="json")])
        inputs = [detect.digest, about, known.digest]
        hands, lift = _hands(detections, camera, frames.time, inputs, params, cache, known.palm_depth_m)
    else:
        hands, lift = known.hands, StageRecord("hands", "", known.name, known.digest)
    frames = _shrink(frames, params.objects.work_short_side_px)
    people, persons = _people(frames, source, backends.person, params, cache)
    arrays, digest = cache.run(
        "objects",
        OBJECTS_VERSION,
        params.objects,
        [source, lift.digest, persons.digest, known.digest],
        lambda: to_arrays(
            reconstruct_objects(
                frames.rgb, frames.time, hands, camera, people, params.objects, known.masks, known.depth_m
            )
        ),
    )
    backend = "static_camera" if known.masks is None and known.depth_m is None else f"static_camera, {known.name}"
    stages = (detect, lift, persons, StageRecord("objects", OBJECTS_VERSION, backend, digest))
    time = frames.time
    del frames
    rgb_mp4 = _encode(clip, time, params.video)
    return make_sample(clip, time, camera, hands, from_arrays(arrays), rgb_mp4, stages, provenance)


def _digest_video(clip: Clip) -> str:
    if clip.video.sha256:
        return clip.video.sha256
    try:
        return digest_file(clip.video.path)
    except OSError as error:
        raise ClipError(
            "no_video", f"{clip.video.uid} cannot be read ({error.strerror}); is it still there?"
        ) from error


def _frames(clip: Clip, params: VideoParams, short_side_px: int) -> Iterator[tuple[float, np.ndarray]]:
    return video.iter_frames(
        clip.video.path,
        start_s=clip.start_s,
        end_s=clip.end_s,
        max_fps=params.max_fps,
        short_side_px=short_side_px,
    )


@dataclass(frozen=True)
class ClipFrames:
    """A clip at the resolution that models look at, and the size it will be stored in.

    Attributes:
        rgb: (T, h, w, 3) uint8.
        time: (T,) s from the clip's start.
        start_s: Time of the first frame in the file.
        size: (width, height) of the stored clip, px.
    """

    rgb: np.ndarray
    time: np.ndarray
    start_s: float
    size: tuple[int, int]


def decode_clip(clip: Clip, params: VideoParams) -> ClipFrames:
    """Decode a clip small enough to be held in memory; it is decoded again, frame by frame, when it is stored.

    Raises:
        ClipError: ``no_video`` or ``too_short``.
    """
    try:
        decoded = list(_frames(clip, params, params.detect_short_side_px))
        _, first = next(iter(_frames(clip, params, params.short_side_px)))
    except VideoError as error:
        raise ClipError("no_video", str(error)) from error
    if len(decoded) < 2:
        raise ClipError("too_short", f"{len(decoded)} frame")
    time = np.array([t for t, _ in decoded], np.float64)
    size = (first.shape[1], first.shape[0])
    return ClipFrames(np.stack([rgb for _, rgb in decoded]), time - time[0], float(time[0]), size)


def _shrink(frames: ClipFrames, short_side_px: int) -> ClipFrames:
    height, width = frames.rgb.shape[1:3]
    shrink = short_side_px / min(height, width)
    if shrink >= 1.0:
        return frames
    size = (round(width * shrink), round(height * shrink))
    rgb = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames.rgb])
    return replace(frames, rgb=rgb)


def _encode(clip: Clip, time: np.ndarray, params: VideoParams) -> bytes:
    full = (rgb for _, rgb in _frames(clip, params, params.short_side_px))
    return video.encode_mp4(full, time, crf=params.crf, gop=params.gop)


def _detect(
    frames: ClipFrames, source: str, detector: HandDetector, params: ReconstructParams, cache: StageCache
) -> tuple[HandDetections, StageRecord]:
    """Detections in pixels of the stored clip."""
    backend = f"{detector.name} {detector.version}"
    arrays, digest = cache.run(
        "detect_hands",
        DETECT_VERSION,
        params.video,
        [source],
        lambda: {k: np.asarray(v) for k, v in vars(detector.detect(frames.rgb, video=True)).items()},
        backend,
    )
    grow = frames.size[0] / frames.rgb.shape[2]
    arrays["landmarks_px"] = (arrays["landmarks_px"] + 0.5) * grow - 0.5
    return HandDetections(**arrays), StageRecord("detect_hands", DETECT_VERSION, backend, digest)


def _people(
    frames: ClipFrames, source: str, segmenter: PersonSegmenter, params: ReconstructParams, cache: StageCache
) -> tuple[PeopleMasks, StageRecord]:
    backend = f"{segmenter.name} {segmenter.version}"
    index = sample_indices(frames.time, params.video.person_rate_hz)
    arrays, digest = cache.run(
        "segment_people",
        PEOPLE_VERSION,
        params.video,
        [source, str(frames.rgb.shape[1])],
        lambda: {"probability": segmenter.segment(frames.rgb[index])},
        backend,
    )
    return PeopleMasks(index, arrays["probability"]), StageRecord("segment_people", PEOPLE_VERSION, backend, digest)


def _camera(clip: Clip, frames: ClipFrames, detections: HandDetections, params: ReconstructParams) -> Camera:
    native_width = video.probe(clip.video.path).width
    shell = Frames(np.zeros((len(frames.time), frames.size[1], frames.size[0], 0), np.uint8), frames.time)
    return estimate_camera(clip.video, shell, detections, native_width, params.camera)


def _hands(
    detections: HandDetections,
    camera: Camera,
    time: np.ndarray,
    inputs: list[str],
    params: ReconstructParams,
    cache: StageCache,
    palm_depth_m: np.ndarray | None,
) -> tuple[Hands, StageRecord]:
    def compute() -> dict[str, np.ndarray]:
        hands = asdict(reconstruct_hands(detections, camera, time, params.hands, palm_depth_m))
        hands["fallbacks"] = np.array(hands["fallbacks"], dtype=np.str_)
        return hands

    arrays, digest = cache.run("hands", HANDS_VERSION, params.hands, inputs, compute)
    fallbacks = tuple(str(f) for f in arrays.pop("fallbacks"))
    return Hands(**arrays, fallbacks=fallbacks), StageRecord("hands", HANDS_VERSION, "pnp", digest)
