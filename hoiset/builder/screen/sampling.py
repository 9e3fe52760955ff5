"""One pass over a video: steps between all frames, and sampled frames for everything else, window by window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from hoiset.builder.records import SourceVideo
from hoiset.builder.screen.params import ScreenParams
from hoiset.builder.screen.shots import THUMB, StepMeter, find_cuts
from hoiset.errors import VideoError
from hoiset.video import iter_pictures

_MIN_SIDE_PX = 64  # no hand can be made out in less


@dataclass(frozen=True)
class Shot:
    """Frames without a cut between them.

    Attributes:
        start_s: Start in the file, s.
        end_s: End in the file (exclusive), s.
        time: (T,) times of the sampled frames in the file, s.
        rgb: T sampled frames, (H, W, 3) uint8.
    """

    start_s: float
    end_s: float
    time: Float[np.ndarray, "T"]
    rgb: tuple[UInt8[np.ndarray, "H W 3"], ...]


def iter_shots(video: SourceVideo, params: ScreenParams) -> Iterator[Shot]:
    """The shots of a video's span in time order; one longer than ``window_s`` comes in pieces.

    Raises:
        VideoError: Nothing in the span can be decoded.
    """
    meter, samples = StepMeter(), list[tuple[float, np.ndarray]]()
    window_start = last_sample = -np.inf
    # one thread: frames come no later for the model, and workers are how pass 1 makes use of more cores
    for picture in iter_pictures(
        video.path,
        start_s=video.start_s or 0.0,
        end_s=video.end_s,
        short_side_px=params.working_short_side_px,
        threads=1,
    ):
        time_s = picture.time_s
        if samples and time_s - window_start >= params.window_s:
            yield from _split(meter, samples, time_s, params)
            meter, samples = StepMeter(), []
        if not samples:
            window_start, last_sample = time_s, -np.inf
        meter.add(time_s, picture.thumbnail(*THUMB))
        if time_s - last_sample >= 0.9 / params.sample_fps:
            samples.append((time_s, _large_enough(picture.rgb())))
            last_sample = time_s
    yield from _split(meter, samples, None, params)


def _large_enough(rgb: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
    if min(rgb.shape[:2]) < _MIN_SIDE_PX:
        raise VideoError(f"frames are {rgb.shape[1]}x{rgb.shape[0]} px; expected at least {_MIN_SIDE_PX} on each side")
    return rgb


def _split(
    meter: StepMeter, samples: list[tuple[float, np.ndarray]], end_s: float | None, params: ScreenParams
) -> Iterator[Shot]:
    """A window's shots; ``end_s`` is the time of the first frame after it, if there is one."""
    steps = meter.steps()
    if end_s is None:
        period_s = float(np.median(np.diff(steps.time))) if len(steps.time) > 1 else 1 / 30
        end_s = float(steps.time[-1]) + period_s
    cuts = find_cuts(steps, params)
    starts = [float(steps.time[0]), *(float(steps.time[i]) + params.cut_guard_s for i in cuts)]
    ends = [*(float(steps.time[i]) - params.cut_guard_s for i in cuts), end_s]
    for start, end in zip(starts, ends, strict=True):
        inside = [(t, rgb) for t, rgb in samples if start <= t < end]
        yield Shot(start, max(start, end), np.array([t for t, _ in inside]), tuple(rgb for _, rgb in inside))
