"""Cuts: frames at which the picture jumps rather than moves."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hoiset.builder.screen.params import ScreenParams

THUMB = (64, 36)
"""Width and height of the pictures that steps are measured on, px."""

_NOISE_STEP = 0.3  # mean Lab step of sensor noise and compression, so that a still scene does not divide by zero
_FLASH_S = 0.2
_AROUND_S = 0.5
_RETURN_RATIO = 0.5
_PIXEL_STEP = 1.5  # Lab step of a small picture's pixel that is more than noise
_WIDE = 0.5
_NEXT_S = 0.15


@dataclass(frozen=True)
class Steps:
    """How the picture changes from frame i to frame i + 1.

    Attributes:
        time: (T,) times of the frames, s.
        step: (T - 1,) mean absolute difference of small Lab pictures.
        extent: (T - 1,) share of the picture that changes.
        histogram: (T - 1,) half the L1 distance of colour histograms, 0..1.
        detour: (T - 1,) least difference between frames that enclose the step within a moment: small for a flash.
    """

    time: Float[np.ndarray, "T"]
    step: Float[np.ndarray, "T-1"]
    extent: Float[np.ndarray, "T-1"]
    histogram: Float[np.ndarray, "T-1"]
    detour: Float[np.ndarray, "T-1"]


class StepMeter:
    """Measures steps frame by frame, keeping only the last moment's thumbnails."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, np.ndarray, np.ndarray]] = deque()
        self._time: list[float] = []
        self._step: list[float] = []
        self._extent: list[float] = []
        self._histogram: list[float] = []
        self._detour: list[float] = []

    def add(self, time_s: float, rgb: UInt8[np.ndarray, "H W 3"]) -> None:
        """Take the next frame, of any size; one that is of size ``THUMB`` is taken as it is."""
        small = rgb if rgb.shape[1::-1] == THUMB else cv2.resize(rgb, THUMB, interpolation=cv2.INTER_AREA)
        lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
        histogram = _colour_histogram(small)
        if self._recent:
            last_lab, last_histogram = self._recent[-1][1:]
            change = np.abs(lab - last_lab).mean(axis=-1)
            self._step.append(float(change.mean()))
            self._extent.append(float((change > _PIXEL_STEP).mean()))
            self._histogram.append(float(np.abs(histogram - last_histogram).sum() / 2))
            self._detour.append(np.inf)
            self._enclose(lab)
        self._time.append(time_s)
        self._recent.append((time_s, lab, histogram))
        # always two frames back, however low the frame rate
        while len(self._recent) > 3 and time_s - self._recent[0][0] > _FLASH_S:
            self._recent.popleft()

    def _enclose(self, lab: np.ndarray) -> None:
        """A picture that comes back to where it was a moment ago: every step in between was part of a detour."""
        newest = len(self._step) - 1
        for back in range(2, len(self._recent) + 1):
            change = float(np.abs(lab - self._recent[-back][1]).mean())
            # the first and the last of the steps in between are those that jump away and back
            for i in (newest - back + 1, newest):
                self._detour[i] = min(self._detour[i], change)

    def steps(self) -> Steps:
        """What was measured so far."""
        measured = (self._time, self._step, self._extent, self._histogram, self._detour)
        return Steps(*(np.asarray(x, dtype=np.float64) for x in measured))


def find_cuts(steps: Steps, params: ScreenParams) -> list[int]:
    """Indices of the frames that begin a new shot.

    A step is a cut when it stands out from the second largest of the steps in the half second on either side (motion,
    even a fast hand, comes with neighbours of its own size; repeated frames do not hide that), or when it is large and
    the colours change with it. A step that leaves most of the picture as it was must also stand alone: an arm that
    hurries out of view needs two or three frames for it. It is none when the picture returns at once (a flash, a
    broken frame).
    """
    cuts = []
    for i, step in enumerate(steps.step):
        if steps.detour[i] < _RETURN_RATIO * step:
            continue
        hard = step >= params.hard_cut_step and steps.histogram[i] >= params.hard_cut_histogram
        wide = steps.extent[i] >= _WIDE
        stands_out = step >= params.cut_min_step and _prominence(steps, i) >= params.cut_ratio
        if hard or (stands_out and (wide or _alone(steps, i, params))):
            cuts.append(i + 1)
    return cuts


def _prominence(steps: Steps, i: int) -> float:
    """Step i over the larger of what is usual before and after it."""
    when = steps.time[i + 1]
    first = int(np.searchsorted(steps.time[1:], when - _AROUND_S))
    last = int(np.searchsorted(steps.time[1:], when + _AROUND_S, side="right"))
    # at low frame rates half a second holds too few steps to know what is usual
    first, last = max(0, min(first, i - 3)), max(last, i + 4)
    usual = max(_second_largest(steps.step[first:i]), _second_largest(steps.step[i + 1 : last]))
    return float(steps.step[i] / (usual + _NOISE_STEP))


def _alone(steps: Steps, i: int, params: ScreenParams) -> bool:
    """Whether step i stands out from the largest of the steps right before and after it."""
    near = np.abs(steps.time[1:] - steps.time[i + 1]) <= _NEXT_S
    near[max(0, i - 1) : i + 2] = True
    near[i] = False
    return bool(steps.step[i] >= params.cut_ratio * steps.step[near].max(initial=0.0))


def _second_largest(values: Float[np.ndarray, "N"]) -> float:
    return float(np.sort(values)[-2:][0]) if len(values) else 0.0


def _colour_histogram(rgb: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "128"]:
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    histogram = cv2.calcHist([hsv], [0, 1, 2], None, [8, 4, 4], [0, 180, 0, 256, 0, 256]).ravel()
    return histogram / histogram.sum()
