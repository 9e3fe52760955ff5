"""Pass 1 over one video: shots, static spans within them, the picture's quality, hands within those."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hoiset.builder.reconstruct.backends.base import HandDetector
from hoiset.builder.records import Candidate, HandDetections, SourceVideo
from hoiset.builder.screen.gates import MEASURED, explain, first_failed
from hoiset.builder.screen.hands import hand_runs, look_for_hands, measure_hands, split_long, view_hands
from hoiset.builder.screen.near_hands import measure_near_hands
from hoiset.builder.screen.params import ScreenParams
from hoiset.builder.screen.quality import measure_black, measure_quality
from hoiset.builder.screen.sampling import Shot, iter_shots
from hoiset.builder.screen.static_camera import CameraTrack, StaticSpan, least_shift, static_spans, track_camera
from hoiset.builder.screen.stopwatch import Stopwatch
from hoiset.errors import ClipError, VideoError

KnownHands = Callable[[SourceVideo, Float[np.ndarray, "T"], tuple[int, int]], HandDetections | None]
"""Hands at given times of a video, px of an image of (width, height), where they are known; otherwise ``None``."""

Frames = Sequence[UInt8[np.ndarray, "H W 3"]]
_Look = Callable[[Frames, Float[np.ndarray, "T"]], HandDetections]


@dataclass(frozen=True)
class _Span:
    """A stretch of a shot, what was measured on it, and the gate that already decided, if one has."""

    start_s: float
    end_s: float
    measured: dict[str, float]
    gate: str = ""
    detail: str = ""


def screen_video(
    video: SourceVideo,
    hand_detector: HandDetector,
    params: ScreenParams,
    step_s: dict[str, float] | None = None,
    known_hands: KnownHands | None = None,
) -> tuple[Candidate, ...]:
    """Judge a video, or its annotated span; it is decoded once, at a small size, with bounded memory.

    Args:
        video: What to judge.
        hand_detector: Asked only about spans in which the camera stands still and the picture is good.
        params: Thresholds.
        step_s: Where the seconds of each of :data:`~hoiset.builder.screen.stopwatch.STEPS` are added.
        known_hands: Asked before the detector.

    Returns:
        At least one candidate, in time order: spans that pass, and those that failed with their first failed gate. A
        video that cannot be used has one with ``no_video``; where the detector died, one has its reason as gate.

    Raises:
        BackendUnavailable: The detector cannot be started.
    """
    start_s = video.start_s or 0.0
    whole = _Span(start_s, video.end_s if video.end_s is not None else start_s, {})
    if video.problem:
        return (_candidate(video, 0, replace(whole, gate="no_video", detail=video.problem), params),)

    def look(rgb: Frames, time: Float[np.ndarray, "T"]) -> HandDetections:
        height, width = rgb[0].shape[:2]
        known = known_hands(video, time, (width, height)) if known_hands is not None else None
        return look_for_hands(hand_detector, rgb, time, params) if known is None else known

    spans: list[_Span] = []
    watch = Stopwatch({} if step_s is None else step_s)
    try:
        with _one_thread():
            for shot in watch.each("decode", iter_shots(video, params)):
                spans.extend(_screen_shot(shot, look, params, watch))
    except VideoError as error:
        spans.append(replace(whole, gate="no_video", detail=str(error)))
    except ClipError as error:
        spans.append(replace(whole, gate=error.reason, detail=error.detail))
    return tuple(_candidate(video, i, span, params) for i, span in enumerate(spans))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Frames are small: a second thread of OpenCV costs a core more than it gains, and another video could have it."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _candidate(video: SourceVideo, segment: int, span: _Span, params: ScreenParams) -> Candidate:
    gate, detail = (span.gate, span.detail) if span.gate else first_failed(span.measured, params)
    measured = {name: span.measured.get(name, np.nan) for name in MEASURED}
    return Candidate(video.uid, segment, span.start_s, span.end_s, gate, detail, measured)


def _screen_shot(shot: Shot, look: _Look, params: ScreenParams, watch: Stopwatch) -> Iterator[_Span]:
    """Every span of a shot that deserves a row, in time order, measured as far as it gets."""
    duration_s = shot.end_s - shot.start_s
    if duration_s < params.min_clip_s - 1e-6:
        yield _Span(shot.start_s, shot.end_s, {"duration_s": duration_s})
        return
    if len(shot.time) < 2:
        detail = f"the shot shows {len(shot.time)} of the frames that are looked at, expected 2 at least"
        yield _Span(shot.start_s, shot.end_s, {"duration_s": duration_s}, "too_short", detail)
        return
    with watch.step("camera"):
        track = track_camera(shot.rgb, shot.time, params)
        found = static_spans(track, shot.time, params)
    done = 0
    for still in found:
        start_s, end_s = _bounds(shot, still.first, still.last)
        if end_s - start_s < params.min_clip_s - 1e-6:
            continue
        yield from _moving(shot, track, done, still.first, params)
        yield from _screen_still(shot, still, look, params, watch)
        done = still.last
    yield from _moving(shot, track, done, len(shot.time) - 1, params)


def _bounds(shot: Shot, first: int, last: int) -> tuple[float, float]:
    """Times of a range of samples; at the shot's ends, those of the shot."""
    start_s = shot.start_s if first == 0 else float(shot.time[first])
    return start_s, shot.end_s if last == len(shot.time) - 1 else float(shot.time[last])


def _moving(shot: Shot, track: CameraTrack, first: int, last: int, params: ScreenParams) -> Iterator[_Span]:
    """A row for the samples between two static spans, where they are long enough to have been a clip."""
    start_s, end_s = _bounds(shot, first, last)
    if last <= first or end_s - start_s < params.min_clip_s - 1e-6:
        return
    shift = _least_shift(shot, track, first, last, params)
    if shift <= params.max_camera_shift:  # still, but only together with the ends of the spans beside it
        first, last = first + (first > 0), last - (last < len(shot.time) - 1)
        own_s = float(shot.time[last] - shot.time[first])
        if own_s < params.min_clip_s - 1e-6:
            if last > first:
                too_short = explain("duration_s", own_s, params)
                detail = f"the camera stands still, but what the static spans beside leave is short: {too_short}"
                measured = {"duration_s": own_s, "camera_shift": shift}
                yield _Span(float(shot.time[first]), float(shot.time[last]), measured, "too_short", detail)
            return
        start_s, end_s = _bounds(shot, first, last)
        shift = _least_shift(shot, track, first, last, params)
    measured = {"duration_s": end_s - start_s, "camera_shift": shift}
    if np.isnan(shift) and (black := measure_black(shot.rgb[first : last + 1])) > params.max_black_ratio:
        yield _Span(start_s, end_s, measured | {"black": black})
    elif np.isnan(shift):
        detail = (
            f"the background cannot be followed for {params.min_clip_s:g} s: it is hidden, changes, or shows nothing"
        )
        yield _Span(start_s, end_s, measured, "camera_unsure", detail)
    else:
        detail = f"within {params.min_clip_s:g} s {explain('camera_shift', shift, params)}"
        yield _Span(start_s, end_s, measured, "camera_moves", detail)


def _least_shift(shot: Shot, track: CameraTrack, first: int, last: int, params: ScreenParams) -> float:
    part = slice(first, last + 1)
    return least_shift(CameraTrack(track.shift[part], track.stretch[part]), shot.time[part], params)


def _screen_still(
    shot: Shot, still: StaticSpan, look: _Look, params: ScreenParams, watch: Stopwatch
) -> Iterator[_Span]:
    """The parts of a static span that show hands, each with a margin; the whole span where its picture fails, too."""
    start_s, end_s = _bounds(shot, still.first, still.last)
    part = slice(still.first, still.last + 1)
    time, rgb = shot.time[part], shot.rgb[part]
    height, width = rgb[0].shape[:2]
    with watch.step("picture"):
        common = {"camera_shift": still.shift, **measure_quality(rgb)}
    whole = {"duration_s": end_s - start_s, **common}
    if first_failed({**whole, "change": np.nan}, params)[0] != "ok":  # whether it is a photograph is asked after hands
        yield _Span(start_s, end_s, whole)
        return
    with watch.step("hands"):
        view = view_hands(look(rgb, time), time, height, width, params)
        runs = hand_runs(view, params)
    if not runs:
        yield _Span(start_s, end_s, whole | measure_hands(view, 0, len(time) - 1, params))
    for first, last in runs:
        run = (
            max(start_s, float(time[first]) - params.hand_margin_s),
            min(end_s, float(time[last]) + params.hand_margin_s),
        )
        for a, b in split_long(*run, view, params):
            inside = np.flatnonzero((time >= max(a, time[first])) & (time <= min(b, time[last])))
            measured = {"duration_s": b - a, **common}
            if len(inside):
                from_to = int(inside[0]), int(inside[-1])
                with watch.step("hands"):
                    measured |= measure_hands(view, *from_to, params)
                with watch.step("near_hands"):
                    measured |= measure_near_hands(rgb, view, *from_to)
            yield _Span(a, b, measured)
